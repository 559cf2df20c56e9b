"""`pegasus q`, `pegasus b`, `pegasus l`: the tasks without a tasks.py."""

from __future__ import annotations

import os
import sys

from invoke import Collection, Program

from pegasus import __version__
from pegasus.demo import demo
from pegasus.tasks import ns


class PegasusProgram(Program):
    """Invoke's program on our tasks, reading the invoke.yaml of the working directory.

    Invoke reads a project's configuration only where it finds a tasks.py.
    """

    def parse_collection(self) -> None:
        super().parse_collection()
        self.config.set_project_location(os.getcwd())
        self.config.load_project()


def main() -> None:
    """Run the command line and exit with its status."""
    namespace = Collection.from_module(sys.modules["pegasus.tasks"])
    namespace.add_task(demo)
    program = PegasusProgram(
        name="pegasus", binary="pegasus", version=__version__, namespace=namespace
    )
    try:
        program.run()
    except BrokenPipeError:  # As by `pegasus --help | head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(1)
    except Exception as error:
        sys.exit(f"[pegasus] {type(error).__name__}: {error}")


__all__ = ["main", "ns"]
