"""Every setting: its name, type, default and meaning. Configuration crosses here, once.

A setting is a flag of the tasks, a key under `pegasus:` in invoke.yaml (or in whatever else
Invoke reads), and an environment variable such as `INVOKE_PEGASUS_HOSTS_FILE`. Which of them
wins is Invoke's rule: flags over environment over files over these defaults. `helpers`, being
functions, can only be set in code, by `ns.configure`.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Protocol

from pegasus import durations
from pegasus.errors import SettingsError

SECTION = "pegasus"

_PATHS = frozenset({"hosts_file", "queue_file", "consumed_file", "ssh_config"})

#: Numbers and the least they may be.
_LEAST = {"print_period": 0, "retries": 0, "handshakes": 1, "handshakes_per_host": 1}

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"", "0", "false", "no", "off"})


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
    """What a run is told, checked and complete. Paths are relative to the working directory."""

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
    timeout: float = _setting(0.0, "how long a job may run, such as 90s, 2h or 1d; 0: for ever")
    retries: int = _setting(0, "how many times a job that failed or was lost is run again")
    kill_grace: float = _setting(10.0, "the time between TERM and KILL when a job is cancelled")
    reconnect_for: float = _setting(
        3600.0, "queue: for how long a node that is lost is tried again; 0: not at all"
    )
    dead_after: float = _setting(
        0.0, "the silence after which a host is taken for dead (default: ServerAlive*, then 30s)"
    )
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
        for name in ("hosts_file", "queue_file"):
            if not getattr(self, name):
                raise SettingsError(f"{name} is empty; name a file")
        for name, least in _LEAST.items():
            if getattr(self, name) < least:
                raise SettingsError(f"{name} is {getattr(self, name)}; it must be {least} or more")
        _kept_logs(self.keep_logs)

    @property
    def consumed_path(self) -> Path:
        """Where taken jobs are recorded."""
        if self.consumed_file:
            return Path(self.consumed_file)
        return Path(self.queue_file).parent / "consumed.yaml"

    @property
    def kept_logs(self) -> tuple[int | None, float | None]:
        """Of how many attempts the logs are kept, and for how many seconds; None: all, for ever."""
        return _kept_logs(self.keep_logs)

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
                values[item.name] = _convert(item.name, type(item.default), flag)
        return cls(**values)


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


def _convert(name: str, kind: type, value: object) -> object:
    if name == "helpers":
        return _functions(value)
    if kind is bool:
        return _boolean(name, value)
    if kind is int:
        return _integer(name, value)
    if kind is float:
        return _duration(name, value)
    if name == "keep_logs" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if not isinstance(value, str):
        raise SettingsError(f"{name} must be text, not {value!r}")
    # No shell does it for what stands in a file.
    return os.path.expanduser(value) if name in _PATHS else value


def _functions(value: Any) -> dict[str, Callable[..., object]]:
    if not hasattr(value, "keys"):
        raise SettingsError(f"helpers must be functions by their names, not {value!r}")
    return {str(name): value[name] for name in value}


def _boolean(name: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise SettingsError(f"{name} must be true or false, not {value!r}")


def _integer(name: str, value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    try:
        return int(str(value).strip())
    except ValueError:
        raise SettingsError(f"{name} must be a whole number, not {value!r}") from None


def _kept_logs(text: str) -> tuple[int | None, float | None]:
    """Return a number of attempts, or an age in seconds; a number has no unit, and an age has."""
    text = text.strip()
    if not text:
        return None, None
    if re.fullmatch("[0-9]{1,18}", text):
        return int(text), None
    if re.fullmatch("[0-9].*[a-z]", text):
        return None, _duration("keep_logs", text)
    raise SettingsError(
        "keep_logs must be a number of attempts, such as 500, or an age, such as 30d;"
        f" not {text[:100]!r}"
    )


def _duration(name: str, value: object) -> float:
    try:
        return durations.parse(value)
    except ValueError as error:
        raise SettingsError(f"{name}: {error}") from None
