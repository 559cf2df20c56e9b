"""Show the end of the output of each job that failed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pegasus.journal.history import AttemptHistory, History, JobHistory, JobState
from pegasus.journal.jobs import KINDS
from pegasus.terminal.errands.logs import LogScreen, telling_log
from pegasus.terminal.lines.splitter import LINE_END
from pegasus.terminal.printer import Printer

#: The states in which a job has come to no good end, by itself or with its node or run.
BAD = KINDS["failed"] | KINDS["lost"] | KINDS["interrupted"]


def show_failures(history: History, printer: Printer) -> None:
    """Write, for each attempt that failed, how it ended and the last lines it wrote.

    They are those of stderr, or of stdout where there is nothing on stderr. An attempt that was
    made good is none that failed, nor is a job that stands in the queue again.

    Raises:
        NobodyReadsError: nobody reads them.
        StorageError: stdout can't be written to.
    """
    screen = LogScreen(titled=True)
    jobs = [job for job in history.jobs.values() if history.state(job) in BAD]
    if not jobs:
        printer.say("no job has failed, was lost or interrupted")
    for job in sorted(jobs, key=lambda job: job.id):
        bad = [attempt for attempt in job.final if attempt.state in BAD]
        for attempt in bad:
            screen.begin(f"{attempt.node} (attempt {job.id}.{attempt.number}): {_ending(attempt)}")
            screen.write(b"".join(_report(history.folder, job, attempt)))
        if not bad:
            screen.begin(f"job {job.id}: interrupted before it began")
            screen.write(_lines("command", job.job.template))


def _ending(attempt: AttemptHistory) -> str:
    ending = attempt.ending
    text = str(ending) if ending else f"{JobState.INTERRUPTED.value}: its run has ended or died"
    return " ".join(LINE_END.split(text))


def _report(folder: Path, job: JobHistory, attempt: AttemptHistory) -> Iterator[bytes]:
    yield _lines("command", attempt.command)
    path, tail = telling_log(folder, job.id, attempt.number)
    yield _lines("log", str(path) if path else "not there any more")
    yield tail


def _lines(name: str, text: str) -> bytes:
    """Return `name: text`, further lines being indented."""
    indented = "\n  ".join(LINE_END.split(text.rstrip("\r\n")))
    return f"{name}: {indented}\n".encode(errors="backslashreplace")
