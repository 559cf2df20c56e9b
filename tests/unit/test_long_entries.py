"""Entries with very many values: their short ways come to what the long ones do."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from peeking import peek
from queuefiles import MANY, PARSERS, queue
from test_canonical import NAME, OPTIONS, TEXT
from test_queuefile_properties import scalars

from pegasus import grid
from pegasus.checking import check_queue
from pegasus.errors import PlacedError, QueueFileError
from pegasus.files import reader
from pegasus.files.canonical import Writer, flow, flow_jobs
from pegasus.files.entries import QUEUE, read
from pegasus.files.queueindex import Change, Index, Made, Standing
from pegasus.files.queuejobs import jobs_of
from pegasus.files.reader import Reader
from pegasus.files.source import BREAKS, Source
from pegasus.files.tolerant import TolerantReader, at_once
from pegasus.files.tree import Item
from pegasus.files.validation import Reading
from pegasus.model import Host, Job, Need, Node, Options, Place

CASES = yaml.safe_load((Path(__file__).parents[1] / "cases" / "queue.yaml").read_text())
VALUE = st.one_of(
    scalars(in_flow=True),
    st.sampled_from(["&a x", "*a", "! y", "!!str 8", "two\n   lines", "'a\n   b'", "!t z", "~"]),
)
SPACES = st.sampled_from([", ", ",\n   ", ",  # c\n   ", ",\r\n   ", ",\u2028   "])


@st.composite
def lists(draw: st.DrawFn) -> str:
    """A queue file with a list of values, right or wrong."""
    values = draw(st.lists(st.tuples(VALUE, SPACES), min_size=1, max_size=8))
    inside = "".join(value + behind for value, behind in values)
    end = draw(st.sampled_from(["]\n", "]\n", "]\n", "\n", "[]]\n", "}\n"]))
    return f"- a\n- command: b\n  x: [{inside}{end}- c\n"


def read_by(made: Reader) -> tuple[list[Item], str]:
    """The items that a reader yields, and what it then says is wrong."""
    found: list[Item] = []
    try:
        found.extend(made)
    except PlacedError as error:
        return found, str(error)
    return found, ""


@pytest.mark.parametrize("parser", PARSERS)
@MANY
@given(lists())
def test_plain_texts_are_read_as_any_others(parser: object, text: str) -> None:
    def source() -> Source:
        return Source(text.encode(), "q", QueueFileError)

    with mock.patch.object(reader, "LOADER", parser):
        found = read_by(Reader(source()))
        tolerant = read_by(TolerantReader(source(), QUEUE, at_once))
        with mock.patch.object(Reader, "_plain", Reader._other_text):
            assert read_by(Reader(source())) == found
    # Where an item is wrong in two ways, they need not say the same of it.
    assert (tolerant[0], bool(tolerant[1])) == (found[0], bool(found[1]))


@MANY
@given(st.text("ab" + BREAKS), st.data())
def test_places_are_those_that_editors_show(text: str, data: st.DataObject) -> None:
    source = Source(text.encode(), "q", QueueFileError)
    begin = data.draw(st.integers(0, len(text)))
    part = source.part(begin)
    for offset in data.draw(st.lists(st.integers(0, len(text)), max_size=9)):
        above = text[:offset].split("\n")
        expected = Place("q", len(above), len(above[-1]) + 1)
        assert source.place(offset) == expected
        if offset >= begin:
            assert part.place(offset - begin) == expected


@MANY
@given(
    st.lists(TEXT, min_size=1, max_size=3),
    st.dictionaries(NAME, st.lists(TEXT, min_size=1, max_size=3), max_size=3),
    OPTIONS.map(lambda found: tuple(found.items()) if "env" not in found else ()),
    st.sampled_from([None, 0, 2]),
    st.booleans(),
)
def test_the_jobs_of_a_grid_are_written_as_each_of_them(
    commands: list[str],
    params: dict[str, list[str]],
    options: tuple[tuple[str, str], ...],
    slots: int | None,
    literal: bool,
) -> None:
    jobs = [
        Job(command, chosen, Options(written=options), slots)
        for command in commands
        for chosen in grid.expand(params)
    ]
    args = (commands, [*params.items()], slots, options)
    writer = Writer(2, "\r\n", literal)
    assert [*writer.jobs(*args)] == [writer.job(job) for job in jobs]
    assert [*flow_jobs(*args)] == [flow(job) for job in jobs]


NEEDS = st.sampled_from([Need(), Need(2), Need(on="a")])
LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=4)


@MANY
@given(st.lists(st.builds(Made, LENGTHS, st.integers(1, 5), NEEDS)))
def test_entries_that_are_put_in_stand_as_if_they_had_been_read(made: list[Made]) -> None:
    total = sum(sum(one.lengths) for one in made)
    left, read = total, []
    for one in made:
        for length in one.lengths:
            read.append(Standing(left + 7, one.jobs, one.need))
            left -= length
    last = Standing(7, 1, Need())
    index = Index.of([last]).changed([Change(0, 0, 7, total, made)])
    expected = Index.of([*read, last])
    assert [*index] == [*expected]
    assert (index.counts, index.needs) == (expected.counts, expected.needs)
    numbers = range(len(expected))
    assert [*map(index.begin, numbers)] == [*map(expected.begin, numbers)]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_head_is_kept_as_it_would_be_read_again(case: dict[str, Any]) -> None:
    reading = Reading(case["before"].encode(), "q", at_once)
    entries = [entry for group in reading for entry in group]
    known = reading.known()
    numbers = range(len(entries))
    assert known.head is None or known.head is entries[0]
    assert known.entries(numbers) == known._read(numbers)


def test_a_list_is_parsed_once_to_be_checked_and_taken_apart() -> None:
    count = 0

    class Counting(reader.LOADER):  # type: ignore[misc,name-defined]
        def get_event(self) -> Any:
            nonlocal count
            count += 1
            return super().get_event()

    values = ", ".join(map(str, range(500)))
    text = f"- command: 'a {{{{ x }}}}'\n  x: [{values}]\n- b\n"
    with queue(text, Counting) as file:
        assert check_queue([Node(0, Host("n", "n"))], file).ok
        parsed = count
        assert [job.params for job in peek(file, 1)] == [(("x", "0"),)]
        assert [job.params for job in file.take(1)] == [(("x", "0"),)]
        assert 500 < parsed < 550
        assert count == parsed
        after = file.path.read_bytes()
    left = [
        job for entry in read(Source(after, "q", QueueFileError), QUEUE) for job in jobs_of(entry)
    ]
    assert [dict(job.params).get("x") for job in left] == [*map(str, range(1, 500)), None]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("x: [1, [2], 3], command: c, y: &y [5, 6]}", "1:17: `x` is nested too deep"),
        ("x: [1, [2], 3], command: c, y: [5, 6", "1:41: this is not YAML"),
    ],
)
def test_what_is_wrong_in_an_entry_is_said_when_its_end_is_found(wrong: str, says: str) -> None:
    refused: list[str] = []
    source = Source(f"- {{a: 1, {wrong}\n- b\n".encode(), "q", QueueFileError)
    made = TolerantReader(source, QUEUE, lambda error: refused.append(str(error)))
    try:
        assert [str(entry.heads[0]) for entry in made.entries()] == ["b"]
    except PlacedError as error:
        assert refused == []
        refused.append(str(error))
    (said,) = refused
    assert said.startswith(f"q:{says}")
