"""Makes calls of hooks, one at a time and in order, in a thread that is there as long as needed."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable

from pegasus.hooks.calls import Call, Say

#: How many failures of a hook are told; the others are counted.
TOLD = 5
#: With how many calls behind it is said that hooks take too long.
BEHIND = 100


class Failures:
    """Tells of calls that failed: a hook that always does is not to bury what else is said."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._counts: Counter[str] = Counter()

    def tell(self, call: Call, problem: str) -> None:
        """Tell that a call failed, or only count it."""
        self._counts[call.name] += 1
        if self._counts[call.name] <= TOLD:
            is_last = self._counts[call.name] == TOLD
            about = f" {call.about}" if call.about else ""
            end = "; should it fail again, that is only counted" if is_last else ""
            self._say(f"{call.name} failed{about}: {problem}{end}")

    def sum_up(self) -> None:
        """Tell how many there were, where not all have been told."""
        for name, count in self._counts.items():
            if count > TOLD:
                self._say(f"{name} failed {count} times")


class Caller:
    """Calls that wait, and the one that is made now. Any thread may use it.

    Args:
        say: is told when too many calls wait.
        fail: is told what failed.

    Attributes:
        forgotten: how many calls were given up before they were made.
    """

    def __init__(self, say: Say, fail: Callable[[Call, str], None]) -> None:
        self.forgotten = 0
        self._say = say
        self._fail = fail
        self._waiting: deque[Call] = deque()
        self._current: Call | None = None
        self._is_working = self._is_given_up = self._is_behind = False
        self._changed = threading.Condition()  # Guards all of it.

    def add(self, call: Call) -> None:
        """Have a call made behind those that wait; return at once."""
        with self._changed:
            self._waiting.append(call)
            is_new = len(self._waiting) > BEHIND and not self._is_behind
            self._is_behind = self._is_behind or is_new
            problem = "" if self._is_working else self._begin()
        if problem:
            self._fail(call, problem)
        elif is_new:
            self._say(f"hooks take long: {BEHIND} calls of them wait, and jobs go on")

    @property
    def pending(self) -> list[str]:
        """The names of the hooks whose calls are made or wait, in order."""
        with self._changed:
            current = [self._current] if self._current else []
            return [*dict.fromkeys(call.name for call in [*current, *self._waiting])]

    def wait(self, timeout: float) -> bool:
        """Wait until all calls are made, or given up; return whether that is so in time."""
        with self._changed:
            return self._changed.wait_for(
                lambda: not self._is_working or self._is_given_up, timeout
            )

    def give_up(self) -> None:
        """End what is made now, and forget what waits."""
        with self._changed:
            self._is_given_up = True
            self.forgotten += len(self._waiting)
            self._waiting.clear()
            if self._current:
                self._current.end()
            self._changed.notify_all()

    def join(self, timeout: float) -> bool:
        """Wait until nothing is made any more; return whether that is so in time."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._is_working, timeout)

    def _begin(self) -> str:
        """Have a thread make what waits; return why there is none."""
        try:
            threading.Thread(target=self._work, daemon=True).start()
        except RuntimeError as error:
            self._waiting.clear()
            return str(error)
        self._is_working = True
        return ""

    def _work(self) -> None:
        while call := self._next():
            try:
                problem = call.make()
            except Exception as error:  # such as a thread that can't be started
                problem = f"internal error: {error!r}"
            if problem:
                self._fail(call, problem)

    def _next(self) -> Call | None:
        with self._changed:
            self._current = self._waiting.popleft() if self._waiting else None
            if self._current is None:
                self._is_working = False
                self._changed.notify_all()
            return self._current
