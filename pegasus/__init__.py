"""A multi-node SSH command runner: the queue is a plain file, the tasks are Invoke's.

The tasks are in `pegasus.tasks`, and the same without Invoke in `pegasus.runs`; `Queue` is for
programs that add commands and look what became of them. Importing this package is cheap.
"""

from typing import TYPE_CHECKING, Any

from pegasus.errors import (
    BusyError,
    EditorError,
    HostsFileError,
    JournalError,
    NeverStartedError,
    NodeError,
    NoSuchJobError,
    PegasusError,
    PlacedError,
    ProblemsError,
    QueueFileError,
    SettingsError,
    StopError,
    StorageError,
    TemplateError,
    UnreachableError,
)
from pegasus.helpers.registry import helper
from pegasus.journal.jobs import JobState
from pegasus.journal.reports import AttemptReport, JobReport
from pegasus.model import Attempt, Ending, Host, Job, Node, Outcome
from pegasus.result import RunResult
from pegasus.settings import Settings

if TYPE_CHECKING:
    from pegasus.queue import Queue

__version__ = "0.1.0"

__all__ = [
    "Attempt",
    "AttemptReport",
    "BusyError",
    "EditorError",
    "Ending",
    "Host",
    "HostsFileError",
    "Job",
    "JobReport",
    "JobState",
    "JournalError",
    "NeverStartedError",
    "NoSuchJobError",
    "Node",
    "NodeError",
    "Outcome",
    "PegasusError",
    "PlacedError",
    "ProblemsError",
    "Queue",
    "QueueFileError",
    "RunResult",
    "Settings",
    "SettingsError",
    "StopError",
    "StorageError",
    "TemplateError",
    "UnreachableError",
    "__version__",
    "helper",
]


def __getattr__(name: str) -> Any:
    if name == "Queue":  # It needs what takes time to import.
        from pegasus.queue import Queue

        return Queue
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
