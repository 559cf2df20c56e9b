"""A command that runs on another host, as seen through its SSH channel."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from paramiko import Channel, SSHException

from pegasus.events import Stream
from pegasus.model import Ending, Outcome
from pegasus.ssh.endings import exit_ending
from pegasus.ssh.stream import CHUNK


class RemoteProcess:
    """The `Process` of a channel. The watchdog at the other end holds the channel's stdin."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._transport = channel.get_transport()
        self._report = self._transport.watch(channel)

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
        # Taking data may have to tell the server so, which fails when the connection does. The
        # channel is closed then, and `ended` says so.
        with contextlib.suppress(SSHException, OSError, EOFError):
            if self._channel.recv_ready():
                yield Stream.STDOUT, self._channel.recv(CHUNK)
        with contextlib.suppress(SSHException, OSError, EOFError):
            if self._channel.recv_stderr_ready():
                yield Stream.STDERR, self._channel.recv_stderr(CHUNK)

    def let_go(self) -> None:
        """See `Process.let_go`."""
        with contextlib.suppress(SSHException, OSError, EOFError):
            self._channel.shutdown_write()

    def ending(self) -> Ending:
        """See `Process.ending`. LOST when the server said nothing."""
        report = self._report
        if report.exit_signal is not None:
            return Ending(Outcome.SIGNALLED, exit_signal=report.exit_signal)
        if report.exit_status is not None:
            return exit_ending(report.exit_status)
        if report.closed_by_server:
            return Ending(Outcome.LOST, detail="the server closed the session without a status")
        return Ending(Outcome.LOST, detail="the connection was lost while the command ran")

    def dispose(self) -> None:
        """See `Process.dispose`."""
        self._transport.forget(self._channel)
        with contextlib.suppress(SSHException, OSError, EOFError):
            self._channel.close()
