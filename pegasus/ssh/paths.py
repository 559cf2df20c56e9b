"""Paths and %-tokens in OpenSSH's configuration."""

from __future__ import annotations

import getpass
import os
import pwd
import re
import socket


class UnclearPathError(Exception):
    """A list of files can be read in more than one way; the message says what to do."""


def files(value: str, tokens: dict[str, str]) -> tuple[str, ...]:
    """Return the files of a list.

    `ssh -G` and Paramiko print paths without the quotes that they had, so that a blank may
    belong to a path or end it. What is no path's beginning is taken to go on with the one before.

    Raises:
        UnclearPathError: it can't be told, and a wrong guess would be another file.
    """
    whole = path(value, tokens)
    pieces = [piece.strip() for piece in re.split(r"\s+(?=[/~%$])", value)]
    if len(pieces) > 1 and os.path.isdir(os.path.dirname(whole)):
        return (whole,)  # a directory's name ends with a blank
    names = [name for piece in pieces for name in _split(piece, tokens)]
    return tuple(path(name, tokens) for name in names if name not in ("none", "/dev/null"))


def _split(piece: str, tokens: dict[str, str]) -> list[str]:
    """Return the one or more paths that `piece` is; all but the first are relative ones."""
    words = piece.split()
    if len(words) < 2 or os.path.exists(path(piece, tokens)):
        return [piece]
    beginnings = [piece[: blank.start()] for blank in re.finditer(r"\s+", piece)]
    relative = piece[0] not in "/~%$"
    if '"' in piece or relative or any(os.path.isfile(path(t, tokens)) for t in beginnings):
        raise UnclearPathError(
            f"the known_hosts files {piece!r} can be one path with blanks or several: "
            f"give absolute paths, without blanks or of files that exist"
        )
    return [piece]


def path(value: str, tokens: dict[str, str]) -> str:
    """Return a path with its tokens, variables and the home worked out."""
    found = os.path.expandvars(expand(value, tokens))
    return tokens["d"] + found[1:] if found == "~" or found.startswith("~/") else found


def home() -> str:
    """Return the home that OpenSSH takes: the user database's, whatever $HOME says."""
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return os.path.expanduser("~")


def tokens_of(name: str, hostname: str, port: str, user: str) -> dict[str, str]:
    """Return what OpenSSH puts in place of %-tokens (ssh_config(5), TOKENS)."""
    here = socket.gethostname()
    return {
        "%": "%",
        "h": hostname,
        "k": name,
        "n": name,
        "p": port,
        "r": user,
        "d": home(),
        "i": str(os.getuid()),
        "l": here,
        "L": here.split(".")[0],
        "u": getpass.getuser(),
    }


def expand(value: str, tokens: dict[str, str]) -> str:
    """Put the values of `tokens_of` in place of the tokens."""
    return re.sub(r"%(.)", lambda found: tokens.get(found[1], found[0]), value)
