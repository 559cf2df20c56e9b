"""Queue mode: each job once, on the next node that has room for it.

The scheduler owns all state and runs in one thread; everything else sends it a message, which
is a function that it calls. Connecting and running block, so each has a thread of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from pegasus.errors import NeverStartedError
from pegasus.events import (
    Cancelling,
    Draining,
    NeverStarted,
    NodeConnected,
    Paused,
    Resumed,
    Sink,
    Waiting,
)
from pegasus.files.outlook import Outlook
from pegasus.model import Ending, Job, Node, Outcome
from pegasus.modes.attempts import Attempts, Running
from pegasus.modes.feed import POLL, Feed
from pegasus.modes.members import Roster, State
from pegasus.modes.queueing.loop import Loop
from pegasus.modes.queueing.nodes import Nodes, QueueMember
from pegasus.modes.queueing.owing import Owing
from pegasus.modes.queueing.renewing import Renewing
from pegasus.modes.queueing.repeating import Repeating
from pegasus.modes.queueing.schedule import Rules, Schedule
from pegasus.modes.unfit import UnfitJobs
from pegasus.plan import Plan
from pegasus.slots.backfill import Pick


class QueueMode:
    """Runs the jobs of a queue on nodes, until the queue is empty and every job has ended.

    Args:
        feed: where jobs come from.
        nodes: the nodes to use.
        attempts: makes connections and attempts.
        emit: where events go.
        rules: what is set.
        roster: watches hosts.yaml.
        loop: the inbox, the clock and the threads.
    """

    def __init__(
        self,
        feed: Feed,
        nodes: Iterable[Node],
        attempts: Attempts,
        emit: Sink,
        rules: Rules,
        roster: Roster | None = None,
        loop: Loop | None = None,
    ) -> None:
        self._feed = feed
        self._first_nodes = [*nodes]
        self._attempts = attempts
        self._emit = emit
        self._daemon = rules.daemon
        self._loop = loop or Loop()
        now = self._loop.now
        self._nodes = Nodes(
            attempts.connect,
            rules.reconnect_for,
            rules.zero_slot_jobs,
            emit,
            self._loop,
            attempts.clock,
            self._arrived,
        )
        self._renewing = Renewing(self._nodes, emit, roster)
        self._schedule = Schedule(self._nodes, now, rules)
        self._unfit = UnfitJobs(self._schedule.problem, lambda: self._nodes.version, emit)
        self._repeating = Repeating(attempts, now, rules.patience)
        self._owing = Owing(attempts, self._nodes, self._loop, self._renewing.retire)
        self._running: dict[tuple[int, int], Running] = {}
        self._openings: dict[tuple[int, int], int] = {}  # Of its node, when an attempt began.
        self._draining = self._paused = self._idle = False
        self._look_at = 0.0  # When hosts.yaml is looked at next.

    def run(self) -> None:
        """Run to the end. Blocks; `drain` and `cancel` end it early."""
        self._nodes.add(self._first_nodes)
        try:
            while True:
                self._dispatch()
                if self._is_over() and not self._owing.settle_all():
                    break
                self._receive()
        finally:
            self._loop.end()
            self._nodes.close()

    def drain(self) -> None:
        """Take no more jobs and let the running ones end. Any thread may ask."""
        self._loop.send(self._drain)

    def cancel(self) -> None:
        """Take no more jobs and cancel the running ones. Any thread may ask."""
        self._loop.send(self._cancel)

    def pause(self) -> None:
        """Take no more jobs until `resume`. Any thread may ask."""
        self._loop.send(self._pause)

    def resume(self) -> None:
        """Take jobs again. Any thread may ask."""
        self._loop.send(self._resume)

    def cancel_job(self, number: int) -> bool:
        """Cancel the job with this id; any thread may ask.

        Returns whether there is one that is running, or waits to be run again.
        """
        return self._loop.ask(lambda: self._cancel_job(number), default=False)

    def drain_nodes(self, expression: str) -> list[Node]:
        """Have the nodes that an expression is for take no more jobs. Any thread may ask.

        Raises:
            PegasusError: it is wrong, or for no node.
        """
        return self._loop.ask(lambda: self._renewing.drain(expression), default=[])

    def undrain_nodes(self, expression: str) -> list[Node]:
        """Have nodes take jobs again; see `drain_nodes`."""
        return self._loop.ask(lambda: self._renewing.undrain(expression), default=[])

    # The scheduler's own thread, from here on.

    def _is_over(self) -> bool:
        if self._running or self._feed.owing:
            return False
        there = [member for member in self._nodes if member.state is not State.GONE]
        if self._draining or not there:
            return True
        if self._paused:  # Perhaps to empty the queue and fill it anew.
            return False
        if self._repeating and (self._nodes.connecting or any(one.is_drained for one in there)):
            return False
        # What has failed and still waits can't be filled for any free node, and stays failed.
        outlook = self._feed.outlook
        return not self._daemon and outlook is not None and self._unfit.are_all(outlook)

    def _receive(self) -> None:
        """Handle what has come, or return when it is time to look at the files again.

        They are looked at while all nodes are busy, too: mistakes in them are to be said at once.
        """
        watching = self._feed.owing or not self._draining
        for message in self._loop.receive(self._feed.interval if watching else None):
            message()
        if not self._draining and self._loop.now() >= self._look_at:
            self._look_at = self._loop.now() + POLL
            self._renewing.look()

    def _dispatch(self) -> None:
        """Give jobs to the nodes, as long as there are both."""
        if self._draining:
            self._repeating.clear()  # They stay failed.
            if not self._feed.owing:
                return
        if self._repeating and not self._paused:
            self._repeating.start_all(self._schedule.vacancies(), self._start)
        if taken := self._feed.take(self._choose, self._prepare):
            self._start_all(taken)
        self._unfit.tell(self._feed.outlook)
        self._tell_when_idle()

    def _choose(self, outlook: Outlook) -> list[tuple[int, Pick]]:
        if self._draining or self._paused or not outlook.jobs:
            return []
        vacancies = self._schedule.vacancies()
        if not self._repeating.keep_room(vacancies, self._schedule.is_unfit):
            return []
        return [(pick.position, pick) for pick in self._schedule.picks(outlook, vacancies)]

    def _prepare(self, pick: Pick, job: Job) -> tuple[Pick, Plan]:
        return pick, self._attempts.plan(job, pick.placement.node, pick.placement.slots)

    def _start_all(self, taken: Sequence[tuple[Job, tuple[Pick, Plan]]]) -> None:
        self._schedule.note([pick for _, (pick, _) in taken])
        begun = [self._occupy(pick.placement.node, job, plan) for job, (pick, plan) in taken]
        self._attempts.note_starts(begun)
        for running in begun:
            self._loop.spawn(self._attempt, running)

    def _start(self, node: Node, job: Job, plan: Plan, after: Running | None = None) -> None:
        self._loop.spawn(self._attempt, self._occupy(node, job, plan, after))

    def _occupy(self, node: Node, job: Job, plan: Plan, after: Running | None = None) -> Running:
        """Return a new attempt, which has its slots from now on."""
        running = self._attempts.prepare(job, plan, self._nodes[node].connection, after)
        key = running.attempt.key
        self._running[key] = running
        self._openings[key] = self._nodes.occupy(node, plan.slots)
        return running

    def _tell_when_idle(self) -> None:
        is_busy = self._running or self._repeating or self._draining or self._paused
        outlook = self._feed.outlook
        is_empty = outlook is not None and self._unfit.are_all(outlook)
        idle = self._daemon and is_empty and not is_busy
        if idle and not self._idle:
            self._emit(Waiting())
        self._idle = idle

    def _arrived(self, member: QueueMember) -> None:
        if member.state is State.OPEN:
            self._owing.settle(member.node)
        self._renewing.retire(member)

    def _ended(self, running: Running, ending: Ending) -> None:
        member, opening = self._left(running)
        if running.owes_cancel:
            self._owing.add(running)
        if ending.outcome is Outcome.LOST:
            self._restore(member, opening, ending.detail)
        else:
            self._nodes.forgive(member.node)
        if running.may_repeat(ending):
            self._repeating.add(running)
        self._renewing.retire(member)

    def _never_started(self, running: Running, error: NeverStartedError) -> None:
        member, opening = self._left(running)
        if running.is_unwanted:
            self._attempts.forgo(running)
        else:
            self._emit(NeverStarted(running.attempt, error))
            self._give_back(running, error)
        self._restore(member, opening, error.problem)
        self._renewing.retire(member)

    def _left(self, running: Running) -> tuple[QueueMember, int]:
        """An attempt does not run any more; return its node, and which opening of that it had."""
        attempt = running.attempt
        del self._running[attempt.key]
        self._nodes.release(attempt.node, attempt.slots)
        return self._nodes[attempt.node], self._openings.pop(attempt.key)

    def _restore(self, member: QueueMember, opening: int, detail: str) -> None:
        """Have a connection made again that broke, unless that was done for another attempt."""
        if member.state is not State.OPEN:
            return
        if opening == member.openings:
            self._nodes.restore(member, detail)
        else:
            # For those who count what is connected, this node was not any more.
            self._emit(NodeConnected(member.node, member.slots))
            self._owing.settle(member.node)

    def _give_back(self, running: Running, error: NeverStartedError) -> None:
        if running.after is None:
            self._feed.put_back(self._attempts.counted(running.attempt.job), error)
            self._schedule.note_put_back(1)
        else:
            self._repeating.add(running.after, first=True)

    def _drain(self) -> None:
        if not self._draining:
            self._stop()
            self._emit(Draining(len(self._running)))

    def _cancel(self) -> None:
        self._stop()
        for running in self._running.values():
            running.cancel()
        self._emit(Cancelling(len(self._running)))

    def _stop(self) -> None:
        self._draining = True
        self._attempts.stop()
        self._nodes.stop()

    def _pause(self) -> None:
        if not self._paused:
            self._paused = True
            self._emit(Paused(len(self._running)))

    def _resume(self) -> None:
        if self._paused:
            self._paused = False
            self._emit(Resumed())

    def _cancel_job(self, number: int) -> bool:
        running = [one for one in self._running.values() if one.attempt.job.id == number]
        for one in running:
            one.cancel()
        if running:
            self._emit(Cancelling(len(running)))
        return self._repeating.drop(number) or bool(running)

    # Threads of their own: they may block, touch no state, and send a message when they end.

    def _attempt(self, running: Running) -> None:
        ending = self._attempts.run(running)
        if isinstance(ending, NeverStartedError):
            self._loop.send(partial(self._never_started, running, ending))
        else:
            self._loop.send(partial(self._ended, running, ending))
