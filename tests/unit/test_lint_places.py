"""The check of commands, variables and directories, for the nodes that jobs are bound to."""

from __future__ import annotations

import pytest

from pegasus import lint as linting
from pegasus.errors import HostsFileError, PegasusError, QueueFileError
from pegasus.files.entries import HOSTS, QUEUE, read
from pegasus.files.source import Source
from pegasus.lint import Linter
from pegasus.model import Host, Node


def nodes_of(text: str) -> list[Node]:
    """The nodes of a hosts.yaml, one for each host name."""
    entries = read(Source(text.encode(), "hosts.yaml", HostsFileError), HOSTS)
    return [
        Node(index, Host(head.value, head.value), params, entry.options, entry.indices)
        for index, entry in enumerate(entries)
        for head, params in entry.expand()
    ]


def problems(text: str, nodes: list[Node], allocation: str = "first_fit") -> list[PegasusError]:
    linter = Linter(nodes, allocation)
    entries = read(Source(text.encode(), "queue.yaml", QueueFileError), QUEUE)
    return [problem for entry in entries for problem in linter.problems(entry)]


GPUS = nodes_of("- {hostname: a100-1, gpu: x}\n- {hostname: a100-2, gpu: x}\n- cpu-1\n")


@pytest.mark.parametrize(
    "text",
    [
        "- {command: 'run {{ gpu }}', options: {on: 'a100-*'}}\n",
        "- {command: 'run {{ gpu }}', options: {on: gpu=x}}\n",
        "- run {{ gpu }}\n- options: {on: '!cpu-*'}\n",
        "- {command: a, options: {on: 'a100-1', env: {G: '{{ gpu }}'}, cwd: '/{{ gpu }}'}}\n",
        "- {command: 'run {{ gpu }} {{ gone }}', options: {on: 'none-*'}}\n",
        "- {command: 'run {{ hostname }}', options: {on: 'cpu-1'}}\n",
    ],
)
def test_nodes_that_a_job_may_not_run_on_are_not_looked_at(text: str) -> None:
    assert problems(text, GPUS) == []


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("- run {{ gpu }}\n", "queue.yaml:1:7: "),
        ("- {command: 'run {{ gpu }}', options: {on: '*'}}\n", "queue.yaml:1:18: "),
        ("- {command: 'run {{ gpu }}', options: {on: 'a100-*,cpu-*'}}\n", "queue.yaml:1:18: "),
        ("- {command: 'run {{ gone }}', options: {on: 'a100-*'}}\n", "queue.yaml:1:18: "),
        ("- {command: 'run {{ cut', options: {on: 'none'}}\n", "queue.yaml:1:18: "),
        ("- {command: a, options: {on: 'none', env: {A: '{{ cut'}}}\n", "queue.yaml:1:48: "),
    ],
)
def test_nodes_that_it_may_run_on_are(text: str, place: str) -> None:
    (found,) = problems(text, GPUS)
    assert str(found).startswith(place)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("- {command: a, options: {env: {A: 'x', B: '{{ gone }}'}}}\n", "queue.yaml:1:44"),
        ("- {command: a, options: {cwd: '/{{ gone }}'}}\n", "queue.yaml:1:33"),
        ("- {command: a, x: [b, ''], options: {cwd: '{{ x }}'}}\n", "queue.yaml:1:44"),
        ("- {command: a, x: ['', b], options: {env: {A: '{{#if x}}{{gone}}{{/if}}'}}}\n", "queue"),
    ],
)
def test_variables_and_the_directory_are_filled_as_the_command_is(text: str, place: str) -> None:
    found = problems(text, nodes_of("- n\n"))
    assert [str(one).startswith(place) for one in found] == [True]
    assert isinstance(found[0], QueueFileError)


@pytest.mark.parametrize("option", ["env: {A: '{{ x }}'}", "cwd: '{{ x }}'", "cancel: '{{ x }}'"])
def test_what_a_node_says_must_fill_for_each_job(option: str) -> None:
    nodes = nodes_of(f"- n\n- {{hostname: m, options: {{{option}}}}}\n")
    assert problems("- {command: a, x: b}\n", nodes) == []
    (found,) = problems("- {command: a, x: b}\n- c\n", nodes)
    assert isinstance(found, HostsFileError)
    assert "there is no parameter `x`, for the command at queue.yaml:2:3" in str(found)
    assert (
        problems(f"- {{command: a, y: b, options: {{{option.replace('x', 'y')}}}}}\n", nodes) == []
    )
    assert problems("- {command: a, options: {on: n}}\n", nodes) == []


def test_a_directory_of_a_node_that_comes_out_empty_is_found() -> None:
    nodes = nodes_of("- {hostname: n, options: {cwd: '{{ x }}'}}\n")
    assert problems("- {command: a, x: [b, c]}\n", nodes) == []
    (found,) = problems("- {command: a, x: [b, '']}\n", nodes)
    assert "hosts.yaml:1:33: `cwd` comes out empty" in str(found)
    assert "for the command at queue.yaml:1:13" in str(found)


def test_another_variable_of_the_job_does_not_settle_that_of_the_node() -> None:
    nodes = nodes_of("- {hostname: n, options: {env: {A: '{{ x }}'}}}\n")
    assert len(problems("- {command: a, options: {env: {B: b}}}\n", nodes)) == 1
    both = "- {command: a, options: {env: {A: b}}}\n- {command: a, options: {env: {B: b}}}\n"
    (found,) = problems(both, nodes)
    assert "queue.yaml:2:13" in str(found)


def test_there_are_as_many_slots_as_the_job_will_be_given() -> None:
    nodes = nodes_of("- n\n")
    text = (
        "- {{command: '{{{{#if (eq slot_count \"{}\")}}}}{{{{ gone }}}}{{{{/if}}}}', slots: {}}}\n"
    )
    for needed in (0, 1, 2, 8):
        for told in (0, 1, 2, 8):
            assert bool(problems(text.format(told, needed), nodes)) == (told == needed)
    text = "- {command: '{{#if (eq slots \"0,1,2\")}}{{ gone }}{{/if}}', slots: 3}\n"
    assert problems(text, nodes)


def test_what_a_node_says_is_filled_for_each_number_of_slots() -> None:
    nodes = nodes_of(
        "- {hostname: n, options: {env: {A: '{{#if (eq slot_count \"4\")}}{{ gone }}{{/if}}'}}}\n"
    )
    assert problems("- a\n- {command: b, slots: 2}\n", nodes) == []
    (found,) = problems("- a\n- {command: b, slots: 4}\n- {command: c, slots: 4}\n", nodes)
    assert "queue.yaml:2:13" in str(found)


BUDDIES = "- {hostname: a, options: {allocation: buddy}}\n"
OTHERS = "- {hostname: b, options: {allocation: first_fit}}\n"


@pytest.mark.parametrize(
    ("entry", "hosts", "allocation", "is_wrong"),
    [
        ("slots: 3", "- a\n", "first_fit", False),
        ("slots: 3", "- a\n", "buddy", True),
        ("slots: 4", "- a\n", "buddy", False),
        ("slots: 0", "- a\n", "buddy", False),
        ("slots: 3, options: {allocation: first_fit}", "- a\n", "buddy", False),
        ("slots: 3", BUDDIES, "first_fit", True),
        ("slots: 3", BUDDIES + OTHERS, "buddy", False),
        ("slots: 3", BUDDIES + "- b\n", "first_fit", False),
        ("slots: 3, options: {on: a}", BUDDIES + OTHERS, "first_fit", True),
        ("slots: 3, options: {on: b}", BUDDIES + OTHERS, "buddy", False),
        ("slots: 3, options: {on: gone}", BUDDIES, "buddy", False),
        ("slots: 3", "", "buddy", False),
    ],
)
def test_a_size_that_no_node_of_a_job_ever_gives_is_refused(
    entry: str, hosts: str, allocation: str, is_wrong: bool
) -> None:
    found = problems(f"- {{command: a, {entry}}}\n", nodes_of(hosts), allocation)
    assert len(found) == is_wrong
    for problem in found:
        assert str(problem).startswith("queue.yaml:1:23: `allocation: buddy` gives 1, 2, 4, 8")


def test_many_entries_that_are_bound_alike_are_matched_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    real = linting.matching

    def matching(nodes: list[Node], expression: str) -> list[Node]:
        asked.append(expression)
        return real(nodes, expression)

    monkeypatch.setattr(linting, "matching", matching)
    text = "- {command: a, options: {on: a100-*}}\n- {command: b, options: {on: cpu-1}}\n- c\n"
    assert problems(text * 50, GPUS) == []
    assert sorted(asked) == ["", "a100-*", "cpu-1"]
