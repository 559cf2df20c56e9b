"""The exit status of a run: what a script learns of how it went, by three rules to choose from.

docs/failure.md promises these numbers. Wrong usage (1, too) is an exception instead, and an
interruption (128 plus the signal's number) comes before all rules.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence

from pegasus.model import Ending, Outcome

SUCCESS = 0
UNFIT = 1  # As where the files are wrong: they ask for what no node has.
CUT_SHORT = 3
NODE_TROUBLE = 4
COMMAND_FAILED = 5
SIGNALLED = 128  # plus the signal's number: of the run 130, 143 and 129

#: What a command counts as, under `max`, that has no exit status: as timeout(1) and ssh(1) have
#: it, and as a shell says of a command that was ended by TERM.
_WITHOUT_STATUS = {
    Outcome.TIMED_OUT: 124,
    Outcome.CANCELLED: SIGNALLED + signal.SIGTERM,
    Outcome.LOST: 255,
    Outcome.UNREACHABLE: 255,
}
#: The status of what failed and did not say how.
_UNKNOWN = 1
_NODE_TROUBLE_AS_COMMAND = 255

#: Up to this many failures are counted; more are one more than that, as in GNU parallel.
MOST_COUNTED = 100


def exit_status(rule: str, failed: Sequence[Ending], nodes: int, unfit: int = 0) -> int:
    """Return the exit status of a run that nobody has interrupted.

    Args:
        rule: kind, max or count.
        failed: the endings that count and are no successes.
        nodes: how many nodes were not reached, or were given up.
        unfit: how many jobs were left in the queue file, since they fit no node.
    """
    return _RULES[rule](failed, nodes, unfit)


def _kind(failed: Sequence[Ending], nodes: int, unfit: int) -> int:
    outcomes = {ending.outcome for ending in failed}
    if outcomes & {Outcome.TIMED_OUT, Outcome.SIGNALLED}:
        return CUT_SHORT
    if nodes or outcomes & {Outcome.LOST, Outcome.UNREACHABLE}:
        return NODE_TROUBLE
    if outcomes:
        return COMMAND_FAILED
    return UNFIT if unfit else SUCCESS


def _largest(failed: Sequence[Ending], nodes: int, unfit: int) -> int:
    others = [_NODE_TROUBLE_AS_COMMAND if nodes else SUCCESS, UNFIT if unfit else SUCCESS]
    return max(*map(_status, failed), *others)


def _status(ending: Ending) -> int:
    """Return the exit status of a command that failed, or what a shell would say of it."""
    if ending.outcome is Outcome.SIGNALLED:
        number = signal.Signals.__members__.get(f"SIG{ending.exit_signal}", 0)
        return ending.exit_status or SIGNALLED + int(number)
    return _WITHOUT_STATUS.get(ending.outcome) or ending.exit_status or _UNKNOWN


def _count(failed: Sequence[Ending], nodes: int, unfit: int) -> int:
    """Count commands; where none failed nodes, and then jobs: 0 is to mean that all is well."""
    return min(len(failed) or nodes or unfit, MOST_COUNTED + 1)


_RULES: dict[str, Callable[[Sequence[Ending], int, int], int]] = {
    "kind": _kind,
    "max": _largest,
    "count": _count,
}
