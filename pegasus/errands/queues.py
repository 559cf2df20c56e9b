"""The queue that an errand changes."""

from __future__ import annotations

from pegasus.events import LockAwaited
from pegasus.queue import Queue
from pegasus.settings import Settings
from pegasus.terminal.printer import Printer


def queue_of(settings: Settings, purpose: str, printer: Printer) -> Queue:
    """Return the queue that the settings name.

    Args:
        settings: which files.
        purpose: what others are told who wait for it, such as `inv add`.
        printer: says who holds the lock that has to be waited for.
    """
    return Queue(
        settings.queue_file,
        consumed=settings.consumed_path,
        hosts=settings.hosts_file,
        on_wait=lambda holder: printer(LockAwaited(holder)),
        purpose=purpose,
        allocation=settings.allocation,
    )
