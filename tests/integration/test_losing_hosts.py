"""Hosts that go while a run is on: no job is lost without a word, and nothing hangs."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from project import Project, Running, wait_until
from sshd import ALIASES, Sshd

JOBS = 50


def start(project: Project, server: Sshd, done: Path, *options: str) -> Running:
    """Start a run whose jobs each leave their number in a file at their end."""
    project.hosts("".join(f"- {alias}\n" for alias in ALIASES))
    project.queue(
        f"- command: sleep 0.3; echo ended {{{{ n }}}} >>{done}\n"
        f"  n: [{', '.join(map(str, range(JOBS)))}]\n"
    )
    done.touch()
    return project.start("queue", "--ssh-config", server.ssh_config, *options)


def numbers(done: Path) -> set[int]:
    return {int(number) for number in re.findall(r"^ended (\d+)$", done.read_text(), re.M)}


def kill_and_restart(server: Sshd, done: Path) -> None:
    wait_until(lambda: len(numbers(done)) >= 10, "the first ten jobs")
    server.stop()
    server.start()


def test_a_server_that_dies_and_comes_back_costs_time_and_no_job(
    make_sshd: Callable[..., Sshd], project: Project, tmp_path: Path
) -> None:
    server, done = make_sshd(), tmp_path / "done"
    run = start(project, server, done, "--retries", "3")
    kill_and_restart(server, done)
    assert run.wait() == 0, run.err
    assert numbers(done) == set(range(JOBS))
    assert project.left is None
    assert f"all {JOBS} commands succeeded" in run.err


def test_without_retries_every_job_that_was_running_is_reported_as_lost(
    make_sshd: Callable[..., Sshd], project: Project, tmp_path: Path
) -> None:
    server, done = make_sshd(), tmp_path / "done"
    run = start(project, server, done)
    kill_and_restart(server, done)
    assert run.wait() == 4, run.err
    succeeded, lost = run.out.count("done (exit status: 0)"), run.out.count("done (lost:")
    assert 1 <= lost <= len(ALIASES)
    assert succeeded + lost == JOBS
    assert len(numbers(done)) >= succeeded
    assert len(project.consumed) == JOBS
    assert project.left is None
