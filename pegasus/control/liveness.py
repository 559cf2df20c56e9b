"""Whether a run lives: whether somebody listens on its socket."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

from pegasus.control.record import VERSION, Record, read_all
from pegasus.errors import StopError, StorageError


def reach(connection: socket.socket, folder: Path, run: Record, patience: float) -> bool:
    """Connect to a run, and return whether it lives.

    What a run of this machine that is dead has left behind is removed.

    Args:
        folder: where the run's record is.
        patience: for how many seconds to wait until it lets somebody in.

    Raises:
        StopError: it may live, and can't be reached.
        TimeoutError, BlockingIOError: it lets nobody in.
    """
    connection.settimeout(patience)
    try:
        connection.connect(str(folder / run.socket))
    except (TimeoutError, BlockingIOError):
        raise
    except OSError as error:
        if not run.is_here:
            raise StopError(
                f"{run} is on {run.host} and can't be reached from here: say it there, or,"
                f" if it is dead, delete {run.path(folder)}"
            ) from error
        if not isinstance(error, (ConnectionRefusedError, FileNotFoundError, NotADirectoryError)):
            raise StopError(f"{run} can't be reached: {error.strerror or error}") from error
        run.remove(folder)
        return False
    return True


def sweep(folder: Path) -> None:
    """Remove what runs of this machine have left in `folder` that were killed."""
    with contextlib.suppress(StorageError):
        for run in filter(lambda run: run.version == VERSION, read_all(folder)):
            with (
                contextlib.suppress(StopError, TimeoutError, BlockingIOError),
                socket.socket(socket.AF_UNIX) as connection,
            ):
                reach(connection, folder, run, patience=0)
