"""The attempts of a run, as both modes make them: whatever happens, each has an ending."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from pegasus.errors import NeverStartedError, PegasusError
from pegasus.events import (
    AttemptAnnounced,
    AttemptEnded,
    AttemptStarted,
    CancelCommandEnded,
    Output,
    Sink,
    Stream,
)
from pegasus.model import ONE_SLOT, Attempt, Ending, Job, Node, Options, Outcome, Slots
from pegasus.modes.cancelling import WITHIN, CancelCommand
from pegasus.modes.reconnect import Clock
from pegasus.plan import Plan, plan
from pegasus.ssh.base import Cancellation, Connect, Connection, OnOutput

#: How attempts end whose jobs may be run again: not those that somebody has cancelled.
REPEATED = frozenset({Outcome.FAILED, Outcome.SIGNALLED, Outcome.TIMED_OUT, Outcome.LOST})

BEFORE_IT_BEGAN = "before it began"

#: How often it is tried to have the start of an attempt on record, in seconds.
RETRY = 0.5


class Keeper(Protocol):
    """Keeps a record of attempts and their output: a `pegasus.journal.recorder.Recorder`."""

    def note_starts(self, attempts: Sequence[Attempt]) -> None:
        """Have the starts of attempts on record, if that can be done now; `begin` is still to be
        asked of each."""

    def begin(self, attempt: Attempt) -> None:
        """Have the start of an attempt on record, and a place for its output.

        Raises:
            PegasusError: that can't be done now, as people have been told; asked again, it goes
                on from there.
        """


class NoKeeper:
    """A Keeper for runs of which nothing is kept."""

    def note_starts(self, attempts: Sequence[Attempt]) -> None:
        """Do nothing; see `Keeper.note_starts`."""

    def begin(self, attempt: Attempt) -> None:
        """Do nothing; see `Keeper.begin`."""


@dataclass(eq=False)
class Running:
    """An attempt that is under way, or was.

    Attributes:
        after: the attempt that it makes good, or None.
        repetitions: how many times the job has been run again by now.
        is_unwanted: whether somebody has cancelled it, even if it had timed out before.
        owes_cancel: whether it was lost, and its cancel command is still to be run. Whoever
            runs the attempt settles it before the ending is known.
    """

    attempt: Attempt
    plan: Plan
    connection: Connection
    after: Running | None = None
    cancellation: Cancellation = field(default_factory=Cancellation)
    is_unwanted: bool = False
    owes_cancel: bool = False
    repetitions: int = field(init=False)

    def __post_init__(self) -> None:
        self.repetitions = self.after.repetitions + 1 if self.after else 0

    def cancel(self) -> None:
        """End it if it has not ended, and have its job not run again."""
        self.is_unwanted = True
        self.cancellation.cancel()

    def may_repeat(self, ending: Ending) -> bool:
        """Whether its job is to be run again, now that it has ended like this."""
        has_tries = self.repetitions < self.plan.retries
        return ending.outcome in REPEATED and has_tries and not self.is_unwanted


class Attempts:
    """Plans, numbers and makes the attempts of a run. Any thread may use it.

    Args:
        connect: makes a node's connection.
        emit: where events go.
        defaults: what holds for a job where neither it nor its node says anything.
        keeper: has the start of each attempt on record before it begins.
        clock: the time between tries to connect.
        cancel_within: how long a cancelled attempt waits for its cancel command, in seconds.
    """

    def __init__(
        self,
        connect: Connect,
        emit: Sink,
        defaults: Options = Options(),  # noqa: B008 (it is frozen)
        *,
        keeper: Keeper | None = None,
        clock: Clock | None = None,
        cancel_within: float = WITHIN,
    ) -> None:
        self.connect = connect
        self.clock = clock or Clock()
        self._emit = emit
        self._defaults = defaults
        self._keeper = keeper or NoKeeper()
        self._cancel_within = cancel_within
        self._lock = threading.Lock()
        self._numbers: Counter[int] = Counter()
        self._are_last = False

    def plan(self, job: Job, node: Node, slots: Slots = ONE_SLOT) -> Plan:
        """Return what `job` comes to on `node`, when it is given these slots.

        Raises:
            PegasusError: one of its templates can't be filled.
        """
        return plan(job, node, self._defaults, slots)

    def prepare(
        self, job: Job, plan: Plan, connection: Connection, after: Running | None = None
    ) -> Running:
        """Return a new attempt, which makes `after` good; it is not run yet."""
        with self._lock:
            number = max(self._numbers[job.id], job.attempts) + 1
            self._numbers[job.id] = number
        repeats = after.attempt.number if after else 0
        attempt = Attempt(number, job, connection.node, plan.command, repeats, plan.slots)
        return Running(attempt, plan, connection, after)

    def note_starts(self, runnings: Sequence[Running]) -> None:
        """Have the starts of attempts that are about to be run on record, all at once."""
        self._keeper.note_starts([one.attempt for one in runnings])

    def counted(self, job: Job) -> Job:
        """Return a job as whoever takes it next must know it: with the attempts it has had."""
        with self._lock:
            return replace(job, attempts=max(self._numbers[job.id], job.attempts))

    def stop(self) -> None:
        """Run no job again: what ends from now on says so."""
        self._are_last = True

    def run(self, running: Running) -> Ending | NeverStartedError:
        """Run an attempt; return how it ended, which is emitted, or why it never started.

        It is not begun before its start is on record. Until then it waits, or is cancelled.
        """
        is_kept = self._keep(running)
        self._emit(AttemptStarted(running.attempt))
        if not is_kept:
            return self.forgo(running)
        ending, problem = self._execute_cancellably(running)
        if isinstance(ending, Ending):
            ending = _explain(ending, running.plan, problem)
            again = running.may_repeat(ending) and not self._are_last
            self._emit(AttemptEnded(running.attempt, ending, again))
        return ending

    def forgo(self, running: Running) -> Ending:
        """Return the ending, which is emitted, of an unwanted attempt that never started."""
        ending = Ending(Outcome.CANCELLED, detail=BEFORE_IT_BEGAN)
        self._emit(AttemptEnded(running.attempt, ending))
        return ending

    def make_up(self, running: Running) -> None:
        """Run the cancel command of an attempt that was lost before it could be."""
        command = self._cancel_command(running)
        command.start(self._cancel_within / 2, self.clock)
        self._emit(CancelCommandEnded(running.attempt, command.finish()))

    def _keep(self, running: Running) -> bool:
        """Have an attempt's start on record; return whether it is, or it was cancelled before."""
        is_cancelled: threading.Event | None = None
        while True:
            try:
                self._keeper.begin(running.attempt)
                return True
            except PegasusError:
                if is_cancelled is None:
                    is_cancelled = threading.Event()
                    running.cancellation.on_cancel(is_cancelled.set)
                if is_cancelled.wait(RETRY):
                    return False

    def _cancel_command(self, running: Running) -> CancelCommand:
        plan, within = running.plan, self._cancel_within
        return CancelCommand(
            running.attempt, plan.cancel or "", self.connect, self._emit, within, plan.surroundings
        )

    def _execute_cancellably(self, running: Running) -> tuple[Ending | NeverStartedError, str]:
        """Execute an attempt, and its cancel command when it comes to that.

        Return how it ended and what was wrong with the cancel command, or nothing.
        """
        if running.plan.cancel is None:
            attempt = running.attempt

            def emit_output(stream: Stream, data: bytes) -> None:
                self._emit(Output(attempt, stream, data))

            return self._execute(running, emit_output), ""
        command = self._cancel_command(running)
        if running.cancellation.outcome is None:
            running.cancellation.on_cancel(command.start)
        ending = self._execute(running, command.on_output)
        problem = command.finish()
        is_lost = isinstance(ending, Ending) and ending.outcome is Outcome.LOST
        running.owes_cancel = is_lost and not command.is_started
        return ending, problem

    def _execute(self, running: Running, on_output: OnOutput) -> Ending | NeverStartedError:
        cancellation, plan = running.cancellation, running.plan

        def announce(pid: int | None) -> None:
            self._emit(AttemptAnnounced(running.attempt, pid))

        try:
            return running.connection.attempt(
                plan.command,
                on_output,
                cancellation,
                plan.timeout,
                announce,
                plan.surroundings,
            )
        except NeverStartedError as error:
            if cancellation.outcome is not None:  # Nobody wants it to start elsewhere, either.
                return Ending(cancellation.outcome, detail=BEFORE_IT_BEGAN)
            return error
        except Exception as error:
            # A mistake of ours must not leave the run waiting for an ending that never comes.
            return Ending(Outcome.LOST, detail=f"internal error: {error!r}")


def _explain(ending: Ending, plan: Plan, problem: str) -> Ending:
    """Return an ending with what its own detail leaves open."""
    is_timed_out = ending.outcome is Outcome.TIMED_OUT
    limit = f"after {plan.timeout:g} s" if is_timed_out and plan.timeout else ""
    return replace(ending, detail="; ".join(filter(None, [limit, ending.detail, problem])))
