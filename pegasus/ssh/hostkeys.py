"""Host keys, checked as OpenSSH checks them with `StrictHostKeyChecking accept-new`.

`ssh-keygen -F` looks keys up, since it knows plain, hashed and pattern lines and markers. The
files are read anew for every connection: other programs write to them too.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from paramiko import HostKeys, MissingHostKeyPolicy, PKey, SSHClient

from pegasus.errors import UnreachableError
from pegasus.model import Node
from pegasus.ssh.config import Target

#: How long `ssh-keygen` may take to look up a name, in seconds.
_PATIENCE = 30

_REVOKED = "REVOKED"

# fcntl's locks are held by a process, not by a thread.
_adding = threading.Lock()


@dataclass(frozen=True)
class KnownKey:
    """A line of a known_hosts file that matches a name.

    Attributes:
        marker: "REVOKED", "CA" or "".
        kind: the key's type, such as ssh-ed25519.
        data: the key in base64.
    """

    file: str
    line: int
    marker: str
    kind: str
    data: str

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}"


def entry_name(target: Target) -> str:
    """Return the name under which a target's key is kept: HostKeyAlias, or host and port."""
    if target.host_key_alias is not None:
        return target.host_key_alias
    name = target.hostname.lower()
    return name if target.port == 22 else f"[{name}]:{target.port}"


class HostKeyCheck(MissingHostKeyPolicy):  # type: ignore[misc]
    """Decides about the key that a server shows. The client has no known keys of its own, so
    that every key comes here.
    """

    def __init__(self, node: Node, target: Target) -> None:
        self._node = node
        self._target = target
        self._files = target.known_hosts + target.global_known_hosts
        self._name = entry_name(target)

    def known_kinds(self) -> list[str]:
        """Return the types of key that are known for the target, to be asked for first."""
        return [key.kind for key in self._known() if not key.marker]

    def missing_host_key(self, client: SSHClient, hostname: str, key: PKey) -> None:
        """Return when the key is good; called by Paramiko, with names of its own making.

        Raises:
            UnreachableError: it is not (step: host key).
        """
        if not self._is_known(key):
            if self._target.strict == "yes":
                raise self._refusal(
                    f"the {key.get_name()} host key of {self._name} is not known, and "
                    f"StrictHostKeyChecking is yes; connect with ssh once, or add the key "
                    f"to {self._own_file() or 'a known_hosts file'}"
                )
            self._add(key)

    def _is_known(self, key: PKey) -> bool:
        """Return whether the key is known and good, or False when nothing is known.

        Raises:
            UnreachableError: the key is revoked, or another one is known.
        """
        known = self._known()
        same = [line for line in known if line.data == key.get_base64()]
        if self._is_trusted(same):
            return True
        others = [line for line in known if not line.marker]
        if others and self._target.strict != "no":
            raise self._refusal(self._describe_change(key, others))
        return bool(others) or self._is_known_without_port(key)

    def _describe_change(self, key: PKey, others: list[KnownKey]) -> str:
        line = next((line for line in others if line.kind == key.get_name()), others[0])
        return (
            f"the host key of {self._name} has changed: {line.place} has another one. "
            f"Someone may be listening in; or the host was set up anew: then remove the line "
            f"(ssh-keygen -f {shlex.quote(line.file)} -R '{self._name}')"
        )

    def _is_known_without_port(self, key: PKey) -> bool:
        """OpenSSH too takes a key of the host's for granted, whatever its port."""
        target = self._target
        if target.host_key_alias is not None or target.port == 22:
            return False
        lines = self._look_up(target.hostname.lower())
        return self._is_trusted([line for line in lines if line.data == key.get_base64()])

    def _is_trusted(self, lines: list[KnownKey]) -> bool:
        """Return whether a plain line is among those that have the server's very key."""
        for line in lines:
            if line.marker == _REVOKED:
                raise self._refusal(f"the key of {self._name} is revoked in {line.place}")
        return any(not line.marker for line in lines)

    def _known(self) -> list[KnownKey]:
        return self._look_up(self._name)

    def _look_up(self, name: str) -> list[KnownKey]:
        try:
            return [line for file in self._files for line in look_up(name, file)]
        except LookUpError as error:
            raise self._refusal(str(error)) from error

    def _own_file(self) -> str | None:
        return self._target.known_hosts[0] if self._target.known_hosts else None

    def _add(self, key: PKey) -> None:
        """Add the key to the user's file, unless another connection did so meanwhile."""
        file = self._own_file()
        if file is None:
            return
        name = self._name
        written = HostKeys.hash_host(name) if self._target.hash_known_hosts else name
        with _locked(file) as descriptor:
            if descriptor is not None and not self._is_known(key):
                _append(descriptor, f"{written} {key.get_name()} {key.get_base64()}\n")

    def _refusal(self, problem: str) -> UnreachableError:
        return UnreachableError(self._node, "host key", problem)


class LookUpError(Exception):
    """A known_hosts file can't be searched; the message says why and what to do."""


def look_up(name: str, file: str) -> list[KnownKey]:
    """Return the lines of `file` that match `name`; none when the file is not there.

    Raises:
        LookUpError: the file can't be searched.
    """
    if not os.path.exists(file):
        return []
    if shutil.which("ssh-keygen") is None:
        return list(_look_up_plain(name, file))
    try:
        answer = subprocess.run(
            ["ssh-keygen", "-F", name, "-f", file],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            start_new_session=True,  # a Ctrl-C in the terminal is for us alone
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LookUpError(f"{file}: {error}") from error
    if answer.returncode not in (0, 1) or (answer.returncode and answer.stderr):
        raise LookUpError(f"{file}: {answer.stderr.decode(errors='replace').strip()}")
    return list(_read_answer(answer.stdout.decode(errors="replace"), file))


def _read_answer(text: str, file: str) -> Iterator[KnownKey]:
    """Read pairs of lines: `# Host NAME found: line N [MARKER]`, and that line."""
    number, marker = 0, ""
    for line in text.splitlines():
        words = line.split()
        if line.startswith("# Host "):
            where = line.rpartition(" found: line ")[2].split()
            number, marker = int(where[0]), where[1] if len(where) > 1 else ""
        elif len(words) >= 3:
            words = words[1:] if words[0].startswith("@") else words
            if len(words) >= 3:
                yield KnownKey(file, number, marker, words[1], words[2])


def _look_up_plain(name: str, file: str) -> Iterator[KnownKey]:
    """Look up exact and hashed names, where there is no OpenSSH to do it."""
    with open(file, encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            words = line.split()
            if len(words) < 3 or words[0].startswith("#"):
                continue
            if words[0].startswith("@") or any(sign in words[0] for sign in "*?!"):
                raise LookUpError(
                    f"{file}:{number} has a marker or a pattern, which only ssh-keygen can "
                    f"read: install the OpenSSH client"
                )
            if any(_is_name(name, written) for written in words[0].split(",")):
                yield KnownKey(file, number, "", words[1], words[2])


def _is_name(name: str, written: str) -> bool:
    if written.startswith("|1|"):
        return bool(HostKeys.hash_host(name, written) == written)
    return written.lower() == name


@contextlib.contextmanager
def _locked(file: str) -> Iterator[int | None]:
    """Open `file` to read and append, made when it is not there, and lock it.

    Yields None when it can't be written to: as with OpenSSH, that stops nobody.
    """
    try:
        os.makedirs(os.path.dirname(file) or ".", mode=0o700, exist_ok=True)
        descriptor = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        yield None
        return
    try:
        with _adding:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
    finally:
        os.close(descriptor)


def _append(descriptor: int, line: str) -> None:
    size = os.fstat(descriptor).st_size
    unfinished = size and os.pread(descriptor, 1, size - 1) != b"\n"
    with contextlib.suppress(OSError):  # such as a full disk
        os.write(descriptor, (("\n" if unfinished else "") + line).encode())
