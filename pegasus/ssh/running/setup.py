"""Environment variables and the directory of a command, as sh text that sets them.

The watchdog runs it in the process that then becomes the command's `sh`, right before. It comes
there through standard input, as the command does: values may be secrets, and every user of a host
can see the arguments of everybody's processes.
"""

from __future__ import annotations

import re

from pegasus.model import Params, Surroundings
from pegasus.ssh.plain import plain

#: What sh takes for the name of a variable.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)

#: A home directory: of the login's user, or of the one that is named.
_HOME = re.compile(r"~(?:[A-Za-z0-9_][A-Za-z0-9_.-]*)?", re.ASCII)

#: How the names begin that the watchdog itself uses.
_OURS = "_pegasus_"

#: Holds a newline, since the text itself must be one line.
_NEWLINE = f"{_OURS}newline"


def problem(surroundings: Surroundings) -> str:
    """Return what of them no shell could be given, or ""."""
    for name, value in surroundings.env:
        if not _NAME.fullmatch(name) or name.startswith(_OURS):
            return f"{plain(name)!r} can't be the name of an environment variable"
        if "\0" in value:
            return f"the environment variable {name} can't contain a NUL character"
    if "\0" in (surroundings.cwd or ""):
        return "a directory's name can't contain a NUL character"
    return ""


def setup(surroundings: Surroundings) -> str:
    """Return the sh text that makes them, in one line; "" where there are none.

    `problem` must have found none. Where something fails, the text says so and exits.
    """
    directory = surroundings.cwd
    text = _exports(surroundings.env) + ("" if directory is None else _enter(directory))
    if _NEWLINE in text:
        text = f'{_NEWLINE}=$(printf "\\n_");{_NEWLINE}=${{{_NEWLINE}%_}};' + text
    if "PATH" in dict(surroundings.env):
        # The command's sh is found where all others are; what it then finds is another matter.
        run = 'exec "$_pegasus_sh" -c -- "$_pegasus_job" sh'
        text = f"_pegasus_sh=$(command -v sh) || exit 1;{text}{run}"
    return text


def _exports(env: Params) -> str:
    return "".join(f"export {name}={_quote(value)} || exit 1;" for name, value in env)


def _enter(directory: str) -> str:
    """Return the text that enters a directory; it names the reason where that fails."""
    path = _path(directory)

    def tell(reason: str) -> str:
        told = f"pegasus: the directory {plain(directory)} can't be entered: {reason}"
        return f'printf "%s\\n" {_quote(told)}'

    return (
        f"cd {path} >/dev/null 2>&1 || {{ "
        f"if [ -d {path} ];then {tell('permission denied')};"
        f"elif [ -e {path} ];then {tell('it is not a directory')};"
        f"else {tell('it is not there, or out of reach')};fi >&2;exit 1;}};"
    )


def _path(directory: str) -> str:
    """Return a word of sh that is this path and nothing else, whatever it looks like."""
    home, slash, rest = directory.partition("/")
    if _HOME.fullmatch(home):
        return home + slash + (_quote(rest) if rest else "")
    # In front of `./`, neither CDPATH counts nor `-`.
    return _quote(directory if directory.startswith("/") else f"./{directory}")


def _quote(text: str) -> str:
    quoted = "'" + text.replace("'", "'\\''") + "'"
    return quoted.replace("\n", f"'\"${_NEWLINE}\"'")
