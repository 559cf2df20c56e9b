"""One attempt on one connection, as both modes make it: whatever happens, there is an ending."""

from __future__ import annotations

from pegasus.errors import NeverStartedError, UnreachableError
from pegasus.events import Output, Sink
from pegasus.model import Attempt, Ending, Node, Outcome
from pegasus.ssh.base import Cancellation, Connection


def execute(
    attempt: Attempt, connection: Connection, emit: Sink, cancellation: Cancellation
) -> Ending | NeverStartedError:
    """Run an attempt, emitting its output, and return how it ended or why it never started."""
    try:
        return connection.attempt(
            attempt.command,
            lambda stream, data: emit(Output(attempt, stream, data)),
            cancellation,
        )
    except NeverStartedError as error:
        return error
    except Exception as error:
        # A mistake of ours must not leave the run waiting for an ending that never comes.
        return Ending(Outcome.LOST, detail=f"internal error: {error!r}")


def unreachable(node: Node, problem: Exception) -> UnreachableError:
    """Return `problem`, raised while connecting, as the error that the modes report."""
    if isinstance(problem, UnreachableError):
        return problem
    return UnreachableError(node, "connect", f"internal error: {problem!r}")
