"""Which nodes a run is for, and a job: expressions over the names and parameters of nodes.

They are what `--limit` and `--exclude` take, and the option `on` of an entry.

An expression is made of terms that are joined from left to right, all alike, as in NodeSet::

    node-[1-3],login    the nodes that the one or the other is for
    node-*&gpu=a100     those that both are for
    node-*!node-3       those of the first and not of the second; !node-3 alone: all others
    gpu=0^node-1        those of one of both alone

A term is a pattern of host names, `parameter=pattern`, or `@failed`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from pegasus.errors import SettingsError
from pegasus.model import Host, Node, printable
from pegasus.nodesets import fold
from pegasus.patterns import ExpressionError, Pattern, Piece, Term, terms

#: How many characters of a list of nodes stand in a message.
_LISTED = 1000


@dataclass(frozen=True)
class LastRun:
    """On which nodes the last run has failed.

    Attributes:
        id: of the run, or "" where there was none.
        failed: what these nodes are known by: see `known_by`.
    """

    id: str = ""
    failed: frozenset[object] = frozenset()


def known_by(host: str, params: Iterable[tuple[str, str]]) -> object:
    """Return what a node is known by from run to run: its host as it is written, its params."""
    return host, frozenset(params)


def choose(
    nodes: Sequence[Node], limit: str, exclude: str, last_run: Callable[[], LastRun]
) -> list[Node]:
    """Return the nodes that a run is for. They stay in their order, and keep their indices.

    Args:
        limit, exclude: expressions; "" for all, and for none.
        last_run: is called if one of them has `@failed` in it.

    Raises:
        SettingsError: an expression is wrong, a term is for no node, or no node is left.
    """
    asked = cache(last_run)
    kept = _Choice("limit", limit, nodes, asked).made() if limit.strip() else {*nodes}
    gone = _Choice("exclude", exclude, nodes, asked).made() if exclude.strip() else set[Node]()
    wanted = kept - gone
    chosen = [node for node in nodes if node in wanted]
    if nodes and not chosen:
        there = _listed(node for node in nodes if node in kept)
        raise SettingsError(f"exclude: `{printable(exclude)}` leaves none of these nodes: {there}")
    return chosen


def matching(nodes: Sequence[Node], expression: str) -> list[Node]:
    """Return the nodes that jobs with `on: EXPRESSION` may run on, in their order.

    Nodes may be missing, or be added later: an expression, or a term of it, that matches none is
    no error. "" is for all nodes. Nothing is remembered: whoever asks often keeps the answer.

    Raises:
        ExpressionError: it is none, or asks for a group of nodes, such as `@failed`.
    """
    if not expression.strip():
        return [*nodes]

    def of(term: Term) -> set[Node]:
        if _is_group(term):
            problem = f"{term} changes from run to run; it is for --limit and --exclude"
            raise ExpressionError(problem, term.column)
        return _of_term(term, nodes)

    wanted = _evaluated(expression, nodes, of)
    return [node for node in nodes if node in wanted]


class _Choice:
    """The nodes that an expression is for."""

    def __init__(
        self, setting: str, expression: str, nodes: Sequence[Node], last_run: Callable[[], LastRun]
    ) -> None:
        self._setting = setting
        self._expression = expression
        self._nodes = nodes
        self._last_run = last_run
        self._notes: list[str] = []

    def made(self) -> set[Node]:
        """Return them; for `limit`, there is at least one."""
        try:
            chosen = _evaluated(self._expression, self._nodes, self._of)
        except ExpressionError as error:
            where = f"column {error.column} of `{printable(self._expression)}`"
            raise SettingsError(f"{self._setting}: {where}: {error}") from None
        if not chosen and self._setting == "limit":
            raise self._nothing(self._expression)
        return chosen

    def _of(self, term: Term) -> set[Node]:
        if _is_group(term):
            return self._of_group(term)
        found = _of_term(term, self._nodes)
        if not found and self._nodes:
            raise self._nothing(str(term))
        return found

    def _of_group(self, term: Term) -> set[Node]:
        if str(term) != "@failed":
            problem = f"there is no {term}; @failed is all there is, ClusterShell's are not read"
            raise ExpressionError(problem, term.column)
        last = self._last_run()
        found = {
            node for node in self._nodes if known_by(node.host.text, node.params) in last.failed
        }
        run = f"the last run ({last.id})"
        if not last.id:
            self._notes.append("no run of this queue has ended yet")
        elif not last.failed:
            self._notes.append(f"{run} failed on no node")
        elif not found:
            self._notes.append(f"those on which {run} failed are not in hosts.yaml")
        return found

    def _nothing(self, what: str) -> SettingsError:
        problem = f"{self._setting}: no node matches `{printable(what)}`"
        there = f"there are {_listed(self._nodes)}"
        return SettingsError("; ".join([problem, *dict.fromkeys(self._notes), there]))


def _evaluated(
    expression: str, nodes: Sequence[Node], of: Callable[[Term], set[Node]]
) -> set[Node]:
    """Return the nodes that an expression is for; `of` returns those of a term."""
    chosen: set[Node] = set()
    for number, term in enumerate([*terms(expression)]):
        before = {*nodes} if not number and term.join == "!" else chosen
        chosen = _joined(before, term.join, of(term))
    return chosen


def _joined(one: set[Node], join: str, other: set[Node]) -> set[Node]:
    if join == "&":
        return one & other
    if join == "!":
        return one - other
    return one ^ other if join == "^" else one | other


def _is_group(term: Term) -> bool:
    first = term.pieces[0]
    return not first.is_quoted and first.text.startswith("@")


def _of_term(term: Term, nodes: Iterable[Node]) -> set[Node]:
    matches = _by_host(term) if _is_host(term) else _by_param(term)
    return {node for node in nodes if matches(node)}


def _is_host(term: Term) -> bool:
    return not any("=" in piece.text for piece in term.pieces if not piece.is_quoted)


def _by_host(term: Term) -> Callable[[Node], bool]:
    for piece in term.pieces:
        if "(" in piece.text and not piece.is_quoted:
            problem = "no host is called so; nodes with a parameter are host&parameter=value"
            raise ExpressionError(problem, piece.column + piece.text.index("("))
    pattern = Pattern(term.pieces)
    return lambda node: any(map(pattern.matches, _names(node.host, str(term))))


def _by_param(term: Term) -> Callable[[Node], bool]:
    first, *others = term.pieces
    name, sign, value = first.text.partition("=")
    if first.is_quoted or not sign:
        raise ExpressionError("the name of a parameter has no quotes", term.column)
    at = first.column + len(name) + 1
    pattern = Pattern([Piece(value.lstrip(), False, at), *others])
    return lambda node: any(key == name.strip() and pattern.matches(v) for key, v in node.params)


def _names(host: Host, pattern: str) -> set[str]:
    """Return what a host may be called in a pattern: with user and port if that has them, too.

    So `*2` is not for all hosts of which the port is 22.
    """
    bracketed = f"[{host.name}]" if ":" in host.name else host.name
    names = {host.name, bracketed}
    if ":" in pattern and host.port is not None:
        names.add(f"{bracketed}:{host.port}")
    if "@" not in pattern:
        return names
    return {f"{host.user}@{name}" for name in names} if host.user is not None else set()


def _listed(nodes: Iterable[Node]) -> str:
    text = fold(nodes)
    return text if len(text) <= _LISTED else f"{text[:_LISTED]}… (inv hosts shows all)"
