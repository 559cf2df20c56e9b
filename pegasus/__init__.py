"""A multi-node SSH command runner: the queue is a plain file, the tasks are Invoke's.

The tasks are in `pegasus.tasks`, and the same without Invoke in `pegasus.runs`. Importing this
package is cheap.
"""

from pegasus.errors import (
    EditorError,
    HostsFileError,
    NeverStartedError,
    NodeError,
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
from pegasus.model import Attempt, Ending, Host, Job, Node, Outcome
from pegasus.result import RunResult
from pegasus.settings import Settings

__version__ = "0.1.0"

__all__ = [
    "Attempt",
    "EditorError",
    "Ending",
    "Host",
    "HostsFileError",
    "Job",
    "NeverStartedError",
    "Node",
    "NodeError",
    "Outcome",
    "PegasusError",
    "PlacedError",
    "ProblemsError",
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
