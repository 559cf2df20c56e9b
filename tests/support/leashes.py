"""A watchdog that is run to its end, with its leash held."""

from __future__ import annotations

import subprocess
import tempfile
from contextlib import suppress
from typing import Any


def run_on_leash(
    argv: list[str], leash: bytes, **options: Any
) -> subprocess.CompletedProcess[bytes]:
    """Run a program that runs the watchdog; tell it a command by `leash`, and wait for its end.

    To close its standard input before, as `subprocess.run` does, would be to end the command: on a
    busy machine before it has done anything. `options` are those of `subprocess.Popen`.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        options = {"stdout": out, "stderr": err, "start_new_session": True, **options}
        with subprocess.Popen(argv, stdin=subprocess.PIPE, bufsize=0, **options) as process:
            assert process.stdin is not None
            with suppress(BrokenPipeError):  # it may end without having read anything
                process.stdin.write(leash)
            process.wait()
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(argv, process.returncode, out.read(), err.read())
