"""Hosts of which OpenSSH's configuration says the same, so that `ssh -G` need not tell it of each.

It takes 5 to 10 ms of a processor, more than all the rest of connecting. So an answer is used for
other hosts too, for a moment: for hosts that match the same `Host` lines, where nothing but their
name can make a difference. Where there is any doubt of that, `ssh` is asked: the files are read
here for that doubt alone, and only those that `ssh` itself has said it reads.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from ipaddress import AddressValueError, IPv4Address
from pathlib import Path

from pegasus.model import Node
from pegasus.ssh.openssh.ask import Answer, ask
from pegasus.ssh.openssh.options import Options
from pegasus.ssh.unchanged import COARSE, signature

#: For how long an answer stands, in seconds: files that an Include would find may come any time.
_FRESH = 5.0

#: How long to wait for another thread's answer before asking beside it, in seconds.
_WAIT = 0.5

#: Names that no resolver takes for an address, and that have no capitals.
_NAME = re.compile(r"[a-z_][a-z0-9_.-]*")

_LINE = re.compile(r"\s*(?:#.*|([A-Za-z][A-Za-z0-9]*)(?:\s*=\s*|\s+)(.*?))?\s*")
_PATTERNS = re.compile(r"[A-Za-z0-9_.*?!: \t-]+")

#: A host is like another one when these are the same: its kind, user, port, and the Host lines.
_Likeness = tuple[str, "str | None", "int | None", tuple[bool, ...]]


class Answers:
    """Asks `ssh -G` once for hosts that are alike. All threads that connect use it."""

    def __init__(self) -> None:
        self._surveys: defaultdict[tuple[str, str | None], _Place] = defaultdict(_Place)

    def ask(
        self, ssh: str, node: Node, config_file: str | None, closing: threading.Event
    ) -> Options:
        """Return what `ssh -G` says for a node; see `pegasus.ssh.openssh.ask.ask`.

        Parameters:
            ssh: where that program is, whose answers are not another one's.
        """
        place = self._surveys[ssh, config_file]
        with _turn(place.lock):
            survey = place.survey
            if survey is None or not survey.holds():
                began = time.time_ns(), time.monotonic()
                answer = ask(node, config_file, closing)
                place.survey = _Survey.of(answer, *began)
                place.survey.keep(node, answer)
                return answer.options
        return survey.ask(node, config_file, closing)


@dataclass
class _Place:
    """What is known of a configuration."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    survey: _Survey | None = None


@contextlib.contextmanager
def _turn(lock: threading.Lock) -> Iterator[None]:
    """Hold a lock, unless another thread takes too long: `Match exec` may run anything."""
    is_ours = lock.acquire(timeout=_WAIT)
    try:
        yield
    finally:
        if is_ours:
            lock.release()


@dataclass
class _Survey:
    """The files of a configuration, as far as they tell which hosts are alike.

    Attributes:
        files: what `ssh` has read, with what shows whether a file has changed.
        lines: the patterns of each Host line; None where hosts are not to be compared.
        names: what HostName lines say, in lower case.
        until: when it is to be made anew, by the clock that is not set.
    """

    files: dict[str, tuple[int, ...]]
    lines: list[list[str]] | None
    names: set[str]
    until: float
    answers: dict[_Likeness, Answer] = field(default_factory=dict)
    locks: defaultdict[_Likeness, threading.Lock] = field(
        default_factory=lambda: defaultdict(threading.Lock)
    )

    @classmethod
    def of(cls, answer: Answer, asked_at: int, started: float) -> _Survey:
        """Read what `ssh` has read for an answer that it was asked for at a time.

        Parameters:
            asked_at: that time, in ns since the epoch; started: by the clock that is not set.
        """
        survey = cls({}, [], set(), started + _FRESH)
        for path in answer.files:
            try:
                text = Path(path).read_text("utf-8", "surrogateescape")
                survey.files[path] = seen = signature(os.stat(path))
            except OSError:
                survey.lines = None
                break
            if max(seen[:2]) + COARSE > asked_at or not survey._read(text):
                survey.lines = None
        return survey

    def holds(self) -> bool:
        """Return whether it is fresh, and no file has changed."""
        if time.monotonic() > self.until:
            return False
        with contextlib.suppress(OSError):
            return all(signature(os.stat(path)) == known for path, known in self.files.items())
        return False

    def ask(self, node: Node, config_file: str | None, closing: threading.Event) -> Options:
        """Return the answer for a node: that for another one, or `ssh`'s."""
        likeness = self._likeness(node)
        if likeness is None:
            return ask(node, config_file, closing).options
        with _turn(self.locks[likeness]):
            known = self.answers.get(likeness)
            if known is None:
                answer = ask(node, config_file, closing)
                self.keep(node, answer)
                return answer.options
        return known.options_for(node.host.name)

    def keep(self, node: Node, answer: Answer) -> None:
        """Use an answer for those that are like the node, unless `ssh` saw the files otherwise."""
        likeness = self._likeness(node)
        if likeness is None or node.host.name in self.names:
            return
        if answer.files == tuple(self.files) and answer.host_lines == sum(likeness[-1]):
            self.answers[likeness] = answer

    def _likeness(self, node: Node) -> _Likeness | None:
        host = node.host
        kind = _kind(host.name)
        if self.lines is None or kind is None:
            return None
        return kind, host.user, host.port, tuple(_applies(line, host.name) for line in self.lines)

    def _read(self, text: str) -> bool:
        """Take in the Host lines of a file; return False for what could tell hosts apart."""
        for line in text.split("\n"):
            found = _LINE.fullmatch(line)
            if found is None:
                return False
            if found[1] is not None and not self._take(found[1].lower(), found[2]):
                return False
        return True

    def _take(self, keyword: str, value: str) -> bool:
        if keyword == "controlpath":  # is not used
            return True
        if keyword == "match" or keyword.startswith("canonical") or "%" in value or "$" in value:
            return False
        if keyword == "host":
            if not _PATTERNS.fullmatch(value) or self.lines is None:
                return False
            self.lines.append(value.split())
        elif keyword == "hostname":
            self.names.update(value.lower().replace('"', " ").split())
        return True


def _kind(name: str) -> str | None:
    """Return what a host is named by, or None for what `ssh` might write in another way."""
    if _NAME.fullmatch(name):
        return "name"
    with contextlib.suppress(AddressValueError):
        return "address" if str(IPv4Address(name)) == name else None
    return None


def _applies(patterns: list[str], name: str) -> bool:
    """Return whether a Host line is for a host (ssh_config(5), PATTERNS)."""
    fitting = [p for p in patterns if fnmatchcase(name, p.removeprefix("!"))]
    return bool(fitting) and not any(pattern.startswith("!") for pattern in fitting)
