"""What a job comes to on a node, and so what exactly is run there."""

from __future__ import annotations

from dataclasses import dataclass

from pegasus.errors import TemplateError
from pegasus.files.options import SLOTS_VARIABLE
from pegasus.filling import COMMAND, CWD, ENV, cancel_command, fill, filled, place
from pegasus.model import NO_SURROUNDINGS, ONE_SLOT, Job, Node, Options, Slots, Surroundings

#: What tells CUDA programs which GPUs are theirs, and what has them count these as nvidia-smi
#: does: by default, the fastest one is the first.
_CUDA, _CUDA_ORDER = "CUDA_VISIBLE_DEVICES", ("CUDA_DEVICE_ORDER", "PCI_BUS_ID")


@dataclass(frozen=True)
class Plan:
    """What a job comes to on one node: its templates are filled, its options are settled.

    Attributes:
        command: what is run.
        cancel: what is run to cancel it beside the signals, or None.
        timeout: how long it may run, in seconds; None is for ever.
        retries: how many times it is run again.
        slots: those of the node that the job is given.
        surroundings: what both commands find.
    """

    command: str
    cancel: str | None = None
    timeout: float | None = None
    retries: int = 0
    slots: Slots = ONE_SLOT
    surroundings: Surroundings = NO_SURROUNDINGS


def plan(
    job: Job,
    node: Node,
    defaults: Options,
    slots: Slots = ONE_SLOT,
) -> Plan:
    """Return what `job` comes to on `node`.

    Args:
        defaults: what holds for it where neither it nor its node says anything.
        slots: those of the node that it is given.

    Raises:
        PegasusError: one of its templates can't be filled.
    """
    options = job.options.over(node.options).over(defaults)
    try:
        command = fill(COMMAND, job.template, job.variables(node, slots))
    except TemplateError as error:
        raise place(error, job.source) from error
    return Plan(
        command,
        cancel_command(job, node, slots) or None,
        options.timeout or None,
        options.retries or 0,
        slots,
        _surroundings(job, node, slots),
    )


def _surroundings(job: Job, node: Node, slots: Slots) -> Surroundings:
    """Return what is set for a job: what its slots come to, its node's variables, and its own."""
    options = job.options.over(node.options)
    env = {SLOTS_VARIABLE: str(slots)}
    if node.has_gpus and slots.variable:
        env[slots.variable] = str(slots)
        env |= [_CUDA_ORDER] if slots.variable == _CUDA else []
    for name, value in options.env:
        env[name] = filled(ENV + name, value, job, node, slots)
    cwd = None if options.cwd is None else filled(CWD, options.cwd, job, node, slots)
    return Surroundings(tuple(env.items()), cwd)
