"""Runs that are told from another shell what to do, and nodes that come and go under them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from project import Project, Running, wait_until

MODES = ["queue", "broadcast"]


def status(project: Project) -> Any:
    return json.loads(project.run("status", "--json").out)


def begin(project: Project, mode: str) -> Running:
    """Start a run that waits for work, on two nodes of this machine."""
    project.hosts("- localhost\n- hostname: 127.0.0.1\n  n: 2\n")
    project.queue("")
    run = project.start(mode, "--daemon")
    run.wait_for("waiting for more")
    return run


def told(project: Project, *words: str) -> str:
    """Tell the runs something; return what is said of it, without who it is."""
    done = project.run(*words)
    assert done.wait() == 0, done.err
    assert done.out == ""
    return re.sub(r"\[pegasus\] run [0-9a-f]{8} \(\w+, pid \d+\)", "RUN", done.err)


def end(project: Project, run: Running) -> None:
    assert project.run("stop").wait() == 0
    assert run.wait() == 0, run.err


@pytest.mark.parametrize("mode", MODES)
def test_a_paused_run_takes_nothing_until_it_is_told_to_resume(project: Project, mode: str) -> None:
    run = begin(project, mode)
    assert told(project, "pause") == "RUN takes no more jobs until inv resume; no command runs\n"
    run.wait_for("paused: taking no jobs until inv resume")
    project.queue("- echo taken >> taken\n")
    assert told(project, "pause") == "RUN is paused already; no command runs\n"
    (paused,) = status(project)["runs"]
    assert paused["paused"] is True
    assert "it is paused" in project.run("status").out
    assert project.left == ["echo taken >> taken"]
    assert told(project, "resume") == "RUN takes jobs again\n"
    run.wait_for("done (exit status: 0)")
    assert told(project, "resume") == "RUN is not paused\n"
    end(project, run)
    assert status(project)["runs"][0]["paused"] is False


@pytest.mark.parametrize("mode", MODES)
def test_a_paused_run_ends_when_it_is_stopped(project: Project, mode: str) -> None:
    run = begin(project, mode)
    told(project, "pause")
    project.queue("- echo left\n")
    end(project, run)
    assert project.left == ["echo left"]


@pytest.mark.parametrize("mode", MODES)
def test_a_drained_node_gets_no_jobs_until_it_is_undrained(project: Project, mode: str) -> None:
    run = begin(project, mode)
    said = told(project, "drain", "n=2")
    assert said == "RUN gives no more jobs to 127.0.0.1 (n=2)\n"
    run.wait_for("[127.0.0.1 (n=2)] drained: it takes no more jobs")
    assert told(project, "drain", "127.0.0.1") == "RUN: these nodes are drained already\n"
    one, two = status(project)["runs"][0]["nodes"]
    assert (one["drained"], two["drained"]) == (False, True)
    assert "1 drained: 127.0.0.1 (n=2)" in project.run("status").out
    project.queue("- command: echo {{ x }} {{ hostname }} >> ran\n  x: [1, 2, 3]\n")
    run.wait_for("=== done", times=3)
    assert {line.split()[1] for line in project.read("ran").splitlines()} == {"localhost"}
    assert told(project, "undrain", "127.0.0.1", "localhost") == (
        "RUN gives jobs to 127.0.0.1 (n=2) again\n"
    )
    assert told(project, "undrain", "*") == "RUN: these nodes are not drained\n"
    project.queue("- command: echo {{ hostname }} >> again; sleep 0.5; echo {{ x }}\n  x: [1, 2]\n")
    wait_until(lambda: project.exists("again") and "127.0.0.1" in project.read("again"), "it")
    end(project, run)


@pytest.mark.parametrize("mode", MODES)
def test_nodes_come_and_go_with_hosts_yaml(project: Project, mode: str) -> None:
    run = begin(project, mode)
    project.hosts("- localhost\n- hostname: localhost\n  n: 3\n")
    run.wait_for("[localhost (n=3)] is new in hosts.yaml")
    run.wait_for("[127.0.0.1 (n=2)] is not in hosts.yaml any more")
    wait_until(lambda: len(re.findall("runs here, without SSH", run.err)) == 3, "the new node")
    states = {node["node"]: node for node in status(project)["runs"][0]["nodes"]}
    assert states["127.0.0.1 (n=2)"]["removed"]
    assert states["localhost (n=3)"]["added"]
    assert states["localhost (n=3)"]["index"] == 2
    shown = project.run("status").out
    assert "2 nodes, 1 of them added since it began" in shown
    assert "1 removed: 127.0.0.1 (n=2)" in shown
    project.queue("- echo {{ hostname }} >> ran; sleep 0.3\n" * 4)
    run.wait_for("=== done", times=4 if mode == "queue" else 8)
    assert {*project.read("ran").split()} == {"localhost"}
    project.hosts("")
    run.wait_for("the nodes stay what they were until this is mended")
    project.hosts("- localhost\n- hostname: 127.0.0.1\n  n: 2\n")
    run.wait_for("[127.0.0.1 (n=2)] takes jobs again")
    run.wait_for("hosts.yaml can be used again")
    end(project, run)


def test_an_expression_for_no_node_is_an_error_that_lists_them(project: Project) -> None:
    run = begin(project, "queue")
    done = project.run("drain", "gpu-*")
    assert done.wait() == 1
    assert (
        done.err == ("[pegasus] no node matches `gpu-*`; there are localhost,127.0.0.1 (n=2)\n")
        or "no node matches `gpu-*`; there are " in done.err
    )
    wrong = project.run("drain", "gpu-[1")
    assert wrong.wait() == 1
    assert "column" in wrong.err
    assert "Traceback" not in wrong.err
    end(project, run)


def test_a_node_of_one_of_several_runs_is_drained_there(project: Project) -> None:
    project.hosts("- localhost\n- 127.0.0.1\n")
    project.queue("")
    runs = [project.start("queue", "--daemon", "--limit", name) for name in ("localhost", "127*")]
    for run in runs:
        run.wait_for("waiting for more")
    assert told(project, "drain", "localhost") == "RUN gives no more jobs to localhost\n"
    assert "drained" in runs[0].err
    assert "drained" not in runs[1].err
    both = told(project, "drain", "localhost", "127.0.0.1")
    assert sorted(both.splitlines()) == [
        "RUN gives no more jobs to 127.0.0.1",
        "RUN: these nodes are drained already",
    ]
    assert project.run("stop").wait() == 0
    assert [run.wait() for run in runs] == [0, 0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["pause"], "there is nothing to pause"),
        (["resume"], "there is nothing to resume"),
        (["drain", "gpu 1"], "inv queue --exclude 'gpu 1' leaves nodes out of the next one"),
        (["undrain", "gpu-1"], "drained nodes are drained as long as their run is on"),
    ],
)
def test_without_a_run_it_is_said_what_can_be_done(
    project: Project, words: list[str], said: str
) -> None:
    done = project.run(*words)
    assert done.wait() == 1
    assert done.err == f"[pegasus] no run uses queue.yaml; {said}\n"
    assert not project.exists(".pegasus")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["drain"], "which nodes? inv drain NODES"),
        (["undrain"], "which nodes? inv undrain NODES"),
        (["drain", ""], "the nodes are empty"),
        (["drain", "a&b", "gpu-2"], "as one word, in quotes"),
        (["drain", "@failed"], "@failed"),
    ],
)
def test_what_names_no_nodes_is_an_error(project: Project, words: list[str], said: str) -> None:
    done = project.run(*words)
    assert done.wait() == 1
    assert said in done.err
    assert "Traceback" not in done.err


def test_dry_tells_nobody(project: Project) -> None:
    run = begin(project, "queue")
    for words in (["pause"], ["resume"], ["drain", "localhost"], ["undrain", "localhost"]):
        done = project.run("--dry", *words)
        assert done.wait() == 0
        assert "none was told" in done.err
    end(project, run)
    assert "drained" not in run.err
    assert "paused" not in run.err
