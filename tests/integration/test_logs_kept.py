"""The journal and the logs of runs as a user starts them, on this machine and over SSH."""

from __future__ import annotations

import json
import os
import resource
import signal
from pathlib import Path
from typing import Any

import pytest
from project import Project, wait_until

#: Prints the number of the process group of the shell that runs it.
GROUP = 'read -r stat </proc/$$/stat; set -- ${stat##*") "}; echo $3'


def folder(project: Project) -> Path:
    return project.directory / ".pegasus" / "queue.yaml"


def log(project: Project, name: str) -> bytes:
    path = folder(project) / "logs" / name
    return path.read_bytes() if path.exists() else b""


def logs(project: Project) -> list[str]:
    return sorted(os.listdir(folder(project) / "logs"))


def records(project: Project, event: str) -> list[dict[str, Any]]:
    lines = (folder(project) / "journal.jsonl").read_text().splitlines()
    found = [json.loads(line) for line in lines]
    return [record for record in found if record.get("event") == event]


@pytest.fixture(params=["here", "over SSH"])
def options(request: pytest.FixtureRequest, project: Project) -> list[str]:
    """Options for a run on one node."""
    if request.param == "here":
        project.hosts("- localhost\n")
        return []
    project.hosts("- node-1\n")
    return ["--ssh-config", request.getfixturevalue("sshd").ssh_config]


def test_logs_have_what_the_command_wrote_byte_for_byte(
    project: Project, options: list[str]
) -> None:
    data = bytes(range(256)) * 1000 + b"no newline"
    (project.directory / "data").write_bytes(data)
    project.queue(f"- cat {project.directory}/data; printf 'oops\\r' >&2; exit 3\n")
    run = project.run("queue", "--print-period", "0", *options)
    assert run.process.returncode == 5
    assert (log(project, "1.1.out"), log(project, "1.1.err")) == (data, b"oops\r")
    (ended,) = records(project, "attempt_ended")
    assert [ended[name] for name in ("stdout", "stderr", "unlogged")] == [len(data), 5, 0]


def test_the_journal_has_the_number_of_the_job_s_process_group(
    project: Project, options: list[str]
) -> None:
    project.write("group.sh", f"{GROUP}\nexec sleep 1000\n")
    project.queue(f"- sh {project.directory}/group.sh\n")
    running = project.start("queue", *options)
    wait_until(lambda: log(project, "1.1.out").endswith(b"\n"), "the job")
    (announced,) = records(project, "attempt_announced")
    assert announced["pid"] == int(log(project, "1.1.out"))
    os.killpg(announced["pid"], signal.SIGKILL)
    assert running.wait() in (3, 4)


def test_output_is_in_the_log_while_the_job_runs_and_after_a_kill(
    project: Project, options: list[str]
) -> None:
    project.queue("- printf begun; sleep 1000\n")
    running = project.start("queue", *options)
    wait_until(lambda: log(project, "1.1.out") == b"begun", "the output")
    running.signal(signal.SIGKILL)
    running.wait()
    assert log(project, "1.1.out") == b"begun"
    assert records(project, "attempt_ended") == []


def test_each_attempt_has_logs_of_its_own(project: Project) -> None:
    project.hosts("- localhost\n- 127.0.0.1\n")
    project.queue("- echo {{ hostname }}\n")
    assert project.run("broadcast").process.returncode == 0
    assert logs(project) == ["1.1.err", "1.1.out", "1.2.err", "1.2.out"]
    assert {log(project, "1.1.out"), log(project, "1.2.out")} == {b"localhost\n", b"127.0.0.1\n"}


def test_nothing_begins_before_its_logs_are_open(project: Project) -> None:
    project.hosts("- localhost\n")
    project.queue("- touch ran\n")
    folder(project).mkdir(parents=True)
    obstacle = folder(project) / "logs"
    obstacle.write_text("in the way")
    running = project.start("queue")
    running.wait_for("nothing begins until that is mended")
    assert str(obstacle / "1.1.out") in running.err
    assert project.run("stop").process.returncode == 0  # Draining lets it wait on.
    running.wait_for("taking no more jobs")
    assert not project.exists("ran")
    obstacle.unlink()
    assert running.wait() == 0
    assert project.exists("ran")
    assert running.err.count("nothing begins") == running.err.count("can be written again") == 1


def test_what_waits_to_begin_can_be_cancelled(project: Project) -> None:
    project.hosts("- localhost\n")
    project.queue("- touch ran\n")
    folder(project).mkdir(parents=True)
    (folder(project) / "logs").write_text("in the way")
    running = project.start("queue")
    running.wait_for("nothing begins until that is mended")
    running.signal(signal.SIGTERM)
    assert running.wait() == 143
    assert "cancelled: before it began" in running.out
    assert not project.exists("ran")


def test_a_job_goes_on_although_its_log_can_grow_no_more(project: Project) -> None:
    size, limit, held = 3_000_000, 100_000, 1 << 20
    project.hosts("- localhost\n")
    project.queue(f"- head -c {size} /dev/zero; echo done >&2\n")

    def limit_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    running = project.start("queue", "--print-period", "0", preexec_fn=limit_files)
    assert running.wait() == 0
    assert len(log(project, "1.1.out")) == limit
    (ended,) = records(project, "attempt_ended")
    assert (ended["stdout"], ended["unlogged"]) == (size, size - limit)
    assert size - limit > held
    assert running.err.count("file too large") == 1
    assert f"{size - limit} bytes of output could not be kept" in running.err


def test_old_logs_are_pruned(project: Project) -> None:
    project.hosts("- localhost\n")
    project.queue("- command: echo {{ n }}\n  n: [1, 2, 3, 4, 5]\n")
    assert project.run("queue", env={"INVOKE_PEGASUS_KEEP_LOGS": "2"}).process.returncode == 0
    assert logs(project) == ["4.1.err", "4.1.out", "5.1.err", "5.1.out"]


def test_logs_of_what_another_run_runs_stay(project: Project) -> None:
    project.hosts("- localhost\n")
    project.queue("- echo one; sleep 1000\n")
    other = project.start("queue")
    wait_until(lambda: log(project, "1.1.out"), "the first run's job")
    project.queue("- echo two\n")
    none = {"INVOKE_PEGASUS_KEEP_LOGS": "0"}
    assert project.run("queue", env=none).process.returncode == 0
    assert logs(project) == ["1.1.err", "1.1.out"]
    other.signal(signal.SIGKILL)
    other.wait()
    project.queue("")
    assert project.run("queue", env=none).process.returncode == 0
    assert logs(project) == []


def test_a_wrong_keep_logs_is_refused(project: Project) -> None:
    project.hosts("- localhost\n")
    project.queue("- touch ran\n")
    run = project.run("queue", env={"INVOKE_PEGASUS_KEEP_LOGS": "some"})
    assert run.process.returncode == 1
    assert "keep_logs must be a number of attempts, such as 500, or an age" in run.err
    assert not project.exists("ran")


def test_numbers_and_ids_go_on_where_the_journal_was_deleted(project: Project) -> None:
    project.hosts("- localhost\n")
    project.queue("- echo one\n")
    project.run("queue")
    (folder(project) / "journal.jsonl").unlink()
    project.queue("- echo two\n")
    project.run("queue")
    assert (log(project, "1.1.out"), log(project, "2.1.out")) == (b"one\n", b"two\n")
