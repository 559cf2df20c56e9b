"""The options of the tasks that run commands: each of them is a setting."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, TypedDict

from pegasus.errors import SettingsError

StrPath = str | os.PathLike[str]
Hook = str | Callable[..., object]

#: What is switched off by a flag of its own, since it is on unless somebody says otherwise.
_SWITCHED_OFF = {"progress": "no_progress"}


class RunOptions(TypedDict, total=False):
    """What `queue` may be told; None leaves it to the configuration."""

    hosts_file: StrPath | None
    queue_file: StrPath | None
    consumed_file: StrPath | None
    ssh_config: StrPath | None
    limit: str | None
    exclude: str | None
    daemon: bool | None
    timeout: float | str | None
    retries: int | str | None
    print_period: int | str | None
    quiet: bool | None
    group: bool | None
    progress: bool | None
    output: str | None
    exit_code: str | None
    on_fail: Hook | None
    on_finish: Hook | None
    on_empty: Hook | None
    force: bool | None


class BroadcastOptions(RunOptions, total=False):
    """What `broadcast` may be told beyond that."""

    error_aborts: bool | None
    skip_unreachable: bool | None
    gather: bool | None
    diff: bool | None


QUEUE = tuple(RunOptions.__annotations__)
BROADCAST = tuple(BroadcastOptions.__annotations__)


def flag_of(setting: str) -> str:
    """Return the name of the parameter, and so of the flag, by which a setting is given."""
    return _SWITCHED_OFF.get(setting, setting)


def given(names: tuple[str, ...], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a task was told, by settings, whether by flags or by a caller in Python.

    Raises:
        TypeError: there is no such option.
        SettingsError: `limit` is empty.
    """
    values = dict(options)
    for setting, flag in _SWITCHED_OFF.items():
        if values.pop(flag, None):
            values[setting] = False
    for name in values:
        if name not in names:
            raise TypeError(f"unexpected keyword argument {name!r}; there are: {', '.join(names)}")
    filled("limit", values.get("limit"))
    return values


def filled(name: str, expression: str | None) -> str | None:
    """Return what was given for `--limit`: a script's empty variable must not mean all nodes.

    Raises:
        SettingsError: it is empty.
    """
    if isinstance(expression, str) and not expression.strip():
        raise SettingsError(f"{name} is empty; leave it out for all nodes, or write '*'")
    return expression
