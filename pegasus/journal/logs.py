"""The logs of attempts: `logs/<job>.<attempt>.out` and `.err`, the raw bytes as they came."""

from __future__ import annotations

import os
import re
from pathlib import Path

_NAME = re.compile(r"([0-9]{1,18})\.([0-9]{1,18})\.(?:out|err)")


def logs_folder(folder: Path) -> Path:
    """Return where the logs are in `.pegasus/<queue file name>`."""
    return folder / "logs"


def log_path(folder: Path, job: int, attempt: int, stream: str) -> Path:
    """Return where the log of an attempt is; `stream` is out or err."""
    return logs_folder(folder) / f"{job}.{attempt}.{stream}"


def last_job(folder: Path) -> int:
    """Return the highest id of a job that has a log, or 0."""
    try:
        names = os.listdir(logs_folder(folder))
    except OSError:
        return 0
    return max((int(found[1]) for found in map(_NAME.fullmatch, names) if found), default=0)
