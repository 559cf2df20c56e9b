"""Positional arguments as Invoke has none: any number of them, or none at all.

Invoke's positional arguments are required, take one value, and take the next word of the command
line whatever it is: a task's name, or `--help`. It asks an argument for its value both to see
whether the word at hand may be given to it and, at the end, whether it is missing; None says yes
to both. The arguments here look which word is at hand, and say None only if it is for them.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any, ClassVar

from invoke import Argument
from invoke.exceptions import ParseError
from invoke.parser.parser import ParseMachine

from pegasus.errors import SettingsError

#: How far above an argument's value Invoke's parser asks for it, in calls, and above ours.
_DEPTH = 8

#: How many characters of what is no number are shown.
_SHOWN = 80


class Positional(Argument):
    """An argument that may be given with or without its name, or not at all.

    Attributes:
        MISSING: its value when it was not given, which must not be None.
    """

    MISSING: ClassVar[object]

    @classmethod
    def of(cls, argument: Argument) -> Argument:
        """Return what stands for an argument that Invoke has made of a task's parameter."""
        return cls(names=argument.names, default=cls.MISSING, help=argument.help, positional=True)

    def takes(self, word: str) -> bool:
        """Return whether a word of the command line is for this argument."""
        raise NotImplementedError

    @property
    def value(self) -> Any:
        """What was given; or None for "may I have this word?", if it is wanted."""
        word = _word_at_hand()
        if word is not None and self.takes(word):
            return None
        return self._value if self.got_value else self.default

    @value.setter
    def value(self, word: str) -> None:
        self.set_value(word)


class Ids(Positional):
    """The ids of jobs: `7 9`, `7,9` or `--ids=7,9`. The value is a tuple of numbers."""

    MISSING = ()

    def takes(self, word: str) -> bool:
        """Return whether a word begins as an id does; no task and no flag does."""
        return word[:1].isdigit()

    def set_value(self, value: Any, cast: bool = True) -> None:
        """Add ids to those that were given before."""
        try:
            ids = ids_of(value)
        except SettingsError as error:
            raise ParseError(f"[pegasus] {error}") from None
        self.raw_value = value
        self._value = (*(self._value or ()), *ids)


class Command(Positional):
    """A command, or `-`. What looks like an option is none, unless there is a space in it."""

    MISSING = ""

    def takes(self, word: str) -> bool:
        """Return whether a word can be the command, which may be the name of a task, too."""
        is_option = word.startswith("-") and word != "-" and len(word.split()) < 2
        return not (self.got_value or is_option)


class Nodes(Positional):
    """Expressions for nodes: `gpu-1 gpu-2`, `gpu-1,gpu-2`. The value is a tuple of words.

    The first word is one, whatever it is; behind it, the name of a task is a task.
    """

    MISSING = ()

    def takes(self, word: str) -> bool:
        """Return whether a word is for this argument: it is no option, and no further task."""
        return not word.startswith("-") and not (self.got_value and _is_task(word))

    def set_value(self, value: Any, cast: bool = True) -> None:
        """Add a word to those that were given before."""
        self.raw_value = value
        self._value = (*(self._value or ()), value)


#: The parameters of tasks whose arguments are such.
_KINDS: dict[str, type[Positional]] = {"ids": Ids, "command": Command, "nodes": Nodes}


def positional(argument: Argument) -> Argument:
    """Return what is to stand for an argument that Invoke has made; most stay what they are."""
    kind = _KINDS.get(argument.name or "")
    return kind.of(argument) if kind else argument


def ids_of(value: str | int | Iterable[str | int] | None) -> tuple[int, ...]:
    """Return the ids of jobs as somebody has written them: `7`, `7,9`, or several of these.

    Raises:
        SettingsError: something is no id.
    """
    if value is None:
        return ()
    if isinstance(value, str):
        return tuple(map(_id_of, filter(None, value.replace(",", " ").split())))
    if not isinstance(value, Iterable):
        return (_id_of(str(value)),)
    return tuple(number for one in value for number in ids_of(one))


def _id_of(text: str) -> int:
    return number_of(text, "is not the id of a job, which is a number such as 7")


def number_of(value: str | int, problem: str, option: str = "") -> int:
    """Return a number from 1 as somebody has written it, who may have given it to an option.

    Raises:
        SettingsError: it is none, with what the `problem` is.
    """
    text = str(value).strip()
    if text.isascii() and text.isdigit() and len(text) < 19 and int(text):
        return int(text)
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    raise SettingsError(" ".join(filter(None, [option, shown, problem])))


def expression_of(nodes: str | Iterable[str], task: str) -> str:
    """Return one expression for the words by which somebody has named nodes to a task.

    Raises:
        SettingsError: there is none, or it can't be known how they belong together.
    """
    words = [nodes] if isinstance(nodes, str) else [*nodes]
    if not words:
        raise SettingsError(f"which nodes? {task} NODES, as in {task} 'gpu-[1-3]'")
    terms = [word.strip().strip(",") for word in words]
    if not all(terms):
        raise SettingsError(f"{task}: the nodes are empty; write '*' for all of them")
    if len(terms) > 1 and any(one in term for term in terms for one in "&!^"):
        raise SettingsError(f"{task}: write terms that & ! or ^ join as one word, in quotes")
    return ",".join(terms)


def _word_at_hand() -> str | None:
    """Return the word for which Invoke's parser asks whether an argument wants it, if it does."""
    asked = _asked()
    return None if asked is None else str(asked["token"])


def _is_task(word: str) -> bool:
    """Return whether a word is a task's name to the parser that asks."""
    asked = _asked()
    return asked is not None and word in asked["self"].contexts


def _asked() -> dict[str, Any] | None:
    """Return what Invoke's parser has at hand while it asks for an argument's value, if it does."""
    frame = inspect.currentframe()
    for _ in range(_DEPTH):
        frame = frame and frame.f_back
        if frame and frame.f_code is ParseMachine.handle.__code__:
            return frame.f_locals
    return None
