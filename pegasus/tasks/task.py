"""What the tasks are made of: their flags, their help, and how their errors end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from invoke import Argument, Exit, Task

from pegasus.errors import PegasusError
from pegasus.settings import describe
from pegasus.tasks.arguments import positional

StrPath = str | os.PathLike[str]

_SHORT_FLAGS = {"daemon": "d", "error_aborts": "e", "ignore_errors": "i", "print_period": "p"}
_SWITCHES = {"daemon", "error_aborts", "force", "skip_unreachable"}


class PegasusTask(Task[Any]):
    """A task with chosen short flags: Invoke's automatic ones would take -h from help."""

    def arg_opts(self, name: str, default: Any, taken_names: set[str]) -> dict[str, Any]:
        options = super().arg_opts(name, default, taken_names)
        if name in _SHORT_FLAGS:
            options["names"].append(_SHORT_FLAGS[name])
        if name in _SWITCHES:
            # Without a default, so that "not given" differs from a caller's False.
            options["kind"] = bool
        return options

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        # `warn` is for Python callers, as in Context.run; on the command line it has no use.
        arguments = super().get_arguments(ignore_unknown_help)
        return [positional(argument) for argument in arguments if argument.name != "warn"]


def help_for(*names: str, **more: str) -> dict[str, str]:
    """Return the help of flags: settings say what they mean, and `more` is for the others."""
    return {**{name: describe(name) for name in names}, **more}


@contextmanager
def reported() -> Iterator[None]:
    """Turn errors that are for people into Invoke's way to end with a message and a status."""
    try:
        yield
    except PegasusError as error:
        raise Exit(f"[pegasus] {error}", error.exit_status) from error
    except KeyboardInterrupt:
        raise Exit("[pegasus] interrupted", 130) from None
