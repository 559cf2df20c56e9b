"""An SSH server that lets an ordinary user in, on a machine where the tests are run by root.

The user exists in a mount namespace of the server's own: nothing of the system is changed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from sshd import Sshd

NAME = "pegasus-test"
NUMBER = 54321

_BIND = "".join(
    f'mount --bind "$0/{name}" /etc/{name} && ' for name in ("passwd", "shadow", "group")
)


class UnavailableError(Exception):
    """There can be no such user here; the message says why."""


def server_for_ordinary_user(
    directory: Path,
    extra: str = "",
    address: str = "127.0.0.1",
    prefix: tuple[str, ...] = (),
) -> Sshd:
    """Return a server in `directory`, which others may look into; it is not started yet.

    `extra`, `address` and `prefix` are those of `Sshd`.

    Raises:
        UnavailableError: we are not root, or can't have namespaces.
    """
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        raise UnavailableError("only root can let another user in")
    etc = directory / "etc"
    etc.mkdir()
    lines = {
        "passwd": f"{NAME}:x:{NUMBER}:{NUMBER}::{directory}:/bin/sh",
        "shadow": f"{NAME}:*:19000:0:99999:7:::",
        "group": f"{NAME}:x:{NUMBER}:",
    }
    for name, line in lines.items():
        (etc / name).write_text(Path("/etc", name).read_text().rstrip("\n") + f"\n{line}\n")
    (etc / "shadow").chmod(0o600)
    prefix = (*prefix, "unshare", "--mount", "sh", "-c", f'{_BIND}exec "$@"', str(etc))
    tried = subprocess.run([*prefix, "id", NAME], capture_output=True, text=True)
    if tried.returncode != 0:
        raise UnavailableError(f"no mount namespace: {tried.stderr.strip()}")
    server = Sshd(directory, extra, address, prefix)
    server.user = NAME
    return server
