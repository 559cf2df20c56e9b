"""RevokedHostKeys: files of keys that no host may have any more."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Collection
from pathlib import Path

from pegasus.ssh.hostkeys.knownhosts import read_key
from pegasus.ssh.plain import plain

#: How long `ssh-keygen` may take to look into a revocation list, in seconds.
_PATIENCE = 30

_KRL_MAGIC = b"SSHKRL\n\0"


class RevocationError(Exception):
    """A key is revoked, or it can't be told; the message says so, with the file."""


def check_revocations(file: str, shown: str, blobs: Collection[bytes]) -> None:
    """Return when a key is not in a file of revoked ones.

    A list of keys, one a line, is read here; a key revocation list is `ssh-keygen`'s matter.

    Parameters:
        file: what RevokedHostKeys names.
        shown: what the server has shown, key or certificate, as `type base64`.
        blobs: the keys that must not be in it: the server's, and its authority's.

    Raises:
        RevocationError: it is, or the file can't be used.
    """
    try:
        text = Path(file).read_bytes()
    except OSError as error:
        problem = f"RevokedHostKeys: {file}: {error.strerror}; without it no key is believed"
        raise RevocationError(problem) from error
    if text.startswith(_KRL_MAGIC):
        _ask_openssh(file, shown)
    else:
        _search(file, text, blobs)


def _search(file: str, text: bytes, blobs: Collection[bytes]) -> None:
    for number, raw in enumerate(text.split(b"\n"), start=1):
        line = raw.strip(b" \t")
        if not line or line.startswith(b"#"):
            continue
        keys = list(read_key(line))
        if not keys:
            problem = f"RevokedHostKeys: {file}:{number} is not a key; no key is believed before"
            raise RevocationError(f"{problem} that line is mended")
        if keys[0][1] in blobs:
            raise RevocationError(f"the key is revoked in {file}:{number}")


def _ask_openssh(file: str, shown: str) -> None:
    if shutil.which("ssh-keygen") is None:
        problem = f"RevokedHostKeys: {file} can only be read by ssh-keygen"
        raise RevocationError(f"{problem}: install the OpenSSH client")
    with tempfile.NamedTemporaryFile("w", prefix="pegasus-", suffix=".pub") as key:
        key.write(shown + "\n")
        key.flush()
        try:
            answer = subprocess.run(
                ["ssh-keygen", "-Q", "-f", file, key.name],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_PATIENCE,
                start_new_session=True,  # a Ctrl-C in the terminal is for us alone
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise RevocationError(f"RevokedHostKeys: {file}: ssh-keygen: {error}") from error
    if answer.returncode == 1:
        raise RevocationError(f"the key is revoked in {file}")
    if answer.returncode != 0:
        said = plain(answer.stderr.decode(errors="replace"))
        raise RevocationError(f"RevokedHostKeys: {file}: {said}; no key is believed")
