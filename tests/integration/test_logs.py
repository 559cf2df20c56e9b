"""`inv logs` on real runs: what jobs wrote, and what they go on to write."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from project import CTRL_C, PATIENCE, Project, wait_until

#: Writes a line, waits for the file `go`, and writes more.
WAITS = "echo begun; until [ -e {0}/go ]; do sleep 0.02; done; echo ended; echo bad >&2"


def raw(project: Project, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run `inv logs` to its end, and have its output as bytes."""
    command = [sys.executable, "-m", "invoke", "logs", *arguments]
    return subprocess.run(
        command, cwd=project.directory, capture_output=True, timeout=PATIENCE, check=False
    )


def test_logs_are_what_the_jobs_wrote(project: Project) -> None:
    project.hosts("- localhost\n")
    project.queue(
        "- printf 'a\\377\\000b\\r\\033[31m'; echo error >&2\n- seq 1 200000\n- exit 3\n- 'true'\n"
    )
    project.run("queue", "--print-period=0")
    shown = raw(project, "1")
    assert (shown.returncode, shown.stdout, shown.stderr) == (0, b"a\xff\0b\r\x1b[31m", b"")
    assert raw(project, "1", "--err").stdout == b"error\n"
    assert raw(project, "2").stdout == b"".join(b"%d\n" % n for n in range(1, 200_001))
    both = raw(project, "4,1", "--err", "--follow").stdout
    assert both == b"==> localhost (attempt 1.1) <==\nerror\n"
    failed = raw(project, "--failed")
    log = project.directory / ".pegasus" / "queue.yaml" / "logs" / "3.1.err"
    text = f"==> localhost (attempt 3.1): exit status: 3 <==\ncommand: exit 3\nlog: {log}\n"
    assert (failed.returncode, failed.stdout.decode()) == (0, text)
    unknown = raw(project, "9")
    assert (unknown.returncode, unknown.stdout) == (1, b"")
    assert unknown.stderr == b"[pegasus] there is no job 9: the journal has jobs 1 to 4\n"


def test_a_job_is_followed_until_it_ends(project: Project) -> None:
    project.hosts("- localhost\n")
    project.queue(f"- {WAITS.format(project.directory)}\n- echo next\n")
    run = project.start("queue")
    run.wait_for("] begun")
    following = [project.start("logs", "1", "--follow", *more) for more in ([], ["--err"])]
    following[0].wait_for("begun")
    project.write("go", "")
    assert [one.wait() for one in following] == [0, 0]
    assert [one.out for one in following] == ["begun\nended\n", "bad\n"]
    assert [one.err for one in following] == ["", ""]
    assert run.wait() == 0


def test_a_job_is_followed_from_attempt_to_attempt(project: Project) -> None:
    project.hosts("- localhost\n")
    mark = project.directory / "mark"
    project.queue(
        f"- command: echo try; until [ -e {mark} ]; do sleep 0.02; done; rm {mark}; exit 1\n"
        "  options: {retries: 1}\n"
    )
    run = project.start("queue")
    run.wait_for("] try")
    following = project.start("logs", "1", "--follow")
    following.wait_for("try")
    project.write("mark", "")
    run.wait_for("] try", times=2)
    project.write("mark", "")
    assert following.wait() == 0
    assert following.out == "try\n\n==> localhost (attempt 1.2) <==\ntry\n"
    assert run.wait() == 5
    assert raw(project, "1", "--attempt=1").stdout == b"try\n"


def test_a_broadcast_is_shown_node_by_node(project: Project) -> None:
    project.hosts("- hostname: localhost\n  x: [1, 2]\n")
    project.queue("- echo {{ x }}\n- '[ {{ x }} = 1 ]'\n")
    project.run("broadcast")
    shown = {text.strip() for text in raw(project, "1").stdout.decode().split("==> ")}
    assert len(shown - {""}) == 2
    found = {tuple(text.split(" <==\n")) for text in shown - {""}}
    assert {(label.split(" (attempt")[0], text) for label, text in found} == {
        ("localhost (x=1)", "1"),
        ("localhost (x=2)", "2"),
    }
    failed = raw(project, "--failed").stdout.decode()
    assert failed.startswith("==> localhost (x=2) (attempt 2.")
    assert failed.count("==> ") == 1


def test_following_ends_when_the_run_is_killed(project: Project) -> None:
    project.hosts("- localhost\n")
    project.queue(f"- {WAITS.format(project.directory)}\n")
    run = project.start("queue")
    run.wait_for("] begun")
    following = project.start("logs", "1", "--follow")
    following.wait_for("begun")
    run.signal(signal.SIGKILL)
    run.wait()
    assert following.wait() == 0
    assert (following.out, following.err) == ("begun\n", "")
    assert (
        b"(attempt 1.1): interrupted: its run has ended or died" in raw(project, "--failed").stdout
    )


def test_ctrl_c_ends_following_without_a_word(project: Project) -> None:
    project.hosts("- localhost\n")
    project.queue(f"- {WAITS.format(project.directory)}\n")
    run = project.start("queue")
    run.wait_for("] begun")
    following = project.start_in_terminal("logs", "1", "--follow")
    following.wait_for("begun\n")
    following.type(CTRL_C)
    assert following.wait() == 130
    assert following.out in ("begun\n", "begun\n^C")
    project.write("go", "")
    assert run.wait() == 0


def test_following_ends_when_nobody_reads_it(project: Project) -> None:
    project.hosts("- localhost\n")
    project.queue(f"- {WAITS.format(project.directory)}\n")
    run = project.start("queue")
    run.wait_for("] begun")
    read, write = os.pipe()
    command = [sys.executable, "-m", "invoke", "logs", "1", "--follow"]
    following = subprocess.Popen(
        command, cwd=project.directory, stdout=write, stderr=subprocess.PIPE
    )
    os.close(write)
    try:
        assert os.read(read, 6) == b"begun\n"
        os.close(read)  # The job goes on, and writes nothing.
        _, problems = following.communicate(timeout=PATIENCE)
    finally:
        following.kill()
        following.wait()
    assert (following.returncode, problems) == (0, b"")
    project.write("go", "")
    assert run.wait() == 0


def test_old_logs_that_are_pruned_are_missed(project: Project) -> None:
    project.hosts("- localhost\n")
    project.queue("- echo 1\n- echo 2\n")
    project.run("queue", env={"INVOKE_PEGASUS_KEEP_LOGS": "1"})
    log = project.directory / ".pegasus" / "queue.yaml" / "logs" / "1.1.out"
    wait_until(lambda: not log.exists(), "the pruning")
    shown = raw(project, "1")
    assert (shown.returncode, shown.stdout) == (1, b"")
    assert f"{log} is not there any more; pegasus.keep_logs says" in shown.stderr.decode()
    assert raw(project, "2").stdout == b"2\n"


@pytest.mark.parametrize("words", [["logs"], ["logs", "x"], ["logs", "1", "--attempt=x"]])
def test_what_is_wrong_is_told_without_a_traceback(project: Project, words: list[str]) -> None:
    shown = project.run(*words)
    assert shown.process.returncode == 1
    assert shown.out == ""
    assert "Traceback" not in shown.err
    assert shown.err


def test_the_logs_of_another_queue_are_named(project: Project, tmp_path: Path) -> None:
    project.hosts("- localhost\n")
    project.write("other.yaml", "- echo other\n")
    project.run("queue", "--queue-file=other.yaml")
    assert raw(project, "1", "--queue-file", str(tmp_path / "other.yaml")).stdout == b"other\n"
