"""What the journal tells of one run, in the numbers and words that a page shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from pegasus.journal.history import History
from pegasus.journal.jobs import AttemptHistory, JobHistory, JobState, Taking
from pegasus.journal.nodes import NodeHistory, NodeState, RunHistory
from pegasus.model import ONE_SLOT, Params
from pegasus.report.clock import Clock
from pegasus.report.outcomes import NEVER_STARTED
from pegasus.report.utilisation import Span, total, united


@dataclass(frozen=True, slots=True)
class Row:
    """An attempt, or a job that has had none. Times are milliseconds of the run's clock.

    Attributes:
        job, attempt: the id of the job, and the number of the attempt, 0 where there is none.
        node: the place of its node among those of the account, or None.
        state: how it ended or stands, in a word of `pegasus.report.outcomes`.
        why: the same with more words.
        began, until: when; of one that has not ended, until when it is known to have run. None
            where it has no time.
        command: what was run; the template, where nothing was.
        template, params: of the job.
        stdout, stderr: bytes of output; None while they are not known.
        slots: those of its node that it had.
    """

    job: int
    attempt: int
    node: int | None
    state: str
    why: str
    began: int | None
    until: int | None
    command: str
    template: str
    params: Params
    stdout: int | None = None
    stderr: int | None = None
    slots: tuple[int, ...] = ONE_SLOT.indices

    @property
    def has_run(self) -> bool:
        """Whether it has kept a node busy."""
        return self.began is not None and self.state != NEVER_STARTED

    @property
    def span(self) -> Span:
        """From when to when it took place; nothing took less than no time."""
        began = self.began or 0
        return began, max(began, self.until or began)

    @property
    def duration(self) -> int:
        """In milliseconds."""
        return self.span[1] - self.span[0]


@dataclass(frozen=True)
class NodeRow:
    """A node of the run.

    Attributes:
        node: what the journal tells of it.
        slots: the numbers of its slots.
        spans: when they were busy, one after the other; those of one slot don't overlap.
        counts: how many attempts it has had, by their states.
    """

    node: NodeHistory
    slots: Sequence[int]
    spans: Sequence[Span]
    counts: Counter[str]

    @property
    def was_reached(self) -> bool:
        """Whether it could have been busy."""
        return self.node.state is not NodeState.UNREACHABLE or bool(self.spans)


class Account:
    """One run, as it stands in a history that has caught up.

    Args:
        history: of the queue file.
        run: one of its runs.
        queue_file: the queue file, as the user named it.
        now: until when attempts have run that run now.

    Attributes:
        zone: the time zone of all times, such as `UTC+02:00`.
        rows: the attempts of the run and the jobs that it took and never began, by time.
        nodes: its nodes, in the order of hosts.yaml.
        jobs: how many jobs there are, by their states.
        begin, end: between these times is all that is known of it.
    """

    def __init__(self, history: History, run: RunHistory, queue_file: str, now: datetime) -> None:
        self.run = run
        self.queue_file = queue_file
        self._history = history
        self._found = [*_found(history, run)]
        times = [*_times(run, self._found)]
        self._clock = Clock(next(iter(times), ""))
        self.zone = self._clock.zone
        known = [at for at in map(self._clock.read, times) if at is not None]
        if run.is_on:
            known.append(self._clock.of(now))
        self.begin, self.end = min(known, default=0), max(known, default=0)
        self._places: dict[int, int] = {}
        self._nodes: list[NodeHistory] = []
        for index in sorted(run.nodes):
            self._place(run.nodes[index])
        self.rows = sorted(self._rows(), key=_order)
        self.jobs = Counter(self._state(job, own).value for job, own in self._found)
        self.nodes = self._node_rows()

    # What is told of the whole.

    @property
    def wall(self) -> int:
        """How long the run has taken, in milliseconds."""
        return self.end - self.begin

    @cached_property
    def attempts(self) -> Counter[str]:
        """How many attempts there are, by their states."""
        return Counter(row.state for row in self.rows if row.attempt)

    @property
    def job_time(self) -> int:
        """How long all attempts have taken together, in milliseconds."""
        return sum(row.duration for row in self.rows if row.has_run)

    @property
    def utilisation(self) -> float | None:
        """For which share of the run slots were busy, but for those of nodes never reached."""
        available = self.wall * sum(len(node.slots) for node in self.nodes if node.was_reached)
        busy = sum(total(node.spans) for node in self.nodes)
        return min(1.0, busy / available) if available else None

    @property
    def has_slots(self) -> bool:
        """Whether there is a node with another number of slots than one."""
        return any(len(node.slots) != 1 for node in self.nodes)

    @property
    def is_backward(self) -> bool:
        """Whether the clock was set back meanwhile, so that times are not to be trusted."""
        spans = [(row.began, row.until) for row in self.rows]
        spans.append((self._clock.read(self.run.started), self._clock.read(self.run.ended)))
        pairs = [(began, until) for began, until in spans if began is not None]
        return any(
            began < (spans[-1][0] or 0) or (until or began) < began for began, until in pairs
        )

    # How it is put together.

    def _rows(self) -> Iterator[Row]:
        for job, own in self._found:
            if not own:
                yield self._job_row(job)
            for attempt in own:
                yield self._attempt_row(job, attempt)

    def _job_row(self, job: JobHistory) -> Row:
        state, template = self._state(job, []).value, job.taking.job.template
        why = f"{state} before it began" if state == JobState.INTERRUPTED.value else state
        params = job.taking.job.params
        return Row(job.id, 0, None, state, why, None, None, template, template, params)

    def _attempt_row(self, job: JobHistory, attempt: AttemptHistory) -> Row:
        state = self._attempt_state(attempt)
        why = attempt.never_started or str(attempt.ending or state)
        ended = self._clock.read(attempt.ended)
        is_known = attempt.outcome is not None
        return Row(
            job.id,
            attempt.number,
            self._place(NodeHistory(attempt.node, attempt.index, attempt.node)),
            state,
            why + ("; run again" if attempt.again else ""),
            self._clock.read(attempt.started),
            self.end if attempt.is_open else ended,
            attempt.command,
            job.taking.job.template,
            job.taking.job.params,
            attempt.stdout if is_known else None,
            attempt.stderr if is_known else None,
            attempt.slots,
        )

    def _attempt_state(self, attempt: AttemptHistory) -> str:
        if attempt.never_started:
            return NEVER_STARTED
        is_running = attempt.is_open and self.run.is_on
        return JobState.RUNNING.value if is_running else attempt.state.value

    def _state(self, job: JobHistory, own: Sequence[AttemptHistory]) -> JobState:
        """Return what became of a job in this run, whatever later runs have made of it."""
        if all(attempt.never_started for attempt in own):
            # Nothing has begun: it was put back, or waits, or its run has ended before.
            is_queued = job.run != self.run.id or job.taking.is_undone
            return JobState.QUEUED if is_queued else self._history.state(job)
        taken = Taking(replace(job.taking.job, attempts=0), self.run.id, job.taken_at)
        return JobHistory(taken, {one.number: one for one in own}).state(self.run.is_on)

    def _place(self, node: NodeHistory) -> int:
        """Return where a node is among those of the account; it may be new."""
        if node.index not in self._places:
            self._places[node.index] = len(self._nodes)
            self._nodes.append(node)
        return self._places[node.index]

    def _node_rows(self) -> list[NodeRow]:
        slots = [{*(node.slots or ())} for node in self._nodes]
        spans: list[dict[int, list[Span]]] = [{} for _ in self._nodes]
        counts: list[Counter[str]] = [Counter() for _ in self._nodes]
        for row in self.rows:
            if row.node is not None:
                counts[row.node][row.state] += 1
                slots[row.node].update(row.slots)  # When it connects again, it may have others.
                for slot in row.slots if row.has_run else ():
                    spans[row.node].setdefault(slot, []).append(row.span)
        return [
            NodeRow(node, sorted(own) or ONE_SLOT.indices, _by_slot(busy), number)
            for node, own, busy, number in zip(self._nodes, slots, spans, counts, strict=True)
        ]


#: A job, and its attempts in the run.
_Found = tuple[JobHistory, list[AttemptHistory]]


def _found(history: History, run: RunHistory) -> Iterator[_Found]:
    """Yield the jobs that a run had anything to do with."""
    for job in history.jobs.values():
        own = [one for _, one in sorted(job.attempts.items()) if one.run == run.id]
        if own or job.run == run.id:
            yield job, own


def _by_slot(spans: Mapping[int, Iterable[Span]]) -> list[Span]:
    """Return when each slot was busy, one slot after the other."""
    return [span for slot in sorted(spans) for span in united(spans[slot])]


def _times(run: RunHistory, found: Iterable[_Found]) -> Iterator[str]:
    """Yield all times that are known of a run, its beginning first."""
    if run.started:
        yield run.started
    for job, own in found:
        if job.run == run.id and not job.taking.is_undone:
            yield job.taken_at
        for attempt in own:
            yield attempt.started
            yield attempt.ended or ""
    yield run.ended or ""


def _order(row: Row) -> tuple[bool, int, int, int]:
    return row.began is None, row.began or 0, row.job, row.attempt
