"""Ranges of host names in hosts.yaml."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from pegasus.errors import HostsFileError, TemplateError
from pegasus.files import hosts
from pegasus.model import Host, Node

Load = Callable[[str], list[Node]]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    monkeypatch.chdir(tmp_path)

    def load(text: str) -> list[Node]:
        path = Path("hosts.yaml")
        path.write_text(text)
        return hosts.load(path)

    return load


def labels(nodes: list[Node]) -> list[str]:
    return [node.label for node in nodes]


def test_a_plain_entry_is_expanded(load: Load) -> None:
    nodes = load("- login\n- root@node-[08-10]:2222\n- login\n")
    assert [node.host for node in nodes] == [
        Host("login", "login"),
        *(Host(f"root@node-{n}:2222", f"node-{n}", "root", 2222) for n in ("08", "09", "10")),
        Host("login", "login"),
    ]
    assert [node.index for node in nodes] == list(range(5))


def test_host_names_vary_slowest(load: Load) -> None:
    nodes = load("- hostname: rack[1-2]-n[1-2]\n  gpu: [0, 1]\n")
    assert labels(nodes) == [
        f"rack{rack}-n{n} (gpu={gpu})" for rack in (1, 2) for n in (1, 2) for gpu in (0, 1)
    ]


def test_a_list_of_host_names_may_hold_ranges_in_quotes(load: Load) -> None:
    assert labels(load("- hostname: ['b[1-2]', a]\n")) == ["b1", "b2", "a"]


def test_templates_are_filled_before_ranges_are_expanded(load: Load) -> None:
    nodes = load("- hostname: 'r{{ r }}-n[1-{{ r }}]'\n  r: [1, 2]\n  gpu: [0, 1]\n")
    assert labels(nodes) == [
        *("r1-n1 (r=1,gpu=0)", "r1-n1 (r=1,gpu=1)"),
        *("r2-n1 (r=2,gpu=0)", "r2-n1 (r=2,gpu=1)"),
        *("r2-n2 (r=2,gpu=0)", "r2-n2 (r=2,gpu=1)"),
    ]


def test_parameters_options_and_braces_are_not_expanded(load: Load) -> None:
    (node,) = load("- hostname: n-{1..3}\n  x: a[1-3]\n  options: {cancel: 'kill [1-3]'}\n")
    assert (node.label, node.options.cancel) == ("n-{1..3} (x=a[1-3])", "kill [1-3]")


def test_addresses_keep_their_brackets(load: Load) -> None:
    nodes = load("- '[::1]:22'\n- kim@[fe80::1]:22\n")
    assert [node.host.name for node in nodes] == ["::1", "fe80::1"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- ok\n- n-[1-3\n", "2:5: `n-[1-3`: a bracket is opened and not closed"),
        ("- hostname: n-[3-1]\n", "1:16: there is no number in the range 3-1"),
        ("- hostname: 'n-[a-b]'\n", "1:17: [a-b] is no range of numbers"),
        ("- {hostname: 'n-[1-{{ n }}]', n: x}\n", "1:14: [1-x] is no range of numbers"),
        ("- n[1-2]:0\n", "1:3: 'n1:0' is not a host: 0 is not a port"),
        ("- n[1-2],n7\n", "1:3: 'n1,n7' is not a host: there is `,` in it; each item is one"),
        ("- n[1-9]!n7\n", "there is `!` in it"),
        ("- n[1-9]&n7\n", "there is `&` in it"),
        ("- n[1-9]^n7\n", "there is `^` in it"),
        ("- node-*\n", "there is `*` in it"),
        ("- node-?\n", "there is `?` in it"),
        ("- '@gpu'\n", "'@gpu' is not a host: a name is missing"),
        ("- n[1-999999999][1-999999999]\n", "names; 100,000 are the most"),
        ("- n[1-60000]\n- m[1-60000]\n", "2:3: this makes more than 100,000 nodes"),
        ("- {hostname: 'n[1-60000]', g: [1, 2]}\n", "1:3: this makes more than 100,000 nodes"),
    ],
)
def test_what_is_wrong_is_placed(load: Load, text: str, says: str) -> None:
    with pytest.raises(HostsFileError) as caught:
        load(text)
    assert says in str(caught.value)
    assert str(caught.value).startswith("hosts.yaml:")


@pytest.mark.parametrize(
    "text", ["- hostname: [n-[1-3], m]\n", "- {hostname: n-[1-3]}\n", "- [1-3]\n", "- [1-3]-n\n"]
)
def test_where_yaml_sees_a_list_quotes_are_advised(load: Load, text: str) -> None:
    with pytest.raises(HostsFileError) as caught:
        load(text)
    assert str(caught.value).count("needs quotes, as in ['node-[1-3]']") == 1


def test_other_mistakes_of_yaml_get_no_such_advice(load: Load) -> None:
    with pytest.raises(HostsFileError) as caught:
        load("- [node]\n")
    assert "as in ['node-[1-3]']" not in str(caught.value)


def test_a_choice_that_can_not_be_filled_costs_no_other_node(tmp_path: Path) -> None:
    path = tmp_path / "hosts.yaml"
    path.write_text("- hostname: 'n[1-{{ n }}]'\n  n: [2, x]\n- m[1-2]\n")
    problems: list[Exception] = []
    assert labels(hosts.load(path, refuse=problems.append)) == ["n1 (n=2)", "n2 (n=2)", "m1", "m2"]
    assert len(problems) == 1


def test_nodes_in_front_of_one_that_can_not_be_filled_are_there(tmp_path: Path) -> None:
    def render(text: str, params: Mapping[str, object]) -> str:
        if params["n"] == "x":
            raise TemplateError("no number")
        return text.replace("{{ n }}", str(params["n"]))

    path = tmp_path / "hosts.yaml"
    path.write_text("- hostname: 'n[1-{{ n }}]'\n  n: [1, 2, x, 3]\n- m\n")
    problems: list[Exception] = []
    nodes = hosts.load(path, render, problems.append)
    assert labels(nodes) == ["n1 (n=1)", "n1 (n=2)", "n2 (n=2)", "m"]
    assert len(problems) == 1
