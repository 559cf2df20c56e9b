"""A content of which something is known already is checked as one of which nothing is."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from queuefiles import MANY, standing
from test_queuefile_anchors import FILES
from test_queuefile_properties import files

from pegasus.errors import QueueFileError
from pegasus.files.entries import Entry
from pegasus.files.known import Known
from pegasus.files.queuejobs import jobs_of
from pegasus.files.validation import validate
from pegasus.model import Job

#: What an edit may put in: whole lines, and what changes the meaning of what is around it.
LINES = ["- new\n", "  x: 1\n", "- x: 1\n", "# c\n", "\n"]
PIECES = [*LINES, "'", " ", "- ", "&a ", "*a", "[", "|", "..."]


def checked(text: str, known: Known | None = None) -> tuple[Known, list[str]] | str:
    """What is known of a text then, and what was linted; or what is wrong with it."""
    linted: list[str] = []

    def lint(entry: Entry) -> None:
        linted.append(str(entry.place))

    try:
        return validate(text.encode(), "f.yaml", lint, known), linted
    except QueueFileError as error:
        return str(error)


def all_of(known: Known) -> list[tuple[Job, str]]:
    """All jobs, each with its place."""
    entries = known.entries(range(len(known.index)))
    jobs = [job for entry in entries for job in jobs_of(entry)]
    return [(job, str(job.source and job.source.place)) for job in jobs]


@given(
    text=st.one_of(files().map(lambda chunks: "".join(one.text for one in chunks)), FILES),
    more=st.integers(0, 2),
    begin=st.floats(0, 1),
    end=st.floats(0, 1),
    new=st.lists(st.sampled_from(PIECES), max_size=3).map("".join),
    is_short=st.booleans(),
)
@MANY
def test_what_is_known_makes_no_difference(
    text: str, more: int, begin: float, end: float, new: str, is_short: bool
) -> None:
    text += "- a\n- command: b\n  x: [1, 2]\n- c\n" * more
    before = checked(text)
    assume(not isinstance(before, str))
    assert not isinstance(before, str)
    first = int(begin * len(text))
    last = first if is_short else first + int(end * (len(text) - first))
    edited = text[:first] + new + text[last:]
    found, expected = checked(edited, before[0]), checked(edited)
    if isinstance(found, str) or isinstance(expected, str):
        assert found == expected
        return
    assert standing(found[0]) == standing(expected[0])
    assert (found[0].is_plain, found[0].is_flow) == (expected[0].is_plain, expected[0].is_flow)
    assert all_of(found[0]) == all_of(expected[0])
    assert {*found[1]} <= {*expected[1]}


LONG = "".join(f"- a{number}\n" for number in range(40))


@pytest.mark.parametrize(
    ("text", "linted"),
    [
        (LONG, 0),
        (LONG + "- b\n", 3),
        ("- b\n" + LONG, 1),
        (LONG.replace("a20\n", "b\n"), 2),
        (LONG.replace("a20\n", "b\n- x: 1\n"), 2),
        (LONG.replace("- a20\n", "  more\n"), 1),
        (LONG.replace("- a20\n", "- x: 1\n"), 1),
        (LONG.replace("- a20\n", ""), 1),
        (LONG[:-1] + "0\n", 2),
        (LONG + "...\n", 2),
        (LONG.replace("a0\n", "b\n").replace("a39\n", "'b'\n"), 3),
        (LONG.replace("- a", "- .a").replace("a39\n", "b\n"), 40),
        (LONG.replace("a0\n", "&a b\n"), 40),
        (LONG + "- &a b\n", 3),
        ("[a]\n", 1),
    ],
)
def test_only_what_is_new_is_linted(text: str, linted: int) -> None:
    before, expected = checked(LONG), checked(text)
    assert not isinstance(before, str)
    found = checked(text, before[0])
    assert not isinstance(found, str)
    assert not isinstance(expected, str)
    assert len(found[1]) == linted
    assert all_of(found[0]) == all_of(expected[0])
