"""`pegasus q`, `pegasus b`, `pegasus l`: the tasks without a tasks.py."""

from __future__ import annotations

import os
import sys

from invoke import Collection, Config, Program

from pegasus import __version__
from pegasus.demo import demo
from pegasus.settings import SECTION
from pegasus.tasks import ns


class PegasusConfig(Config):
    """Invoke's configuration, which leaves the variables of our settings to us.

    Invoke casts a variable to the type that the file's value has, so that `90s` would be a wrong
    number where invoke.yaml has `timeout: 7`.
    """

    def load_shell_env(self) -> None:
        prefix = f"{self.env_prefix or self.prefix}_{SECTION}_".upper()
        ours = {name: text for name, text in os.environ.items() if name.startswith(prefix)}
        for name in ours:
            del os.environ[name]
        try:
            super().load_shell_env()
        finally:
            os.environ.update(ours)


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
        name="pegasus",
        binary="pegasus",
        version=__version__,
        namespace=namespace,
        config_class=PegasusConfig,
    )
    try:
        program.run()
    except BrokenPipeError:  # As by `pegasus --help | head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(1)
    except Exception as error:
        sys.exit(f"[pegasus] {type(error).__name__}: {error}")


__all__ = ["main", "ns"]
