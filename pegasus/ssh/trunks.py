"""The SSH connections of one node: as few as the sessions of its attempts need.

A server gives so many sessions a connection (OpenSSH's MaxSessions, 10 by default) and does not
say how many. So the first connection is asked until it refuses, and only then is a further one
made. Those that are not needed any more stay: a run that needed them will do so again.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pegasus.errors import UnreachableError
from pegasus.ssh.base import Cancellation, GivenUpError
from pegasus.ssh.trunk import Trunk

#: How long to wait before a further connection is tried again that could not be made, and how long
#: at most, in seconds; each time twice as long.
FIRST, LONGEST = 5.0, 60.0


@dataclass(eq=False)
class _Opening:
    """A connection that is being made, and why it could not be, once that is known."""

    trunk: Trunk
    error: UnreachableError | None = None


class Trunks:
    """Has a session's place for each attempt. All threads of a node's attempts use it.

    One connection at a time is made, by a thread of its own: a new one serves several who wait.
    They may also be cancelled meanwhile, or find room in another one.
    """

    def __init__(self, make: Callable[[threading.Event], Trunk]) -> None:
        """Prepare; `make` returns a new connection that is not open, given what closes it."""
        self._make = make
        self._changed = threading.Condition()  # Guards all that follows, and what trunks count.
        self._trunks: list[Trunk] = []
        self._opening: _Opening | None = None
        self._pause = FIRST
        self._retry_at = 0.0
        self._dropped: list[Trunk] = []  # To be closed, which may take a while.

    @property
    def open(self) -> tuple[Trunk, ...]:
        """Those that are connected, the oldest first."""
        return tuple(trunk for trunk in self._trunks if trunk.is_connected)

    def ensure(self, closing: threading.Event) -> Trunk:
        """Return one that is connected and may be used; make it where there is none.

        Raises:
            UnreachableError: the node can't be connected to.
            GivenUpError: `closing` has come.
        """
        with self._locked():
            return self._obtain(lambda: next(iter(self._usable()), None), closing, Cancellation())

    def enter(self, closing: threading.Event, cancellation: Cancellation) -> Trunk:
        """Return one with room for a session, and count that; `leave` it afterwards.

        When all are full, a further one is made. Where that fails, this waits for room, and now
        and then tries it again.

        Raises:
            UnreachableError: there is none to wait for, and none could be made.
            GivenUpError: `cancellation` or `closing` has come.
        """
        with self._locked():
            if self._with_room() is None:
                cancellation.on_cancel(self._wake)  # This may wait.
            trunk = self._obtain(self._with_room, closing, cancellation)
            trunk.sessions.used += 1
            return trunk

    def leave(self, trunk: Trunk, *, is_broken: bool = False) -> None:
        """Give back a session's place.

        Args:
            is_broken: whether it is to be used no more, and closed when nobody uses it.
        """
        with self._locked():
            trunk.sessions.ended += 1
            trunk.sessions.are_over |= is_broken
            self._vacate(trunk)

    def leave_full(self, trunk: Trunk) -> bool:
        """Give back a place for which there was no session; return whether others may have one.

        They don't where the server has never given any.
        """
        sessions = trunk.sessions
        with self._locked():
            sessions.limit = min(sessions.limit, sessions.used - 1)
            # What is left of cancelled commands takes all of its sessions, or there are none.
            sessions.are_over |= not sessions.limit
            self._vacate(trunk)
            return bool(sessions.limit) or sessions.have_been

    def close(self) -> None:
        """Disconnect all, and what is being connected. The caller has set their `closing`."""
        with self._changed:
            trunks, self._trunks = self._trunks, []
            opening, self._opening = self._opening, None  # What comes of it is nobody's.
            if opening is not None:
                trunks.append(opening.trunk)
            self._changed.notify_all()
        for trunk in trunks:
            trunk.close()

    # With the lock, from here on.

    def _obtain(
        self,
        choose: Callable[[], Trunk | None],
        closing: threading.Event,
        cancellation: Cancellation,
    ) -> Trunk:
        """Return what `choose` finds as soon as it finds something; have one made meanwhile."""
        while True:
            if cancellation.outcome is not None or closing.is_set():
                raise GivenUpError
            trunk = choose()
            if trunk is not None:
                return trunk
            opening = self._opening
            if opening is None and self._is_time():
                opening = self._begin_opening(closing)
            if opening is None or opening.error is None:
                self._changed.wait(None if opening else self._retry_at - time.monotonic())
            if opening is not None and opening.error is not None:
                self._give_up_if_hopeless(opening.error)

    def _with_room(self) -> Trunk | None:
        return next((trunk for trunk in self._usable() if trunk.sessions.has_room), None)

    def _usable(self) -> list[Trunk]:
        """Return those that are connected and may have sessions; drop those that broke."""
        for trunk in [trunk for trunk in self._trunks if not trunk.is_connected]:
            self._drop(trunk)
        return [trunk for trunk in self._trunks if not trunk.sessions.are_over]

    def _drop(self, trunk: Trunk) -> None:
        self._trunks.remove(trunk)
        self._dropped.append(trunk)

    def _vacate(self, trunk: Trunk) -> None:
        sessions = trunk.sessions
        sessions.used -= 1
        if sessions.are_over and not sessions.used and trunk in self._trunks:
            self._drop(trunk)
        self._changed.notify_all()

    def _is_time(self) -> bool:
        return time.monotonic() >= self._retry_at or not self._usable()

    def _begin_opening(self, closing: threading.Event) -> _Opening:
        opening = self._opening = _Opening(self._make(closing))
        thread = threading.Thread(
            target=self._open, args=(opening, closing), name="pegasus-connecting", daemon=True
        )
        try:
            thread.start()
        except RuntimeError as error:  # It is out of threads.
            node = opening.trunk.node
            self._finish_opening(opening, UnreachableError(node, "connect", str(error)))
        return opening

    def _finish_opening(self, opening: _Opening, error: UnreachableError | None) -> None:
        """Use the connection that was made, or note when to try again."""
        if error is None:
            self._pause = FIRST
            self._trunks.append(opening.trunk)
        else:
            self._retry_at = time.monotonic() + self._pause
            self._pause = min(2 * self._pause, LONGEST)
        opening.error = error
        self._opening = None
        self._changed.notify_all()

    def _give_up_if_hopeless(self, error: UnreachableError) -> None:
        """Raise `error` where no session is to be waited for.

        A host that shows another key is none to wait for, either.
        """
        if error.step == "host key" or not self._usable():
            raise UnreachableError(error.node, error.step, error.problem) from error

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock, and close behind it what was dropped."""
        try:
            with self._changed:
                yield
        finally:
            self._close_dropped()

    def _close_dropped(self) -> None:
        while self._dropped:
            with contextlib.suppress(IndexError):  # Another thread may do it.
                self._dropped.pop().close()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    # Without the lock, in a thread of its own.

    def _open(self, opening: _Opening, closing: threading.Event) -> None:
        """Make a connection, and tell those who wait for it what has come of it."""
        trunk, error = opening.trunk, None
        try:
            self._close_dropped()
            trunk.open()
        except UnreachableError as problem:
            error = problem
        except Exception as problem:  # A mistake of ours must not keep anybody waiting.
            error = UnreachableError(trunk.node, "connect", f"internal error: {problem!r}")
        with self._changed:
            is_wanted = self._opening is opening and not closing.is_set()
            if is_wanted:
                self._finish_opening(opening, error)
        if not is_wanted:
            trunk.close()
