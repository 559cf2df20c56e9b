"""The nodes of a run, kept up with a hosts.yaml that changes under it."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from peeking import peek
from project import write_at_once

from pegasus import roster as rosters
from pegasus import storage
from pegasus.events import Event, HostsMended, HostsRefused
from pegasus.files import hosts
from pegasus.files.queuefile import QueueFile
from pegasus.inputs import Choice
from pegasus.lint import Linter
from pegasus.model import Node
from pegasus.roster import RESTLESS, SETTLING, Change, Roster
from pegasus.selection import LastRun, known_by
from pegasus.settings import Settings

ONE_TWO = "- gpu-1\n- gpu-2\n"


class Desk:
    """Somebody who edits hosts.yaml, and a roster that looks at it, by a clock of its own."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.hosts, self.queue = folder / "hosts.yaml", folder / "queue.yaml"
        self.now = 1000.0
        self.events: list[Event] = []
        monkeypatch.setattr(rosters, "time", SimpleNamespace(monotonic=lambda: self.now))
        self.write("- gpu-1\n- gpu-2\n")
        self.write_queue("- echo {{ hostname }}\n")

    def write(self, text: str) -> None:
        write_at_once(self.hosts, text.encode())

    def write_queue(self, text: str) -> None:
        write_at_once(self.queue, text.encode())

    def begin(self, limit: str = "", exclude: str = "") -> None:
        settings = Settings(str(self.hosts), str(self.queue), limit=limit, exclude=exclude)
        choice = Choice(settings)
        self.nodes = choice(hosts.load(self.hosts))
        consumed = self.queue.with_name("consumed.yaml")
        self.file = QueueFile(self.queue, consumed, lint=Linter(self.nodes))
        self.roster = Roster(
            choice,
            self.nodes,
            self.file,
            self.events.append,
            linter=Linter,
            relint=self.file.lint_with,
        )
        self.file.look()

    def look(self) -> Change | None:
        """Look until what is there has settled, as a mode does."""
        for _ in range(5):
            change = self.roster.look()
            self.now += SETTLING
            if change is not None:
                return change
        return None

    @property
    def refused(self) -> list[str]:
        return [str(event.error) for event in self.events if isinstance(event, HostsRefused)]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    made = Desk(tmp_path, monkeypatch)
    made.begin()
    return made


def names(nodes: tuple[Node, ...]) -> list[tuple[int, str]]:
    return [(node.index, node.label) for node in nodes]


def test_a_file_that_stays_the_same_costs_a_look_at_its_signature_alone(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> list[Node]:
        raise AssertionError("it was read")

    monkeypatch.setattr(hosts, "load", fail)
    assert desk.look() is None
    assert desk.events == []


def test_a_new_node_is_added_with_an_index_that_none_has_had(desk: Desk) -> None:
    desk.write("- gpu-3\n- gpu-1\n- gpu-2\n")
    change = desk.look()
    assert change
    assert (names(change.added), change.removed, change.returned) == ([(2, "gpu-3")], (), ())
    assert desk.look() is None
    desk.write("- gpu-1\n- gpu-2\n- gpu-4\n")
    change = desk.look()
    assert change
    assert names(change.added) == [(3, "gpu-4")]
    assert names(change.removed) == [(2, "gpu-3")]


def test_a_node_that_is_back_is_the_same_as_before(desk: Desk) -> None:
    desk.write("- gpu-1\n")
    change = desk.look()
    assert change
    assert change.removed == (desk.nodes[1],)
    desk.write("- gpu-9\n- gpu-2\n- gpu-1\n")
    change = desk.look()
    assert change
    assert len(change.returned) == 1
    assert change.returned[0] is desk.nodes[1]
    assert names(change.added) == [(2, "gpu-9")]
    assert change.removed == ()


@pytest.mark.parametrize(
    "text",
    [
        "- gpu-1\n- hostname: gpu-2\n  slots: 4\n",
        "- gpu-1\n- hostname: gpu-2\n  options: {timeout: 1h}\n",
        "- gpu-1\n- hostname: gpu-2\n  container: a\n",
    ],
)
def test_a_node_with_other_slots_options_or_parameters_is_another_node(
    desk: Desk, text: str
) -> None:
    if "slots" in text and hosts.load(desk.hosts)[0].slots is None:
        pytest.skip("hosts.yaml has no slots yet")
    desk.write(text)
    change = desk.look()
    assert change
    assert change.removed == (desk.nodes[1],)
    assert [node.index for node in change.added] == [2]


@pytest.mark.parametrize(
    "text",
    [
        "# a comment\n- gpu-2\n- gpu-1\n",
        "- 'gpu-[1-2]'\n",
        "- hostname: [gpu-1, gpu-2]\n",
        "- gpu-1\n- gpu-2\n",
    ],
)
def test_the_same_nodes_in_other_words_are_no_change(desk: Desk, text: str) -> None:
    desk.write(text)
    assert desk.look() is None
    assert desk.events == []


def test_the_order_of_parameters_and_how_options_are_written_make_no_difference(
    desk: Desk,
) -> None:
    desk.write("- hostname: gpu-1\n  a: 1\n  b: 2\n  options: {timeout: 1h}\n")
    desk.begin()
    desk.write("- hostname: gpu-1\n  options: {timeout: 60m}\n  b: 2\n  a: 1\n")
    assert desk.look() is None


def test_touching_the_file_is_no_change(desk: Desk) -> None:
    os.utime(desk.hosts, ns=(1, 2_000_000_000))
    assert desk.look() is None
    os.utime(desk.hosts, ns=(1, 4_000_000_000_000_000_000))  # In a far future.
    assert desk.look() is None
    desk.write("- gpu-1\n- gpu-2\n- gpu-3\n")
    assert desk.look()


def test_nodes_that_are_written_alike_are_counted(desk: Desk) -> None:
    desk.write("- gpu-1\n- gpu-1\n- gpu-1\n")
    desk.begin()
    desk.write("- gpu-1\n")
    change = desk.look()
    assert change
    assert names(change.removed) == [(1, "gpu-1"), (2, "gpu-1")]
    desk.write("- gpu-1\n" * 4)
    change = desk.look()
    assert change
    assert names(change.returned) == [(1, "gpu-1"), (2, "gpu-1")]
    assert names(change.added) == [(3, "gpu-1")]


def test_a_change_is_not_looked_at_before_the_file_has_settled(desk: Desk) -> None:
    for text in ("", "- gpu-1\n", "- gpu-1\n- gpu-2\n- gp", "- gpu-1\n- gpu-2\n- gpu-3\n"):
        desk.hosts.write_text(text)  # In place and in pieces, as some editors do.
        assert desk.roster.look() is None
        desk.now += SETTLING / 2
        assert desk.roster.look() is None
    assert desk.events == []
    desk.now += SETTLING / 2
    change = desk.roster.look()
    assert change
    assert names(change.added) == [(2, "gpu-3")]


def test_a_file_that_never_stays_the_same_is_read_all_the_same(desk: Desk) -> None:
    found: list[Change] = []
    for turn in range(200):
        desk.write("- gpu-1\n- gpu-2\n- gpu-3\n" + f"# {turn}\n")
        if change := desk.roster.look():
            found.append(change)
        desk.now += 3 * RESTLESS / 200
    assert [names(change.added) for change in found] == [[(2, "gpu-3")]]
    assert desk.events == []


def test_a_file_that_changes_while_it_is_read_is_read_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = hosts.load

    def interrupted(path: Path, **more: object) -> list[Node]:
        found = load(path, **more)  # type: ignore[arg-type]
        if len(found) == 1:
            desk.write("- gpu-1\n- gpu-2\n- gpu-3\n")
        return found

    monkeypatch.setattr(hosts, "load", interrupted)
    desk.write("- gpu-1\n")
    change = desk.look()
    assert change
    assert change.removed == ()
    assert names(change.added) == [(2, "gpu-3")]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "there is no host in it"),
        ("# nothing\n", "there is no host in it"),
        ("[]\n", "there is no host in it"),
        ("- gpu-1\n- {\n", "this is not YAML"),
        ("- gpu-1\n- hostname: gpu-2\n  options: {cancel: '{{'}\n", "yaml:3:22: this tag is"),
        ("- gpu-[3-1]\n", "no number in the range 3-1"),
    ],
)
def test_what_is_wrong_is_said_once_changes_nothing_and_its_end_is_said(
    desk: Desk, text: str, problem: str
) -> None:
    desk.write(text)
    assert desk.look() is None
    assert desk.look() is None
    assert len(desk.refused) == 1
    assert problem in desk.refused[0]
    desk.write(text)
    assert desk.look() is None
    assert len(desk.refused) == 1
    desk.write(ONE_TWO)
    assert desk.look() is None
    assert [type(event) for event in desk.events] == [HostsRefused, HostsMended]


def test_all_that_is_wrong_is_said_at_once(desk: Desk) -> None:
    desk.write("- 'a b'\n- gpu-1\n- 'c d'\n")
    assert desk.look() is None
    assert "2 problems:" in desk.refused[0]


def test_a_missing_file_removes_no_node(desk: Desk) -> None:
    desk.hosts.unlink()
    assert desk.look() is None
    assert "there is no such file" in desk.refused[0]
    desk.write("- gpu-1\n- gpu-2\n- gpu-3\n")
    assert desk.look()
    assert isinstance(desk.events[-1], HostsMended)


def test_a_file_that_is_gone_for_a_moment_is_not_missed(desk: Desk) -> None:
    desk.hosts.unlink()
    assert desk.roster.look() is None
    desk.now += SETTLING / 2
    desk.write(ONE_TWO)
    assert desk.look() is None
    assert desk.events == []


def test_a_file_that_can_not_be_read_is_tried_again(desk: Desk) -> None:
    desk.hosts.unlink()
    desk.hosts.mkdir()
    assert desk.look() is None
    assert "hosts.yaml: can't be read" in desk.refused[0]
    desk.hosts.rmdir()
    desk.write(ONE_TWO)
    assert desk.look() is None
    assert isinstance(desk.events[-1], HostsMended)


def test_a_disk_that_fails_for_a_while_is_tried_again_though_the_file_is_the_same(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.write("- gpu-1\n- gpu-2\n- gpu-3\n")
    read = storage.read
    monkeypatch.setattr(storage, "read", broken)
    assert desk.look() is None
    assert "can't be read" in desk.refused[0]
    monkeypatch.setattr(storage, "read", read)
    assert desk.look()
    assert isinstance(desk.events[-1], HostsMended)


def broken(path: Path) -> bytes:
    raise storage.failure(path, "read", OSError(5, "Input/output error"))


def test_a_link_is_followed_and_may_lead_elsewhere(desk: Desk) -> None:
    real = desk.hosts.with_name("real.yaml")
    desk.hosts.rename(real)
    desk.hosts.symlink_to(real)
    desk.begin()
    write_at_once(real, b"- gpu-1\n- gpu-2\n- gpu-3\n")
    assert desk.look()
    other = desk.hosts.with_name("other.yaml")
    other.write_text("- gpu-1\n")
    desk.hosts.unlink()
    desk.hosts.symlink_to(other)
    change = desk.look()
    assert change
    assert names(change.removed) == [(1, "gpu-2"), (2, "gpu-3")]
    assert desk.events == []


def test_a_mistake_of_a_helper_is_said_and_does_not_get_out(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosts, "load", lambda *_, **__: 1 / 0)
    desk.write("- gpu-3\n")
    assert desk.look() is None
    assert "internal error: ZeroDivisionError" in desk.refused[0]


# --limit and --exclude.


def test_new_nodes_are_chosen_as_at_the_beginning(desk: Desk) -> None:
    desk.begin("gpu-*", "gpu-2")
    desk.write("- gpu-1\n- gpu-2\n- cpu-1\n- gpu-3\n")
    change = desk.look()
    assert change
    assert names(change.added) == [(1, "gpu-3")]


def test_a_node_that_limit_or_exclude_name_may_be_removed(desk: Desk) -> None:
    desk.write("- gpu-1\n- gpu-2\n- gpu-3\n")
    desk.begin("gpu-1,gpu-2,gpu-3", "gpu-3")
    desk.write("- gpu-1\n")
    change = desk.look()
    assert change
    assert names(change.removed) == [(1, "gpu-2")]
    assert desk.events == []


def test_a_limit_that_is_for_no_node_now_removes_none(desk: Desk) -> None:
    desk.begin("gpu-*")
    desk.write("- cpu-1\n")
    assert desk.look() is None
    assert "limit `gpu-*` leaves none of the nodes in" in desk.refused[0]


def test_failed_means_what_it_meant_when_the_run_began(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = [frozenset([known_by("gpu-1", ())]), frozenset([known_by("gpu-2", ())])]
    monkeypatch.setattr("pegasus.inputs.last_run", lambda _: LastRun("r", failed.pop(0)))
    desk.begin("@failed")
    assert [node.label for node in desk.nodes] == ["gpu-1"]
    desk.write("- gpu-2\n- gpu-1\n- gpu-3\n")
    assert desk.look() is None
    assert desk.events == []


# The queue must be right for new nodes.


def test_a_node_that_lacks_a_parameter_of_the_queue_is_refused(desk: Desk) -> None:
    desk.write("- hostname: gpu-1\n  bs: 8\n")
    desk.write_queue("- echo\n- train {{ bs }}\n")
    desk.begin()
    desk.write("- hostname: gpu-1\n  bs: 8\n- gpu-2\n")
    assert desk.look() is None
    assert "yaml:2:9: for gpu-2, new in hosts.yaml: there is no" in desk.refused[0]
    assert desk.look() is None
    desk.write_queue("- echo\n")
    change = desk.look()
    assert change
    assert names(change.added) == [(1, "gpu-2")]
    assert [type(event) for event in desk.events] == [HostsRefused, HostsMended]


def test_a_queue_that_is_wrong_for_all_nodes_does_not_stand_in_the_way(desk: Desk) -> None:
    desk.write_queue("- echo {{ cut\n- {\n")
    desk.write("- gpu-1\n- hostname: gpu-2\n  bs: 8\n")
    assert desk.look()
    assert desk.refused == []


def test_a_node_of_a_known_kind_costs_no_check_of_the_queue(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk.file, "entries", lambda _: 1 / 0)
    desk.write("- gpu-1\n- gpu-2\n- gpu-3\n")
    assert desk.look()
    assert desk.refused == []


def test_the_queue_is_linted_for_the_nodes_that_there_are_by_then(desk: Desk) -> None:
    desk.write("- hostname: gpu-1\n  bs: 8\n- gpu-2\n")
    desk.begin()
    desk.write_queue("- train {{ bs }}\n")
    with pytest.raises(Exception, match="there is no parameter `bs`"):
        peek(desk.file, 1)
    desk.write("- hostname: gpu-1\n  bs: 8\n")
    assert desk.look()
    assert len(peek(desk.file, 1)) == 1
    desk.write_queue("- echo\n")
    desk.write("- hostname: gpu-1\n  bs: 8\n- gpu-2\n")
    assert desk.look()
    desk.write_queue("- train {{ bs }}\n")
    with pytest.raises(Exception, match="there is no parameter `bs`"):
        peek(desk.file, 1)


def test_whatever_is_written_the_roster_has_the_nodes_of_the_file(desk: Desk) -> None:
    chance = random.Random(7)
    have = {node.index: node for node in desk.nodes}
    ever = set(have)
    key: Callable[[Node], object] = lambda node: (node.host.text, node.params)  # noqa: E731
    for _ in range(60):
        lines = [
            f"- hostname: gpu-{chance.randrange(4)}\n  p: {chance.randrange(2)}\n"
            for _ in range(chance.randrange(1, 6))
        ]
        desk.write("".join(lines))
        if change := desk.look():
            for node in change.removed:
                assert have.pop(node.index) is node
            for node in change.returned:
                assert node.index in ever
                assert node.index not in have
                have[node.index] = node
            for node in change.added:
                assert node.index not in ever
                have[node.index] = node
            ever |= set(have)
        assert Counter(map(key, have.values())) == Counter(map(key, hosts.load(desk.hosts)))
