"""A host's configuration as pairs of directive and value, in the words of `ssh -G`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_SIZES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


class OptionError(ValueError):
    """A value can't be read; the message says which, and what to do."""


class Options:
    """What the configuration says for one host.

    Names are in lower case. The first value of a directive is the one that holds, as with
    OpenSSH; directives that make lists have several.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name.lower(), []).append(value)

    def but(self, values: Mapping[str, str]) -> Options:
        """Return these with other values for directives that they have."""
        other = Options(())
        changed = {name: [value] for name, value in values.items() if name in self._values}
        other._values = {**self._values, **changed}
        return other

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def all(self, name: str) -> list[str]:
        """Return every value, in order."""
        return list(self._values.get(name, ()))

    def get(self, name: str) -> str | None:
        """Return the value; None where there is none, or it is "none"."""
        value = self._values.get(name, ["none"])[0]
        return None if value.lower() == "none" else value

    def flag(self, name: str) -> bool:
        """Return whether a yes-or-no directive says yes."""
        return (self.get(name) or "no").lower() in ("yes", "true")

    def names(self, name: str) -> tuple[str, ...]:
        """Return a list with commas, () where there is none."""
        return tuple(part for part in (self.get(name) or "").split(",") if part)

    def number(self, name: str, default: int) -> int:
        """Return a number.

        Raises:
            OptionError: it is none.
        """
        value = self.get(name) or str(default)
        if not value.isdecimal():
            raise OptionError(f"{name} {value!r} is not a number")
        return int(value)

    def seconds(self, name: str) -> float | None:
        """Return a time, None where it is 0 or not given.

        Raises:
            OptionError: it is none.
        """
        value = self.get(name)
        return None if value is None else float(read_time(name, value)) or None

    def rekey_limit(self) -> tuple[int, int]:
        """Return RekeyLimit as bytes and seconds, 0 for the default.

        Raises:
            OptionError: it is written wrong.
        """
        words = (self.get("rekeylimit") or "").split()
        size, time = [*words, "default", "none"][:2] if words else ("default", "none")
        if len(words) > 2:
            raise OptionError(f"RekeyLimit {' '.join(words)!r} has too many words")
        found = re.fullmatch(r"(\d+)([kmg]?)", size.lower())
        if found is None and size != "default":
            raise OptionError(f"RekeyLimit {size!r} is not an amount of data")
        return (
            int(found[1]) * _SIZES[found[2]] if found else 0,
            0 if len(words) < 2 or time == "none" else read_time("RekeyLimit", time),
        )


def read_time(name: str, text: str) -> int:
    """Return the seconds of a time such as 90, 1m30s or 2h (sshd_config(5), TIME FORMATS).

    Raises:
        OptionError: it is none; `name` is the directive's.
    """
    if not re.fullmatch(r"(\d+[smhdw]?)+", text.lower()):
        raise OptionError(f"{name} {text!r} is not a time")
    pairs = re.findall(r"(\d+)([smhdw]?)", text.lower())
    return sum(int(number) * _UNITS[unit] for number, unit in pairs)
