"""The nouns: what they say of themselves, and where a text stands."""

from __future__ import annotations

import pytest

from pegasus.errors import QueueFileError
from pegasus.files.entries import QUEUE, read
from pegasus.files.source import Source
from pegasus.model import Ending, Host, Job, Node, Outcome, Place, Slots, Text


def text(data: str) -> Text:
    """The first command of a queue file."""
    return next(iter(read(Source(data.encode(), "q", QueueFileError), QUEUE))).heads[0]


def located(data: str, line: int, column: int) -> str:
    return str(text(data).locate(line, column))


def test_a_place_is_written_as_editors_take_it() -> None:
    assert str(Place("queue.yaml", 3, 7)) == "queue.yaml:3:7"


@pytest.mark.parametrize("data", ["- abc", "- 'abc'", '- "abc"', "- &x abc", "-   abc"])
def test_a_place_in_a_text_on_one_line(data: str) -> None:
    assert located(data, 1, 2) == f"q:1:{data.index('b') + 1}"


def test_a_place_in_a_literal_block() -> None:
    data = "# c\n- command: |\n    one\n      two\n\n    three\n"
    assert located(data, 1, 2) == "q:3:6"
    assert located(data, 2, 3) == "q:4:7"
    assert located(data, 4, 1) == "q:6:5"


def test_a_place_in_a_line_that_comes_twice() -> None:
    data = "- |\n  same\n  other\n  same\n"
    assert located(data, 1, 1) == "q:2:3"
    assert located(data, 3, 2) == "q:4:4"


def test_a_place_in_a_line_that_is_a_part_of_one_before() -> None:
    data = "- |\n  echo ab\n  echo a\n"
    assert located(data, 2, 1) == "q:3:3"


def test_a_place_in_a_line_that_the_indicator_contains() -> None:
    assert located("- |-\n  a\n  -\n", 2, 1) == "q:3:3"


def test_a_place_with_windows_line_ends() -> None:
    assert located("- |\r\n  one\r\n  two\r\n", 2, 1) == "q:3:3"


@pytest.mark.parametrize("data", ["- >\n  one\n  two\n", "- one\n  two\n", "- 'one\n  two'\n"])
def test_a_place_in_a_text_that_was_folded_is_its_begin(data: str) -> None:
    assert located(data, 1, 5) == "q:1:3"


def test_a_place_in_a_text_with_escapes_is_its_begin() -> None:
    assert located('- "a\\tb {{ c }}"', 1, 5) == "q:1:3"


def test_a_place_behind_the_text_is_its_begin() -> None:
    assert located("- a", 7, 1) == "q:1:3"


def test_a_node_is_labelled_with_its_parameters() -> None:
    host = Host("kim@n:22", "n", "kim", 22)
    assert Node(0, host).label == "kim@n:22"
    assert Node(0, Host("n\x9bJ", "n\x9bJ")).label == "n\\x9bJ"
    assert Node(0, host, (("gpu", "0"), ("x", "a b"))).label == "kim@n:22 (gpu=0,x=a b)"


def test_nodes_that_are_written_the_same_are_not_the_same() -> None:
    host = Host("n", "n")
    assert Node(0, host) != Node(1, host)


def test_a_nodes_parameters_win_over_the_jobs_and_hostname_over_both() -> None:
    node = Node(0, Host("kim@n", "n", "kim"), (("x", "node"), ("hostname", "odd")))
    job = Job("c", (("x", "job"), ("y", "job"), ("hostname", "job")))
    ours = {"hostname": "kim@n", "slots": "0", "slot_count": "1"}
    assert job.variables(node) == {"x": "node", "y": "job", **ours}
    both = {"hostname": "kim@n", "slots": "2,3", "slot_count": "2"}
    assert job.variables(node, Slots((2, 3))) == {"x": "node", "y": "job", **both}


def test_jobs_are_the_same_wherever_they_stand() -> None:
    assert Job("a", (), source=text("- a")) == Job("a", (), source=text("\n- a")) == Job("a")


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        (Ending.exited(0), "exit status: 0"),
        (Ending.exited(3), "exit status: 3"),
        (Ending(Outcome.SIGNALLED, exit_signal="KILL"), "killed by signal KILL"),
        (Ending(Outcome.LOST, detail="gone"), "lost: gone"),
        (Ending(Outcome.TIMED_OUT), "timed out"),
    ],
)
def test_an_ending_is_told_in_words(ending: Ending, words: str) -> None:
    assert str(ending) == words
    assert ending.succeeded == (words == "exit status: 0")


def test_a_label_is_one_line_whatever_the_parameters_hold() -> None:
    node = Node(0, Host("h", "h"), (("s", "a\nb\x1b[2J"),))
    assert node.label == "h (s=a\\nb\\x1b[2J)"
