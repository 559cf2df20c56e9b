"""The tasks of this project: pegasus' own, and what its developers need."""

import os
import shutil
import sys

from invoke import Collection, Context, Exit, task

import pegasus.tasks
from pegasus.demo import demo

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
_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


@task
def lint(c: Context) -> None:
    """Check style and types."""
    c.run(f"{sys.executable} -m ruff check .")
    c.run(f"{sys.executable} -m ruff format --check .")
    c.run(f"{sys.executable} -m mypy -p pegasus")


@task(help={"options": "more options for pytest, such as '-k lock'"})
def test(c: Context, options: str = "") -> None:
    """Run all checks and tests, those with a real sshd too."""
    _install_what_is_missing(c)
    lint(c)
    c.run(f"{sys.executable} -m pytest -n 4 {options}", pty=sys.stdout.isatty())


def _install_what_is_missing(c: Context) -> None:
    packages = [name for tool, name in _NEEDED.items() if not shutil.which(tool, path=_PATH)]
    if not packages:
        return
    words = " ".join(packages)
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Exit(f"The tests need {words}. Install it first: apt-get install -y {words}", 1)
    c.run("apt-get update -q")
    c.run(f"apt-get install -y -q {words}", env={"DEBIAN_FRONTEND": "noninteractive"})


ns = Collection.from_module(pegasus.tasks)
for _task in (demo, lint, test):
    ns.add_task(_task)
