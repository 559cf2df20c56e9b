"""docs/hosts.md: every row of its tables, as written."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from markdown_tables import code, tables, values
from project import Project

from pegasus.files import hosts
from pegasus.files.addresses import parse_hosts
from pegasus.selection import LastRun, choose

TEXT = (Path(__file__).parents[2] / "docs" / "hosts.md").read_text()
PATTERNS, CHOICES, TERMS, OPERATORS, TOP, NODE = tables(TEXT)
FILES = re.findall(r"^```yaml\n(.*?)^```", TEXT, re.M | re.S)


@pytest.mark.parametrize(("pattern", "names"), PATTERNS, ids=[row[0] for row in PATTERNS])
def test_patterns_stand_for_these_hosts(pattern: str, names: str) -> None:
    assert [host.text for host in parse_hosts(code(pattern), 100)] == values(names)


def test_the_first_example_is_a_hosts_file(tmp_path: Path) -> None:
    path = tmp_path / "hosts.yaml"
    path.write_text(FILES[0])
    assert len(hosts.load(path)) == 1 + 64 + 2 * 24 + 3


def test_the_slots_of_the_example_are_those_that_are_told(tmp_path: Path) -> None:
    path = tmp_path / "hosts.yaml"
    path.write_text(FILES[1])
    nodes = hosts.load(path)
    eight, four = tuple(range(8)), tuple(range(4))
    assert [node.slots for node in nodes] == [eight] * 4 + [(0, 1, 3), None, four]
    assert [node.has_gpus for node in nodes] == [False] * 5 + [True, True]
    old = "- {hostname: n, slots: [0, 1, 2, 3]}\n"
    path.write_text(old)
    assert [node.slots for node in hosts.load(path)] == [four]


@pytest.mark.parametrize(("expression", "labels"), CHOICES, ids=[row[0] for row in CHOICES])
def test_expressions_choose_these_nodes(tmp_path: Path, expression: str, labels: str) -> None:
    path = tmp_path / "hosts.yaml"
    path.write_text(FILES[2])
    chosen = choose(hosts.load(path), code(expression), "", LastRun)
    assert [node.label for node in chosen] == values(labels)


def test_operators_are_those_of_the_table() -> None:
    assert [values(name)[0][1] for name, _ in OPERATORS] == [",", "&", "!", "^"]


def test_json_has_the_fields_of_the_tables(project: Project) -> None:
    project.hosts("- localhost\n- root@127.0.0.1:1\n")
    shown = json.loads(project.run("hosts", "--ping", "--json").out)
    assert set(shown) == {code(name) for name, _ in TOP}
    for node in shown["nodes"]:
        assert list(node) == [code(name) for name, _ in NODE]
    del shown["reached"]
    assert set(json.loads(project.run("hosts", "--json").out)) == set(shown)
