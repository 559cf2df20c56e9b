"""`--limit` and `--exclude`: runs, checks and lists are for the chosen nodes alone."""

from __future__ import annotations

import json

import pytest
from project import Project

HOSTS = """\
- hostname: localhost
  rank: [0, 1, 2, 3]
- 127.0.0.1
"""


@pytest.fixture
def filled(project: Project) -> Project:
    project.hosts(HOSTS)
    project.queue("- 'echo on {{ hostname }}'\n")
    return project


@pytest.mark.parametrize("mode", ["queue", "broadcast"])
def test_a_run_is_on_the_chosen_nodes_alone(filled: Project, mode: str) -> None:
    run = filled.run(mode, "--limit", "rank=[1-2]", "--exclude", "rank=1")
    assert run.wait() == 0
    assert run.out.count("=== run") == 1
    assert "[localhost (rank=2)] on localhost\n" in run.out


def test_the_journal_has_the_places_of_nodes_in_the_whole_file(filled: Project) -> None:
    assert filled.run("queue", "--limit", "rank=2").wait() == 0
    (run,) = json.loads(filled.run("status", "--json").out)["runs"]
    assert [(node["node"], node["index"]) for node in run["nodes"]] == [("localhost (rank=2)", 2)]


def test_what_is_configured_may_be_overridden(filled: Project) -> None:
    filled.write("invoke.yaml", "pegasus:\n  limit: rank=3\n  exclude: rank=2\n")
    assert "localhost (rank=3)" in filled.run("queue").out
    for flags in (["--limit", "*", "--exclude", ""], ["--limit", "rank=2", "--exclude="]):
        shown = filled.run("hosts", *flags).out
        assert "rank=2" in shown
    variables = {"INVOKE_PEGASUS_LIMIT": "rank=*"}
    assert filled.run("hosts", env=variables).out.endswith("3 nodes\n")


@pytest.mark.parametrize(
    "arguments", [["check"], ["--dry", "queue"], ["--dry", "broadcast"], ["hosts"]]
)
def test_what_runs_nothing_is_about_the_chosen_nodes_too(
    filled: Project, arguments: list[str]
) -> None:
    run = filled.run(*arguments, "--limit", "rank=2")
    assert (run.wait(), run.err) == (0, "")
    assert "1 node" in run.out
    assert "rank=0" not in run.out


def test_templates_are_checked_for_the_chosen_nodes(filled: Project) -> None:
    filled.queue("- echo {{ rank }}\n")
    assert filled.run("check").wait() == 1
    assert filled.run("check", "--exclude", "127.0.0.1").wait() == 0
    run = filled.run("queue", "--limit", "rank=1")
    assert (run.wait(), "[localhost (rank=1)] 1\n" in run.out) == (0, True)


@pytest.mark.parametrize(
    "arguments",
    [["queue"], ["broadcast"], ["check"], ["--dry", "queue"], ["hosts"], ["hosts", "--ping"]],
)
def test_nothing_chosen_is_an_error_that_lists_the_nodes(
    filled: Project, arguments: list[str]
) -> None:
    run = filled.run(*arguments, "--limit", "node-9")
    assert (run.wait(), run.out) == (1, "")
    ranks = ", ".join(f"localhost (rank={rank})" for rank in range(4))
    assert run.err == (f"[pegasus] limit: no node matches `node-9`; there are {ranks}, 127.0.0.1\n")
    assert filled.consumed == []


@pytest.mark.parametrize("arguments", [["queue"], ["check"], ["hosts"]])
def test_an_empty_variable_of_a_script_does_not_mean_all_nodes(
    filled: Project, arguments: list[str]
) -> None:
    run = filled.run(*arguments, "--limit", "")
    assert run.wait() == 1
    assert run.err == "[pegasus] limit is empty; leave it out for all nodes, or write '*'\n"


def test_a_mistake_in_hosts_yaml_comes_first(filled: Project) -> None:
    filled.hosts("- ok\n- not ok\n")
    run = filled.run("check", "--limit", "node-9")
    assert run.wait() == 1
    assert "hosts.yaml:2:3: 'not ok' is not a host" in run.err
    assert "limit" not in run.err


def test_failed_nodes_are_those_of_the_last_run(filled: Project) -> None:
    run = filled.run("broadcast", "--limit", "@failed")
    assert run.wait() == 1
    assert "no node matches `@failed`; no run of this queue has ended yet; there are" in run.err

    filled.queue("- sh -c 'exit {{#if rank}}{{ rank }}{{else}}0{{/if}}'\n")
    filled.hosts("- {hostname: localhost, rank: [0, 1, 2]}\n- root@127.0.0.1:1\n")
    assert filled.run("broadcast", "--limit", "rank=*").wait() == 5
    # The nodes have other places by now.
    filled.hosts("- 127.0.0.1\n- {hostname: localhost, rank: [2, 1, 0]}\n")
    assert "rank=2\n2  localhost  rank=1\n2 nodes" in filled.run("hosts", "--limit", "@failed").out
    filled.queue("- echo again\n")
    again = filled.run("broadcast", "--limit", "@failed!rank=2")
    assert (again.wait(), again.out.count("again\n")) == (0, 1)
    none = filled.run("broadcast", "--limit", "@failed")
    assert (none.wait(), "failed on no node; there are" in none.err) == (1, True)
    assert filled.run("hosts", "--exclude", "@failed").out.endswith("4 nodes\n")


def test_unreachable_nodes_have_failed(filled: Project) -> None:
    filled.hosts("- localhost\n- root@127.0.0.1:1\n")
    filled.queue("- 'true'\n")
    assert filled.run("broadcast", "--skip-unreachable").wait() == 0
    shown = json.loads(filled.run("hosts", "--json", "--limit", "@failed").out)
    assert [node["host"] for node in shown["nodes"]] == ["root@127.0.0.1:1"]
    shown = json.loads(filled.run("hosts", "--json", "--exclude", "@failed").out)
    assert [node["host"] for node in shown["nodes"]] == ["localhost"]
