"""Ask OpenSSH itself what its configuration says for a host, with `ssh -G`."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from functools import cached_property

from pegasus.errors import UnreachableError
from pegasus.model import Node
from pegasus.ssh.base import GivenUpError
from pegasus.ssh.openssh.options import Options
from pegasus.ssh.plain import plain

#: How long `ssh -G` may take, in seconds; `Match exec` may run programs of the user's.
_PATIENCE = 30

#: How often it is looked whether the answer is still wanted, in seconds.
_GLANCE = 0.2


#: What `ssh -v` says of files that it reads, and of Host lines that hold for the host.
_READS = re.compile(rb"^debug1: Reading configuration data ([^\r\n]*)", re.MULTILINE)
_APPLIES = re.compile(rb"^debug1: (?:.* line \d+: )?Applying options for ", re.MULTILINE)

#: What `ssh -v` says beside what it would say anyhow.
_CHATTER = re.compile(rb"^(?:debug1: |OpenSSH_).*\n?", re.MULTILINE)


@dataclass(frozen=True)
class Answer:
    """What `ssh -G` has said of a host.

    Attributes:
        name: the host, as it was asked for.
        pairs: directives and their values.
        files: what it has read for that, in this order.
        host_lines: how many Host lines hold for the host.
    """

    name: str
    pairs: tuple[tuple[str, str], ...]
    files: tuple[str, ...]
    host_lines: int

    @cached_property
    def options(self) -> Options:
        """The configuration of the host. `controlpath` is the value of the token %C."""
        return Options(self.pairs)

    def options_for(self, name: str) -> Options:
        """Return that of another host of which nothing but its name is different."""
        named = {"host": name, "controlpath": "none"}
        if ("hostname", self.name) in self.pairs:
            named["hostname"] = name
        return self.options.but(named)


def ask(node: Node, config_file: str | None, closing: threading.Event) -> Answer:
    """Return what `ssh -G` prints. What %C stands for depends on the version of OpenSSH.

    Raises:
        UnreachableError: OpenSSH does not accept the configuration (step: resolve).
        GivenUpError: `closing` was set meanwhile.
    """
    host = node.host
    command = ["ssh", "-v", "-G", "-o", "ControlPath=/%C"]
    command += ["-F", config_file] if config_file is not None else []
    command += ["-l", host.user] if host.user is not None else []
    command += ["-p", str(host.port)] if host.port is not None else []
    try:
        status, answer, said = _run([*command, "--", host.name], closing)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnreachableError(node, "resolve", f"ssh -G: {error}") from error
    if status != 0:
        problem = plain(_CHATTER.sub(b"", said).decode(errors="replace")) or "ssh -G failed"
        raise UnreachableError(node, "resolve", f"OpenSSH's configuration: {problem}")
    lines = answer.decode("utf-8", "surrogateescape").split("\n")
    pairs = tuple((name, value) for name, _, value in (line.partition(" ") for line in lines))
    files = tuple(os.fsdecode(path) for path in _READS.findall(said))
    return Answer(host.name, pairs, files, len(_APPLIES.findall(said)))


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
