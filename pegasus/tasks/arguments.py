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

#: How far above an argument's value Invoke's parser asks for it, in calls.
_DEPTH = 6

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


#: The parameters of tasks whose arguments are such.
_KINDS: dict[str, type[Positional]] = {"ids": Ids, "command": Command}


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


def _word_at_hand() -> str | None:
    """Return the word for which Invoke's parser asks whether an argument wants it, if it does."""
    frame = inspect.currentframe()
    for _ in range(_DEPTH):
        frame = frame and frame.f_back
        if frame and frame.f_code is ParseMachine.handle.__code__:
            return str(frame.f_locals["token"])
    return None
