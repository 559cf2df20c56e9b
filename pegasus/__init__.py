"""A multi-node SSH command runner: the queue is a plain file, the tasks are Invoke's.

The tasks are in `pegasus.tasks`, and the same without Invoke in `pegasus.runs`; `Queue` is for
programs that add commands and look what became of them. Importing this package is cheap: what it
exports is imported when somebody asks for it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
    from pegasus.queue import Queue
    from pegasus.result import RunResult
    from pegasus.settings import Settings

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

#: Where these are; all others are errors.
_ROOMS = {
    **dict.fromkeys(("Attempt", "Ending", "Host", "Job", "Node", "Outcome"), "model"),
    **dict.fromkeys(("AttemptReport", "JobReport"), "journal.reports"),
    "JobState": "journal.jobs",
    "Queue": "queue",
    "RunResult": "result",
    "Settings": "settings",
    "helper": "helpers.registry",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    room = import_module(f"{__name__}.{_ROOMS.get(name, 'errors')}")
    found = globals()[name] = getattr(room, name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
