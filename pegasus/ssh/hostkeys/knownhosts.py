"""The lines of known_hosts files: which of them speak of a name, and adding one.

They are read as OpenSSH's ssh reads them (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT; what is broken
is passed over), and anew when they have changed: other programs write to them too. Reading them
here costs no process for each connection, and needs no OpenSSH.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import fcntl
import hmac
import os
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from pegasus.ssh.unchanged import Unchanged

REVOKED = "@revoked"
AUTHORITY = "@cert-authority"

_BLANKS = re.compile(rb"[ \t]+")

#: What is in a pattern and in no plain name.
_WILD = re.compile(rb"[*?]")

#: The bytes of a hashed name's salt.
_SALT_SIZE = 20

#: Names of signature algorithms, which OpenSSH takes for the type of key too.
_ALIASES = {"rsa-sha2-256": "ssh-rsa", "rsa-sha2-512": "ssh-rsa"}

#: A line and its number.
_Line = tuple[int, bytes]

# fcntl's locks are held by a process, not by a thread.
_adding = threading.Lock()


@dataclass(frozen=True)
class KnownKey:
    """A line of a known_hosts file that matches a name.

    Attributes:
        name: the name that was looked for.
        hosts: the names and patterns of the line, as written.
        marker: REVOKED, AUTHORITY or "".
        kind: the key's type, such as ssh-ed25519.
        blob: the public key, as it goes over the wire.
    """

    name: str
    file: str
    line: int
    hosts: str
    marker: str
    kind: str
    blob: bytes

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}"

    @property
    def is_shared(self) -> bool:
        """Whether the line speaks of other hosts too."""
        return not self.hosts.startswith("|") and any(sign in self.hosts for sign in ",*?")


@dataclass(frozen=True)
class _Index:
    """The lines of a file, with their numbers: by plain names, by hashes, and those with patterns.

    A hash is its salt and what that makes of the name.
    """

    by_name: dict[bytes, list[_Line]]
    hashed: list[tuple[tuple[bytes, bytes], _Line]]
    others: list[_Line]

    def candidates(self, names: Sequence[bytes]) -> list[_Line]:
        """Return all lines that may match one of some names, in the order of the file."""
        found = {line for name in names for line in self.by_name.get(name, ())}
        found |= {line for hashed, line in self.hashed if _is_hash(hashed, names)}
        return sorted(found.union(self.others))


def look_up(names: Sequence[str], file: str) -> list[KnownKey]:
    """Return the lines of `file` that match one of `names`, which are in lower case.

    Raises:
        OSError: it is there but can't be read.
    """
    try:
        index = _indices(file)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return []
    wanted = [(name, name.encode("utf-8", "surrogateescape")) for name in names]
    return [
        KnownKey(name, file, number, _text(hosts), marker, *key)
        for number, line in index.candidates([raw for _, raw in wanted])
        for marker, hosts, rest in _split(line)
        for name in _matching(hosts, wanted)
        for key in read_key(rest)
    ]


def _read(file: str) -> _Index:
    index = _Index({}, [], [])
    for number, line in enumerate(Path(file).read_bytes().split(b"\n"), start=1):
        for _, hosts, _ in _split(line):
            if hosts.startswith(b"|"):
                index.hashed.extend((parts, (number, line)) for parts in _hash(hosts))
            elif _WILD.search(hosts):
                index.others.append((number, line))
            else:
                for name in set(hosts.lower().split(b",")):
                    index.by_name.setdefault(name, []).append((number, line))
    return index


#: Every connection looks into the same few files, which may be long.
_indices = Unchanged(_read)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _split(line: bytes) -> Iterator[tuple[str, bytes, bytes]]:
    """Yield marker, hosts and the rest of a line, or nothing for one without a host."""
    line = line.partition(b"\0")[0].lstrip(b" \t")
    if not line or line.startswith(b"#"):
        return
    marker = ""
    if line.startswith(b"@"):
        # OpenSSH looks for a blank anywhere first, and for a tab only where there is none.
        word, _, line = line.partition(b" " if b" " in line else b"\t")
        marker, line = _text(word), line.lstrip(b" \t")
        if marker not in (REVOKED, AUTHORITY):
            return
    hosts, *rest = _BLANKS.split(line, 1)
    if rest:
        yield marker, hosts, rest[0]


def _matching(hosts: bytes, wanted: Sequence[tuple[str, bytes]]) -> list[str]:
    """Return the names that the first field of a line matches."""
    if hosts.startswith(b"|"):
        return [name for name, raw in wanted for parts in _hash(hosts) if _is_hash(parts, [raw])]
    patterns = hosts.lower().split(b",")
    return [name for name, raw in wanted if _is_match(raw, patterns)]


def _hash(hosts: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield salt and hash of `|1|salt|hash`, or nothing if it is broken."""
    parts = hosts.split(b"|")
    salt = _decode(parts[2]) if len(parts) == 4 and parts[1] == b"1" else b""
    if len(salt) == _SALT_SIZE:
        yield salt, _decode(parts[3])


def _is_hash(hashed: tuple[bytes, bytes], names: Sequence[bytes]) -> bool:
    """Return whether it is that of one of some names."""
    salt, wanted = hashed
    return any(hmac.digest(salt, name, "sha1") == wanted for name in names)


def _is_match(name: bytes, patterns: Sequence[bytes]) -> bool:
    """Return whether one of the patterns fits; one with `!` that fits undoes all."""
    matched = False
    for pattern in patterns:
        is_negated = pattern.startswith(b"!")
        if _fits(name, pattern[is_negated:]):
            if is_negated:
                return False
            matched = True
    return matched


def _fits(name: bytes, pattern: bytes) -> bool:
    if b"*" in pattern or b"?" in pattern:
        return fnmatchcase(name, pattern.replace(b"[", b"[[]"))
    return name == pattern


def _decode(text: bytes) -> bytes:
    """Return what base64 `text` stands for, or nothing where it is not base64 in good order."""
    try:
        raw = base64.b64decode(text)
    except binascii.Error:
        return b""
    return raw if base64.b64encode(raw) == text else b""


def read_key(text: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield type and blob of the key that `text` begins with, or nothing if it is broken."""
    words = _BLANKS.split(text.lstrip(b" \t"), 2)
    if len(words) < 2:
        return
    kind = _ALIASES.get(_text(words[0]), _text(words[0]))
    blob = _decode(words[1].strip())  # of a carriage return
    if _is_key(blob, kind.encode()):
        yield kind, blob


def _is_key(blob: bytes, kind: bytes) -> bool:
    """Return whether a blob is what all keys are: strings with their lengths, the type first.

    A type that OpenSSH does not know is let pass: its line is a sign that the host has keys.
    """
    fields = []
    position = 0
    while position < len(blob):
        end = position + 4 + int.from_bytes(blob[position : position + 4], "big")
        fields.append(blob[position + 4 : end])
        position = end
    return position == len(blob) and len(fields) > 1 and fields[0] == kind


@contextlib.contextmanager
def opened_to_add(file: str) -> Iterator[int | None]:
    """Open `file` to read and append, made when it is not there, and lock it.

    Yields None when it can't be written to: as with OpenSSH, that stops nobody.
    """
    with _adding:
        try:
            descriptor = _open_locked(file)
        except OSError:
            yield None
            return
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def _open_locked(file: str) -> int:
    os.makedirs(os.path.dirname(file) or ".", mode=0o700, exist_ok=True)
    while True:
        descriptor = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            with contextlib.suppress(OSError):  # some file systems have no locks
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_still(file, descriptor):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _is_still(file: str, descriptor: int) -> bool:
    """Return whether nobody, such as `ssh-keygen -R`, has put another file in its place."""
    try:
        return os.path.samestat(os.stat(file), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def append(descriptor: int, line: str) -> None:
    """Append a line, after ending one that was left unfinished."""
    with contextlib.suppress(OSError):  # such as a full disk
        size = os.fstat(descriptor).st_size
        unfinished = size and os.pread(descriptor, 1, size - 1) != b"\n"
        os.write(
            descriptor, (("\n" if unfinished else "") + line).encode("utf-8", "surrogateescape")
        )
