"""The tasks of this project: pegasus' own, and what its developers need."""

import os
import shlex
import shutil
import sys
from typing import Any

from invoke import Argument, Collection, Context, Exit, Task, task

import pegasus.tasks
from pegasus.demo import demo
from pegasus.tasks.arguments import Positional

# What the tests run for real, and the Debian package it is in.
_NEEDED = {
    "sshd": "openssh-server",
    "busybox": "busybox",
    "dash": "dash",
    "ip": "iproute2",
    "chromium": "chromium",
    "zsh": "zsh",
    "fish": "fish",
}
# What the benchmarks compare with, besides what their extra `bench` brings.
_PEERS = {
    "sshd": "openssh-server",
    "ip": "iproute2",
    "parallel": "parallel",
    "clush": "clustershell",
    "pdsh": "pdsh",
    "parallel-ssh": "pssh",
}
_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


@task
def lint(c: Context) -> None:
    """Check style and types."""
    c.run(f"{sys.executable} -m ruff check .")
    c.run(f"{sys.executable} -m ruff format --check .")
    c.run(f"{sys.executable} -m mypy -p pegasus -p benchmarks")


@task(help={"options": "more options for pytest, such as '-k lock'"})
def test(c: Context, options: str = "") -> None:
    """Run all checks and tests, those with a real sshd too."""
    missing = _missing(_NEEDED)
    if missing and not _can_install():
        words = " ".join(missing)
        raise Exit(f"The tests need {words}. Install it first: apt-get install -y {words}", 1)
    _install(c, missing)
    lint(c)
    c.run(f"{sys.executable} -m pytest -n 4 {options}", pty=sys.stdout.isatty())


class _Names(Positional):
    """Names, any number of them: nothing but options may follow. The value is a tuple."""

    MISSING = ()

    def takes(self, word: str) -> bool:
        """Return whether a word is a name."""
        return not word.startswith("-")

    def set_value(self, value: Any, cast: bool = True) -> None:
        """Add a name to those that were given before."""
        self.raw_value = value
        self._value = (*(self._value or ()), value)


class _BenchTask(Task[Any]):
    """A task with any number of names."""

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        arguments = super().get_arguments(ignore_unknown_help)
        return [_Names.of(one) if one.name == "names" else one for one in arguments]


@task(
    klass=_BenchTask,
    auto_shortflags=False,
    help={
        "names": "experiments; the whole table, where none is named",
        "list_": "say which experiments there are, and run none",
        "times": "how often each thing is done; figures are medians",
        "json_": "where the JSON goes (default: benchmarks/results.json, when all are run)",
        "publish": "run none; put the table of the last run into docs/performance.md",
    },
)
def bench(
    c: Context,
    names: tuple[str, ...] = (),
    list_: bool = False,
    times: int = 5,
    json_: str = "",
    publish: bool = False,
) -> None:
    """Measure how fast pegasus is, beside what else could be used: inv bench [NAME ...]."""
    words = [*names, "--times", str(times)]
    words += ["--json", json_] if json_ else []
    words += ["--list"] if list_ else []
    words += ["--publish"] if publish else []
    missing = [] if list_ or publish else _missing(_PEERS)
    if _can_install():
        _install(c, missing)
    elif missing:
        print(f"Not measured, since not installed: {' '.join(missing)}")
    command = f"{sys.executable} -m benchmarks {shlex.join(words)}"
    ended = c.run(command, pty=sys.stdout.isatty(), warn=True)
    raise Exit(code=ended.exited)


def _missing(tools: dict[str, str]) -> list[str]:
    """Return the Debian packages of the tools that are not there."""
    return [name for tool, name in tools.items() if not shutil.which(tool, path=_PATH)]


def _can_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def _install(c: Context, packages: list[str]) -> None:
    if packages:
        c.run("apt-get update -q")
        words = " ".join(packages)
        c.run(f"apt-get install -y -q {words}", env={"DEBIAN_FRONTEND": "noninteractive"})


ns = Collection.from_module(pegasus.tasks)
for _task in (bench, demo, lint, test):
    ns.add_task(_task)
