"""What hooks are told of, as texts: for their templates, and for their environment.

What pegasus knows is called `pegasus_job` in a template and `PEGASUS_JOB` in the environment, and
so can't be taken for a parameter. What a host or a program may have worded (a problem, the name
of a signal) is in the environment alone: no shell reads it as a part of a command.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pegasus.events import RunStarted
from pegasus.journal.jobs import KINDS, JobState
from pegasus.journal.logs import SUFFIXES, log_path
from pegasus.model import Attempt, Ending, printable
from pegasus.result import RunResult

#: What is before names in templates, and before those of variables of the environment.
IN_TEMPLATES, IN_ENVIRONMENT = "pegasus_", "PEGASUS_"

#: The kinds of jobs that are counted; of those that ended, and not of those that were left.
COUNTED = ("done", "failed", "lost", "cancelled")

#: The names of what is known of a run, of an attempt that failed, and of what a run has come to.
OF_RUN = ("run", "mode", "queue_file")
OF_FAILURE = (
    *("job", "attempt", "node", "slots", "command", "outcome", "exit_status"),
    *("stdout_log", "stderr_log"),
)
OF_PROGRESS = (*COUNTED, "running", "queued", "unfit", "nodes_lost", "elapsed")
OF_END = ("exit_status", "interrupted")
#: The names of what others may have worded.
REPORTED = ("exit_signal", "ending")

#: How many characters of a text are put into the environment, which has room for 128 KiB each.
LONGEST = 16_384

_PARAMS, _PARAM = f"{IN_ENVIRONMENT}PARAMS", f"{IN_ENVIRONMENT}PARAM_"
_OURS = frozenset(
    f"{IN_ENVIRONMENT}{name.upper()}"
    for name in (*OF_RUN, *OF_FAILURE, *OF_PROGRESS, *OF_END, *REPORTED, "params")
)
_VARIABLE = re.compile(r"[A-Za-z0-9_]+")


@dataclass(frozen=True)
class Facts:
    """What one call of a hook is told.

    Attributes:
        known: what pegasus knows, by names without what comes before them.
        reported: the same for texts that a host or a program may have chosen.
        params: the parameters that fill the command of a job, with `hostname` and its `slots`.
    """

    known: Mapping[str, str]
    reported: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)

    def variables(self) -> dict[str, str]:
        """Return what fills the hook's template."""
        ours = {f"{IN_TEMPLATES}{name}": text for name, text in self.known.items()}
        return {**self.params, **ours}

    def environment(self) -> dict[str, str]:
        """Return the environment of the hook: that of this process, and what is told.

        What a run within a hook of another run has inherited is not told again.
        """
        there = {name: text for name, text in os.environ.items() if not _is_ours(name)}
        return {**there, **dict(self._told())}

    def _told(self) -> Iterator[tuple[str, str]]:
        for name, text in {**self.known, **self.reported}.items():
            yield f"{IN_ENVIRONMENT}{name.upper()}", _bearable(text)
        if self.params:
            yield _PARAMS, _bearable(json.dumps(dict(self.params)))
        for name, text in self.params.items():
            if _VARIABLE.fullmatch(name):
                yield f"{_PARAM}{name}", _bearable(text)


def of_failure(
    run: RunStarted, queue_file: str, folder: Path, attempt: Attempt, ending: Ending
) -> Facts:
    """Return what is told of an attempt that failed for good.

    Args:
        run: the run that it belongs to.
        queue_file: the path of its queue file.
        folder: where the journal and the logs are.
    """
    logs = {
        f"{stream.value}_log": str(log_path(folder, *attempt.key, suffix).absolute())
        for stream, suffix in SUFFIXES.items()
    }
    known = {
        **_of_run(run, queue_file),
        "job": str(attempt.job.id),
        "attempt": str(attempt.number),
        "node": attempt.node.label,
        "slots": str(attempt.slots),
        "command": attempt.command,
        "outcome": ending.outcome.value,
        "exit_status": _number(ending.exit_status),
        **logs,
    }
    reported = {"exit_signal": ending.exit_signal or "", "ending": str(ending)}
    reported = {name: printable(text) for name, text in reported.items()}
    return Facts(known, reported, attempt.job.variables(attempt.node, attempt.slots))


def of_progress(
    run: RunStarted, queue_file: str, result: RunResult, queued: int | None, elapsed: float
) -> Facts:
    """Return what is told of a run that is on.

    Args:
        result: what it has come to by now.
        queued: how many jobs stand in the queue file, as far as it is known.
        elapsed: for how long it has been on, in seconds.
    """
    kinds = Counter(_kind(ending) for _, ending in result.final)
    numbers = {kind: str(kinds[kind]) for kind in COUNTED}
    numbers["running"] = str(len(result.running))
    numbers["queued"] = _number(queued)
    numbers["unfit"] = str(sum(one.jobs for one in result.unfit))
    numbers["nodes_lost"] = str(len({*result.unreachable, *result.lost}))
    numbers["elapsed"] = str(int(elapsed))
    return Facts({**_of_run(run, queue_file), **numbers})


def of_end(progress: Facts, exit_status: int, interrupted: int | None) -> Facts:
    """Return what is told of a run that has ended, from what would be if it were on."""
    ending = {"exit_status": str(exit_status), "interrupted": _number(interrupted)}
    return Facts({**progress.known, **ending})


def _of_run(run: RunStarted, queue_file: str) -> dict[str, str]:
    return {"run": run.run, "mode": run.mode, "queue_file": os.path.abspath(queue_file)}


def _kind(ending: Ending) -> str:
    state = JobState(ending.outcome.value)
    return next(kind for kind in COUNTED if state in KINDS[kind])


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def _bearable(text: str) -> str:
    """Return a text that the system takes into an environment: not too long, and without NUL."""
    cut = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    return cut.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _is_ours(name: str) -> bool:
    return name in _OURS or name.startswith(_PARAM)
