"""Threads for what blocks, kept for a while: to make one for each attempt takes longer.

The library's ThreadPoolExecutor won't do: Python waits for its threads at the end, and a user who
leaves must not have to.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue

#: What is to be done by a thread. It must not raise.
Deed = Callable[[], None]

#: For how long a thread waits for something to do before it ends, in seconds.
PATIENCE = 10.0


class Workers:
    """As many threads as there are things to do at a time. Any thread may use it."""

    def __init__(self, patience: float = PATIENCE) -> None:
        """Prepare; a thread that has nothing to do ends after `patience` seconds."""
        self._patience = patience
        self._idle: deque[SimpleQueue[Deed]] = deque()  # What those wait for who have no deed.

    def call(self, deed: Deed) -> None:
        """Have a thread do this now.

        Raises:
            RuntimeError: the system has no more threads.
        """
        try:
            inbox = self._idle.pop()  # Who was busy last: the others may end.
        except IndexError:
            threading.Thread(target=self._work, args=(deed,), daemon=True).start()
        else:
            inbox.put(deed)

    def _work(self, deed: Deed) -> None:
        inbox: SimpleQueue[Deed] = SimpleQueue()
        while True:
            deed()
            self._idle.append(inbox)
            try:
                deed = inbox.get(timeout=self._patience)
            except Empty:
                try:
                    self._idle.remove(inbox)
                except ValueError:  # It was given something just now.
                    deed = inbox.get()
                else:
                    return
