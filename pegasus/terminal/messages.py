"""What pegasus itself says of events: that a node is lost, that no more jobs are taken."""

from __future__ import annotations

from functools import singledispatch

from pegasus import events
from pegasus.events import Event
from pegasus.interrupts import is_at_terminal
from pegasus.terminal.words import count, first_line

#: How many jobs are listed of those that a dead run has interrupted.
LISTED = 10


#: Events of which those need not hear who want to hear little.
_CALM = (
    events.Waiting,
    events.NodeAdded,
    events.NodeDrained,
    events.NodeUndrained,
    events.HostsMended,
    events.Resumed,
)


@singledispatch
def message(event: Event) -> str:
    """Return what is to be said of an event, in one line or several; nothing of most events."""
    return ""


def is_trouble(event: Event) -> bool:
    """Whether what is said of an event must be said to those, too, who want to hear little."""
    if isinstance(event, events.CancelCommandEnded):
        return bool(event.problem)
    return not isinstance(event, _CALM)


@message.register
def _(event: events.CancelCommandEnded) -> str:
    label, number = event.attempt.node.label, event.attempt.job.id
    if event.problem:
        return f"[{label}] job {number} may go on there: {event.problem}"
    return f"[{label}] the cancel command of job {number} has been run"


@message.register
def _(event: events.NodeUnreachable) -> str:
    end = "; going on without it" if event.skipped else ""
    return f"can't connect: {event.error}{end}"


@message.register
def _(event: events.NodeDisconnected) -> str:
    return f"lost: [{event.node.label}] {event.detail}; connecting again"


@message.register
def _(event: events.NodeLost) -> str:
    return f"lost: [{event.node.label}] {event.detail}"


@message.register
def _(event: events.NodeAdded) -> str:
    return f"[{event.node.label}] is new in hosts.yaml; connecting"


@message.register
def _(event: events.NodeDrained) -> str:
    if event.removed:
        return f"[{event.node.label}] is not in hosts.yaml any more: it takes no more jobs"
    return f"[{event.node.label}] drained: it takes no more jobs (inv undrain undoes it)"


@message.register
def _(event: events.NodeUndrained) -> str:
    return f"[{event.node.label}] takes jobs again"


@message.register
def _(event: events.HostsRefused) -> str:
    return f"{event.error}\nthe nodes stay what they were until this is mended"


@message.register
def _(event: events.HostsMended) -> str:
    return "hosts.yaml can be used again"


@message.register
def _(event: events.JobsUnfit) -> str:
    if not event.unfit:
        return "no job of the queue is left that fits no node"
    return "\n".join(map(_unfit, event.unfit))


def _unfit(unfit: events.Unfit) -> str:
    stay = f"{count(unfit.jobs, 'job')} stay{'s' if unfit.jobs == 1 else ''} in the queue"
    return f"{unfit.place}: {unfit.problem}; {stay}"


@message.register
def _(event: events.Paused) -> str:
    running = f"; {count(event.running, 'command')} still run" if event.running else ""
    return f"paused: taking no jobs until inv resume{running}{'s' if event.running == 1 else ''}"


@message.register
def _(event: events.Resumed) -> str:
    return "taking jobs again"


@message.register
def _(event: events.JobRequeued) -> str:
    return f"back at the head of the queue: {event.job.template}"


@message.register
def _(event: events.RunDied) -> str:
    lines = [f"  job {job.id}: {first_line(job.template)}" for job in event.interrupted]
    if not lines:
        return f"run {event.run} has died; it was running no job"
    head = f"run {event.run} has died, and interrupted {count(len(lines), 'job')}:"
    tail = "inv retry --interrupted puts them back into the queue"
    if len(lines) > LISTED:
        lines[LISTED:] = [f"  … and {len(lines) - LISTED} more (inv logs --failed shows them)"]
    return "\n".join([head, *lines, tail])


@message.register
def _(event: events.LockAwaited) -> str:
    return f"waiting for the queue: it is locked by {event.holder}"


@message.register
def _(event: events.QueueRefused) -> str:
    return f"{event.error}\nno job is taken until this is mended; running jobs go on"


@message.register
def _(event: events.QueueMended) -> str:
    return "the queue can be read again"


@message.register
def _(event: events.Waiting) -> str:
    how = "Ctrl-C" if is_at_terminal() else "inv stop"
    return f"the queue is empty; waiting for more ({how} ends)"


@message.register
def _(event: events.Draining) -> str:
    if not event.running:
        return "taking no more jobs"
    how = "the next Ctrl-C" if is_at_terminal() else "inv stop --now"
    running = count(event.running, "running command")
    return f"taking no more jobs; waiting for {running} ({how} cancels)"


@message.register
def _(event: events.Cancelling) -> str:
    running = count(event.running, "running command")
    return f"cancelling {running}" if event.running else "ending; no command runs"


@message.register
def _(event: events.NotBegun) -> str:
    return "not all nodes can be reached, so nothing is run (--skip-unreachable goes on)"


@message.register
def _(event: events.Aborted) -> str:
    return "a node failed: aborting; what is left stays in the queue"
