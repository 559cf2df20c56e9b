"""Ask OpenSSH itself what its configuration says for a host, with `ssh -G`."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time

from pegasus.errors import UnreachableError
from pegasus.model import Node
from pegasus.ssh.base import GivenUpError
from pegasus.ssh.openssh.options import Options
from pegasus.ssh.plain import plain

#: How long `ssh -G` may take, in seconds; `Match exec` may run programs of the user's.
_PATIENCE = 30

#: How often it is looked whether the answer is still wanted, in seconds.
_GLANCE = 0.2


def ask(node: Node, config_file: str | None, closing: threading.Event) -> Options:
    """Return what `ssh -G` prints.

    `controlpath` is the value of the token %C, which depends on the version of OpenSSH.

    Raises:
        UnreachableError: OpenSSH does not accept the configuration (step: resolve).
        GivenUpError: `closing` was set meanwhile.
    """
    host = node.host
    command = ["ssh", "-G", "-o", "ControlPath=/%C"]
    command += ["-F", config_file] if config_file is not None else []
    command += ["-l", host.user] if host.user is not None else []
    command += ["-p", str(host.port)] if host.port is not None else []
    try:
        status, answer, said = _run([*command, "--", host.name], closing)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnreachableError(node, "resolve", f"ssh -G: {error}") from error
    if status != 0:
        problem = plain(said.decode(errors="replace")) or "ssh -G failed"
        raise UnreachableError(node, "resolve", f"OpenSSH's configuration: {problem}")
    lines = answer.decode("utf-8", "surrogateescape").split("\n")
    return Options((name, value) for name, _, value in (line.partition(" ") for line in lines))


def _run(command: list[str], closing: threading.Event) -> tuple[int, bytes, bytes]:
    """As `subprocess.run`, but not without `closing` being looked at."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # a Ctrl-C in the terminal is for us alone
    )
    deadline = time.monotonic() + _PATIENCE
    with process:
        try:
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    answer, said = process.communicate(timeout=_GLANCE)
                    return process.returncode, answer, said
                if closing.is_set():
                    raise GivenUpError
                if time.monotonic() > deadline:
                    raise subprocess.TimeoutExpired(command, _PATIENCE)
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # what `Match exec` runs, too
            raise
