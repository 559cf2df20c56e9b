"""Jobs are taken from anywhere in a queue file: what is cut, what stays, and what is told of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from queuefiles import PARSERS, consumed, items_of, jobs_of, queue

from pegasus.errors import QueueFileError
from pegasus.files.entries import Entry
from pegasus.files.queuefile import QueueFile
from pegasus.model import Job, Need, Place

CUTS = {
    "an entry between others": ("- a\n- b\n- c\n", [1], "- a\n- c\n"),
    "the last entry": ("- a\n- b\n", [1], "- a\n"),
    "a last entry without a newline": ("- a\n- b", [1], "- a\n"),
    "before a last entry without a newline": ("- a\n- b\n- c", [1], "- a\n- c"),
    "some at once": ("- a\n- b\n- c\n- d\n- e\n", [1, 3], "- a\n- c\n- e\n"),
    "some in a row": ("- a\n- b\n- c\n- d\n", [1, 2], "- a\n- d\n"),
    "head and end": ("- a\n- b\n- c\n", [0, 2], "- b\n"),
    "all": ("# c\n- a\n\n- b\n", [0, 1], "# c\n\n"),
    "comments and blank lines stay": (
        "- a\n\n# above\n- b  # behind\n# below\n\n- c\n",
        [1],
        "- a\n\n# above\n# below\n\n- c\n",
    ),
    "a comment in an entry": (
        "- a\n- command: b\n  # own\n  x: 1\n- c\n",
        [1],
        "- a\n# own\n- c\n",
    ),
    "a part of an entry": (
        "- a\n- command: b\n  # own\n  x: [1, 2, 3]  # behind\n# below\n- c\n",
        [2],
        "- a\n# own\n- command:\n  - b\n  x:\n  - '1'\n- command:\n  - b\n  x:\n  - '3'\n"
        "# below\n- c\n",
    ),
    "parts of two entries": (
        "- command: a\n  x: [1, 2]\n# c\n- b\n- command: c\n  x: [1, 2]\n",
        [1, 3],
        "- command:\n  - a\n  x:\n  - '1'\n# c\n- b\n- command:\n  - c\n  x:\n  - '2'\n",
    ),
    "parameters below": ("- a\n- b\n- x: [1]\n# own\n- y: 2\n- c\n", [1], "- a\n# own\n- c\n"),
    "indented, with CRLF": (
        "  - a\r\n  - command: b\r\n    x: [1, 2]\r\n  - c\r\n",
        [1],
        "  - a\r\n  - command:\r\n    - b\r\n    x:\r\n    - '2'\r\n  - c\r\n",
    ),
    "a byte order mark and a document": (
        "\ufeff# c\n---\n- a\n- b\n...\n# d\n",
        [1],
        "\ufeff# c\n---\n- a\n...\n# d\n",
    ),
    "in brackets": ("[a, b, c]\n", [1], "[a, c]\n"),
    "the last in brackets": ("[a, b]\n", [1], "[a, ]\n"),
    "some in brackets": ("[a, b, # c\n c,\n d]\n", [1, 2], "[a,  # c\n \n d]\n"),
    "a part in brackets": (
        "[a, {command: b, x: [1, 2, 3]}, c]\n",
        [2],
        "[a, {command: ['b'], x: ['1']}, {command: ['b'], x: ['3']}, c]\n",
    ),
    "an anchor is written out behind": ("- a\n- &x b\n- *x\n", [1], "- a\n- 'b'\n"),
    "an anchor before it stays": ("- &x a\n- *x\n- *x\n", [1], "- &x a\n- *x\n"),
    "an anchor that is set again": (
        "- &x a\n- *x\n- &x b\n- *x\n- &x c\n- *x\n",
        [2],
        "- &x a\n- *x\n- 'b'\n- &x c\n- *x\n",
    ),
    "anchors of two entries": (
        "- &x a\n- c\n- &y b\n- {command: *x , z: *y }\n",
        [0, 2],
        "- c\n- {command: 'a' , z: 'b' }\n",
    ),
    "an anchor with its alias": (
        "- a\n- &x b\n- *x\n- {command: c, x: [*x ], y: *x }\n",
        [1, 2],
        "- a\n- {command: c, x: ['b' ], y: 'b' }\n",
    ),
    "an anchor of an entry in parts": (
        "- a\n- command: b\n  x: &x [1, 2]\n- command: c\n  x: *x\n",
        [1],
        "- a\n- command:\n  - b\n  x:\n  - '2'\n- command: c\n  x: ['1', '2']\n",
    ),
    # What stood behind an entry must not become part of the one above it.
    "a deep comment below a block": (
        "- |\n  a\n- b\n      # deep\n- c\n",
        [1],
        "- |\n  a\n#\n      # deep\n- c\n",
    ),
    "a deep comment below another entry": (
        "- 'a'\n- b\n      # deep\n- c\n",
        [1],
        "- 'a'\n      # deep\n- c\n",
    ),
    "a deep comment below another comment": (
        "- |\n  a\n- b\n# c\n      # deep\n- c\n",
        [1],
        "- |\n  a\n# c\n      # deep\n- c\n",
    ),
    "a deep comment below a comment that was inside": (
        "- |\n  a\n- command: b\n  # own\n  x: 1\n      # deep\n- c\n",
        [1],
        "- |\n  a\n# own\n      # deep\n- c\n",
    ),
    "spaces below a block": (
        "  - |\n    a\n  - b\n        \n  - c\n",
        [1],
        "  - |\n    a\n  #\n        \n  - c\n",
    ),
    "a blank line below a block": ("- |\n  a\n- b\n\n- c\n", [1], "- |\n  a\n\n- c\n"),
    "a blank line below a block that keeps it": (
        "- |+\n  a\n- b\n\n- c\n",
        [1],
        "- |+\n  a\n#\n\n- c\n",
    ),
    "a deep comment below entries in a row": (
        "- |\n  a\n- b\n- c\n    # deep\n- d\n",
        [1, 2],
        "- |\n  a\n#\n    # deep\n- d\n",
    ),
    "a deep comment below a block that goes as well": (
        "- 'a'\n- |\n  b\n- c\n      # deep\n- d\n",
        [1, 2],
        "- 'a'\n      # deep\n- d\n",
    ),
    "a deep comment at the end": (
        "- x: 1\n  command: >-\n    a\n- b\n     # deep",
        [1],
        "- x: 1\n  command: >-\n    a\n#\n     # deep",
    ),
    "a deep comment that comes to stand below what is left": (
        '- x: [1, 2]\n  command: "a\\nb"\n- c\n        # deep\n- d\n',
        [0, 2],
        "- command:\n  - \"a\\nb\"\n  x:\n  - '2'\n        # deep\n- d\n",
    ),
}


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize(("before", "positions", "after"), CUTS.values(), ids=CUTS)
def test_what_is_not_taken_stays(
    before: str, positions: list[int], after: str, parser: object
) -> None:
    jobs = jobs_of(items_of(before))
    expected = [jobs[position] for position in positions]
    with queue(before, parser) as file:
        assert file.take(positions) == expected
        assert file.path.read_bytes().decode() == after
        assert consumed(file) == expected
    left = [job for position, job in enumerate(jobs) if position not in positions]
    assert jobs_of(items_of(after)) == left


def test_brackets_go_with_the_last_entry() -> None:
    with queue("[a, b]\n") as file:
        back = file.take([0, 1])
        file.put_back(back)
        file.put_back([Job("c", (("x", "1"),)), Job("d")])
        assert file.take([1]) == [Job("d")]
        assert items_of(file.path.read_text())[0] == {"command": ["c"], "x": ["1"]}
        assert "[" not in file.path.read_text()


def test_what_one_reader_takes_another_finds_gone() -> None:
    with queue("".join(f"- a{n}\n" for n in range(9))) as file:
        other = QueueFile(file.path, file.path.parent / "consumed.yaml")
        file.look()
        assert other.take([1, 4, 8]) == [Job("a1"), Job("a4"), Job("a8")]
        assert file.take([1, 3], [Job("a2"), Job("a5")]) == [Job("a2"), Job("a5")]
        assert [job.id for job in file.take([0, 3])] == [6, 7]


@pytest.mark.parametrize("now", ["- a\n- x\n- c\n", "- a\n", "- b\n- a\n- c\n"])
def test_nothing_is_taken_where_other_jobs_stand_by_now(now: str) -> None:
    with queue("- a\n- b\n- c\n") as file:
        jobs = file.jobs_at([0, 1])
        file.path.write_text(now)
        assert file.take([0, 1], jobs) == []
        assert file.path.read_text() == now
        assert consumed(file) == []


def test_jobs_that_are_not_there_are_not_taken() -> None:
    with queue("- a\n- b\n") as file:
        assert file.take([]) == []
        assert file.take([1, 2]) == []
        assert file.jobs_at([1, 2]) == [Job("b")]
        assert file.path.read_text() == "- a\n- b\n"


def test_jobs_are_those_that_were_looked_at() -> None:
    with queue("- a\n- b\n") as file:
        file.look()
        file.path.write_text("- other\n")
        assert file.jobs_at([0, 1]) == [Job("a"), Job("b")]
        assert file.look().jobs == 1
        assert file.jobs_at([0]) == [Job("other")]


@pytest.mark.parametrize(
    "text",
    ["# é\n- a\n\n- command: ['b', c]\n- d\n", "# é\n- &x a\n\n- command: ['b', c]\n- d\n"],
    ids=["plain", "with an anchor"],
)
def test_jobs_know_where_they_stand_wherever_that_is(text: str) -> None:
    with queue(text) as file:
        file.look()
        found = [str(job.source.place) for job in file.jobs_at([2, 3]) if job.source]
        assert found == [f"{file.path}:4:18", f"{file.path}:5:3"]


def test_a_mistake_behind_what_is_known_is_told_with_its_place() -> None:
    text = "".join(f"- a{n}\n" for n in range(20))
    with queue(text) as file:
        file.look()
        for wrong, place in [("- b\n- [c\n", "22:3"), ("- b\n- \tc: [\n- \x07", "23:3")]:
            file.path.write_text(text + wrong)
            with pytest.raises(QueueFileError, match=f":{place}: "):
                file.look()


NEEDS = """\
- a
- {command: b, slots: 2, x: [1, 2, 3]}
- command: c
  slots: [4]
  options: {on: 'gpu-*', allocation: buddy}
- d
- command: e
- slots: 2
"""
ONE, TWO, FOUR = Need(), Need(2), Need(4, "gpu-*", "buddy")


def test_an_outlook_says_what_each_entry_needs() -> None:
    with queue(NEEDS) as file:
        outlook = file.look()
        assert [*outlook] == [(ONE, 1), (TWO, 3), (FOUR, 1), (ONE, 1), (TWO, 1)]
        assert (len(outlook), outlook.jobs) == (5, 7)
        assert [*outlook.needs] == [ONE, TWO, FOUR]
        assert [outlook.counts.get(need, 0) for need in (ONE, TWO, FOUR, Need(3))] == [2, 4, 1, 0]
        places = [str(outlook.place_of(need)) for need in (ONE, TWO, FOUR)]
        assert places == [f"{file.path}:{place}" for place in ("1:3", "2:3", "3:3")]
        with pytest.raises(ValueError, match="no job"):
            outlook.place_of(Need(3))


def test_an_outlook_follows_what_is_taken_and_put_in() -> None:
    with queue(NEEDS) as file:
        before = file.look()
        assert file.look() is before
        taken = file.take([1, 4])
        assert file.outlook is file.look()
        assert [*file.look()] == [(ONE, 1), (TWO, 1), (TWO, 1), (ONE, 1), (TWO, 1)]
        assert [*file.look().needs] == [ONE, TWO]
        file.put_back(taken)
        assert [need for need, _ in file.look()] == [TWO, FOUR, ONE, TWO, TWO, ONE, TWO]
        line = file.path.read_text().splitlines().index("- a") + 1
        assert file.look().place_of(ONE) == Place(str(file.path), line, 3)
        assert [*before.needs] == [ONE, TWO, FOUR]
        assert str(before.place_of(FOUR)).endswith(":3:3")


@pytest.mark.parametrize("text", ["", "# c\n", "[]\n"])
def test_an_outlook_on_nothing_is_none(text: str) -> None:
    with queue(text) as file:
        outlook = file.look()
        assert not outlook
        assert ([*outlook], [*outlook.needs], outlook.jobs) == ([], [], 0)


def test_what_is_added_behind_a_long_queue_is_all_that_is_linted(tmp_path: Path) -> None:
    seen: list[Entry] = []
    path = tmp_path / "queue.yaml"
    file = QueueFile(path, tmp_path / "consumed.yaml", seen.append)
    text = "".join(f"- 'a{n}'\n" for n in range(500))
    path.write_text(text)
    with file.lock.hold("a test"):
        file.look()
        seen.clear()
        path.write_text(text + "- new\n")
        assert file.look().jobs == 501
        assert [str(entry.heads[0]) for entry in seen] == ["a498", "a499", "new"]
        seen.clear()
        QueueFile(path, tmp_path / "consumed.yaml").take([100, 101, 300])
        assert file.look().jobs == 498
        assert len(seen) == 199  # From the first change to the last.
        assert file.jobs_at([496, 497]) == [Job("a499"), Job("new")]


def test_a_directive_holds_for_what_is_added_too() -> None:
    head = "%TAG ! tag:yaml.org,2002:\n---\n"
    with queue(head + "- a\n- b\n- c\n") as file:
        file.look()
        file.path.write_text(head + "- a\n- b\n- c\n- !str d\n")
        assert file.look().jobs == 4
