"""The reserved key `options`: how the jobs of an entry are run, or those on a node.

::

    options:
      cancel: docker exec {{ container }} pkill -f train.py
      timeout: 2h
      retries: 2
      env:
        DATA: /mnt/{{ set }}
      cwd: /home/kim/project

Its value is a mapping, which a parameter's never is. `OF_NODES` and `OF_JOBS` hold every option
that there is in hosts.yaml and in queue.yaml.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from pegasus import durations
from pegasus.errors import PlacedError
from pegasus.files.tree import Field, Fields, Value, fields_of, first
from pegasus.model import Options, Text
from pegasus.patterns import ExpressionError
from pegasus.selection import matching
from pegasus.slots.allocation import BUDDY, FIRST_FIT

#: Makes an option of a value, or raises a ValueError that says what would be right.
Parser = Callable[[Value], object]

#: The variable that every job finds its slots in.
SLOTS_VARIABLE = "PEGASUS_SLOTS"

_WHOLE_NUMBER = re.compile("[0-9]{1,9}")
_VARIABLE = re.compile("[A-Za-z_][A-Za-z0-9_]*")
#: How the names of variables begin that are used around each command.
_OURS = "_pegasus_"
#: How people write truth values, in any case.
_TRUTH = dict.fromkeys(("true", "yes", "on", "y"), True) | dict.fromkeys(
    ("false", "no", "off", "n"), False
)
#: The options that hold templates, or are looked into later: their places are kept.
_SOURCES = ("cancel", "cwd", "on")
_ENV = "env"


class _WrongError(ValueError):
    """An option has a wrong value.

    Attributes:
        text: what is wrong.
        column: where in it, counted from 1, or 0.
    """

    def __init__(self, problem: str, text: Text, column: int = 0) -> None:
        super().__init__(problem)
        self.text = text
        self.column = column


def parse(fields: Fields, parsers: Mapping[str, Parser], error: type[PlacedError]) -> Options:
    """Return the options that the fields of a mapping are.

    Args:
        parsers: `OF_NODES` or `OF_JOBS`.

    Raises:
        PlacedError: of the class `error`: there is no such option, or it has a wrong value.
    """
    values: dict[str, Any] = {}
    for field in fields:
        name = field.name.value
        if name not in parsers:
            raise error(_unknown(name, parsers), field.name.place)
        try:
            values[name] = parsers[name](field.value)
        except _WrongError as wrong:
            at = wrong.text.locate(1, wrong.column) if wrong.column else wrong.text.place
            raise error(f"`{name}`: {wrong}", at) from None
        except ValueError as problem:
            raise error(f"`{name}`: {problem}", first(field.value).place) from None
    written = tuple((field.name.value, _written(field.value)) for field in fields)
    return Options(**values, written=written, sources=tuple(_sources(fields)))


def _written(value: Value) -> Any:
    if isinstance(value, Text):
        return value.value
    return tuple((str(field.name), str(field.value)) for field in fields_of(value))


def _sources(fields: Fields) -> Iterator[tuple[str, Text]]:
    for name, value in fields:
        if isinstance(value, Text):
            if name.value in _SOURCES:
                yield name.value, value
        else:
            for inner in fields_of(value):
                yield f"{name}.{inner.name}", first(inner.value)


def _unknown(name: str, parsers: Mapping[str, Parser]) -> str:
    if name in _ELSEWHERE:
        return _ELSEWHERE[name]
    near = difflib.get_close_matches(name.lower(), parsers, n=1)
    hint = f"did you mean `{near[0]}`?" if near else f"there are: {', '.join(parsers)}"
    return f"`{name}` is not an option; {hint}"


def _cancel(value: Value) -> str:
    text = _one_text(value)
    if not text.strip():
        raise ValueError("it is empty; write the command that cancels the job, or remove it")
    return text


def _timeout(value: Value) -> float:
    return durations.parse(_one_text(value))


def _retries(value: Value) -> int:
    text = _one_text(value)
    if not _WHOLE_NUMBER.fullmatch(text):
        raise ValueError(f"{text!r} is not a whole number; write 0, 1, 2 or more")
    return int(text)


def _allocation(value: Value) -> str:
    text = _one_text(value)
    if text not in (FIRST_FIT, BUDDY):
        raise ValueError(f"{text!r} is no policy; write {FIRST_FIT} or {BUDDY}")
    return text


def _on(value: Value) -> str:
    if not isinstance(value, Text):
        raise ValueError("write the nodes as one text, joined by commas, such as 'a-[1-3],b-*'")
    if not value.value.strip():
        raise ValueError("it is empty; write which nodes, or remove it: '*' is all of them")
    problem, column = _wrong_expression(value.value)
    if problem:
        raise _WrongError(problem, value, column)
    return value.value


@lru_cache(maxsize=4096)
def _wrong_expression(text: str) -> tuple[str, int]:
    """Return what is wrong with an expression, which many entries may have; or "", and where."""
    try:
        matching((), text)
    except ExpressionError as error:
        return str(error), error.column
    return "", 0


def _gpus(value: Value) -> bool:
    text = _one_text(value)
    if text.lower() not in _TRUTH:
        problem = f"{text!r} is neither true nor false; how many there are, `slots` says"
        raise ValueError(f"{problem}, beside `options`")
    return _TRUTH[text.lower()]


def _env(value: Value) -> tuple[tuple[str, str], ...]:
    fields = fields_of(value)
    if not fields:
        raise ValueError("write names and values, such as {OMP_NUM_THREADS: 8}")
    return tuple((_variable(field.name), _value_of(field)) for field in fields)


def _variable(name: Text) -> str:
    if not _VARIABLE.fullmatch(name.value):
        problem = f"{name.value!r} is no name of a variable"
        raise _WrongError(f"{problem}; use letters, digits and _, and no digit in front", name)
    if name.value == SLOTS_VARIABLE:
        raise _WrongError(f"{SLOTS_VARIABLE} is where each job finds its own slots", name)
    if name.value.startswith(_OURS):
        raise _WrongError(f"no variable can have a name that begins with {_OURS}", name)
    return name.value


def _value_of(field: Field) -> str:
    if isinstance(field.value, Text):
        return field.value.value
    problem = f"{field.name} has one value; write no list and no mapping"
    raise _WrongError(problem, first(field.value))


def _cwd(value: Value) -> str:
    text = _one_text(value)
    if not text.strip():
        raise ValueError("it is empty; write the directory that jobs are run in, or remove it")
    return text


def _one_text(value: Value) -> str:
    if isinstance(value, Text):
        return value.value
    raise ValueError("it has one value; write no list and no mapping")


_OF_BOTH: Mapping[str, Parser] = {
    "cancel": _cancel,
    "timeout": _timeout,
    "retries": _retries,
    "allocation": _allocation,
    _ENV: _env,
    "cwd": _cwd,
}
OF_NODES: Mapping[str, Parser] = {**_OF_BOTH, "gpus": _gpus}
OF_JOBS: Mapping[str, Parser] = {**_OF_BOTH, "on": _on}

#: What to say of the options of the other file, and of what is none.
_ELSEWHERE = {
    "slots": "`slots` is not an option; it stands beside `options`",
    "gpus": "`gpus` says of a node that its slots are GPUs; write it into hosts.yaml",
    "on": "`on` says on which nodes jobs may run; write it into queue.yaml",
}
