"""What is to be known of the machine to judge a figure."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

#: What figures depend on, of ours and of peers.
_LIBRARIES = (
    "pegasus-ssh",
    "paramiko",
    "cryptography",
    "fabric",
    "invoke",
    "rich",
    "asyncssh",
    "parallel-ssh",
)


def facts() -> dict[str, object]:
    """Return them, as JSON can hold them."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "memory_mb": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "openssh": _openssh(),
        "libraries": {name: _version(name) for name in _LIBRARIES},
    }


def load() -> float:
    """Return the load average of the last minute: 0 is a quiet machine."""
    return round(os.getloadavg()[0], 2)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _openssh() -> str | None:
    if shutil.which("ssh") is None:
        return None
    told = subprocess.run(["ssh", "-V"], capture_output=True, text=True)
    return told.stderr.split(",")[0].strip()


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None
