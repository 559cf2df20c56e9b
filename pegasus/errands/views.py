"""The logs of a job that are to be shown, as far as there are any by now."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

from pegasus import storage
from pegasus.errors import NoSuchJobError
from pegasus.journal.history import AttemptHistory, History, JobHistory, JobState
from pegasus.journal.logs import log_path
from pegasus.terminal.errands.logs import LogScreen

#: How much is read at a time, in bytes.
CHUNK = 1 << 16

_GOES_ON = (JobState.RUNNING, JobState.TAKEN)


class Source:
    """One log, of which more may come.

    Args:
        path: the log.
        title: its headline.
    """

    def __init__(self, path: Path, title: str) -> None:
        self.path = path
        self._title = title
        self._offset = 0

    @property
    def shown(self) -> int:
        """How much of it has been shown, in bytes."""
        return self._offset

    def is_there(self) -> bool:
        """Whether there is such a file."""
        return self.path.exists()

    def show(self, screen: LogScreen, even_if_empty: bool = False) -> None:
        """Write what is new by now, and not what comes meanwhile, which may never end."""
        if even_if_empty:
            screen.begin(self._title)
        for data in self._new():
            screen.begin(self._title)
            screen.write(data)

    def _new(self) -> Iterator[bytes]:
        found = storage.signature(self.path)
        left = found.size - self._offset if found else 0
        if left <= 0:
            return
        gone = suppress(FileNotFoundError)
        with storage.failing(self.path, "read"), gone, open(self.path, "rb", buffering=0) as file:
            file.seek(self._offset)
            while left > 0 and (data := file.read(min(left, CHUNK))):
                left -= len(data)
                self._offset += len(data)
                yield data


class View:
    """The logs of a job that are to be shown.

    Args:
        history: of the queue file; whoever asks anew has it catch up before.
        number: the id of the job.
        attempt: the number of the one attempt that is to be shown, or None.
        err: whether the logs of stderr are meant, instead of those of stdout.

    Attributes:
        sources: these, by the numbers of the attempts.
        goes_on: whether more may come.
    """

    def __init__(self, history: History, number: int, attempt: int | None, err: bool) -> None:
        """Raise NoSuchJobError where there is no such job."""
        self._history = history
        self._number = number
        self._attempt = attempt
        self._stream = "err" if err else "out"
        self._job = self._find()
        self._known = max(self._job.attempts, default=0)
        self.sources: dict[int, Source] = {}
        self.goes_on = False

    def look(self) -> str:
        """Look what is there by now; return why that is nothing, or "".

        Raises:
            NoSuchJobError: there is no such job or attempt.
        """
        self._job = self._find()
        state = self._history.state(self._job)
        self.goes_on = state in _GOES_ON and self._is_open()
        missing = ""
        for number in [number for number in self.sources if self._one(number).never_started]:
            del self.sources[number]
        for attempt in self._wanted():
            missing = missing or self._add(attempt)
        return missing or ("" if self.sources else self._nothing(state))

    def notes(self) -> Iterator[str]:
        """Yield what is to be known of what was shown."""
        for number, source in self.sources.items():
            attempt = self._job.attempts.get(number)
            written = getattr(attempt, "stderr" if self._stream == "err" else "stdout", 0)
            # What was missing when the attempt ended may have been added since.
            lost = written - source.shown if attempt and attempt.unlogged else 0
            if lost > 0:
                yield (
                    f"of attempt {self._number}.{number}, {lost} bytes of output are in no log:"
                    " the disk was full"
                )

    def _find(self) -> JobHistory:
        jobs = self._history.jobs
        if self._number not in jobs:
            there = f"the journal has {_span('job', jobs)}" if jobs else "none was taken yet"
            raise NoSuchJobError(f"there is no job {self._number}: {there}")
        return jobs[self._number]

    def _is_open(self) -> bool:
        """Whether the one attempt that is wanted, if it is one, may write more."""
        return self._attempt is None or self._one(self._attempt).is_open

    def _wanted(self) -> list[AttemptHistory]:
        """Return what is to be shown: also what has begun since the first time."""
        if self._attempt is not None:
            return [self._one(self._attempt)]
        numbers = {attempt.number for attempt in self._job.final}
        numbers |= {number for number in self._job.attempts if number > self._known}
        wanted = [self._job.attempts[number] for number in sorted(numbers)]
        return [attempt for attempt in wanted if not attempt.never_started]

    def _one(self, number: int) -> AttemptHistory:
        attempts = self._job.attempts
        if number not in attempts:
            there = f"it has had {_span('attempt', attempts)}" if attempts else "it has had none"
            raise NoSuchJobError(f"job {self._number} has no attempt {number}: {there}")
        return attempts[number]

    def _add(self, attempt: AttemptHistory) -> str:
        """Have a log shown; return why that can't be, or ""."""
        number = attempt.number
        if number in self.sources:
            return ""
        if attempt.never_started:
            return f"attempt {self._number}.{number} did not begin: {attempt.never_started}"
        path = log_path(self._history.folder, self._number, number, self._stream)
        source = Source(path, f"{attempt.node} (attempt {self._number}.{number})")
        if not source.is_there() and not self._may_be_missing(attempt):
            return f"{path} is not there any more; pegasus.keep_logs says which logs are kept"
        self.sources[number] = source
        return ""

    def _may_be_missing(self, attempt: AttemptHistory) -> bool:
        """Whether a log that is missing is as good as an empty one."""
        size = attempt.stderr if self._stream == "err" else attempt.stdout
        return self.goes_on if attempt.is_open else not size

    def _nothing(self, state: JobState) -> str:
        """Return why there is no output at all."""
        latest, before = self._job.latest, self._job.taking.job.attempts
        if state is JobState.TAKEN:
            why = "has not begun yet; --follow waits for it"
        elif state is JobState.QUEUED:
            why = "stands in the queue again, and has not begun"
        else:
            why = "was interrupted before it began"
        problem = latest[-1].never_started if latest else ""
        more = f" ({problem})" if problem else ""
        earlier = f"; --attempt {before} shows an earlier attempt" if before else ""
        return f"job {self._number} {why}{more}{earlier}"


def _span(noun: str, numbers: Collection[int]) -> str:
    """Return `jobs 1 to 57`, or `job 1`."""
    first, last = min(numbers), max(numbers)
    return f"{noun} {first}" if first == last else f"{noun}s {first} to {last}"
