"""On which nodes the last run of a queue file has failed: what `--limit @failed` means."""

from __future__ import annotations

from collections.abc import Iterator

from pegasus.journal.history import History
from pegasus.journal.nodes import NodeState, RunHistory
from pegasus.model import Outcome
from pegasus.selection import LastRun, known_by

#: A node that was disconnected when its run ended was not to be had any more.
_GONE = (NodeState.UNREACHABLE, NodeState.DISCONNECTED, NodeState.LOST)


def last_run(history: History) -> LastRun:
    """Return what the run that was started last, of those that are over, came to.

    A run that is still on says nothing yet: what fails in it may be made good. Of one that has
    died, what ran then did not succeed.

    Args:
        history: that has caught up.
    """
    over = [run for run in history.runs.values() if not run.is_on and run.nodes]
    if not over:
        return LastRun()
    run = over[-1]
    indices = {index for index, node in run.nodes.items() if node.state in _GONE}
    indices |= {*_failed(history, run)}
    nodes = [run.nodes[index] for index in indices if index in run.nodes]
    return LastRun(run.id, frozenset(known_by(one.host, one.params.items()) for one in nodes))


def _failed(history: History, run: RunHistory) -> Iterator[int]:
    """Yield the indices of nodes on which an attempt of a run failed and was not made good."""
    for job in history.jobs.values():
        mine = [one for one in job.attempts.values() if one.run == run.id]
        begun = [one for one in mine if not one.never_started]
        made_good = {one.repeats for one in begun}
        for one in begun:
            if one.number not in made_good and one.outcome is not Outcome.SUCCEEDED:
                yield one.index
