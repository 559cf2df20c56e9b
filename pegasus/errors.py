"""What can go wrong, as one tree. Every message is written for the person who reads it.

::

    PegasusError                    exit status 1
    ├── SettingsError               an option or a key under `pegasus:` (ValueError)
    ├── PlacedError                 something in a file, with file:line:column (ValueError)
    │   ├── HostsFileError          hosts.yaml
    │   └── QueueFileError          queue.yaml
    ├── ProblemsError               several of these at once, found by a check (ValueError)
    ├── TemplateError               a command or host name template (ValueError)
    ├── StorageError                a file can't be read, written or locked (OSError)
    ├── JournalError                the journal is of another version, or no journal (ValueError)
    ├── NoSuchJobError              no job has this id, or it can't be retried (LookupError)
    ├── BusyError                   another run uses the queue, in a way that stands in the way
    ├── EditorError                 the editor could not be run, or its text was refused
    ├── StopError                   there is no run to stop, or it can't be told
    └── NodeError                   exit status 4 (ConnectionError)
        ├── UnreachableError        a node can't be connected to
        └── NeverStartedError       the command did not begin on the node
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pegasus.model import Node, Place

__all__ = [
    "BusyError",
    "EditorError",
    "HostsFileError",
    "JournalError",
    "NeverStartedError",
    "NoSuchJobError",
    "NodeError",
    "PegasusError",
    "PlacedError",
    "ProblemsError",
    "QueueFileError",
    "SettingsError",
    "StopError",
    "StorageError",
    "TemplateError",
    "UnreachableError",
]


class PegasusError(Exception):
    """Whatever pegasus reports instead of a traceback; `exit_status` is what it ends with."""

    exit_status = 1


class SettingsError(PegasusError, ValueError):
    """An option, an environment variable or a key in invoke.yaml has a value it can't have."""


class PlacedError(PegasusError, ValueError):
    """Something the user wrote in a file is wrong.

    Attributes:
        problem: what is wrong, and what to do.
        place: where it stands, or None where the whole file is meant.
    """

    def __init__(self, problem: str, place: Place | None = None) -> None:
        super().__init__(f"{place}: {problem}" if place else problem)
        self.problem = problem
        self.place = place


class HostsFileError(PlacedError):
    """hosts.yaml is missing, empty or wrong."""


class QueueFileError(PlacedError):
    """queue.yaml is wrong."""


class ProblemsError(PegasusError, ValueError):
    """Several things are wrong in the files. The text lists the first ones.

    Attributes:
        errors: all of them, in the order of the files.
    """

    LISTED = 20

    def __init__(self, errors: Sequence[PegasusError]) -> None:
        lines = [f"{len(errors)} problems:", *(f"  {error}" for error in errors[: self.LISTED])]
        if len(errors) > self.LISTED:
            lines.append(f"  … and {len(errors) - self.LISTED} more (inv check lists them)")
        super().__init__("\n".join(lines))
        self.errors = tuple(errors)


class TemplateError(PegasusError, ValueError):
    """A template does not parse, or can't be filled.

    Attributes:
        problem: what is wrong, without the place.
        line, column: where in the template, counted from 1.
        tag: the tag's text, such as `{{ bs }}`, or "".
        name: the parameter or helper it is about, or "".
        hint: what to do, or "".
    """

    def __init__(
        self,
        problem: str,
        *,
        line: int = 1,
        column: int = 1,
        tag: str = "",
        name: str = "",
        hint: str = "",
    ) -> None:
        at = f" (line {line}, column {column} of the template)"
        super().__init__(problem + at + (f"; {hint}" if hint else ""))
        self.problem = problem
        self.line = line
        self.column = column
        self.tag = tag
        self.name = name
        self.hint = hint

    @property
    def advice(self) -> str:
        """The problem and the hint, for messages that tell the place in another way."""
        return f"{self.problem}; {self.hint}" if self.hint else self.problem


class StorageError(PegasusError, OSError):
    """A file can't be read, written or locked."""


class JournalError(PegasusError, ValueError):
    """The journal of a queue file can't be used: it is of another version, or is none."""


class NoSuchJobError(PegasusError, LookupError):
    """There is no job with an id, or none with which the thing wanted can be done."""


class BusyError(PegasusError):
    """Another run uses the queue, and both would not do what they are for."""


class EditorError(PegasusError):
    """The editor of lock mode could not be run, or what it left was refused."""


class StopError(PegasusError):
    """No run uses the queue, or one that does can't be told to stop."""


class NodeError(PegasusError, ConnectionError):
    """Something between this machine and a node.

    Attributes:
        node: the node.
        step: resolve, connect, host key, auth, session or slots.
        problem: what went wrong, and what to try.
    """

    exit_status = 4

    def __init__(self, node: Node, step: str, problem: str) -> None:
        super().__init__(f"[{node.label}] {step}: {problem}")
        self.node = node
        self.step = step
        self.problem = problem


class UnreachableError(NodeError):
    """A node can't be connected to."""


class NeverStartedError(NodeError):
    """The command did not begin on the node: its job may be given to another one."""
