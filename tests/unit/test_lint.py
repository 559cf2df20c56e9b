"""The check of all commands before anything is consumed."""

from __future__ import annotations

import pytest

from pegasus import lint as linting
from pegasus.errors import HostsFileError, QueueFileError, TemplateError
from pegasus.files.entries import HOSTS, QUEUE, read
from pegasus.files.source import Source
from pegasus.filling import cancel_command
from pegasus.lint import Linter
from pegasus.model import Host, Job, Node, Options, Slots

HOST = Host("node-1", "node-1")
PLAIN = Node(0, HOST)
GPU = Node(1, HOST, (("gpu", "0"),))


def lint(text: str, *nodes: Node) -> None:
    linter = Linter(nodes)
    for entry in read(Source(text.encode(), "queue.yaml", QueueFileError), QUEUE):
        linter(entry)


def nodes_of(text: str) -> list[Node]:
    """The nodes of a hosts.yaml."""
    entries = read(Source(text.encode(), "hosts.yaml", HostsFileError), HOSTS)
    return [
        Node(index, HOST, params, entry.options)
        for index, entry in enumerate(entries)
        for _, params in entry.expand()
    ]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("- echo {{ cut\n", "queue.yaml:1:8: "),
        ("- fine\n- command: [echo, '{{ gone }}']\n", "queue.yaml:2:20: "),
        ("- command: |\n    fine\n    echo {{ gone }}\n", "queue.yaml:3:10: "),
        ("- command: echo {{ a }} {{ b }}\n  a: 1\n", "queue.yaml:1:25: "),
    ],
)
def test_each_command_of_each_entry_is_filled(text: str, place: str) -> None:
    with pytest.raises(QueueFileError) as caught:
        lint(text, PLAIN)
    assert str(caught.value).startswith(place)


def test_each_value_is_tried_where_it_decides() -> None:
    with pytest.raises(QueueFileError, match="gone"):
        lint("- command: x {{#if p}}{{gone}}{{/if}}\n  p: ['', a]\n", PLAIN)


def test_each_kind_of_node_is_tried() -> None:
    lint("- echo {{ gpu }}\n", GPU)
    with pytest.raises(QueueFileError, match="gpu"):
        lint("- echo {{ gpu }}\n", GPU, PLAIN)


def test_without_nodes_templates_are_only_parsed() -> None:
    lint("- echo {{ whatever }}\n")
    with pytest.raises(QueueFileError):
        lint("- echo {{#if x}}\n")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("- fine\n- {command: a, options: {cancel: 'kill {{ cut'}}\n", "queue.yaml:2:40: "),
        ("- {command: a, options: {cancel: 'kill {{ gone }}'}}\n", "queue.yaml:1:40: "),
        ("- command: a\n  options:\n    cancel: |\n      a\n      {{gone}}\n", "queue.yaml:5:7: "),
        ("- a\n- x: 1\n  options: {cancel: '{{x}} {{y}}'}\n", "queue.yaml:3:28: "),
        (
            "- {command: a, p: ['', b], options: {cancel: '{{#if p}}{{q}}{{/if}}'}}\n",
            "queue.yaml:1:",
        ),
    ],
)
def test_what_cancels_a_job_is_filled_as_its_command_is(text: str, place: str) -> None:
    with pytest.raises(QueueFileError) as caught:
        lint(text, PLAIN)
    assert str(caught.value).startswith(place)


def test_what_cancels_a_job_has_all_that_its_command_has() -> None:
    text = "- {command: a, x: 1, options: {cancel: '{{ hostname }} {{ gpu }} {{ x }}'}}\n"
    lint(text, GPU)
    with pytest.raises(QueueFileError, match="gpu"):
        lint(text, PLAIN, GPU)


CONTAINER = "- n\n- hostname: n\n  gpu: 1\n  options:\n    cancel: kill {{ gpu }} {{ pid }}\n"


@pytest.mark.parametrize(
    "text",
    [
        "- {command: a, pid: [1, 2]}\n",
        "- {command: a, options: {cancel: b}}\n",
        "- a\n- pid: 1\n  x: 2\n",
        "- a\n- options: {cancel: b}\n",
    ],
)
def test_what_a_node_lacks_may_come_from_the_job(text: str) -> None:
    lint(text, *nodes_of(CONTAINER))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("- {command: a, pid: 1}\n- b\n", "queue.yaml:2:3"),
        ("- {command: a, pid: 1}\n- command: [b, c]\n  x: 1\n", "queue.yaml:2:13"),
        ("- {command: a, pid: 1}\n- {command: b, options: {retries: 2}}\n", "queue.yaml:2:13"),
    ],
)
def test_what_a_node_says_must_fill_for_each_job(text: str, place: str) -> None:
    with pytest.raises(HostsFileError) as caught:
        lint(text, *nodes_of(CONTAINER))
    assert str(caught.value).startswith(
        f"hosts.yaml:5:28: there is no parameter `pid`, for the command at {place}; "
    )


def test_each_template_of_the_nodes_is_tried() -> None:
    cancels = ["a", "{{ gone }}", "{{#if p}}{{ other }}{{/if}}"]
    for cancel in cancels[1:]:
        text = "".join(f"- {{hostname: n, options: {{cancel: '{c}'}}}}\n" for c in ("a", cancel))
        with pytest.raises(HostsFileError, match=r"gone|other"):
            lint("- {command: a, p: ['', b]}\n", *nodes_of(text))


def test_values_are_tried_where_they_decide_what_cancels() -> None:
    nodes = nodes_of("- {hostname: n, options: {cancel: '{{#if p}}{{ q }}{{/if}}'}}\n")
    lint("- {command: a, p: ''}\n", *nodes)
    with pytest.raises(HostsFileError, match=r"`q`, for the command at queue\.yaml:2:13"):
        lint("- {command: a, p: ''}\n- {command: a, p: [b]}\n", *nodes)


@pytest.mark.parametrize(
    ("cancel", "text", "most"),
    [
        ("kill {{ pid }}", "- {command: a, pid: [1, 2, 3]}\n" * 50, 1),
        ("kill {{#if x}}y{{/if}}", "- a\n" * 50, 1),
        ("kill {{#if x}}y{{/if}}", "- {command: a, x: [1, 2, 3]}\n" * 50, 150),
    ],
)
def test_what_is_settled_is_not_tried_again(
    monkeypatch: pytest.MonkeyPatch, cancel: str, text: str, most: int
) -> None:
    tried: list[Job] = []
    real = linting.filled

    def filled(name: str, template: str, job: Job, node: Node, slots: Slots) -> str:
        tried.append(job)
        return real(name, template, job, node, slots)

    monkeypatch.setattr(linting, "filled", filled)
    lint(text, *nodes_of(f"- hostname: n\n  x: [1, 2]\n  options: {{cancel: '{cancel}'}}\n"))
    assert len(tried) == most


def test_the_command_that_cancels_is_the_jobs_or_else_the_nodes() -> None:
    own, other = Options("own {{ gpu }}{{ x }}"), Options("node {{ gpu }}{{ x }} {{ hostname }}")
    node = Node(0, HOST, (("gpu", "0"),), other)
    assert cancel_command(Job("a", (("x", "1"),), own), node) == "own 01"
    assert cancel_command(Job("a", (("x", "1"),), Options(timeout=1)), node) == "node 01 node-1"
    assert cancel_command(Job("a"), PLAIN) is None


def test_what_can_not_be_filled_is_said_where_it_stands() -> None:
    (node,) = nodes_of("- {hostname: n, options: {cancel: 'a {{ x }}'}}\n")
    (entry,) = read(
        Source(b"- {command: b, options: {cancel: '{{ y }}'}}\n", "queue.yaml", QueueFileError),
        QUEUE,
    )
    with pytest.raises(
        HostsFileError, match=r"^hosts\.yaml:1:38: .*`x`, for the .*queue.yaml:1:13"
    ):
        cancel_command(Job("b", source=entry.heads[0]), node)
    with pytest.raises(HostsFileError, match=r"^hosts\.yaml:1:38: there is no parameter `x`;"):
        cancel_command(Job("b"), node)
    with pytest.raises(QueueFileError, match=r"^queue\.yaml:1:35: .*`y`"):
        cancel_command(Job("b", (), entry.options, source=entry.heads[0]), node)
    with pytest.raises(TemplateError, match="`z`"):
        cancel_command(Job("b", (), Options("{{ z }}")), node)
