"""Whether a job can ever run on a node, however long it waits; and why on none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

from pegasus.model import Need, Node, printable
from pegasus.selection import matching
from pegasus.slots.allocation import BUDDY, FIRST_FIT, allocate

#: The numbers of the slots of a node, or None while they are not counted.
Indices = tuple[int, ...] | None


def policy_of(node: Node, need: Need, allocation: str) -> str:
    """Return by which policy a job gets slots of a node: its own, or the node's, or the run's."""
    return need.allocation or node.options.allocation or allocation


def fits(node: Node, slots: Indices, need: Need, allocation: str) -> bool:
    """Whether a node that does nothing else has the slots that a job needs.

    Its name does not count here: which nodes `on` is for, `pegasus.selection.matching` says.

    Args:
        node: says by which policy it gives slots, if it does.
        slots: the node's, all of them; where they are yet to be counted, the job may fit.
        allocation: the policy of the run.
    """
    if slots is None or not need.slots:
        return True
    if len(slots) < need.slots or policy_of(node, need, allocation) != BUDDY:
        return len(slots) >= need.slots
    return bool(_block(slots, need.slots, BUDDY))


@cache
def _block(slots: tuple[int, ...], size: int, policy: str) -> tuple[int, ...]:
    """Return the slots that a job gets where all of these are free; none if it does not fit."""
    block = allocate(frozenset(slots), size, policy)
    return block.indices if block else ()


def sample(node: Node, need: Need, allocation: str) -> tuple[int, ...]:
    """Return what a job gets of a node that does nothing else, to be shown; the job fits there.

    Where slots are yet to be counted, they are taken for 0, 1, 2, …
    """
    if not need.slots:
        return ()
    there = tuple(range(need.slots)) if node.slots is None else node.slots
    return _block(there, need.slots, policy_of(node, need, allocation))


def allocation_problem(nodes: Sequence[Node], need: Need, allocation: str) -> str:
    """Return why `buddy` can't give so many slots where no other policy may; or "".

    Args:
        nodes: those that a job may run on.
        allocation: the policy of the run.
    """
    size = need.slots
    if not size & (size - 1):  # A power of two, or none at all.
        return ""
    policies = {policy_of(node, need, allocation) for node in nodes}
    if need.allocation != BUDDY and policies != {BUDDY}:
        return ""
    more = 1 << size.bit_length()
    hint = f"write {more // 2} or {more}, or `allocation: {FIRST_FIT}` in `options`"
    return f"`allocation: {BUDDY}` gives 1, 2, 4, 8, … slots, and never {size}; {hint}"


def unfit_problem(
    need: Need,
    nodes: Sequence[Node],
    allocation: str = FIRST_FIT,
    slots_of: Callable[[Node], Indices] = lambda node: node.slots,
) -> str:
    """Return why a job fits no node, or "" if it fits one, or may.

    Args:
        need: what the job needs.
        nodes: all that there are; those that its `on` is not for are left out here.
        allocation: the policy of the run.
        slots_of: returns the slots of a node, if they are counted.
    """
    bound = f"on: {printable(need.on)}"
    those = matching(nodes, need.on)
    if not those:
        return f"no node matches `{bound}`" if need.on else "there is no node"
    counted = [(node, slots_of(node)) for node in those]
    if any(fits(node, slots, need, allocation) for node, slots in counted):
        return ""
    most = max(len(slots or ()) for _, slots in counted)
    whose = f"none that matches `{bound}`" if need.on else "no node"
    if most < need.slots:
        return f"this needs {need.slots} slots, and {whose} has more than {most}"
    block = f"{need.slots} slots side by side, the first a multiple of {need.slots}"
    return f"this needs {block} (`allocation: {BUDDY}`), and {whose} has them"
