"""`inv broadcast --gather` and `--diff` as a user runs them, and what is told after each round."""

from __future__ import annotations

import re

import pytest
from project import CTRL_C, Project, wait_until
from sshd import Sshd

RULE = "-" * 15


def blocks(out: str) -> list[str]:
    """Return what is shown below each rule, without what is told of commands."""
    return [re.sub(r"^\[.*\n", "", text, flags=re.M) for text in out.split(f"{RULE}\n")[1:]]


def begun(project: Project) -> None:
    """Wait until both nodes of a round have written what they write, as their logs show."""
    logs = [project.directory / f".pegasus/queue.yaml/logs/1.{number}.out" for number in (1, 2)]
    wait_until(lambda: all(log.exists() and log.read_text() for log in logs), "the round")


def test_the_same_output_is_printed_once(project: Project, sshd: Sshd) -> None:
    project.hosts("- hostname: [node-1, node-2, node-3]\n")
    project.queue(
        "- seq 3\n"
        "- 'case {{ hostname }} in node-2) echo other; exit 3;; *) echo same; echo err >&2; esac'\n"
        "- 'true'\n"
    )
    env = {"INVOKE_PEGASUS_SSH_CONFIG": sshd.ssh_config}
    run = project.run("broadcast", "--gather", env=env)
    assert run.wait() == 5, run.err
    assert "[node-[1-3] (3)] === run 'seq 3' === (job 1)\n" in run.out
    assert blocks(run.out) == [
        "node-[1-3] (3):\n1\n2\n3\n",
        "node-[1,3] (2):\nsame\n",
        "node-2:\nother\n",
    ]
    assert f"{RULE}\nnode-[1,3] (2), stderr:\nerr\n" in run.err
    assert re.findall(r"^\[pegasus\] (job \d: node.*)", run.err, re.M) == [
        "job 1: node-[1-3] (3): exit status: 0",
        "job 2: node-[1,3] (2): exit status: 0",
        "job 2: node-2: exit status: 3",
        "job 3: node-[1-3] (3): no output",
        "job 3: node-[1-3] (3): exit status: 0",
    ]
    assert "done" not in run.out


def test_how_outputs_differ_from_the_commonest(project: Project) -> None:
    project.hosts("- hostname: localhost\n  gpu: [0, 1, 2]\n")
    project.queue("- seq {{ gpu }} {{ gpu }} | sed s/[01]/x/; seq 3\n")
    run = project.run("broadcast", "--diff")
    assert run.wait() == 0, run.err
    common, other = blocks(run.out)
    assert common.endswith("\nx\n1\n2\n3\n")
    assert other.startswith("localhost (gpu=2):\n--- localhost (gpu=0)")
    assert other.endswith("\n@@ -1,4 +1,4 @@\n-x\n+2\n 1\n 2\n 3\n")


def test_without_it_output_has_its_node_in_front_and_the_result_is_told(project: Project) -> None:
    project.hosts("- hostname: localhost\n  gpu: [0, 1]\n")
    project.queue("- exit {{ gpu }}\n- echo one\n")
    run = project.run("broadcast")
    assert run.wait() == 5
    assert run.out.count("] one\n") == 2
    assert "[pegasus] job 1: localhost (gpu=0): exit status: 0\n" in run.err
    assert "[pegasus] job 1: localhost (gpu=1): exit status: 1\n" in run.err


@pytest.mark.parametrize("flag", ["--gather", "--diff"])
def test_queue_mode_has_no_such_option_and_does_not_mind_the_configuration(
    project: Project, flag: str
) -> None:
    project.hosts("- localhost\n")
    project.queue("- echo one\n")
    run = project.run("queue", flag)
    assert run.wait() == 1
    assert flag in run.err
    project.write("invoke.yaml", f"pegasus:\n  {flag[2:]}: true\n")
    assert "[localhost] one\n" in project.run("queue").out


def test_gathering_wins_over_grouping(project: Project) -> None:
    project.hosts("- hostname: [localhost, 127.0.0.1]\n")
    project.queue("- echo one\n")
    run = project.run("broadcast", "--group", "--gather")
    assert run.wait() == 0, run.err
    assert run.out.count("one\n") == 1


def test_a_cancelled_round_shows_what_it_has(project: Project) -> None:
    project.hosts("- hostname: [localhost, 127.0.0.1]\n")
    project.queue("- echo begun; sleep 600\n")
    run = project.start_in_terminal("broadcast", "--gather", "--no-progress")
    begun(project)
    run.type(CTRL_C)
    run.wait_for("taking no more jobs")
    run.type(CTRL_C)
    assert run.wait() == 130
    assert "localhost,127.0.0.1 (2):\nbegun\n" in run.out
    assert "job 1: localhost,127.0.0.1 (2): cancelled" in run.out


def test_a_run_that_is_left_shows_what_it_has(project: Project) -> None:
    project.hosts("- hostname: [localhost, 127.0.0.1]\n")
    project.queue("- trap '' TERM INT; echo begun; sleep 600\n")
    run = project.start_in_terminal("broadcast", "--gather", "--no-progress")
    begun(project)
    for said in ("taking no more jobs", "cancelling"):
        run.type(CTRL_C)
        run.wait_for(said)
    run.type(CTRL_C)
    assert run.wait() == 130
    assert "unfinished:\nbegun\n" in run.out


def test_gathered_output_of_many_lines_is_whole(project: Project) -> None:
    project.hosts("- hostname: localhost\n  n: [1, 2, 3]\n")
    project.queue("- seq 50000\n")
    run = project.run("broadcast", "--gather")
    assert run.wait() == 0, run.err
    (block,) = blocks(run.out)
    assert block.split("\n", 1)[1] == "".join(f"{number}\n" for number in range(1, 50001))
