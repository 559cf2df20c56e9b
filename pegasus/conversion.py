"""The values of settings, from whatever a flag, a file or a variable has for them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

from pegasus import durations
from pegasus.errors import SettingsError

#: Settings that are paths.
PATHS = frozenset({"hosts_file", "queue_file", "consumed_file", "ssh_config"})

#: Settings that are a text or, in code, a function.
HOOKS = frozenset({"on_fail", "on_finish", "on_empty"})

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"", "0", "false", "no", "off"})


def convert(name: str, kind: type, value: object) -> object:
    """Return the value of a setting.

    Args:
        name: of the setting.
        kind: the type of its default.
        value: what was given, of whatever type.

    Raises:
        SettingsError: it is none for this setting.
    """
    if name == "helpers":
        return _functions(value)
    if kind in _KINDS:
        return _KINDS[kind](name, value)
    return value if name in HOOKS and callable(value) else _text(name, value)


def _text(name: str, value: object) -> str:
    if name == "keep_logs" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if not isinstance(value, str):
        raise SettingsError(f"{name} must be text, not {value!r}")
    # No shell does it for what stands in a file.
    return os.path.expanduser(value) if name in PATHS else value


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


def kept_logs(text: str) -> tuple[int | None, float | None]:
    """Return a number of attempts, or an age in seconds; a number has no unit, and an age has.

    Raises:
        SettingsError: the text is neither.
    """
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


_KINDS: dict[type, Callable[[str, Any], object]] = {
    bool: _boolean,
    int: _integer,
    float: _duration,
}
