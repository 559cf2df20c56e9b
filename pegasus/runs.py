"""Puts the rooms together: settings in, a run, its result out. Works without Invoke too."""

from __future__ import annotations

from collections.abc import Iterable

from pegasus.events import Sink
from pegasus.inputs import connector_of
from pegasus.result import RunResult
from pegasus.settings import Settings
from pegasus.supervision import Run


def queue(settings: Settings, listeners: Iterable[Sink] = ()) -> RunResult:
    """Run each command of the queue once, on the next free node.

    Args:
        settings: what to run, and how.
        listeners: event sinks that hear what happens, beside the terminal.

    Raises:
        PegasusError: the files or templates are wrong; nothing was consumed.
    """
    from pegasus.modes.attempts import Attempts
    from pegasus.modes.queue import QueueMode
    from pegasus.modes.queueing.schedule import Rules

    run = Run(settings, listeners, "queue")
    mode = QueueMode(
        run.feed,
        run.nodes,
        Attempts(connector_of(settings), run.emit, run.options, keeper=run.recorder),
        run.emit,
        Rules(
            daemon=settings.daemon,
            reconnect_for=settings.reconnect_for,
            allocation=settings.allocation,
            patience=settings.backfill_patience,
            zero_slot_jobs=settings.zero_slot_jobs,
        ),
        roster=run.roster,
    )
    return run.supervise(mode)


def broadcast(settings: Settings, listeners: Iterable[Sink] = ()) -> RunResult:
    """Run each command of the queue on every node, one command at a time.

    Arguments and errors are those of `queue`.
    """
    from pegasus.modes.attempts import Attempts
    from pegasus.modes.broadcast import BroadcastMode
    from pegasus.modes.broadcasting.participants import Participants
    from pegasus.modes.workers import Workers
    from pegasus.ssh.group import BroadcastGroup

    run = Run(settings, listeners, "broadcast")
    connect = connector_of(settings)
    group = BroadcastGroup.of([connect(node) for node in run.nodes], Workers().call)
    mode = BroadcastMode(
        run.feed,
        Participants(group, connect, run.emit, run.roster),
        Attempts(connect, run.emit, run.options, keeper=run.recorder),
        run.emit,
        daemon=settings.daemon,
        error_aborts=settings.error_aborts,
        skip_unreachable=settings.skip_unreachable,
    )
    return run.supervise(mode)
