"""A session of an SSH connection, from the question for it to its command."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence

from paramiko import Channel, ChannelException, Message, SSHException

from pegasus.ssh.login import agent
from pegasus.ssh.openssh.target import Target
from pegasus.ssh.plain import plain
from pegasus.ssh.running import watchdog
from pegasus.ssh.running.order import NotStartedError, Order, RefusedError, UnansweredError
from pegasus.ssh.wire.asking import (
    command_request,
    data_right_behind,
    is_refused,
    new_channel,
    session_request,
)
from pegasus.ssh.wire.transport import NodeTransport

#: How long a server may take to take a command, in seconds.
TAKING = 60.0

#: How often it is looked whether the connection holds on which an answer is waited for, in seconds.
_GLANCE = 1.0


class Session:
    """A session that a server is asked for.

    Attributes:
        channel: what Paramiko has of it.
        report: what the server says of it.
        request: the message that asks for it.
    """

    def __init__(self, transport: NodeTransport) -> None:
        """Prepare to ask for a session; whoever does sends `request`."""
        self.transport = transport
        self.channel, self.report = new_channel(transport)
        self.request = session_request(self.channel)

    @property
    def is_open(self) -> bool:
        """Whether the server has given it, and nobody has closed it."""
        return bool(self.channel.active) and not self.channel.closed

    def open(self) -> None:
        """Ask for it, and wait until the server has given it.

        Raises:
            RefusedError: it gives none.
            UnansweredError: it says nothing.
            NotStartedError: the connection is lost.
        """
        try:
            self.transport.send_together([self.request])
        except (SSHException, OSError, EOFError) as error:
            raise NotStartedError(_explain(error)) from error
        self.wait()

    def wait(self) -> None:
        """Wait until the server has given it; see `open`."""
        wakeup = self.report.wakeup
        end = time.monotonic() + self.transport.channel_timeout
        wakeup.rearm()  # what comes after this look will wake who follows the command
        while not self.is_open:
            if is_refused(self.channel):
                raise RefusedError(_refused(self.transport))
            if self.channel.closed or not self.transport.active:
                raise NotStartedError("the connection was lost")
            if time.monotonic() > end:
                problem = "the server does not open a session; has it too much to do?"
                raise UnansweredError(problem)
            wakeup.wait(_GLANCE)
            wakeup.rearm()

    def begin(self, order: Order, target: Target, first: Sequence[Message] = ()) -> None:
        """Have the watchdog run, and tell it the command; send other messages with that.

        These come first: the command is the last that is sent, so that it is unfinished where
        anything was not sent. The answer is still to come.

        Raises:
            NotStartedError: one of these failed. An unfinished command is never run.
        """
        try:
            equip(self.channel, target)
            leash = watchdog.leash(order.command, order.surroundings)
            request = command_request(self.channel, watchdog.exec_request(order.grace))
            data = data_right_behind(self.channel, leash)
            self.transport.send_together([*first, request, *([data] if data else [])])
            if data is None:
                self._tell(leash)
        except Exception as error:  # what Paramiko stumbled over, too
            raise NotStartedError(_explain(error)) from error

    def close(self) -> None:
        """Close it; a command that still runs loses its leash."""
        self.transport.forget(self.channel)
        with contextlib.suppress(SSHException, OSError, EOFError):
            self.channel.close()

    def _tell(self, leash: bytes) -> None:
        self.channel.settimeout(TAKING)
        try:
            self.channel.sendall(leash)
        except TimeoutError as error:
            raise TimeoutError(f"the server did not take the command for {TAKING:g} s") from error
        except OSError:
            # Something else than the watchdog ran and has ended; how it did is still to come.
            if not self.channel.closed or not self.transport.is_active():
                raise


def equip(channel: Channel, target: Target) -> None:
    """Send the environment and offer the agent; no answer is waited for.

    The server's AcceptEnv and AllowAgentForwarding decide what it takes.

    Raises:
        SSHException, OSError, EOFError: the connection is lost.
    """
    for name, value in target.environment:
        channel.set_environment_variable(os.fsencode(name), os.fsencode(value))
    if target.forwarded_agent is not None:
        agent.forward(channel, target.forwarded_agent)


def _refused(transport: NodeTransport) -> str:
    error = transport.saved_exception  # of two refusals at a time, Paramiko keeps one
    reason = error.text if isinstance(error, ChannelException) else "Connect failed"
    return f"the server refuses a session ({reason}); see MaxSessions in its sshd_config"


def _explain(error: Exception) -> str:
    return plain(str(error)) or "the connection was lost"
