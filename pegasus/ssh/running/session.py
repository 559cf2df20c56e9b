"""What a session gets before its command, as the configuration has it."""

from __future__ import annotations

import os
import threading
import time

from paramiko import Channel

from pegasus.ssh.base import Cancellation
from pegasus.ssh.login import agent
from pegasus.ssh.openssh.target import Target

#: How long a server may take to answer a request, and to take a command, in seconds.
ANSWER = 60.0

#: How often it is looked whether the answer is still wanted, in seconds.
_GLANCE = 1.0


class Answer(threading.Event):
    """What Paramiko waits with for the answer to a request; its own would wait for ever."""

    def __init__(self, cancellation: Cancellation) -> None:
        """Prepare to wait, but not long once `cancellation` has come."""
        super().__init__()
        self._cancellation = cancellation

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set.

        Raises:
            TimeoutError: it was not set in time.
        """
        end = time.monotonic() + (ANSWER if timeout is None else timeout)
        while not super().wait(_GLANCE):
            if self._cancellation.outcome is not None or time.monotonic() > end:
                raise TimeoutError(f"the server did not answer within {ANSWER:g} s")
        return True


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
