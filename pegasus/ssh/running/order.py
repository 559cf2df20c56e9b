"""What a connection is asked to run, and how it says that it could not."""

from __future__ import annotations

from dataclasses import dataclass

from pegasus.model import NO_SURROUNDINGS, Surroundings
from pegasus.ssh.base import Cancellation, OnAnnounced, OnOutput, nobody


@dataclass
class Order:
    """One command that is to be run: what `Connection.attempt` was given.

    Attributes:
        grace: seconds between TERM and KILL when it is cancelled.
        timeout: after how many seconds it is cancelled, or None.
    """

    command: str
    on_output: OnOutput
    cancellation: Cancellation
    grace: float
    timeout: float | None = None
    on_announced: OnAnnounced = nobody
    surroundings: Surroundings = NO_SURROUNDINGS


class NotStartedError(Exception):
    """The command certainly did not begin; the message says why."""


class UnansweredError(NotStartedError):
    """The server does not say whether it gives a session; it may still do so, to nobody."""


class RefusedError(NotStartedError):
    """The server gives no session over this connection, which is as good as it was."""
