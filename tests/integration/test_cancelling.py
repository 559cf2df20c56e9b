"""Whatever ends a job, all of its processes go: on this host and over SSH, under any sh."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ordinary_user import NUMBER, UnavailableError, server_for_ordinary_user
from processes import Tree, is_alive, kill, path_with_sh
from project import Project, Running, wait_until
from sshd import Sshd

SHELLS = ("dash", "bash", "busybox")


@pytest.fixture(scope="session", params=SHELLS)
def shell(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PATH on which `sh` is the shell under test."""
    return path_with_sh(tmp_path_factory.mktemp("shell") / request.param, request.param)


@pytest.fixture(scope="session")
def server(shell: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """An SSH server on which `sh` is the shell under test."""
    server = Sshd(tmp_path_factory.mktemp("shell-sshd"), f"SetEnv PATH={shell}")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def user_server(shell: str) -> Iterator[Sshd]:
    """The same, for a user who is not root."""
    with tempfile.TemporaryDirectory(prefix="pegasus-user-") as folder:
        os.chmod(folder, 0o777)
        bin_directory = path_with_sh(Path(folder, "bin"), Path(shell.partition(":")[0]).name)
        try:
            server = server_for_ordinary_user(Path(folder), f"SetEnv PATH={bin_directory}")
        except UnavailableError as error:
            pytest.skip(str(error))
        server.start()
        yield server
        server.stop()


class Job:
    """A run whose only job has a tree of processes."""

    def __init__(self, project: Project, tree: Tree, shell: str, server: Sshd | None) -> None:
        self.project = project
        self.tree = tree
        self.server = server
        self._path = shell
        project.hosts("- node-1\n" if server else "- localhost\n")
        project.queue(f"- {tree.command!r}\n" if "'" not in tree.command else _block(tree.command))

    def start(self, *options: str, terminal: bool = False) -> Running:
        """Start the run and wait for the tree."""
        config = ("--ssh-config", self.server.ssh_config) if self.server else ()
        start = self.project.start_in_terminal if terminal else self.project.start
        running = start("queue", *config, *options, env={"PATH": self._path})
        self.tree.wait()
        assert self.tree.shell == Path(self._path.partition(":")[0]).name
        return running

    def assert_gone(self) -> None:
        """Wait until no process of the tree is left."""
        wait_until(lambda: not self.tree.alive, "the end of a job's processes")


def _block(command: str) -> str:
    return f"- |-\n  {command}\n"


@pytest.fixture(params=["here", "over SSH"])
def job(
    request: pytest.FixtureRequest, project: Project, tmp_path: Path, shell: str
) -> Iterator[Job]:
    server = request.getfixturevalue("server") if request.param == "over SSH" else None
    tree = Tree(tmp_path / "tree")
    yield Job(project, tree, shell, server)
    tree.end()


def interrupt(job: Job) -> None:
    running = job.start(terminal=True)
    running.type("\x03")
    running.wait_for("taking no more jobs")
    assert len(job.tree.alive) == 3
    running.type("\x03")
    assert running.wait() == 130
    assert "cancelled" in running.out


def stop(job: Job) -> None:
    running = job.start()
    assert job.project.run("stop", "--now").process.returncode == 0
    assert running.wait() == 5
    assert "cancelled" in running.out


def time_out(job: Job) -> None:
    running = job.start("--timeout", "5s")
    assert running.wait() == 3
    assert "timed out" in running.out


def kill_the_controller(job: Job) -> None:
    job.start().signal(signal.SIGKILL)


@pytest.mark.parametrize("end", [interrupt, stop, time_out, kill_the_controller])
def test_all_processes_of_a_job_go(job: Job, end: Callable[[Job], None]) -> None:
    end(job)
    job.assert_gone()


def test_all_processes_of_a_job_go_when_its_connection_is_cut(
    project: Project, tmp_path: Path, shell: str, server: Sshd
) -> None:
    job = Job(project, Tree(tmp_path / "tree"), shell, server)
    running = job.start()
    server.sever()
    assert running.wait() == 4
    assert "lost" in running.out
    job.assert_gone()


@pytest.mark.parametrize("end", [stop, time_out])
def test_all_processes_of_an_ordinary_user_s_job_go(
    end: Callable[[Job], None], project: Project, user_server: Sshd, shell: str
) -> None:
    with tempfile.TemporaryDirectory(dir=user_server.directory) as folder:
        os.chmod(folder, 0o777)
        tree = Tree(Path(folder, "tree"))
        os.chmod(Path(folder, "tree"), 0o777)
        end(Job(project, tree, shell, user_server))
        wait_until(lambda: not tree.alive, "the end of a job's processes")
        assert Path(folder, "tree", "shell").stat().st_uid == NUMBER


class Escaping:
    """A run whose job has a process that no signal reaches, and says how to end it all the same."""

    def __init__(self, project: Project, directory: Path, server: Sshd | None) -> None:
        self._project = project
        self._noted = directory / "escaped"
        self._config = ("--ssh-config", server.ssh_config) if server else ()
        project.hosts("- node-1\n" if server else "- localhost\n")
        project.queue(
            "- command: |-\n"
            f"    setsid sh -c 'echo $$ >{self._noted}; exec sleep 1000' & wait; :\n"
            f"  options: {{cancel: kill $(cat {self._noted}) && echo it was reached}}\n"
        )

    def start(self, *options: str) -> Running:
        running = self._project.start("queue", *self._config, *options)
        wait_until(lambda: self.pid, "the process that escapes")
        assert is_alive(self.pid)
        return running

    @property
    def pid(self) -> int:
        text = self._noted.read_text() if self._noted.exists() else ""
        return int(text) if text.endswith("\n") else 0

    def end(self) -> None:
        """End what a failed test left."""
        if self.pid:
            kill(self.pid)


@pytest.fixture(params=["here", "over SSH"])
def escaping(
    request: pytest.FixtureRequest, project: Project, tmp_path: Path
) -> Iterator[Escaping]:
    server = request.getfixturevalue("sshd") if request.param == "over SSH" else None
    made = Escaping(project, tmp_path, server)
    yield made
    made.end()


def test_a_process_beyond_signals_goes_by_the_cancel_command(
    escaping: Escaping, project: Project
) -> None:
    running = escaping.start()
    assert project.run("stop", "--now").process.returncode == 0
    assert running.wait() == 5
    assert "it was reached" in running.out
    assert "done (cancelled)" in running.out
    wait_until(lambda: not is_alive(escaping.pid), "its end")


def test_it_goes_too_when_the_job_has_timed_out(escaping: Escaping) -> None:
    running = escaping.start("--timeout", "5s")
    assert running.wait() == 3
    assert "it was reached" in running.out
    assert "done (timed out: after 5 s)" in running.out
    wait_until(lambda: not is_alive(escaping.pid), "its end")


@pytest.mark.parametrize("others", ["next\n", ""])
def test_after_a_cut_the_cancel_command_is_run_before_another_job_or_the_end(
    make_sshd: Callable[..., Sshd], project: Project, tmp_path: Path, others: str
) -> None:
    server, noted = make_sshd(), tmp_path / "noted"
    project.hosts("- node-1\n")
    project.queue(
        f"- command: echo begun >>{noted}; sleep 1000\n"
        f"  options: {{cancel: echo cancelled >>{noted}}}\n"
        + (f"- echo next >>{noted}\n" if others else "")
    )
    running = project.start("queue", "--ssh-config", server.ssh_config)
    wait_until(noted.exists, "the first job")
    server.sever()
    assert running.wait() == 4
    assert noted.read_text() == "begun\ncancelled\n" + others
    assert "the cancel command of job 1 has been run" in running.err
