"""Names of nodes in the bracket syntax of ClusterShell's NodeSet: `node-[1-63]`.

Names are folded for people, and expanded for hosts.yaml. No group of ClusterShell is looked up,
none of its group files is read, and nothing is run. It is loaded when there is something to do.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from configparser import Error as ConfigError
from functools import lru_cache
from math import prod
from typing import NamedTuple

from pegasus.model import Node, Params, printable

#: What is folded: nothing that NodeSet takes for an operator, a wildcard or a bracket, and no
#: number that it would write in another way. IPv6 addresses count in another base.
_FOLDABLE = re.compile(r"(?!.*:.*:)(?!.*[0-9]{19})[0-9A-Za-z_.@:/+~=-]+")
_NUMBER = re.compile("([0-9]+)")

#: What may be a range. An IPv6 address in brackets has a colon in it, and stays as it is.
_BRACKETS = re.compile(r"\[([^\[\]]*)\]")
_RANGES = re.compile(r"[0-9,/ -]+")
#: `7`, `01-64` or `0-10/2`. More digits than this are no number of a node.
_RANGE = re.compile("([0-9]{1,18})(?:-([0-9]{1,18})(?:/([0-9]{1,18}))?)?")

#: So many characters of a pattern are shown in a message.
_SHOWN = 80

#: So many numbers of a name are folded at once. With four, NodeSet takes seconds for a thousand
#: names that have no order.
_AXES = 2


class PatternError(ValueError):
    """A pattern of names is none.

    Attributes:
        column: where in the pattern, counted from 1.
    """

    def __init__(self, problem: str, column: int) -> None:
        super().__init__(problem)
        self.column = column


def fold(nodes: Iterable[Node]) -> str:
    """Return the nodes in few words: `node-[1-2] (gpu=0), login (gpu=0)`.

    Hosts with the same parameters are folded; what NodeSet can't take stays as it is. Each is
    named once, in the order in which the first of its kind comes.
    """
    alike: dict[Params, list[str]] = {}
    for node in nodes:
        alike.setdefault(node.params, []).append(node.host.text)
    return ", ".join(
        f"{fold_names(names)}{_in_parentheses(params)}" for params, names in alike.items()
    )


def fold_names(names: Iterable[str]) -> str:
    """Return names, folded where there is something to fold: `node-[1-2],login`."""
    return _fold_each(tuple(dict.fromkeys(names)))


@lru_cache(maxsize=16)  # After each round of a broadcast, it is mostly the same nodes.
def _fold_each(names: tuple[str, ...]) -> str:
    kinds: dict[object, list[str]] = {}
    for name in names:
        kinds.setdefault(_kind(name), []).append(name)
    folded = [text for kind in kinds.values() for group in _planes(kind) for text in _folded(group)]
    return printable(",".join(folded))


def _in_parentheses(params: Params) -> str:
    inner = ",".join(f"{name}={value}" for name, value in params)
    return f" ({printable(inner)})" if inner else ""


def _kind(name: str) -> object:
    """Return what names have in common that may be folded: all that is no number."""
    return tuple(_NUMBER.split(name)[::2]) if _FOLDABLE.fullmatch(name) else name


def _planes(names: Sequence[str]) -> Iterable[list[str]]:
    """Group names of a kind by all of their numbers that vary, but for the last ones."""
    if len(names) < 2:
        return [list(names)]
    numbers = [_NUMBER.split(name)[1::2] for name in names]
    varying = [axis for axis, column in enumerate(zip(*numbers, strict=True)) if len({*column}) > 1]
    planes: dict[tuple[str, ...], list[str]] = {}
    for name, row in zip(names, numbers, strict=True):
        planes.setdefault(tuple(row[axis] for axis in varying[:-_AXES]), []).append(name)
    return planes.values()


def _folded(names: Sequence[str]) -> list[str]:
    """Return names that differ in a few numbers as NodeSet writes them."""
    if len(names) < 2:
        return list(names)
    try:
        from ClusterShell.NodeSet import RESOLVER_NOGROUP, NodeSet
    except (ConfigError, ValueError):  # It reads its defaults.conf as it is loaded.
        return list(names)
    found = NodeSet.fromlist(names, resolver=RESOLVER_NOGROUP)
    # That file may have it fold less than everything.
    found.fold_axis = range(len(_NUMBER.findall(names[0])))
    return [str(found)]


def expand(text: str, most: int) -> list[str]:
    """Return the names that a pattern stands for, in the order of their numbers.

    `node-[08-10]` is node-08, node-09 and node-10. The first range varies slowest. An IPv6 address
    in brackets is none, nor is anything else but brackets; a text without ranges is its own name.

    Args:
        most: how many names there may be; it is counted before they are made.

    Raises:
        PatternError: a range is none, or there are too many names.
    """
    if "[" not in text and "]" not in text:
        return [text]
    parts = [*_parts(text)]
    size = prod(_size(part) for part in parts if part.is_range)
    if size > most:
        count = f"{size:,}" if size < 10**18 else "over 10^18"
        raise PatternError(f"{_quoted(text)} makes {count} names; {most:,} are the most", 1)
    names = [_numbers(part) if part.is_range else [part.text] for part in parts]
    return ["".join(choice) for choice in itertools.product(*names)]


class _Part(NamedTuple):
    """A part of a pattern: what stands in brackets, if that is a range, or as it is."""

    text: str
    is_range: bool
    column: int


def _parts(pattern: str) -> Iterator[_Part]:
    at = 0
    for found in _BRACKETS.finditer(pattern):
        yield _outside(pattern, at, found.start())
        inner, at = found[1], found.end()
        column = found.start() + 2
        if _RANGES.fullmatch(inner):
            yield _Part(re.sub(" *([,/-]) *", r"\1", inner.strip()), True, column)
        elif ":" in inner or _begins_host(pattern, found.start()):
            yield _Part(found[0], False, column)
        else:
            raise _no_range(inner, column)
    yield _outside(pattern, at, len(pattern))


def _outside(pattern: str, start: int, end: int) -> _Part:
    """Return what stands outside of pairs of brackets."""
    for at in range(start, end):
        is_address = _begins_host(pattern, at) and ":" in pattern[at:]
        if pattern[at] == "]" or (pattern[at] == "[" and not is_address):
            what = "opened and not closed" if pattern[at] == "[" else "closed and was not opened"
            raise PatternError(f"{_quoted(pattern)}: a bracket is {what}", at + 1)
    return _Part(pattern[start:end], False, start + 1)


def _begins_host(pattern: str, at: int) -> bool:
    """Whether a bracket stands where that of an IPv6 address does; others judge what is in it."""
    return at == 0 or pattern[at - 1] == "@"


def _size(part: _Part) -> int:
    """Return how many numbers there are in ranges, or a few more where they overlap."""
    size = 0
    for one in part.text.split(","):
        found = _RANGE.fullmatch(one)
        if not found:
            raise _no_range(part.text, part.column)
        first, last, step = found[1], found[2] or found[1], int(found[3] or 1)
        if int(first) > int(last) or not step:
            raise PatternError(f"there is no number in the range {one}", part.column)
        if len(first) != len(last) and any(len(end) > 1 and end[0] == "0" for end in (first, last)):
            problem = f"{first} and {last} differ in length; fill up both with zeros, or none"
            raise PatternError(problem, part.column)
        size += (int(last) - int(first)) // step + 1
    return size


def _numbers(part: _Part) -> list[str]:
    from ClusterShell.RangeSet import RangeSet

    return [*RangeSet(part.text).striter()]


def _no_range(text: str, column: int) -> PatternError:
    return PatternError(f"[{_shown(text)}] is no range of numbers, such as [1-3,7]", column)


def _quoted(text: str) -> str:
    return f"`{_shown(text)}`"


def _shown(text: str) -> str:
    """Return so much of a text as a message has room for."""
    return printable(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")
