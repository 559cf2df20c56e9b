"""The original: jaywonchung's pegasus (Rust), where it is on PATH.

Its program has the name of ours. It runs `ssh` as the person has it configured, and can't be told
of another configuration; so it gets an `ssh` that can.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping

from benchmarks.lab import Lab

#: What its `--version` begins with; ours says `pegasus`.
_NAME = "pegasus-ssh "


def find() -> str | None:
    """Return where it is, if it is on PATH."""
    for directory in os.environ.get("PATH", "").split(os.pathsep):
        program = shutil.which("pegasus", path=directory)
        if program and version(program):
            return program
    return None


def version(program: str) -> str | None:
    """Return the version of an original; None where the program is another one."""
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return said.stdout.removeprefix(_NAME).strip() if said.stdout.startswith(_NAME) else None


def environment(lab: Lab) -> Mapping[str, str]:
    """Return the variables with which it reaches the hosts of a lab."""
    directory = lab.directory()
    program = directory / "ssh"
    real = shutil.which("ssh")
    program.write_text(f'#!/bin/sh\nexec "{real}" -F "{lab.sshd.ssh_config}" "$@"\n')
    program.chmod(0o755)
    return {"PATH": os.pathsep.join([str(directory), os.environ.get("PATH", "")])}
