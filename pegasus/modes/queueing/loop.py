"""What drives a scheduler: its inbox, its clock, and threads for what would block it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import TypeVar

from pegasus.errors import PegasusError
from pegasus.modes.workers import Workers

T = TypeVar("T")

#: What a scheduler is told: a function, which its own thread calls.
Message = Callable[[], None]

#: How often who has asked something looks whether the scheduler has ended, in seconds.
GLANCE = 0.1


class Loop:
    """The real thing. A simulation has another one, in which time passes by itself."""

    def __init__(self) -> None:
        self._inbox: SimpleQueue[Message] = SimpleQueue()
        self._has_ended = threading.Event()
        self._workers = Workers()

    def end(self) -> None:
        """No message is handled any more."""
        self._has_ended.set()

    def now(self) -> float:
        """Return the time in seconds, from some beginning."""
        return time.monotonic()

    def send(self, message: Message) -> None:
        """Have the scheduler's thread call `message`. Any thread may ask."""
        self._inbox.put(message)

    def ask(self, question: Callable[[], T], default: T) -> T:
        """Return what the scheduler's thread answers, or `default` where it has ended.

        Any other thread may ask.

        Raises:
            PegasusError: as the question does.
        """
        answers: SimpleQueue[T | PegasusError] = SimpleQueue()

        def answer() -> None:
            try:
                answers.put(question())
            except PegasusError as error:
                answers.put(error)

        self.send(answer)
        while True:
            is_over = self._has_ended.is_set()
            try:
                found = answers.get(timeout=0 if is_over else GLANCE)
            except Empty:
                if is_over:
                    return default
                continue
            if isinstance(found, PegasusError):
                raise found
            return found

    def receive(self, within: float | None) -> list[Message]:
        """Return the messages that have come, or else wait for one.

        There are several when the scheduler was busy: what it then does for all of them at once,
        such as writing files, it does once. None when there was none `within` seconds (None: for
        ever).
        """
        messages: list[Message] = []
        with suppress(Empty):
            messages.append(self._inbox.get(timeout=within))
            while True:
                messages.append(self._inbox.get_nowait())
        return messages

    def spawn(self, target: Callable[..., None], *args: object) -> None:
        """Call a function that may block in a thread that has nothing else to do."""
        self._workers.call(partial(target, *args))
