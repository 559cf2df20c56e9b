"""Every setting: its name, type, default and meaning. Configuration crosses here, once.

A setting is a flag of the tasks, a key under `pegasus:` in invoke.yaml (or in whatever else
Invoke reads), and an environment variable such as `INVOKE_PEGASUS_HOSTS_FILE`. Which of them
wins is Invoke's rule: flags over environment over files over these defaults. `helpers`, being
functions, can only be set in code, by `ns.configure`; so can hooks, where they are functions.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Protocol

from pegasus.conversion import HOOKS, convert, kept_logs
from pegasus.errors import SettingsError

SECTION = "pegasus"

#: Numbers and the least they may be.
_LEAST = {
    "print_period": 0,
    "retries": 0,
    "zero_slot_jobs": 1,
    "handshakes": 1,
    "handshakes_per_host": 1,
}

#: What may be said where there is a choice.
_CHOICES = {
    "output": ("text", "json"),
    "exit_code": ("kind", "max", "count"),
    "allocation": ("first_fit", "buddy"),
}

#: A hook: a command template that is run here, or a function.
Hook = str | Callable[..., object]


class Config(Protocol):
    """The part of `invoke.Config` that is read here."""

    @property
    def env_prefix(self) -> str | None: ...
    @property
    def prefix(self) -> str: ...

    def get(self, key: str, default: Any = None) -> Any: ...


def _setting(default: Any, doc: str) -> Any:
    return field(default=default, metadata={"doc": doc})


@dataclass(frozen=True)
class Settings:
    """What a run is told, checked and complete. Paths are relative to the working directory.

    Values may be of whatever type flags and files have for them, such as `timeout="2h"`; with one
    that is wrong, SettingsError is raised.
    """

    hosts_file: str = _setting("hosts.yaml", "the file that lists the nodes")
    queue_file: str = _setting("queue.yaml", "the file that is the queue")
    consumed_file: str = _setting(
        "", "the file that gets each job as it is taken (default: consumed.yaml beside the queue)"
    )
    ssh_config: str = _setting("", "the ssh_config file (default: OpenSSH's own)")
    daemon: bool = _setting(False, "wait for more jobs when the queue is empty, for ever")
    error_aborts: bool = _setting(False, "end the run after a round in which a node failed")
    skip_unreachable: bool = _setting(False, "go on without the nodes that can't be reached")
    force: bool = _setting(False, "run although another run stands in the way")
    editor: str = _setting("", "the editor, with its arguments (default: $EDITOR, then vim)")
    print_period: int = _setting(1, "print every Nth line of output; 0 prints none")
    quiet: bool = _setting(False, "print what fails and the summary, and no output")
    group: bool = _setting(False, "print the output of a job when it ends, in one piece")
    gather: bool = _setting(False, "broadcast: print the same output of several nodes once")
    diff: bool = _setting(False, "broadcast: print how outputs differ from the commonest one")
    progress: bool = _setting(True, "show progress at the bottom of the terminal")
    output: str = _setting("text", "text, or json: one event an object a line on stdout")
    exit_code: str = _setting(
        "kind", "status: kind of trouble; max: largest of the commands; count: how many failed"
    )
    limit: str = _setting("", "run on these nodes only, such as 'node-[1-3]' or 'gpu=a100'")
    exclude: str = _setting("", "do not run on these nodes")
    on_fail: Hook = _setting("", "a command to run here when a job has failed")
    on_finish: Hook = _setting("", "a command to run here when the run has ended")
    on_empty: Hook = _setting("", "a command to run here when the queue has run empty")
    timeout: float = _setting(0.0, "how long a job may run, such as 90s, 2h or 1d; 0: for ever")
    retries: int = _setting(0, "how many times a job that failed or was lost is run again")
    kill_grace: float = _setting(10.0, "the time between TERM and KILL when a job is cancelled")
    reconnect_for: float = _setting(
        3600.0, "queue: for how long a node that is lost is tried again; 0: not at all"
    )
    dead_after: float = _setting(
        0.0, "the silence after which a host is taken for dead (default: ServerAlive*, then 30s)"
    )
    allocation: str = _setting(
        "first_fit", "how a job gets slots of a node: first_fit, or buddy (aligned blocks only)"
    )
    backfill_patience: float = _setting(
        600.0, "for how long a job may be passed by later ones that fit; 0: jobs stay in order"
    )
    zero_slot_jobs: int = _setting(4, "how many jobs that need no slot run on a node at a time")
    keep_logs: str = _setting(
        "", "of how many attempts the logs are kept, or for how long, such as 30d (default: all)"
    )
    handshakes: int = _setting(64, "how many connections are made at a time")
    handshakes_per_host: int = _setting(8, "how many of them to the same SSH server")
    helpers: Mapping[str, Callable[..., object]] = field(
        default_factory=dict,
        hash=False,
        metadata={"doc": "functions that templates may call, by name", "only_in_code": True},
    )

    def __post_init__(self) -> None:
        for item in fields(self):
            value = convert(item.name, type(item.default), getattr(self, item.name))
            object.__setattr__(self, item.name, value)
        for name in ("hosts_file", "queue_file"):
            if not getattr(self, name):
                raise SettingsError(f"{name} is empty; name a file")
        for name, least in _LEAST.items():
            if getattr(self, name) < least:
                raise SettingsError(f"{name} is {getattr(self, name)}; it must be {least} or more")
        for name, words in _CHOICES.items():
            if getattr(self, name) not in words:
                there = f"{', '.join(words[:-1])} or {words[-1]}"
                raise SettingsError(f"{name} must be {there}, not {getattr(self, name)!r}")
        kept_logs(self.keep_logs)

    @property
    def consumed_path(self) -> Path:
        """Where taken jobs are recorded."""
        if self.consumed_file:
            return Path(self.consumed_file)
        return Path(self.queue_file).parent / "consumed.yaml"

    @property
    def kept_logs(self) -> tuple[int | None, float | None]:
        """Of how many attempts the logs are kept, and for how many seconds; None: all, for ever."""
        return kept_logs(self.keep_logs)

    @classmethod
    def from_config(cls, config: Config, **flags: Any) -> Settings:
        """Return the settings that `config` and `flags` together mean.

        Args:
            config: an `invoke.Config`.
            flags: values given to the task; None means "not given".

        Raises:
            SettingsError: a value has the wrong type, or a key is unknown.
        """
        section = _section(config)
        values: dict[str, Any] = {}
        for item in fields(cls):
            flag = flags.get(item.name)
            if flag is None:
                flag = _configured(config, section, item.name)
            if flag is not None:
                values[item.name] = flag
        return cls(**values)


def plain(settings: Settings) -> dict[str, object]:
    """Return the settings as JSON can hold them; of hooks, which may hold secrets, if there are."""
    names = [item.name for item in fields(settings) if not item.metadata.get("only_in_code")]
    values = {name: getattr(settings, name) for name in names}
    return {name: bool(value) if name in HOOKS else value for name, value in values.items()}


def describe(name: str) -> str:
    """Return what the setting `name` means, in one line, for help texts."""
    return next(str(item.metadata["doc"]) for item in fields(Settings) if item.name == name)


def _section(config: Config) -> Mapping[str, Any]:
    section = config.get(SECTION) or {}
    if not hasattr(section, "keys"):
        raise SettingsError(f"{SECTION} must be a mapping of settings, not {section!r}")
    known = [item.name for item in fields(Settings)]
    for key in section:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(known)}"
            raise SettingsError(f"{SECTION}.{key} is not a setting; {hint}")
    return {key: section[key] for key in section}


def _configured(config: Config, section: Mapping[str, Any], name: str) -> Any:
    """Return what a setting has from variable or file, or None.

    The variable is read here, as text, and wins over all files but the one of `inv -f`. Invoke
    reads those of keys that it knows as well, but casts them by the type of what they replace:
    `no` would be true, and a wrong number a traceback.
    """
    prefix = config.env_prefix or config.prefix
    variable = os.environ.get(f"{prefix}_{SECTION}_{name}".upper())
    if name == "helpers":
        return section.get(name)
    in_runtime_file = name in (getattr(config, "_runtime", {}).get(SECTION) or {})
    return section.get(name) if variable is None or in_runtime_file else variable
