"""`pegasus q`, `pegasus b`, `pegasus l`: the tasks without a tasks.py."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

from invoke import Collection, Config, Program
from invoke.exceptions import ParseError
from invoke.util import helpline

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

    def normalize_argv(self, argv: list[str] | None) -> None:
        """Have `pegasus help` and `pegasus help TASK` mean `--help`."""
        super().normalize_argv(argv)
        if self.argv[1:2] == ["help"]:
            self.argv = [self.argv[0], "--help", *self.argv[2:3]]

    def parse_core(self, argv: list[str] | None) -> None:
        with _advised():
            super().parse_core(argv)

    def parse_cleanup(self) -> None:
        with _advised():
            super().parse_cleanup()

    def parse_tasks(self) -> None:
        with _advised():
            super().parse_tasks()

    def parse_collection(self) -> None:
        super().parse_collection()
        self.config.set_project_location(os.getcwd())
        self.config.load_project()

    def print_help(self) -> None:
        """Show what the program is, and what may be done with it."""
        from pegasus.terminal.errands.usage import program_help, show

        tasks = [
            (", ".join([name, *sorted(task.aliases)]), helpline(task) or "")
            for name, task in self.collection.tasks.items()
        ]
        show(program_help(tasks))

    def print_task_help(self, name: str) -> None:
        """Show what a task does, and its options."""
        from pegasus.terminal.errands.usage import show, task_help

        doc = self.collection[name].__doc__ or ""
        show(task_help(name, doc, self.parser.contexts[name].help_tuples()))


@contextlib.contextmanager
def _advised() -> Iterator[None]:
    """Have what is wrong with a command line say where it stands how it is right."""
    try:
        yield
    except ParseError as error:
        task = getattr(error.context, "name", None)
        help_ = f"pegasus {task} --help" if task else "pegasus --help"
        raise ParseError(f"{error}\n{help_} shows what there is", error.context) from None


def main() -> None:
    """Run the command line and exit with its status."""
    namespace = Collection.from_module(sys.modules["pegasus.tasks"])
    namespace.add_task(demo)
    program = PegasusProgram(
        name="pegasus",
        binary="pegasus",
        version=__version__,
        binary_names=["pegasus"],
        namespace=namespace,
        config_class=PegasusConfig,
    )
    try:
        program.run()
    except BrokenPipeError:  # As by `pegasus --help | head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(1)
    except Exception as error:
        if sys.argv[1:2] == ["--complete"]:  # as in the middle of a word in quotes
            sys.exit(1)
        sys.exit(f"[pegasus] {type(error).__name__}: {error}")


__all__ = ["main", "ns"]
