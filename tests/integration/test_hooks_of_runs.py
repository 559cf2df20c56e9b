"""Hooks of real runs: called at the right time, and without any effect on the run."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import pytest
from project import CTRL_C, Project, wait_until


@pytest.fixture
def failing(project: Project) -> Project:
    """Two nodes, and three jobs of which two fail."""
    project.hosts("- hostname: [localhost, 127.0.0.1]\n")
    project.queue("- exit 3\n- command: exit {{ n }}\n  n: [0, 7]\n")
    return project


def written(project: Project, name: str) -> list[str]:
    return sorted(project.read(name).split("\n")[:-1]) if project.exists(name) else []


def configure(project: Project, **hooks: str) -> None:
    project.write("invoke.yaml", json.dumps({"pegasus": hooks}))


def test_the_hooks_of_a_queue_are_called(failing: Project) -> None:
    configure(
        failing,
        on_fail="echo $PEGASUS_JOB {{ pegasus_exit_status }} {{ pegasus_outcome }} >> failed",
        on_finish="echo $PEGASUS_DONE $PEGASUS_FAILED {{ pegasus_exit_status }} >> finished",
        on_empty="echo {{ pegasus_queued }} >> empty",
    )
    assert failing.run("queue").wait() == 5
    assert written(failing, "failed") == ["1 3 failed", "3 7 failed"]
    assert written(failing, "finished") == ["1 2 5"]
    assert written(failing, "empty") == ["0"]


def test_in_a_broadcast_each_node_that_failed_counts(failing: Project) -> None:
    failing.queue("- test {{ hostname }} = localhost\n- exit 9\n")
    failing.run(
        *("broadcast", "--on-fail", "echo {{ hostname }} $PEGASUS_JOB >> failed"),
        *("--on-finish", "echo $PEGASUS_MODE $PEGASUS_FAILED >> finished"),
    )
    assert written(failing, "failed") == ["127.0.0.1 1", "127.0.0.1 2", "localhost 2"]
    assert written(failing, "finished") == ["broadcast 3"]


def test_a_job_that_is_run_again_has_failed_when_all_attempts_have(failing: Project) -> None:
    failing.queue("- exit 3\n- test -e tried || { touch tried; exit 1; }\n")
    failing.run("queue", "--retries", "2", "--on-fail", "echo $PEGASUS_ATTEMPT >> failed")
    assert written(failing, "failed") == ["3"]


def test_hooks_that_fail_are_reported_and_change_nothing(failing: Project) -> None:
    failing.queue("- echo fine\n")
    hooks = ["--on-finish", "echo said; no-such-program-here", "--on-empty", "exit 9"]
    ran = failing.run("queue", *hooks)
    assert ran.wait() == 0
    assert "[pegasus] on_empty failed: exit status 9\n" in ran.err
    assert "[pegasus] on_finish: said\n" in ran.err
    assert "[pegasus] on_finish failed: exit status 127\n" in ran.err
    assert "said" not in ran.out


def test_json_on_stdout_stays_json(failing: Project) -> None:
    ran = failing.run("queue", "--output", "json", "--on-fail", "echo hello", "--on-empty", "ls")
    assert ran.wait() == 5
    for line in ran.out.splitlines():
        json.loads(line)
    assert "on_fail: hello" in ran.err


@pytest.mark.parametrize("flags", [("--dry",), ()])
@pytest.mark.parametrize("mode", ["queue", "broadcast"])
def test_a_hook_that_can_not_be_filled_is_an_error_before_anything_is_run(
    failing: Project, mode: str, flags: tuple[str, ...]
) -> None:
    before = failing.read("queue.yaml")
    ran = failing.run(*flags, mode, "--on-fail", "echo {{ n }}")
    assert ran.wait() == 1
    assert "[pegasus] on_fail, for the command at queue.yaml:1:3: there is no param" in ran.err
    assert "Traceback" not in ran.err
    assert failing.read("queue.yaml") == before
    assert not failing.exists("consumed.yaml")


def test_a_dry_run_calls_no_hook(failing: Project) -> None:
    hooks = [f"--on-{when}=touch called" for when in ("fail", "finish", "empty")]
    assert failing.run("--dry", "queue", *hooks).wait() == 0
    assert not failing.exists("called")


def test_on_finish_finds_the_run_over(failing: Project) -> None:
    failing.queue("- echo first\n")
    inv = f"env -u INVOKE_PEGASUS_ON_FINISH {sys.executable} -m invoke"
    chain = f"{inv} status --json > status; {inv} add 'echo next'; {inv} broadcast"
    ran = failing.run("queue", env={"INVOKE_PEGASUS_ON_FINISH": chain})
    assert ran.wait() == 0, ran.err
    (run,) = json.loads(failing.read("status"))["runs"]
    assert (run["state"], run["exit_status"]) == ("ended", 0)
    assert "all 2 commands succeeded" in ran.err


def test_a_run_that_is_terminated_calls_on_finish_with_its_status(failing: Project) -> None:
    failing.queue("- sleep 100\n")
    told = "echo {{ pegasus_exit_status }} $PEGASUS_INTERRUPTED $PEGASUS_CANCELLED > finished"
    running = failing.start("queue", "--on-finish", told, "--on-fail", "touch failed")
    running.wait_for("=== run 'sleep 100'")
    running.signal(signal.SIGTERM)
    assert running.wait() == 143
    assert written(failing, "finished") == ["143 15 1"]
    assert not failing.exists("failed")


def test_a_daemon_says_each_time_that_the_queue_is_empty(failing: Project) -> None:
    failing.queue("- echo one\n")
    running = failing.start("queue", "--daemon", "--on-empty", "echo empty >> times")
    for times in (1, 2, 3):
        wait_until(lambda: len(written(failing, "times")) == times, "on_empty")  # noqa: B023
        failing.queue("- echo more\n")
    wait_until(lambda: len(written(failing, "times")) == 4, "on_empty")
    running.signal(signal.SIGTERM)
    running.wait()


def test_a_ctrl_c_ends_no_hook_half_way(failing: Project) -> None:
    failing.queue("- exit 1\n- until [ -e gate ]; do sleep 0.1; done\n")
    wait = "until [ -e gate ]; do sleep 0.1; done"
    hook = f"readlink /proc/$$/fd/0 > input; touch begun; {wait}; touch ended"
    running = failing.start_in_terminal("queue", "--on-fail", hook, "--on-finish", "touch last")
    wait_until(lambda: failing.exists("begun"), "the hook")
    running.wait_for("=== run 'until")
    running.type(CTRL_C)
    running.wait_for("taking no more jobs")
    failing.write("gate", "")
    assert running.wait() == 130
    assert failing.exists("ended")
    assert failing.exists("last")
    assert written(failing, "input") == ["/dev/null"]


def test_a_ctrl_c_leaves_a_hook_that_is_waited_for(failing: Project) -> None:
    failing.queue("- exit 1\n")
    running = failing.start_in_terminal("queue", "--on-finish", "echo $$ > pid; sleep 100")
    running.wait_for("waiting for on_finish (Ctrl-C leaves)")
    running.type(CTRL_C)
    assert running.wait() == 5
    assert "on_finish failed: killed" in running.out
    assert not Path(f"/proc/{failing.read('pid').strip()}").exists()


def test_a_terminal_that_is_closed_ends_no_hook(failing: Project) -> None:
    failing.queue("- exit 0\n")
    hook = "until [ -e gate ]; do sleep 0.1; done; touch ended"
    running = failing.start("queue", "--on-finish", hook)
    running.wait_for("waiting for on_finish")
    running.signal(signal.SIGHUP)
    running.signal(signal.SIGHUP)
    failing.write("gate", "")
    assert running.wait() == 0
    assert failing.exists("ended")


def test_functions_are_hooks_of_tasks_that_are_embedded(failing: Project) -> None:
    failing.write(
        "tasks.py",
        "from pegasus.tasks import ns\n"
        "def failed(attempt, ending):\n"
        "    print('failed', attempt.job.id, attempt.node.label, ending.exit_status)\n"
        "def finished(result):\n"
        "    print('finished', len(result.failed), result.exit_status)\n"
        "    raise OSError('no route')\n"
        "ns.configure({'pegasus': {'on_fail': failed, 'on_finish': finished,\n"
        "    'on_empty': lambda: print('empty')}})\n",
    )
    ran = failing.run("queue")
    assert ran.wait() == 5
    lines = ran.out.splitlines()
    assert {"finished 2 5", "empty"} <= {*lines}
    assert len([line for line in lines if line.startswith("failed ")]) == 2
    assert "[pegasus] on_finish failed: OSError: no route\n" in ran.err
    assert "Traceback" not in ran.err


def test_nothing_of_a_hook_is_kept(failing: Project) -> None:
    failing.run("queue", "--on-fail", "true s3cret", "--output", "json")
    kept = [path for path in (failing.directory / ".pegasus").rglob("*") if path.is_file()]
    assert kept
    assert [path for path in kept if b"s3cret" in path.read_bytes()] == []
