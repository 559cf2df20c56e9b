"""`inv broadcast` as a user runs it."""

from __future__ import annotations

import re
import signal

import pytest
from project import CTRL_C, Project
from sshd import Sshd

FOUR = "- hostname: [{}]\n  gpu: [0, 1]\n"
LOCAL_FOUR = FOUR.format("localhost, 127.0.0.1")
SSH_FOUR = FOUR.format("node-1, node-2")


def nodes(sshd: Sshd, kind: str) -> tuple[str, dict[str, str]]:
    env = {"INVOKE_PEGASUS_SSH_CONFIG": sshd.ssh_config}
    return (LOCAL_FOUR if kind == "local" else SSH_FOUR), env


@pytest.mark.parametrize("kind", ["local", "ssh"])
def test_no_node_begins_the_next_before_all_have_ended(
    project: Project, sshd: Sshd, kind: str
) -> None:
    hosts, env = nodes(sshd, kind)
    log = project.directory / "log"
    project.hosts(hosts)
    project.queue(
        f"- sleep 0.{{{{ gpu }}}}; echo end-1 >> {log}\n"
        f"- echo begin-2 >> {log}; sleep 0.{{{{ gpu }}}}; echo end-2 >> {log}\n"
        f"- echo begin-3 {{{{ gpu }}}} >> {log}\n"
    )
    run = project.run("broadcast", env=env)
    assert run.wait() == 0, run.err
    words = project.read("log").split("\n")
    assert words[:4] == ["end-1"] * 4
    assert sorted(words[4:12]) == ["begin-2"] * 4 + ["end-2"] * 4
    assert sorted(words[12:16]) == ["begin-3 0"] * 2 + ["begin-3 1"] * 2
    assert len(project.consumed) == 3
    assert project.left is None


@pytest.mark.parametrize("kind", ["local", "ssh"])
def test_error_aborts_ends_after_the_round_and_keeps_the_rest(
    project: Project, sshd: Sshd, kind: str
) -> None:
    hosts, env = nodes(sshd, kind)
    rest = "# the rest\n- echo {{ hostname }}\n- echo 'two'\n"
    project.hosts(hosts)
    project.queue("- echo one\n- '[ {{ gpu }} = 0 ]'\n" + rest)
    run = project.run("b", "-e", env=env)
    assert run.wait() == 5
    assert run.out.count("=== run ") == 8
    assert "a node failed: aborting" in run.err
    assert project.read("queue.yaml") == rest
    assert len(project.consumed) == 2


@pytest.mark.parametrize("flags", [[], ["--ignore-errors"], ["-i"]])
def test_without_error_aborts_the_run_goes_on(project: Project, flags: list[str]) -> None:
    project.hosts(LOCAL_FOUR)
    project.queue("- '[ {{ gpu }} = 0 ]'\n- echo on {{ gpu }}\n")
    run = project.run("broadcast", *flags)
    assert run.wait() == 5
    assert len(re.findall(r"\] on [01]$", run.out, re.M)) == 4
    assert "2 of 8 commands failed" in run.err


def test_ignore_errors_wins_over_the_configuration(project: Project) -> None:
    project.write("invoke.yaml", "pegasus:\n  error_aborts: true\n")
    project.hosts("- localhost\n")
    project.queue("- exit 1\n- echo on\n")
    assert "[localhost] on" not in project.run("broadcast").out
    assert project.left == ["echo on"]
    assert "[localhost] on" in project.run("broadcast", "--ignore-errors").out


def test_error_aborts_and_ignore_errors_together_are_refused(project: Project) -> None:
    project.hosts("- localhost\n")
    project.queue("- echo on\n")
    run = project.run("broadcast", "-e", "-i")
    assert run.wait() == 1
    assert "contradict" in run.err
    assert project.left == ["echo on"]


def test_a_node_out_of_reach_stops_everything_before_it_begins(project: Project) -> None:
    project.hosts("- localhost\n- localhost:1\n")
    project.queue("- echo ran\n")
    run = project.run("broadcast")
    assert run.wait() == 4
    assert "ran" not in run.out
    assert "can't connect: [localhost:1]" in run.err
    assert project.left == ["echo ran"]
    assert project.consumed == []


def test_skip_unreachable_goes_on_without_it(project: Project) -> None:
    project.hosts("- localhost\n- localhost:1\n")
    project.queue("- echo ran on {{ hostname }}\n")
    run = project.run("broadcast", "--skip-unreachable")
    assert run.wait() == 0, run.err
    assert "[localhost] ran on localhost\n" in run.out
    assert "going on without it" in run.err


def test_skip_unreachable_needs_one_node_at_least(project: Project) -> None:
    project.hosts("- localhost:1\n")
    project.queue("- echo ran\n")
    assert project.run("broadcast", "--skip-unreachable").wait() == 4
    assert project.left == ["echo ran"]


def test_a_round_is_rendered_for_all_nodes_before_it_starts_on_any(project: Project) -> None:
    project.hosts("- hostname: localhost\n  n: 1\n- hostname: 127.0.0.1\n  m: 1\n")
    project.queue("- echo first\n- echo {{ n }}\n")
    run = project.run("broadcast")
    assert run.wait() == 1
    assert "queue.yaml:2:" in run.err
    assert "=== run" not in run.out
    assert project.consumed == []


def test_a_parametrized_job_is_a_round_for_each_choice(project: Project) -> None:
    project.hosts(LOCAL_FOUR)
    project.queue("- command: echo {{ n }}-{{ gpu }}\n  n: [a, b, c]\n")
    run = project.run("broadcast")
    assert run.wait() == 0
    assert [line[-3] for line in run.out.splitlines() if re.search(r"\] [abc]-\d$", line)] == (
        ["a"] * 4 + ["b"] * 4 + ["c"] * 4
    )


def test_a_daemon_waits_for_more(project: Project) -> None:
    project.hosts(LOCAL_FOUR)
    project.queue("")
    run = project.start("broadcast", "-d")
    run.wait_for("waiting for more")
    project.queue("- echo woken\n")
    run.wait_for("] woken", times=4)
    run.signal(signal.SIGINT)
    assert run.wait() == 130


@pytest.mark.parametrize("kind", ["local", "ssh"])
def test_the_second_ctrl_c_cancels_the_round(project: Project, sshd: Sshd, kind: str) -> None:
    hosts, env = nodes(sshd, kind)
    project.hosts(hosts)
    project.queue("- echo up; sleep 300\n- echo next\n")
    run = project.start_in_terminal("broadcast", env=env)
    run.wait_for("] up", times=4)
    run.type(CTRL_C)
    run.wait_for("waiting for 4 running commands")
    run.type(CTRL_C)
    assert run.wait() == 130
    assert run.out.count("=== done (cancelled") == 4
    assert project.left == ["echo next"]
