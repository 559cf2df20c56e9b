"""Names of nodes, folded and expanded as NodeSet does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest
from ClusterShell.NodeSet import RESOLVER_NOGROUP, NodeSet
from hypothesis import given
from hypothesis import strategies as st

from pegasus.model import Host, Node, Params
from pegasus.nodesets import PatternError, expand, fold

MOST = 1000


def nodes(*texts: str, params: Params = ()) -> list[Node]:
    return [Node(index, Host(text, text), params) for index, text in enumerate(texts)]


def numbered(pattern: str, last: int) -> list[str]:
    return [pattern.format(number) for number in range(1, last + 1)]


@pytest.mark.parametrize(
    ("names", "folded"),
    [
        ([], ""),
        (["node-7"], "node-7"),
        (numbered("node-{}", 63), "node-[1-63]"),
        (numbered("node-{:02}", 12), "node-[01-12]"),
        (["node-9", "node-1", "login", "node-2", "node-1"], "node-[1-2,9],login"),
        (["root@node-1:22", "node-1", "root@node-2:22"], "root@node-[1-2]:22,node-1"),
        ([f"rack{r}-node{n}" for r in (1, 2, 3) for n in range(1, 9)], "rack[1-3]-node[1-8]"),
        (["10.0.0.1", "10.0.0.2", "10.0.1.1"], "10.0.0.[1-2],10.0.1.1"),
    ],
)
def test_names_are_folded(names: list[str], folded: str) -> None:
    assert fold(nodes(*names)) == folded


def test_nodes_are_folded_among_those_with_the_same_parameters() -> None:
    zero, one = ((("gpu", "0"),), (("gpu", "1"), ("x", "y")))
    many = [*nodes("n1", "n2", params=zero), *nodes("n1", "n3", params=one), *nodes("n3")]
    assert fold(many) == "n[1-2] (gpu=0), n[1,3] (gpu=1,x=y), n3"


@pytest.mark.parametrize(
    "names",
    [
        ["[::1]:22", "[::2]:22"],
        ["fe80::1", "fe80::2"],
        ["a,1", "a,2"],
        ["n[1]", "n[2]"],
        ["n1!", "n2!"],
        ["n1*", "n2*"],
        ["a 1", "a 2"],
        ["n-\u0661", "n-\u0662"],  # Digits, which NodeSet would write as 1 and 2.
        ["9" * 200, "8" * 200],
        ["n%s1", "n%s2"],
    ],
)
def test_what_node_set_can_not_take_stays_as_it_is(names: list[str]) -> None:
    assert fold(nodes(*names)) == ",".join(names)


def test_what_would_command_the_terminal_is_harmless() -> None:
    assert fold(nodes("a\x1b[2J", params=(("k", "\n"),))) == "a\\x1b[2J (k=\\n)"


def test_a_group_is_not_looked_up() -> None:
    assert fold(nodes("@g1", "@g2")) == "@g[1-2]"


@given(st.lists(st.text(max_size=12)))
def test_whatever_nodes_are_called_they_can_be_folded(names: list[str]) -> None:
    folded = fold(nodes(*names))
    assert folded.isprintable()
    assert bool(folded) == any(names) or len({*names}) > 1


PART = st.sampled_from(["node", "-", "1", "01", "10", "007", "rack", ".", "0", "99", "x@", ":"])


@given(st.lists(st.lists(PART, min_size=1, max_size=6).map("".join), max_size=40))
def test_folded_names_expand_to_the_same_names(names: list[str]) -> None:
    names = [name for name in names if name.count(":") < 2]
    folded = fold(nodes(*names))
    patterns = re.findall(r"(?:\[[^\]]*\]|[^,])+", folded)
    assert sorted(name for one in patterns for name in expand(one, MOST)) == sorted({*names})


def test_thousands_of_names_without_any_order_are_folded_at_once() -> None:
    names = [f"ec2-{n * 7 % 251}-{n * 11 % 241}-{n * 13 % 239}-{n % 255}" for n in range(3000)]
    assert len(fold(nodes(*names))) > 3000


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("node-1", ["node-1"]),
        ("node-[08-11]", ["node-08", "node-09", "node-10", "node-11"]),
        ("node-[8-11]", ["node-8", "node-9", "node-10", "node-11"]),
        ("n[5,1-3]", ["n1", "n2", "n3", "n5"]),
        ("n[0-10/5]", ["n0", "n5", "n10"]),
        ("n[ 1 - 2 , 4 ]", ["n1", "n2", "n4"]),
        ("r[1-2]-n[1-2]", ["r1-n1", "r1-n2", "r2-n1", "r2-n2"]),
        ("root@n[1-2]:2222", ["root@n1:2222", "root@n2:2222"]),
        ("n:[22-23]", ["n:22", "n:23"]),
        ("[1-2].example.org", ["1.example.org", "2.example.org"]),
        ("n1[8-11]", ["n18", "n19", "n110", "n111"]),
        ("n[1-2][3-4]", ["n13", "n14", "n23", "n24"]),
        ("[::1]:22", ["[::1]:22"]),
        ("kim@[fe80::1%eth0]", ["kim@[fe80::1%eth0]"]),
        ("[n]:22", ["[n]:22"]),
        ("[::1", ["[::1"]),
        ("n-{1..3}", ["n-{1..3}"]),
        ("a,b", ["a,b"]),
    ],
)
def test_patterns_are_expanded(pattern: str, names: list[str]) -> None:
    assert expand(pattern, MOST) == names


@pytest.mark.parametrize(
    ("pattern", "says", "column"),
    [
        ("n[a-c]", "[a-c] is no range of numbers, such as [1-3,7]", 3),
        ("n[]", "[] is no range", 3),
        ("n[1-]", "[1-] is no range", 3),
        ("n[-1]", "[-1] is no range", 3),
        ("n[1 2]", "[1 2] is no range", 3),
        ("n[1,,2]", "[1,,2] is no range", 3),
        ("n[1]-m[3-1]", "there is no number in the range 3-1", 8),
        ("n[1-3/0]", "there is no number in the range 1-3/0", 3),
        ("n[01-100]", "01 and 100 differ in length", 3),
        ("n[0-010]", "0 and 010 differ in length", 3),
        ("n[1-3", "a bracket is opened and not closed", 2),
        ("n[[1-3]]", "a bracket is opened and not closed", 2),
        ("n[1-3]]", "a bracket is closed and was not opened", 7),
        ("]", "a bracket is closed and was not opened", 1),
        ("[", "a bracket is opened and not closed", 1),
        ("n[" + "9" * 5000 + "]", "…] is no range", 3),
    ],
)
def test_a_range_that_is_none_is_shown(pattern: str, says: str, column: int) -> None:
    with pytest.raises(PatternError) as caught:
        expand(pattern, MOST)
    assert says in str(caught.value)
    assert caught.value.column == column
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("pattern", "count"),
    [
        ("n[1-1001]", "1,001"),
        ("n[1-1000000000]", "1,000,000,000"),
        ("n[1-999999999][1-999999999]", "999,999,998,000,000,001"),
        ("n[1-999999999][1-999999999][1-999999999]", "over 10^18"),
    ],
)
def test_too_many_names_are_counted_and_not_made(pattern: str, count: str) -> None:
    expand("n[1-2]", MOST)  # ClusterShell is loaded by then.
    tracemalloc.start()
    with pytest.raises(PatternError, match=re.escape(f"makes {count} names; 1,000 are the most")):
        expand(pattern, MOST)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


@given(st.text("0123-,/ ", min_size=1, max_size=9))
def test_ranges_are_those_of_node_set(ranges: str) -> None:
    try:
        names = expand(f"n[{ranges}]", MOST)
    except PatternError:
        return
    assert names == [*NodeSet(f"n[{ranges}]", resolver=RESOLVER_NOGROUP)]


TRAP = """\
[Main]
default: trap
[trap]
map: touch {trap}; echo trapped
all: touch {trap}; echo trapped
"""


def test_no_configuration_of_cluster_shell_has_a_say(tmp_path: Path) -> None:
    trap = tmp_path / "sprung"
    (tmp_path / "groups.conf").write_text(TRAP.format(trap=trap))
    (tmp_path / "defaults.conf").write_text("[nodeset]\nfold_axis: 0\n")
    code = (
        "from pegasus.nodesets import expand, fold; from pegasus.model import Host, Node;"
        "names = ['@gpu', '*', 'a1-b1', 'a1-b2', 'a2-b1', 'a2-b2'];"
        "print(fold(Node(0, Host(name, name)) for name in names), expand('x@gpu[1-2]', 9))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "CLUSTERSHELL_CFGDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == "@gpu,*,a[1-2]-b[1-2] ['x@gpu1', 'x@gpu2']\n"
    assert not trap.exists()


def test_a_broken_configuration_of_cluster_shell_breaks_nothing(tmp_path: Path) -> None:
    (tmp_path / "defaults.conf").write_text("this is none\n")
    code = (
        "from pegasus.nodesets import fold; from pegasus.model import Host, Node;"
        "print(fold(Node(0, Host(name, name)) for name in ['a1', 'a2']))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "CLUSTERSHELL_CFGDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == "a1,a2\n"
