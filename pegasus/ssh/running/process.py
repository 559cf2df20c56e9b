"""A command that runs on another host, as seen through its SSH channel."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from paramiko import SSHException

from pegasus.events import Stream
from pegasus.model import Ending, Outcome
from pegasus.ssh.plain import plain
from pegasus.ssh.running.endings import exit_ending
from pegasus.ssh.running.order import NotStartedError
from pegasus.ssh.running.session import Session
from pegasus.ssh.running.stream import CHUNK
from pegasus.ssh.wire.transport import Wakeup

#: So many answers of a server in a row, with no output between them, show that it has no more. One
#: would do if it were not for the exchange of keys, where the first may overtake output.
_ANSWERS = 2


class Soundings:
    """Finds out whether what a server has to send has arrived, by asking it for answers."""

    def __init__(self, ask: Callable[[Callable[[], None]], None], wakeup: Wakeup) -> None:
        """Prepare to ask through `ask`, and to set `wakeup` at each answer."""
        self._ask = ask
        self._wakeup = wakeup
        self._asked = self._answered = self._void = 0

    def begin_anew(self) -> None:
        """Take no account of what has been asked so far."""
        self._void = self._asked

    def is_enough(self) -> bool:
        """Return whether all has arrived; ask the next question if none is open."""
        if self._answered - self._void >= _ANSWERS:
            return True
        if self._answered == self._asked:
            self._asked += 1
            # When that fails, the connection is over, and so is the channel.
            with contextlib.suppress(SSHException, OSError, EOFError):
                self._ask(self._note_answer)
        return False

    def _note_answer(self) -> None:
        self._answered += 1
        self._wakeup.set()


class RemoteProcess:
    """The `Process` of a session. The watchdog at the other end holds its stdin."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._channel = session.channel
        self._transport = session.transport
        self._report = session.report
        self._soundings = Soundings(self._transport.ping, self._report.wakeup)

    @property
    def is_answered(self) -> bool:
        """Whether the server has said that it runs the command, or that it does not."""
        return self._report.is_accepted is not None

    @property
    def ended(self) -> bool:
        """See `Process.ended`."""
        report = self._report
        return (
            report.exit_status is not None
            or report.exit_signal is not None
            or bool(self._channel.closed)
        )

    @property
    def drained(self) -> bool:
        """See `Process.drained`."""
        over = self._channel.eof_received or self._channel.closed  # before looking for the rest
        return bool(over) and not self._readable

    @property
    def _readable(self) -> bool:
        return bool(self._channel.recv_ready() or self._channel.recv_stderr_ready())

    def caught_up(self) -> bool:
        """See `Process.caught_up`."""
        is_enough = self._soundings.is_enough()  # before looking for what came with the answer
        return is_enough and not self._readable

    def wait(self, timeout: float | None) -> None:
        """See `Process.wait`."""
        if not self._readable:
            self._report.wakeup.wait(timeout)
        self._report.wakeup.rearm()

    def wake(self) -> None:
        """See `Process.wake`."""
        self._report.wakeup.set()

    def read(self) -> Iterator[tuple[Stream, bytes]]:
        """See `Process.read`."""
        is_out, is_err = self._channel.recv_ready(), self._channel.recv_stderr_ready()
        if is_out or is_err:
            self._soundings.begin_anew()
        if is_out:
            yield Stream.STDOUT, self._channel.recv(CHUNK)
        if is_err:
            yield Stream.STDERR, self._channel.recv_stderr(CHUNK)

    def let_go(self) -> None:
        """See `Process.let_go`."""
        with contextlib.suppress(SSHException, OSError, EOFError):
            self._channel.shutdown_write()

    def ending(self) -> Ending:
        """See `Process.ending`. LOST when the server said nothing.

        Raises:
            NotStartedError: the server did not accept the command.
        """
        report = self._report
        if report.is_accepted is False:
            raise NotStartedError("the server refuses to run a command")
        if report.exit_signal is not None:
            return Ending(Outcome.SIGNALLED, exit_signal=plain(report.exit_signal))
        if report.exit_status is not None:
            return exit_ending(report.exit_status)
        if report.closed_by_server and not self.is_answered:
            raise NotStartedError("the server closed the session before it ran a command")
        if report.closed_by_server:
            return Ending(Outcome.LOST, detail="the server closed the session without a status")
        lost = "the connection was lost while the command ran"
        death = self._transport.death
        return Ending(Outcome.LOST, detail=f"{lost}: {death}" if death else lost)

    def dispose(self) -> None:
        """See `Process.dispose`."""
        self._session.close()
