"""What the tasks are made of: their flags, their help, and how their errors end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from inspect import Parameter, Signature
from typing import Any

from invoke import Argument, Exit, Task

from pegasus.errors import PegasusError
from pegasus.settings import Settings, describe
from pegasus.tasks.arguments import positional
from pegasus.tasks.options import flag_of

_SHORT_FLAGS = {
    "daemon": "d",
    "error_aborts": "e",
    "ignore_errors": "i",
    "output_file": "o",
    "print_period": "p",
}
_SWITCHES = {item.name for item in fields(Settings) if item.default is False}


class PegasusTask(Task[Any]):
    """A task with chosen short flags: Invoke's automatic ones would take -h from help.

    Args:
        body: what it does. Where it takes keywords of any name, they are `settings`.
        settings: the settings that it is told.
        more: for Invoke's `Task`.
    """

    def __init__(
        self, body: Callable[..., Any], settings: tuple[str, ...] = (), **more: Any
    ) -> None:
        self.settings = settings
        more["help"] = {**help_for(*settings), **more.get("help", {})}
        super().__init__(body, **more)

    def argspec(self, body: Callable[..., Any]) -> Signature:
        """Return the parameters of the task but for the context, with one for each setting."""
        signature = super().argspec(body)
        own = [one for one in signature.parameters.values() if one.kind is not one.VAR_KEYWORD]
        told = [
            Parameter(flag_of(name), Parameter.KEYWORD_ONLY, default=None) for name in self.settings
        ]
        return signature.replace(parameters=[*own, *told])

    def arg_opts(self, name: str, default: Any, taken_names: set[str]) -> dict[str, Any]:
        options = super().arg_opts(name, default, taken_names)
        if name in _SHORT_FLAGS:
            options["names"].append(_SHORT_FLAGS[name])
        if name in _SWITCHES or name.startswith("no_"):
            # Without a default, so that "not given" differs from a caller's False.
            options["kind"] = bool
        return options

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        # `warn` is for Python callers, as in Context.run; on the command line it has no use.
        told = dict(self.help)
        arguments = super().get_arguments(ignore_unknown_help)
        self.help = told  # Invoke takes out what it has used, and asks more than once.
        return [positional(argument) for argument in arguments if argument.name != "warn"]


def help_for(*names: str, **more: str) -> dict[str, str]:
    """Return the help of flags: settings say what they mean, and `more` is for the others."""
    return {**{flag_of(name): _help(name) for name in names}, **more}


def _help(setting: str) -> str:
    is_switched_off = flag_of(setting) != setting
    return f"do not {describe(setting)}" if is_switched_off else describe(setting)


@contextmanager
def reported() -> Iterator[None]:
    """Turn errors that are for people into Invoke's way to end with a message and a status."""
    try:
        yield
    except PegasusError as error:
        raise Exit(f"[pegasus] {error}", error.exit_status) from error
    except KeyboardInterrupt:
        raise Exit("[pegasus] interrupted", 130) from None
