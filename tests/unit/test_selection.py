"""Which nodes `--limit` and `--exclude` choose, and the `on` of a job."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from story import OTHER, Story

from pegasus.errors import SettingsError
from pegasus.files import hosts
from pegasus.journal import records
from pegasus.journal.failed import last_run
from pegasus.model import Node
from pegasus.patterns import ExpressionError
from pegasus.selection import LastRun, choose, known_by, matching

HOSTS = """\
- hostname: node-[1-3]
  gpu: [a100, h100]
- root@node-4:22
- login
- kim@[fe80::1]:2222
- hostname: big
  tags: "x,y (z)"
  empty: ''
"""
#: The numbers of these nodes.
N1, N2, N3 = {0, 1}, {2, 3}, {4, 5}
A100, H100 = {0, 2, 4}, {1, 3, 5}
N4, LOGIN, IPV6, BIG = {6}, {7}, {8}, {9}
ALL = set(range(10))


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> list[Node]:
    path: Path = tmp_path_factory.mktemp("nodes") / "hosts.yaml"
    path.write_text(HOSTS)
    return hosts.load(path)


def never() -> LastRun:
    raise AssertionError("nobody asked about the last run")


def chosen(nodes: list[Node], limit: str = "", exclude: str = "") -> set[int]:
    return {node.index for node in choose(nodes, limit, exclude, never)}


@pytest.mark.parametrize(
    ("limit", "indices"),
    [
        ("", ALL),
        ("*", ALL),
        ("node-1", N1),
        ("node-[1-2]", N1 | N2),
        ("node-[1,3]", N1 | N3),
        ("node-[2-99]", N2 | N3 | N4),
        ("node-1,login", N1 | LOGIN),
        (" node-1 , login ", N1 | LOGIN),
        ("node-*", N1 | N2 | N3 | N4),
        ("*[1-2]", N1 | N2 | IPV6),
        ("*2", N2),  # And no port.
        ("root*", None),  # And no user.
        ("node-?", N1 | N2 | N3 | N4),
        ("n*1", N1),
        ("node-4", N4),
        ("root@node-4", N4),
        ("root@node-4:22", N4),
        ("node-4:22", N4),
        ("root@*", N4),
        ("*@*", N4 | IPV6),
        ("None@*", None),
        ("*:22", N4),
        ("fe80::1", IPV6),
        ("[fe80::1]", IPV6),
        ("[fe80::1]:2222", IPV6),
        ("kim@[fe80::1]", IPV6),
        ("kim@[fe80::1]:2222", IPV6),
        ("gpu=a100", A100),
        ("gpu = a100", A100),
        ("gpu=*100", A100 | H100),
        ("gpu=[a-z]*", None),
        ("gpu=?100", A100 | H100),
        ("gpu=*", A100 | H100),
        ("!gpu=*", ALL - A100 - H100),
        ("gpu=a[100-200]", A100),
        ("empty=", BIG),
        ("tags='x,y (z)'", BIG),
        ('tags="x,y"*', BIG),
        ("tags='x'*z*", BIG),
        ("tags='*'", None),
        ("node-1&gpu=a100", {0}),
        ("node-*!node-3", N1 | N2 | N4),
        ("node-*!node-3,login", N1 | N2 | N4 | LOGIN),
        ("login,node-1&gpu=a100", {0}),  # From left to right, all alike.
        ("gpu=a100^node-1", {1, 2, 4}),
        ("!node-*", LOGIN | IPV6 | BIG),
        ("node-1,!gpu=a100", {1}),
        ("node-1,&gpu=a100", {0}),
        ("node-1&!gpu=a100", {1}),
        ("'node-1'", N1),
        ("'gpu'=a100", None),
        ("'node-'[1-2]", N1 | N2),
    ],
)
def test_expressions(nodes: list[Node], limit: str, indices: set[int] | None) -> None:
    if indices is None:
        with pytest.raises(SettingsError, match=r"limit: (no node matches|column)"):
            chosen(nodes, limit)
        return
    assert chosen(nodes, limit) == indices
    if ALL - indices:
        assert chosen(nodes, exclude=limit or "*") == ALL - indices


@pytest.mark.parametrize(
    ("on", "indices"),
    [
        ("", ALL),
        (" ", ALL),
        ("*", ALL),
        ("node-[1-3]&gpu=a100", A100),
        ("!gpu=*", N4 | LOGIN | IPV6 | BIG),
        ("node-*!node-3", N1 | N2 | N4),
        ("none", set()),
        ("none,login", LOGIN),
        ("login&none", set()),
        ("gpu=a1", set()),
        ("!none", ALL),
        ("login^none", LOGIN),
        ("'@failed'", set()),
    ],
)
def test_a_job_is_bound_to_nodes_that_may_be_missing(
    nodes: list[Node], on: str, indices: set[int]
) -> None:
    assert [node.index for node in matching(nodes, on)] == sorted(indices)
    assert matching([], on) == []


@pytest.mark.parametrize(
    ("on", "column", "says"),
    [
        ("@failed", 1, "@failed changes from run to run; it is for --limit and --exclude"),
        ("login,@all", 7, "@all changes"),
        ("a,,b", 2, "does not join"),
        ("a[1", 2, "a bracket is opened"),
        ("a (x)", 3, "no host is called so"),
    ],
)
def test_a_wrong_expression_is_wrong_without_any_node(
    nodes: list[Node], on: str, column: int, says: str
) -> None:
    for some in (nodes, []):
        with pytest.raises(ExpressionError, match=re.escape(says)) as caught:
            matching(some, on)
        assert caught.value.column == column


def test_nodes_keep_their_order_and_their_indices(nodes: list[Node]) -> None:
    assert choose(nodes, "login,node-2", "", never) == [nodes[2], nodes[3], nodes[7]]


def test_what_is_excluded_is_taken_from_what_it_is_limited_to(nodes: list[Node]) -> None:
    assert chosen(nodes, "node-[1-2]", "gpu=a100") == {1, 3}


@pytest.mark.parametrize(
    ("limit", "says"),
    [
        ("node-[1-3", "column 6 of `node-[1-3`: a bracket is opened and not closed"),
        ("login,node-[a-b]", "column 13 of `login,node-[a-b]`: [a-b] is no range of numbers"),
        ("node-1]", "column 7 of `node-1]`: a bracket is closed and was not opened"),
        ("node-1,,login", "column 7 of `node-1,,login`: `,,` does not join terms"),
        ("node-1,", "column 8 of `node-1,`: a term is missing behind `,`"),
        (",node-1", "column 1 of `,node-1`: a term is missing in front of `,`"),
        ("a='x", "column 3 of `a='x`: there is a ' without a second one"),
        ("node-1,@gpu", "column 8 of `node-1,@gpu`: there is no @gpu; @failed is all"),
        ("@failed1", "there is no @failed1"),
        ("gpu!=a100", "column 5 of `gpu!=a100`: a parameter is missing in front of =; all but"),
        ("node-1 (gpu=a100)", "no node matches `node-1 (gpu=a100)`"),
        ("node-1 (x)", "column 8 of `node-1 (x)`: no host is called so; nodes with a parameter"),
        ("n[1-999999999]", "makes 999,999,999 names; 100,000 are the most"),
        ("\x1b[2J", "`\\x1b[2J`"),
    ],
)
def test_the_mistake_is_pointed_at(nodes: list[Node], limit: str, says: str) -> None:
    for setting in ("limit", "exclude"):
        with pytest.raises(SettingsError) as caught:
            chosen(nodes, **{setting: limit})
        assert str(caught.value).startswith(f"{setting}: ")
        assert says in str(caught.value)


THERE = (
    "there are node-[1-3] (gpu=a100), node-[1-3] (gpu=h100), "
    "root@node-4:22,login,kim@[fe80::1]:2222, big (tags=x,y (z),empty=)"
)


@pytest.mark.parametrize(
    ("limit", "missing"),
    [
        ("node-9", "node-9"),
        ("login,node-9", "node-9"),
        ("cpu=1", "cpu=1"),
        ("GPU=a100", "GPU=a100"),
    ],
)
def test_a_term_that_no_node_matches_is_an_error_that_lists_the_nodes(
    nodes: list[Node], limit: str, missing: str
) -> None:
    for setting in ("limit", "exclude"):
        with pytest.raises(SettingsError) as caught:
            chosen(nodes, **{setting: limit})
        assert str(caught.value) == f"{setting}: no node matches `{missing}`; {THERE}"


def test_terms_that_have_nothing_in_common_choose_nothing(nodes: list[Node]) -> None:
    with pytest.raises(SettingsError) as caught:
        chosen(nodes, "node-1&login")
    assert str(caught.value) == f"limit: no node matches `node-1&login`; {THERE}"


def test_to_exclude_all_is_an_error(nodes: list[Node]) -> None:
    with pytest.raises(SettingsError) as caught:
        chosen(nodes, "node-[1-2]", "node-*")
    assert str(caught.value) == (
        "exclude: `node-*` leaves none of these nodes: node-[1-2] (gpu=a100), node-[1-2] (gpu=h100)"
    )


def test_a_hundred_thousand_nodes_are_chosen_from_at_once(nodes: list[Node]) -> None:
    many = [Node(n, nodes[0].host, (("n", str(n)),)) for n in range(100_000)]
    begun = time.process_time()
    assert len(choose(many, "node-1&n=[1-90000]", "n=*1", never)) == 81_000
    assert time.process_time() - begun < 10  # It takes one second; a square of it, minutes.


@pytest.mark.parametrize(
    ("limit", "says"),
    [
        (
            "n[1-1000]'-'m[1-1000]",
            "column 1 of `n[1-1000]'-'m[1-1000]`: this makes 1,000,000 names;",
        ),
        (
            "login,*[1-20000]",
            "column 7 of `login,*[1-20000]`: this makes 20,000 names with * or ?;",
        ),
        ("*" * 60 + "[8-9]", "no node matches"),
    ],
)
def test_a_pattern_that_would_take_for_ever_is_answered_at_once(
    nodes: list[Node], limit: str, says: str
) -> None:
    begun = time.process_time()
    with pytest.raises(SettingsError, match=re.escape(says)):
        chosen(nodes, limit)
    assert time.process_time() - begun < 5


def test_a_wildcard_beside_many_numbers_is_tried_on_many_nodes_soon(tmp_path: Path) -> None:
    (tmp_path / "hosts.yaml").write_text("- node-[1-5000]\n")
    many = hosts.load(tmp_path / "hosts.yaml")
    begun = time.process_time()
    assert chosen(many, "*-[1-3000]") == {*range(3000)}
    assert time.process_time() - begun < 20


def test_a_long_list_of_nodes_is_cut(nodes: list[Node]) -> None:
    many = [Node(n, nodes[0].host, (("n", str(n)),)) for n in range(1000)]
    with pytest.raises(SettingsError) as caught:
        chosen(many, "other")
    assert str(caught.value).endswith("… (inv hosts shows all)")
    assert len(str(caught.value)) < 1200


@given(st.text("n1-[],&!^='\"@ *(", max_size=8))
def test_every_expression_is_answered(nodes: list[Node], limit: str) -> None:
    try:
        assert choose(nodes, limit, limit[::-1], LastRun)
    except SettingsError:
        return  # Any other error is a traceback.


# @failed


def known(node: Node) -> object:
    return known_by(node.host.text, node.params)


def test_failed_nodes_are_known_by_host_and_parameters(nodes: list[Node]) -> None:
    last = LastRun("0a", frozenset({known(nodes[1]), known(nodes[7]), known_by("gone", ())}))
    assert choose(nodes, "@failed", "", lambda: last) == [nodes[1], nodes[7]]
    assert choose(nodes, "@failed,node-4!login", "", lambda: last) == [nodes[1], nodes[6]]
    assert len(choose(nodes, "", "@failed", lambda: last)) == 8


@pytest.mark.parametrize(
    ("last", "says"),
    [
        (LastRun(), "; no run of this queue has ended yet; there are"),
        (LastRun("0a"), "; the last run (0a) failed on no node; there are"),
        (
            LastRun("0a", frozenset({known_by("gone", ())})),
            "; those on which the last run (0a) failed are not in hosts.yaml; there are",
        ),
    ],
)
def test_where_none_has_failed_a_limit_says_so_and_nothing_is_excluded(
    nodes: list[Node], last: LastRun, says: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        choose(nodes, "@failed", "", lambda: last)
    assert f"limit: no node matches `@failed`{says}" in str(caught.value)
    assert choose(nodes, "", "@failed", lambda: last) == nodes
    assert choose(nodes, "login!@failed", "", lambda: last) == [nodes[7]]


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path)


def failed(story: Story) -> tuple[str, set[str]]:
    """The last run's id, and the hosts on which it failed."""
    story.history.catch_up()
    last = last_run(story.history)
    return last.id, {host for host, _ in last.failed}  # type: ignore[misc]


def test_without_a_run_there_is_no_last_one(story: Story) -> None:
    assert failed(story) == ("", set())


@pytest.mark.parametrize(
    "outcome", ["failed", "signalled", "timed out", "lost", "unreachable", "cancelled"]
)
def test_nodes_on_which_an_attempt_did_not_succeed_have_failed(story: Story, outcome: str) -> None:
    story.begin()
    for number, node in ((1, 0), (2, 1)):
        story.take(number)
        story.start(number, node=node)
    story.finish(1, outcome)
    story.finish(2)
    story.end()
    assert failed(story) == ("0000000a", {"gpu-1"})


def test_what_was_made_good_has_not_failed(story: Story) -> None:
    story.begin()
    story.take(1)
    story.start(1)
    story.finish(1, "failed", again=True)
    story.start(1, attempt=2, node=1, repeats=1)
    story.finish(1, attempt=2)
    story.end()
    assert failed(story) == ("0000000a", set())


def test_a_command_that_never_started_is_no_failure_of_its_node(story: Story) -> None:
    story.begin()
    story.take(1)
    story.start(1)
    story.tell(records.NEVER_STARTED, job=1, attempt=1, problem="it broke")
    story.end()
    assert failed(story) == ("0000000a", set())


@pytest.mark.parametrize(
    "event", [records.NODE_UNREACHABLE, records.NODE_LOST, records.NODE_DISCONNECTED]
)
def test_nodes_that_were_not_to_be_had_have_failed(story: Story, event: str) -> None:
    story.begin()
    story.tell(event, node="gpu-2", index=1, host="gpu-2", params={}, problem="gone")
    story.end()
    assert failed(story) == ("0000000a", {"gpu-2"})


def test_what_ran_when_a_run_died_did_not_succeed(story: Story) -> None:
    story.begin()
    story.take(1)
    story.start(1, node=2)
    story.alive.clear()
    assert failed(story) == ("0000000a", {"gpu-3"})


def test_a_run_that_is_on_is_not_the_last_one(story: Story) -> None:
    story.begin()
    story.take(1)
    story.start(1)
    story.finish(1, "failed")
    story.end()
    story.alive.add(OTHER)
    story.begin(OTHER)
    assert failed(story) == ("0000000a", {"gpu-1"})
    story.end(OTHER)
    assert failed(story) == (OTHER, set())


def test_each_run_answers_for_its_own_attempts(story: Story) -> None:
    story.begin()
    story.take(1)
    story.start(1)
    story.finish(1, "failed")
    story.end()
    story.begin(OTHER)
    story.put_back(1, attempts=1)
    story.take(1, run=OTHER, attempts=1)
    story.end(OTHER)
    assert failed(story) == (OTHER, set())
