"""What a session gets before its command, as the configuration has it."""

from __future__ import annotations

import os

from paramiko import Channel

from pegasus.ssh.login import agent
from pegasus.ssh.openssh.target import Target


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
