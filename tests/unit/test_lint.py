"""The check of all commands before anything is consumed."""

from __future__ import annotations

import pytest

from pegasus.errors import QueueFileError
from pegasus.files.entries import QUEUE, read
from pegasus.files.source import Source
from pegasus.lint import Linter
from pegasus.model import Host, Node

HOST = Host("node-1", "node-1")
PLAIN = Node(0, HOST)
GPU = Node(1, HOST, (("gpu", "0"),))


def lint(text: str, *nodes: Node) -> None:
    linter = Linter(nodes)
    for entry in read(Source(text.encode(), "queue.yaml", QueueFileError), QUEUE):
        linter(entry)


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
