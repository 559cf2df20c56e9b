"""How commands end: what an exit status says, and commands that can't be run at all."""

from __future__ import annotations

import signal

from pegasus.events import Stream
from pegasus.model import Ending, Outcome, Surroundings
from pegasus.ssh.base import OnOutput
from pegasus.ssh.running import setup

# Signals that end a process unless it handles them.
_FATAL = "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM XCPU XFSZ SYS"
_NAMES = {
    128 + number: name
    for name in _FATAL.split()
    if (number := getattr(signal, f"SIG{name}", None)) is not None
}


def exit_ending(status: int) -> Ending:
    """Return the ending of a command for which sh reported `status`.

    128+n, for a signal n that ends a process, is read as a death by that signal, as sh means
    it (POSIX, Shell Command Language, 2.8.2). The Ending keeps the status: a command that
    chose such a status for itself can't be told apart.
    """
    name = _NAMES.get(status)
    if name is None:
        return Ending.exited(status)
    return Ending(Outcome.SIGNALLED, exit_status=status, exit_signal=name)


def refuse(command: str, surroundings: Surroundings, on_output: OnOutput) -> Ending | None:
    """Return None, or the ending of a command that no shell could be given.

    It fails everywhere, so it must not be taken for one that another node might run.
    """
    problem = "a command can't contain a NUL character" if "\0" in command else ""
    problem = problem or setup.problem(surroundings) or _unwritable(command, surroundings)
    if not problem:
        return None
    on_output(Stream.STDERR, f"pegasus: {problem}\n".encode())
    return Ending.exited(126)  # as sh says of what is found and can't be run


def _unwritable(command: str, surroundings: Surroundings) -> str:
    """Return what no encoding can write, or ""; YAML can name such characters."""
    texts = {f"the environment variable {name}": value for name, value in surroundings.env}
    texts.update({"a command": command, "a directory's name": surroundings.cwd or ""})
    for what, text in texts.items():
        try:
            text.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError as error:
            return f"{what} can't contain {text[error.start]!a}"
    return ""
