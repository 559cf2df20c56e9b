"""`inv queue` as a user runs it, on nodes that are this machine and on a real sshd."""

from __future__ import annotations

import re
import signal
from collections import Counter

import pytest
from project import CTRL_C, Project, wait_until
from sshd import Sshd

TWO = "- localhost\n- 127.0.0.1\n"

QUIZ_HOSTS = """\
- hostname:
    - {0}
    - {1}
  laziness:
    - 0.1
- hostname:
    - {2}
  laziness:
    - 0.2
"""

QUIZ_QUEUE = """\
- echo hi from {{ hostname }}
- command:
    - for i in $(seq {{ low }} {{ high }}); do echo $i; sleep {{ laziness }}; done
    - echo bye from {{ hostname }}
  low:
    - 1
    - 2
  high:
    - 3
    - 4
"""


def ssh_env(sshd: Sshd) -> dict[str, str]:
    return {"INVOKE_PEGASUS_SSH_CONFIG": sshd.ssh_config}


def check_quiz(project: Project, out: str) -> None:
    assert out.count("=== run ") == 9
    assert out.count("=== done (exit status: 0) ===") == 9
    assert len(re.findall(r"\] hi from ", out)) == 1
    assert len(re.findall(r"\] bye from ", out)) == 4
    assert len(re.findall(r"\] [1-4]$", out, re.M)) == 3 + 4 + 2 + 3
    assert project.left is None
    assert len(project.consumed) == 9
    assert project.consumed[0] == {"command": ["echo hi from {{ hostname }}"]}
    assert project.consumed[1] == {
        "command": ["for i in $(seq {{ low }} {{ high }}); do echo $i; sleep {{ laziness }}; done"],
        "low": ["1"],
        "high": ["3"],
    }
    assert [job["high"] for job in project.consumed[1:]] == [["3"], ["4"]] * 4


def test_the_quiz_runs_nine_commands_on_this_machine(project: Project) -> None:
    project.hosts(QUIZ_HOSTS.format("localhost", "127.0.0.1", "'::1'"))
    project.queue(QUIZ_QUEUE)
    run = project.run("queue")
    assert run.wait() == 0, run.err
    check_quiz(project, run.out)
    assert "all 9 commands succeeded" in run.err


def test_the_quiz_runs_nine_commands_over_ssh(project: Project, sshd: Sshd) -> None:
    project.hosts(QUIZ_HOSTS.format("node-1", "node-2", "node-3"))
    project.queue(QUIZ_QUEUE)
    run = project.run("q", env=ssh_env(sshd))
    assert run.wait() == 0, run.err
    check_quiz(project, run.out)


def test_every_node_takes_its_share(project: Project, sshd: Sshd) -> None:
    project.hosts("- hostname: [node-1, node-2]\n  gpu: [0, 1]\n- localhost\n")
    # Each job waits until all five run at the same time.
    here = project.directory
    project.queue(
        f"- command: cd {here}; touch up-{{{{ n }}}}; until [ $(ls | grep -c up-) = 5 ];"
        " do sleep 0.05; done; echo {{ n }}\n  n: [1, 2, 3, 4, 5]\n"
    )
    run = project.run("queue", "--ssh-config", sshd.ssh_config)
    assert run.wait() == 0, run.err
    prefixes = Counter(re.findall(r"^(\[.*?\]) \d$", run.out, re.M))
    assert set(prefixes) == {
        "[node-1 (gpu=0)]",
        "[node-1 (gpu=1)]",
        "[node-2 (gpu=0)]",
        "[node-2 (gpu=1)]",
        "[localhost]",
    }


def test_a_failed_command_is_reported_with_node_and_reason(project: Project) -> None:
    project.hosts("- localhost\n")
    project.queue("- exit 3\n- echo fine\n- exit 255\n")
    run = project.run("queue")
    assert run.wait() == 5
    assert "=== done (exit status: 3) ===" in run.out
    assert "2 of 3 commands failed:" in run.err
    assert "[localhost] exit 3 (exit status: 3)" in run.err
    assert "[localhost] exit 255 (exit status: 255)" in run.err


def test_streams_stay_apart_and_carry_the_node(project: Project) -> None:
    project.hosts("- LocalHost\n")
    project.queue("- printf 'to out'; echo to err >&2\n")
    run = project.run("queue")
    assert "[LocalHost] to out\n" in run.out
    assert "] to err" not in run.out
    assert "[LocalHost] to err\n" in run.err


def test_the_last_command_runs_again_from_the_tail_of_consumed(project: Project) -> None:
    project.hosts("- localhost\n")
    project.queue("""- echo first\n- 'echo "a: b" # not a comment'\n""")
    assert project.run("queue").wait() == 0
    tail = project.read("consumed.yaml").splitlines(keepends=True)[-2:]
    project.queue("".join(tail))
    run = project.run("queue")
    assert run.wait() == 0
    assert "[localhost] a: b" in run.out


def test_a_node_that_can_not_connect_leaves_the_work_to_the_others(
    project: Project, sshd: Sshd
) -> None:
    project.hosts("- localhost:1\n- node-1\n")
    project.queue("- echo {{ hostname }}\n- echo {{ hostname }}\n")
    run = project.run("queue", env=ssh_env(sshd))
    assert run.wait() == 4
    assert run.out.count("[node-1] node-1") == 2
    assert "can't connect: [localhost:1]" in run.err
    assert project.left is None


def test_without_any_node_nothing_is_consumed(project: Project) -> None:
    queue = "# mine\n- echo {{ hostname }}\n"
    project.hosts("- localhost:1\n- 127.0.0.1:1\n")
    project.queue(queue)
    run = project.run("queue")
    assert run.wait() == 4
    assert "Traceback" not in run.err
    assert project.read("queue.yaml") == queue
    assert project.consumed == []


def test_entries_added_while_jobs_run_are_run(project: Project) -> None:
    project.hosts("- localhost\n")
    project.queue("- echo started; until [ -e go ]; do sleep 0.02; done\n")
    run = project.start("queue")
    run.wait_for("[localhost] started")
    with (project.directory / "queue.yaml").open("a") as queue:
        queue.write("- echo added later\n")
    project.write("go", "")
    assert run.wait() == 0
    assert "[localhost] added later" in run.out


def test_a_daemon_waits_on_an_empty_queue_until_it_is_interrupted(project: Project) -> None:
    project.hosts("- localhost\n")
    project.queue("")
    run = project.start("queue", "--daemon")
    run.wait_for("the queue is empty; waiting for more")
    with (project.directory / "queue.yaml").open("a") as queue:
        queue.write("- echo woken\n")
    run.wait_for("[localhost] woken")
    run.wait_for("waiting for more", times=2)
    run.signal(signal.SIGINT)
    assert run.wait() == 130
    assert "Traceback" not in run.err


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("- echo [unclosed\n- {a\n", "queue.yaml:"),
        ("- echo {{ missing }}\n", "queue.yaml:1:"),
        ("- command: [[nested]]\n", "queue.yaml:1:"),
    ],
)
def test_a_malformed_queue_is_reported_once_and_the_run_goes_on_when_mended(
    project: Project, broken: str, message: str
) -> None:
    project.hosts(TWO)
    project.queue("- echo one; until [ -e go ]; do sleep 0.02; done\n")
    run = project.start("queue")
    run.wait_for("] one")
    project.queue(broken)
    run.wait_for("no job is taken until this is mended")
    assert message in run.err
    project.write("go", "")
    run.wait_for("=== done (exit status: 0) ===")
    assert project.read("queue.yaml") == broken
    project.queue("- echo mended\n")
    assert run.wait() == 0, run.err
    assert run.err.count("no job is taken until this is mended") == 1
    assert "] mended" in run.out


def test_two_runs_share_one_queue_and_each_job_runs_once(project: Project) -> None:
    project.hosts(TWO)
    numbers = ", ".join(map(str, range(120)))
    project.queue("- command: echo job {{ n }}.\n" + f"  n: [{numbers}]\n")
    runs = [project.start("queue") for _ in range(2)]
    assert [run.wait() for run in runs] == [0, 0], [run.err for run in runs]
    jobs = re.findall(r"\] job (\d+)\.", "".join(run.out for run in runs))
    assert sorted(map(int, jobs)) == list(range(120))
    assert sorted(int(job["n"][0]) for job in project.consumed) == list(range(120))
    assert project.left is None


def test_ctrl_c_takes_no_more_jobs_and_lets_the_running_ones_end(project: Project) -> None:
    project.hosts("- localhost\n")
    project.queue("- echo up; until [ -e go ]; do sleep 0.02; done; echo ended well\n- echo next\n")
    run = project.start_in_terminal("queue")
    run.wait_for("] up")
    run.type(CTRL_C)
    run.wait_for("waiting for 1 running command (the next Ctrl-C cancels)")
    project.write("go", "")
    assert run.wait() == 130
    assert "[localhost] ended well" in run.out
    assert project.left == ["echo next"]


@pytest.mark.parametrize("host", ["localhost", "node-1"])
@pytest.mark.parametrize(("way", "status"), [("Ctrl-C twice", 130), ("SIGTERM", 143)])
def test_cancelling_ends_what_runs(
    project: Project, sshd: Sshd, host: str, way: str, status: int
) -> None:
    pid_file = project.directory / "pid"
    project.hosts(f"- {host}\n")
    project.queue(f"- echo $$ > {pid_file}; echo up; sleep 300 & wait; echo survived\n- echo no\n")
    run = project.start_in_terminal("queue", env=ssh_env(sshd))
    run.wait_for("] up")
    if way == "SIGTERM":
        run.signal(signal.SIGTERM)
    else:
        run.type(CTRL_C)
        run.wait_for("taking no more jobs")
        run.type(CTRL_C)
    assert run.wait() == status
    assert "cancelling 1 running command" in run.err
    assert "=== done (cancelled" in run.out
    assert "] survived" not in run.out
    pid = int(pid_file.read_text())
    wait_until(lambda: not alive(pid), "the end of the command's shell")
    assert project.left == ["echo no"]


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_an_empty_queue_is_done_at_once(project: Project) -> None:
    project.hosts("- localhost\n")
    project.queue("# nothing here\n")
    run = project.run("queue")
    assert run.wait() == 0
    assert "no command was run" in run.err


def test_print_period_thins_the_output(project: Project) -> None:
    project.hosts("- localhost\n")
    project.queue("- seq 1 10\n")
    run = project.run("queue", "-p", "4")
    assert re.findall(r"\] (\d+)$", run.out, re.M) == ["4", "8"]
