"""Paths and %-tokens in OpenSSH's configuration."""

from __future__ import annotations

import functools
import getpass
import os
import pwd
import re
import socket


class UnclearPathError(ValueError):
    """A path can't be worked out for certain; the message says what to do."""


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
    return tuple(path(name, tokens) for name in names if name != "none")


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
    """Return a path with the home, its tokens and ${variables} worked out.

    Parameters:
        tokens: those of `tokens_of`; none at all for a path that is worked out already.

    Raises:
        UnclearPathError: a token or a variable is not known.
    """
    return _replace(r"%(.|$)|\$\{([^}]*)\}", tilde(value), tokens) if tokens else value


def tilde(value: str) -> str:
    """Return a path with `~` and `~user` worked out."""
    if value == "~" or value.startswith("~/"):
        return home() + value[1:]
    return os.path.expanduser(value)


def home() -> str:
    """Return the home that OpenSSH takes: the user database's, whatever $HOME says."""
    account = _account(os.getuid())
    return account.pw_dir if account is not None else os.path.expanduser("~")


def local_user() -> str:
    """Return the user that OpenSSH takes: the user database's, whatever $USER says."""
    account = _account(os.getuid())
    return account.pw_name if account is not None else getpass.getuser()


@functools.cache
def _account(uid: int) -> pwd.struct_passwd | None:
    """Return what the user database says, which may have to ask a server for it."""
    try:
        return pwd.getpwuid(uid)
    except KeyError:
        return None


def tokens_of(
    name: str, hostname: str, port: str, user: str, *, alias: str | None, jump: str | None
) -> dict[str, str]:
    """Return what OpenSSH puts in place of %-tokens (ssh_config(5), TOKENS), %C excepted.

    Parameters:
        name: the host as it was asked for; hostname: HostName.
        alias: HostKeyAlias; jump: ProxyJump.
    """
    here = socket.gethostname()
    return {
        "%": "%",
        "h": hostname,
        "j": jump or "",
        "k": alias or name,
        "n": name,
        "p": port,
        "r": user,
        "d": home(),
        "i": str(os.getuid()),
        "l": here,
        "L": here.split(".")[0],
        "u": local_user(),
    }


def expand(value: str, tokens: dict[str, str]) -> str:
    """Put the values of `tokens_of` in place of the tokens.

    Raises:
        UnclearPathError: a token is not known.
    """
    return _replace(r"%(.|$)()", value, tokens)


def _replace(pattern: str, value: str, tokens: dict[str, str]) -> str:
    """Replace all in one go, so that nothing is read in what was put in."""

    def replacement(found: re.Match[str]) -> str:
        source, key = (os.environ, found[2]) if found[2] else (tokens, found[1])
        if key not in source:
            raise UnclearPathError(f"{found[0]} in {value!r} is not known here: write it out")
        return source[key]

    return re.sub(pattern, replacement, value)
