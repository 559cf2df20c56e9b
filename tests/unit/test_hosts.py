"""hosts.yaml to nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from queuefiles import options_of

from pegasus.errors import HostsFileError, StorageError, TemplateError
from pegasus.files import hosts
from pegasus.files.addresses import parse_host
from pegasus.model import Host, Node, Options

Load = Callable[[str], list[Node]]


def render(template: str, params: Mapping[str, object]) -> str:
    """A stand-in for Handlebars that only knows `{{name}}`."""
    for name, value in params.items():
        template = template.replace("{{" + name + "}}", str(value))
    if "{{" in template:
        line = template[: template.index("{{")].count("\n") + 1
        column = template.index("{{") - template.rfind("\n", 0, template.index("{{"))
        raise TemplateError("no such parameter", line=line, column=column, hint="add it")
    return template


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def load(text: str) -> list[Node]:
        path = tmp_path / "hosts.yaml"
        path.write_text(text)
        return hosts.load(path, render)

    return load


def labels(nodes: list[Node]) -> list[str]:
    return [node.label for node in nodes]


def test_nodes_are_the_product_in_the_order_of_the_file(load: Load) -> None:
    nodes = load("- a: [1, 2]\n  hostname: [n1, n2]\n  b: [3, 4]\n- n3\n")
    assert labels(nodes) == [
        "n1 (a=1,b=3)",
        "n1 (a=1,b=4)",
        "n1 (a=2,b=3)",
        "n1 (a=2,b=4)",
        "n2 (a=1,b=3)",
        "n2 (a=1,b=4)",
        "n2 (a=2,b=3)",
        "n2 (a=2,b=4)",
        "n3",
    ]
    assert [node.index for node in nodes] == list(range(9))


def test_the_same_node_twice_is_two_nodes(load: Load) -> None:
    nodes = load("[localhost, localhost]")
    assert len({*nodes}) == 2
    assert labels(nodes) == ["localhost", "localhost"]


def test_parameters_keep_the_text_that_was_written(load: Load) -> None:
    assert load("- {hostname: n, x: [032, 1e-3, yes]}")[0].params == (("x", "032"),)


def test_host_names_are_templates(load: Load) -> None:
    nodes = load("- hostname: 'kim@gpu-{{rack}}:{{port}}'\n  rack: [a, b]\n  port: 2022\n")
    assert [node.host for node in nodes] == [
        Host("kim@gpu-a:2022", "gpu-a", "kim", 2022),
        Host("kim@gpu-b:2022", "gpu-b", "kim", 2022),
    ]


def test_host_names_are_filled_by_handlebars(tmp_path: Path) -> None:
    path = tmp_path / "hosts.yaml"
    path.write_text("- {hostname: 'n-{{ i }}', i: [1, 2]}")
    assert labels(hosts.load(path)) == ["n-1 (i=1)", "n-2 (i=2)"]


def test_a_template_that_can_not_be_filled_is_placed(load: Load, tmp_path: Path) -> None:
    with pytest.raises(HostsFileError) as caught:
        load("- n\n- hostname: [ok, 'gpu-{{i}}']\n")
    assert str(caught.value) == f"{tmp_path}/hosts.yaml:2:23: no such parameter; add it"


def test_a_host_that_is_none_is_placed(load: Load, tmp_path: Path) -> None:
    with pytest.raises(HostsFileError) as caught:
        load("- n\n- hostname: ['{{i}}', ok]\n  i: [ok, 'a b']\n")
    assert str(caught.value).startswith(f"{tmp_path}/hosts.yaml:2:14: 'a b' is not a host")


def test_options_hold_on_all_nodes_of_an_entry(load: Load) -> None:
    nodes = load(
        "- hostname: [n1, n2]\n  c: [0, 1]\n"
        "  options: {cancel: 'kill {{c}} {{pid}}', timeout: 2h}\n- n3\n"
    )
    found = options_of({"cancel": "kill {{c}} {{pid}}", "timeout": "2h"})
    assert [node.options for node in nodes] == [found] * 4 + [Options()]
    assert labels(nodes)[:2] == ["n1 (c=0)", "n1 (c=1)"]


def test_a_cancel_template_that_does_not_parse_is_placed(load: Load, tmp_path: Path) -> None:
    with pytest.raises(HostsFileError) as caught:
        load("- n\n- hostname: m\n  options:\n    cancel: kill {{#if x}}\n")
    assert str(caught.value).startswith(f"{tmp_path}/hosts.yaml:4:18: the block `if` is never")


@pytest.mark.parametrize("text", ["", "# nobody\n", "[]", "---\n"])
def test_an_empty_file_is_refused(load: Load, text: str) -> None:
    with pytest.raises(HostsFileError, match=r"hosts\.yaml: there is no host in it; write"):
        load(text)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HostsFileError, match=r"hosts\.yaml: there is no such file; write"):
        hosts.load(tmp_path / "hosts.yaml")


def test_a_file_that_can_not_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="can't be read"):
        hosts.load(tmp_path)


def test_more_nodes_than_the_limit_are_refused_with_their_number(load: Load) -> None:
    many = ", ".join(["n"] * 60_000)
    with pytest.raises(HostsFileError, match=r"hosts\.yaml: this makes 120,000 nodes; 100,000 are"):
        load(f"- hostname: [{many}]\n- hostname: [{many}]\n")


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("n", ("n", None, None)),
        ("gpu-1.example.org", ("gpu-1.example.org", None, None)),
        ("n:22", ("n", None, 22)),
        ("kim@n", ("n", "kim", None)),
        ("kim@corp.org@n:65535", ("n", "kim@corp.org", 65535)),
        ("192.0.2.1:1", ("192.0.2.1", None, 1)),
        ("::1", ("::1", None, None)),
        ("[::1]", ("::1", None, None)),
        ("[fe80::1%eth0]:22", ("fe80::1%eth0", None, 22)),
        ("kim@[2001:db8::1]:22", ("2001:db8::1", "kim", 22)),
        ("kim@2001:db8::1", ("2001:db8::1", "kim", None)),
    ],
)
def test_addresses(text: str, host: tuple[str, str | None, int | None]) -> None:
    assert parse_host(text) == Host(text, *host)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "a name is missing"),
        ("kim@", "a name is missing"),
        ("@n", "a name is missing"),
        (":22", "a name is missing"),
        ("[]:22", "a name is missing"),
        ("n:", "the port behind the colon is missing"),
        ("[::1]:", "the port behind the colon is missing"),
        ("n:0", "0 is not a port"),
        ("n:65536", "65536 is not a port"),
        ("n:99999999999999999999999", "is not a port"),
        ("n:ssh", "ssh is not a port"),
        ("n:²", "² is not a port"),
        ("n:-1", "-1 is not a port"),
        ("-oProxyCommand=x", "can't begin with a dash"),
        ("-l@n", "can't begin with a dash"),
        ("a b", "white space"),
        (" n", "white space"),
        ("n\n", "white space"),
        ("n\x07", "white space"),
        ("a:b:c", "a:b:c is not an IPv6 address"),
        ("[n]:22", "n is not an IPv6 address"),
        ("ssh://n", "//n is not a port"),
        ("[::1", "is not an IPv6 address"),
    ],
)
def test_what_is_no_address(text: str, says: str) -> None:
    with pytest.raises(HostsFileError) as caught:
        parse_host(text)
    assert says in str(caught.value)


@pytest.mark.parametrize("text", ["localhost", "LocalHost", "127.0.0.1", "::1", "[::1]"])
def test_this_machine_is_local(text: str) -> None:
    assert parse_host(text).is_local


@pytest.mark.parametrize("text", ["localhost:22", "kim@localhost", "[::1]:22", "localhost2"])
def test_an_address_with_user_or_port_is_not_local(text: str) -> None:
    assert not parse_host(text).is_local
