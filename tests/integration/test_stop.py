"""Runs are told to end: by signals with and without a terminal, and by `inv stop`."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from project import CTRL_C, InTerminal, Project, Running, wait_until
from sshd import Sshd

from pegasus.control.record import Record

#: A command that ends when the file `go` is there.
WAITS = "echo up; until [ -e {0}/go ]; do sleep 0.02; done; echo ended well"

STUBBORN = "trap '' TERM; echo up; while :; do sleep 0.05; done"


def waiting(project: Project, *more: str) -> None:
    """Fill the queue with a command that waits for `go`, and more."""
    commands = [WAITS.format(project.directory), *more]
    project.queue("".join(f"- {command}\n" for command in commands))


def records(project: Project) -> list[str]:
    return [path.name for path in (project.directory / ".pegasus").glob("*/runs/*")]


def job_id(run: Running | InTerminal, command: str) -> str:
    """Return the id of a job as the run shows it."""
    found = re.search(rf"run '{re.escape(command)}.*\(job (\d+)", run.out)
    assert found, run.out
    return found[1]


# Signals.


@pytest.mark.parametrize("mode", ["queue", "broadcast"])
def test_ctrl_c_drains_then_cancels_then_leaves(project: Project, mode: str) -> None:
    project.hosts("- localhost\n")
    project.queue(f"- {STUBBORN}\n- echo next\n")
    run = project.start_in_terminal(mode)
    run.wait_for("] up")
    run.type(CTRL_C)
    run.wait_for("waiting for 1 running command (the next Ctrl-C cancels)")
    run.type(CTRL_C)
    run.wait_for("cancelling 1 running command")
    run.type(CTRL_C)
    assert run.wait() == 130
    assert "left 1 command running, for the nodes to end" in run.out
    assert "Traceback" not in run.out
    assert project.left == ["echo next"]
    assert records(project) == []


def test_without_a_terminal_the_first_sigint_cancels(project: Project) -> None:
    project.hosts("- localhost\n")
    waiting(project, "echo next")
    run = project.start("queue")
    run.wait_for("] up")
    run.signal(signal.SIGINT)
    assert run.wait() == 130
    assert "cancelling 1 running command" in run.err
    assert "done (cancelled" in run.out
    assert "Ctrl-C" not in run.err
    assert project.left == ["echo next"]


def test_a_hangup_drains_however_often_it_comes(project: Project) -> None:
    project.hosts("- localhost\n")
    waiting(project, "echo next")
    run = project.start("queue")
    run.wait_for("] up")
    run.signal(signal.SIGHUP)
    run.wait_for("waiting for 1 running command (inv stop --now cancels)")
    for _ in range(5):
        run.signal(signal.SIGHUP)
    project.write("go", "")
    assert run.wait() == 129
    assert "] ended well" in run.out
    assert "cancel" not in run.out
    assert project.left == ["echo next"]


@pytest.mark.parametrize("host", ["localhost", "node-1"])
@pytest.mark.parametrize("mode", ["queue", "broadcast"])
def test_a_terminal_that_is_closed_drains_and_does_not_break_the_run(
    project: Project, sshd: Sshd, host: str, mode: str
) -> None:
    project.hosts(f"- {host}\n")
    waiting(project, "echo next")
    loud = f"seq 50000; seq 50000 >&2; touch {project.directory}/ended"
    project.queue(project.read("queue.yaml").replace("echo ended well", loud))
    run = project.start_in_terminal(mode, "--ssh-config", sshd.ssh_config)
    run.wait_for("] up")
    run.close()
    # Who is told now is told after the hangup.
    assert project.run("stop").wait() == 0
    project.write("go", "")
    assert run.wait() == 129
    assert project.exists("ended")
    assert project.left == ["echo next"]
    assert records(project) == []


def test_a_stream_that_is_not_of_the_closed_terminal_goes_on(project: Project) -> None:
    project.hosts("- localhost\n")
    waiting(project, "echo next")
    run = project.start_in_terminal("queue", stderr="err")
    run.wait_for("] up")
    run.close()
    wait_until(lambda: "waiting for 1 running command" in project.read("err"), "the drain")
    project.write("go", "")
    assert run.wait() == 129
    assert "[pegasus] stdout can't be written to" in project.read("err")
    assert "the command succeeded" in project.read("err")
    assert project.left == ["echo next"]


def test_a_run_under_nohup_goes_on_after_a_hangup(project: Project) -> None:
    project.hosts("- localhost\n")
    waiting(project, "echo next")
    run = project.start("queue", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    run.wait_for("] up")
    run.signal(signal.SIGHUP)
    project.write("go", "")
    assert run.wait() == 0
    assert "] next" in run.out


# inv stop.


@pytest.mark.parametrize("mode", ["queue", "broadcast"])
@pytest.mark.parametrize("host", ["localhost", "node-1"])
def test_stop_lets_what_runs_end_and_takes_no_more(
    project: Project, sshd: Sshd, mode: str, host: str
) -> None:
    project.hosts(f"- {host}\n")
    waiting(project, "echo next")
    run = project.start(mode, "--ssh-config", sshd.ssh_config)
    run.wait_for("] up")
    stop = project.run("stop")
    assert stop.wait() == 0
    assert re.fullmatch(
        rf"\[pegasus\] run [0-9a-f]{{8}} \({mode}, pid {run.process.pid}\)"
        r" takes no more jobs; 1 command still runs\n",
        stop.err,
    )
    run.wait_for("taking no more jobs; waiting for 1 running command")
    project.write("go", "")
    assert run.wait() == 0
    assert "] ended well" in run.out
    assert project.left == ["echo next"]
    assert records(project) == []


@pytest.mark.parametrize("mode", ["queue", "broadcast"])
@pytest.mark.parametrize("host", ["localhost", "node-1"])
def test_stop_now_cancels_what_runs(project: Project, sshd: Sshd, mode: str, host: str) -> None:
    project.hosts(f"- {host}\n")
    waiting(project, "echo next")
    run = project.start(mode, "--ssh-config", sshd.ssh_config)
    run.wait_for("] up")
    stop = project.run("stop", "--now")
    assert stop.wait() == 0
    assert "cancels 1 running command\n" in stop.err
    assert run.wait() == 5
    assert "done (cancelled" in run.out
    assert "] ended well" not in run.out
    assert project.left == ["echo next"]


@pytest.mark.parametrize("flags", [[], ["--now"]])
def test_stop_job_cancels_one_job_and_the_run_goes_on(
    project: Project, sshd: Sshd, flags: list[str]
) -> None:
    project.hosts("- localhost\n- node-1\n")
    waiting(project, "echo second up; sleep 300", "echo next")
    run = project.start("queue", "--ssh-config", sshd.ssh_config)
    run.wait_for("] up")
    run.wait_for("] second up")
    number = job_id(run, "echo second up")
    stop = project.run("stop", "--job", number, *flags)
    assert stop.wait() == 0
    assert f"cancels job {number}\n" in stop.err
    assert re.search(rf"  {number}: \[(localhost|node-1)\] echo second up; sleep 300\n", stop.err)
    run.wait_for("] next")
    project.write("go", "")
    assert run.wait() == 5
    assert run.out.count("done (cancelled") == 1
    assert "] ended well" in run.out


def test_stop_job_ends_a_job_on_all_nodes_of_a_broadcast(project: Project) -> None:
    project.hosts("- localhost\n- 127.0.0.1\n")
    waiting(project, "echo next")
    run = project.start("broadcast")
    run.wait_for("] up", times=2)
    stop = project.run("stop", "--job", job_id(run, "echo up"))
    assert stop.wait() == 0
    assert stop.err.count("] echo up") == 2
    assert run.wait() == 5
    assert run.out.count("done (cancelled") == 2
    assert run.out.count("] next") == 2


def test_an_unknown_job_is_an_error_that_lists_what_runs(project: Project) -> None:
    project.hosts("- localhost\n")
    waiting(project)
    run = project.start("queue")
    run.wait_for("] up")
    stop = project.run("stop", "--job", "999")
    assert stop.wait() == 1
    number = job_id(run, "echo up")
    assert "no job 999 is running; what runs is:" in stop.err
    assert f"  {number}: [localhost] echo up; until" in stop.err
    project.write("go", "")
    assert run.wait() == 0


@pytest.mark.parametrize("text", ["train", "0", "-1", "7.0", "", "9" * 5000])
def test_an_id_that_is_no_number_is_an_error_with_a_hint(project: Project, text: str) -> None:
    stop = project.run("stop", f"--job={text}")
    assert stop.wait() == 1
    assert "is not the id of a job, which is a number such as 7" in stop.err
    assert "Traceback" not in stop.err
    assert len(stop.err) < 300


def test_without_a_run_stop_says_so(project: Project) -> None:
    project.queue("- echo left alone\n")
    stop = project.run("stop")
    assert stop.wait() == 1
    assert stop.err == "[pegasus] no run uses queue.yaml\n"
    assert not project.exists(".pegasus")


def test_stop_tells_the_runs_of_its_queue_alone(project: Project) -> None:
    project.hosts("- localhost\n")
    waiting(project)
    project.write("other.yaml", project.read("queue.yaml"))
    mine, twin, other = (
        project.start("queue", "--daemon", "--queue-file", name)
        for name in ("queue.yaml", "./queue.yaml", "other.yaml")
    )
    for run in (mine, twin):
        run.wait_for("runs here, without SSH")
    other.wait_for("] up")
    stop = project.run("stop")
    assert stop.wait() == 0
    assert stop.err.count("takes no more jobs") == 2
    assert "still run" not in project.run("stop", "--queue-file", "none.yaml").err
    project.write("go", "")
    assert [mine.wait(), twin.wait()] == [0, 0]
    other.wait_for("waiting for more (inv stop ends)")
    assert project.run("stop", "--queue-file", "other.yaml").wait() == 0
    assert other.wait() == 0


@pytest.mark.parametrize("mode", ["queue", "broadcast"])
@pytest.mark.parametrize("flags", [[], ["--now"]])
def test_an_idle_daemon_ends_when_it_is_told(project: Project, mode: str, flags: list[str]) -> None:
    project.hosts("- localhost\n")
    project.queue("")
    run = project.start(mode, "--daemon")
    run.wait_for("waiting for more (inv stop ends)")
    stop = project.run("stop", *flags)
    assert stop.wait() == 0
    assert "takes no more jobs; no command runs" in stop.err
    assert run.wait() == 0
    assert records(project) == []


@pytest.fixture
def black_hole() -> Iterator[str]:
    """The address of a server that accepts and says nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("mode", ["queue", "broadcast"])
def test_a_run_that_is_connecting_ends_when_it_is_told(
    project: Project, black_hole: str, mode: str
) -> None:
    project.hosts(f"- {black_hole}\n")
    project.queue("- echo never\n")
    run = project.start(mode)
    wait_until(lambda: any(name.endswith(".json") for name in records(project)), "the run")
    assert project.run("stop").wait() == 0
    run.wait()
    assert "Traceback" not in run.err
    assert project.left == ["echo never"]
    assert records(project) == []


def editor(project: Project) -> str:
    """Return an editor that stays open until the file `save` is there."""
    path = project.write("ed", "#!/bin/sh\n: > open\nuntil [ -e save ]; do sleep 0.02; done\n")
    path.chmod(0o700)
    return str(path)


def test_a_run_is_told_while_an_editor_holds_the_queue(project: Project) -> None:
    project.hosts("- localhost\n")
    waiting(project, "echo next")
    run = project.start("queue")
    run.wait_for("] up")
    lock = project.start("lock", "--editor", editor(project))
    wait_until(lambda: project.exists("open"), "the editor")
    assert project.run("stop", "--now").wait() == 0
    assert run.wait() == 5
    project.write("save", "")
    assert lock.wait() == 0
    assert project.left == ["echo next"]


def test_a_run_that_waits_for_an_editor_to_begin_is_told_too(project: Project) -> None:
    project.hosts("- localhost\n")
    project.queue("- echo never\n")
    lock = project.start("lock", "--editor", editor(project))
    wait_until(lambda: project.exists("open"), "the editor")
    run = project.start("queue")
    run.wait_for("waiting for the queue")
    assert project.run("stop", "--job", "1").wait() == 1
    assert project.run("stop").wait() == 0
    assert run.wait() == 0
    assert "no command was run" in run.err
    project.write("save", "")
    assert lock.wait() == 0
    assert project.left == ["echo never"]


def test_what_a_killed_run_left_is_cleared_away(project: Project) -> None:
    project.hosts("- localhost\n")
    waiting(project)
    run = project.start("queue")
    run.wait_for("] up")
    run.signal(signal.SIGKILL)
    run.process.wait()
    assert records(project) != []
    stop = project.run("stop")
    assert stop.wait() == 1
    assert stop.err == "[pegasus] no run uses queue.yaml\n"
    assert records(project) == []


def test_a_run_that_can_not_be_told_is_an_error_though_others_were(project: Project) -> None:
    project.hosts("- localhost\n")
    waiting(project)
    run = project.start("queue")
    run.wait_for("] up")
    far = Record("0badcafe", "queue", 7, "far-away", "2024-01-01T00:00:00.000", "0badcafe.sock")
    far.write(project.directory / ".pegasus" / "queue.yaml" / "runs")
    stop = project.run("stop", "--now")
    assert stop.wait() == 1
    assert "cancels 1 running command" in stop.err
    assert "is on far-away and can't be reached from here" in stop.err
    assert run.wait() == 5


def test_a_ctrl_c_after_stop_goes_one_step_further(project: Project) -> None:
    project.hosts("- localhost\n")
    waiting(project)
    run = project.start_in_terminal("queue")
    run.wait_for("] up")
    assert project.run("stop").wait() == 0
    assert project.run("stop").wait() == 0
    run.wait_for("(the next Ctrl-C cancels)")
    run.type(CTRL_C)
    assert run.wait() == 130
    assert "done (cancelled" in run.out


def test_the_program_stops_runs_too(project: Project) -> None:
    project.hosts("- localhost\n")
    project.queue("")
    run = project.start("queue", "--daemon")
    run.wait_for("waiting for more")
    program = Path(sys.executable).with_name("pegasus")
    assert os.spawnv(os.P_WAIT, program, ["pegasus", "stop", "--queue-file",
                                          str(project.directory / "queue.yaml")]) == 0  # fmt: skip
    assert run.wait() == 0


# Timeouts and retries.


@pytest.mark.parametrize("mode", ["queue", "broadcast"])
def test_timeout_and_retries_are_options(project: Project, mode: str) -> None:
    project.hosts("- localhost\n")
    project.queue("- echo x >> tries; sleep 300\n")
    run = project.run(mode, "--timeout", "0.3s", "--retries", "1")
    assert run.wait() == 3, run.err
    assert "timed out" in run.out
    assert project.read("tries") == "x\nx\n"


@pytest.mark.parametrize(
    ("flags", "message"),
    [(["--timeout", "soon"], "timeout"), (["--retries", "-1"], "retries")],
)
def test_a_wrong_timeout_or_number_of_retries_is_said(
    project: Project, flags: list[str], message: str
) -> None:
    project.hosts("- localhost\n")
    project.queue("- echo never\n")
    run = project.run("queue", *flags)
    assert run.wait() == 1
    assert message in run.err
    assert project.left == ["echo never"]
