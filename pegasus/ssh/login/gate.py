"""Few handshakes at a time: sshd drops connections when too many are not yet logged in.

With its default `MaxStartups 10:30:100` a third of those beyond ten are lost.
"""

from __future__ import annotations

import contextlib
import random
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import TypeVar

from pegasus.ssh.base import GivenUpError

T = TypeVar("T")

#: Handshakes at a time on one sshd, and in all.
EACH = 8
ALL = 64

#: How often a handshake that the server broke off is tried, and how long to wait between,
#: in seconds: twice as long each time, give or take half.
TRIES = 6
_PAUSE = 0.2

#: How often who waits for a place looks whether it still wants one, in seconds.
_GLANCE = 0.2


class DroppedError(Exception):
    """The server ended the connection before it was usable: another try may do better."""


class Gate:
    """Lets a limited number of threads connect; shared by all connections of a run."""

    def __init__(self, each: int = EACH, together: int = ALL) -> None:
        self._all = threading.BoundedSemaphore(together)
        self._each: defaultdict[str, threading.BoundedSemaphore] = defaultdict(
            lambda: threading.BoundedSemaphore(each)
        )
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def enter(self, address: str, closing: threading.Event) -> Iterator[None]:
        """Wait for a place among those who connect to `address`, or for `closing`.

        Raises:
            GivenUpError: `closing` was set.
        """
        with self._lock:
            places = self._each[address]
        # The address's place first: who waits for it must not keep others from connecting.
        with _place(places, closing), _place(self._all, closing):
            yield

    def connect(self, address: str, handshake: Callable[[], T], closing: threading.Event) -> T:
        """Call `handshake` in a place of its own, and again when it was dropped.

        Parameters:
            closing: when it is set, no place and no further try is waited for.

        Raises:
            DroppedError: every try was dropped.
            GivenUpError: `closing` was set.
        """
        for number in range(TRIES - 1):
            try:
                with self.enter(address, closing):
                    return handshake()
            except DroppedError:
                closing.wait(_PAUSE * 2**number * random.uniform(0.5, 1.5))  # noqa: S311
        with self.enter(address, closing):
            return handshake()


@contextlib.contextmanager
def _place(places: threading.Semaphore, closing: threading.Event) -> Iterator[None]:
    while not places.acquire(timeout=_GLANCE):
        if closing.is_set():
            raise GivenUpError
    try:
        if closing.is_set():
            raise GivenUpError
        yield
    finally:
        places.release()
