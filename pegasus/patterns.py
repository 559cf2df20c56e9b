"""Expressions of terms and operators, and the patterns in them: what `--limit` is written in.

The operators are NodeSet's: `,` or, `&` and, `!` but not, `^` one of both alone. What is in quotes
stands for itself, and what is in brackets is no operator.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from math import prod
from typing import NamedTuple

from pegasus import grid
from pegasus.nodesets import PatternError, expand

_TOKEN = re.compile(
    r"""(?P<quoted>"[^"]*"|'[^']*')|(?P<join>[,&!^][,&!^\s]*)"""
    r"""|(?P<plain>(?:\[[^\[\]]*\]|[^\[\]"',&!^])+)|(?P<wrong>.)""",
    re.DOTALL,
)
#: What may join two terms. A comma in front changes nothing: that is how Ansible writes it.
_JOINS = {",": ",", "&": "&", "!": "!", "^": "^", ",&": "&", ",!": "!", ",^": "^", "&!": "!"}
_WRONG = {"[": "a bracket is opened and not closed", "]": "a bracket is closed and was not opened"}
_WILD = {"*": ".*", "?": "."}

#: So many names may a term with `*` or `?` make: each is tried for each node.
_MOST_WILD = 10_000


class ExpressionError(ValueError):
    """An expression is none.

    Attributes:
        column: where in it, counted from 1.
    """

    def __init__(self, problem: str, column: int) -> None:
        super().__init__(problem)
        self.column = column


class Piece(NamedTuple):
    """A part of a term: what is in quotes, without them, or what is not."""

    text: str
    is_quoted: bool
    column: int


class Term(NamedTuple):
    """How a term is joined to those before it (`,`, `&`, `!` or `^`), and its parts."""

    join: str
    pieces: tuple[Piece, ...]

    @property
    def column(self) -> int:
        return self.pieces[0].column

    def __str__(self) -> str:
        return "".join(piece.text for piece in self.pieces)


class Pattern:
    """Names, or values: ranges such as [1-3,7] are expanded, and * and ? stand for any text."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        """Raise ExpressionError where a range is wrong, or there are too many names."""
        is_wild = any(map(_is_wild, pieces))
        choices = [*map(_choices, pieces)]
        size, most = prod(map(len, choices)), _MOST_WILD if is_wild else grid.LIMIT
        if size > most:
            wild = " with * or ?" if is_wild else ""
            problem = f"this makes {size:,} names{wild}; {most:,} are the most"
            raise ExpressionError(problem, pieces[0].column)
        written = _regex if is_wild else _text
        made = ["".join(map(written, parts)) for parts in itertools.product(*choices)]
        self._names = frozenset[str]() if is_wild else frozenset(made)
        self._globs = re.compile("|".join(made), re.DOTALL) if is_wild else None

    def matches(self, text: str) -> bool:
        """Whether a text is one of those that the pattern stands for."""
        return text in self._names or bool(self._globs and self._globs.fullmatch(text))


def terms(expression: str) -> Iterator[Term]:
    """Yield the terms of an expression. Of the first one, `join` is `,`, or a `!` in front of it.

    Raises:
        ExpressionError: an operator or a term is missing, or quotes or brackets have no end.
    """
    join = ""
    pieces: list[Piece] = []
    is_first = True
    for piece, is_join in _tokens(expression):
        if not is_join:
            pieces.append(piece)
            continue
        if pieces:
            yield Term(join or ",", _stripped(pieces))
            is_first = False
        join, pieces = _join(piece, is_first), []
    if not pieces:
        raise ExpressionError(f"a term is missing behind `{join}`", len(expression) + 1)
    yield Term(join or ",", _stripped(pieces))


def _tokens(expression: str) -> Iterator[tuple[Piece, bool]]:
    """Yield the parts of an expression, and whether each joins terms."""
    for found in _TOKEN.finditer(expression):
        text, column = found[0], found.start() + 1
        if found["wrong"]:
            problem = _WRONG.get(text, f"there is a {text} without a second one")
            raise ExpressionError(problem, column)
        if found["plain"] and not text.strip():
            continue
        is_quoted = found["quoted"] is not None
        yield Piece(text[1:-1] if is_quoted else text, is_quoted, column), bool(found["join"])


def _join(piece: Piece, is_first: bool) -> str:
    written = "".join(piece.text.split())
    if is_first and written != "!":
        raise ExpressionError(f"a term is missing in front of `{written}`", piece.column)
    if written not in _JOINS:
        problem = f"`{written}` does not join terms; `,`, `&`, `!` and `^` do"
        raise ExpressionError(problem, piece.column)
    return _JOINS[written]


def _stripped(pieces: list[Piece]) -> tuple[Piece, ...]:
    """Return the parts of a term without the white space around it."""
    first, last = pieces[0], pieces[-1]
    if not first.is_quoted:
        text = first.text.lstrip()
        pieces[0] = Piece(text, False, first.column + len(first.text) - len(text))
        if text.startswith("="):
            problem = "a parameter is missing in front of =; all but some are !parameter=value"
            raise ExpressionError(problem, pieces[0].column)
    if not last.is_quoted:
        pieces[-1] = pieces[-1]._replace(text=pieces[-1].text.rstrip())
    return tuple(pieces)


def _choices(piece: Piece) -> list[Piece]:
    if piece.is_quoted:
        return [piece]
    try:
        return [piece._replace(text=text) for text in expand(piece.text, grid.LIMIT)]
    except PatternError as error:
        raise ExpressionError(str(error), piece.column + error.column - 1) from None


def _is_wild(piece: Piece) -> bool:
    return not piece.is_quoted and any(one in _WILD for one in piece.text)


def _text(piece: Piece) -> str:
    return piece.text


def _regex(piece: Piece) -> str:
    if piece.is_quoted:
        return re.escape(piece.text)
    # Of many `.*` in a row, each could match in so many ways that it would never end.
    text = re.sub(r"\*+", "*", piece.text)
    return "".join(_WILD.get(one) or re.escape(one) for one in text)
