"""What can't be written now: people are told once, and it is tried again until it can."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

from pegasus.errors import PegasusError

#: How often it is tried again, in seconds.
EVERY = 1.0

_MEANWHILE = "nothing begins until that is mended; what runs goes on, and its output is kept here"
_OVER = "the journal and the logs can be written again"


class Trouble:
    """Tells people once that something can't be written, and once that everything can again.

    In between it has it tried again and again, in a thread of its own: what has been held back
    must not have to wait for the next thing that happens. Any thread may use it.

    Args:
        tell: takes a message.
        retry: tries once more to write all that waits.
    """

    def __init__(self, tell: Callable[[str], None], retry: Callable[[], None]) -> None:
        self._tell = tell
        self._retry = retry
        self._is_closed = threading.Event()
        self._lock = threading.Lock()  # Guards what follows.
        self._where: set[object] = set()
        self._is_trying = False

    def begins(self, where: object, error: PegasusError) -> None:
        """Note that one thing can't be written, and why."""
        with self._lock:
            is_news = not self._where
            self._where.add(where)
            if is_news:
                self._tell(f"{error}\n{_MEANWHILE}")
            if not self._is_trying:
                self._begin_trying()

    def ends(self, where: object) -> None:
        """Note that it can be written."""
        if where not in self._where:  # Nearly always: spare the lock.
            return
        with self._lock:
            if where in self._where:
                self._where.discard(where)
                if not self._where:
                    self._tell(_OVER)

    def drop(self, where: object) -> None:
        """Forget it: it is not to be written any more."""
        with self._lock:
            self._where.discard(where)

    def close(self) -> None:
        """Try no more."""
        self._is_closed.set()

    def _begin_trying(self) -> None:
        with contextlib.suppress(RuntimeError):  # Out of threads: then the next thing tries.
            threading.Thread(target=self._try, name="pegasus-retry", daemon=True).start()
            self._is_trying = True

    def _try(self) -> None:
        while not self._is_closed.wait(EVERY):
            self._retry()
            with self._lock:
                if not self._where:
                    self._is_trying = False
                    return
