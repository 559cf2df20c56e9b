"""Nodes that have something in common, and their names in few words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from pegasus.model import Node
from pegasus.nodesets import fold

T = TypeVar("T")


def grouped(pairs: Iterable[tuple[T, Node]]) -> Mapping[T, Sequence[Node]]:
    """Return the nodes that have the same in front of them, in the order of the first of each."""
    found: dict[T, list[Node]] = {}
    for key, node in pairs:
        found.setdefault(key, []).append(node)
    return found


def folded(nodes: Sequence[Node]) -> str:
    """Return the names of nodes in few words, and how many they are: `node-[1-63] (63)`."""
    names = fold(sorted(nodes, key=lambda node: node.index))
    return f"{names} ({len(nodes)})" if len(nodes) > 1 else names
