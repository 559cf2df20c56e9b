"""The question of lock mode: what to do with a queue file that is wrong."""

from __future__ import annotations

import sys

from pegasus.errors import PegasusError
from pegasus.modes.lock import Choice

_CHOICES = {"e": Choice.EDIT, "k": Choice.KEEP, "r": Choice.RESTORE}


def is_interactive() -> bool:
    """Whether there is a person at a terminal who can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(error: PegasusError) -> Choice:
    """Show what is wrong and return what the user wants.

    No answer (the end of input, Ctrl-C) restores.
    """
    print(f"[pegasus] {error}", file=sys.stderr)
    while True:
        print("[pegasus] (e)dit again, (k)eep it, (r)estore what was there? ", end="",
              file=sys.stderr, flush=True)  # fmt: skip
        try:
            answer = sys.stdin.readline()
        except KeyboardInterrupt:
            answer = ""
        choice = _CHOICES.get(answer.strip().lower()[:1], Choice.RESTORE if not answer else None)
        if choice is not None:
            return choice
