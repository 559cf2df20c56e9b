"""Lines of plain words are read without a YAML parser, and are what it would make of them."""

from __future__ import annotations

from dataclasses import replace
from unittest import mock

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from queuefiles import MANY, PARSERS, standing

from pegasus.errors import PlacedError, QueueFileError
from pegasus.files import reader, stretches
from pegasus.files.entries import QUEUE, Entry, read
from pegasus.files.known import Known
from pegasus.files.plainlines import entry_of, scan
from pegasus.files.source import Source
from pegasus.files.validation import Reading, validate

#: What the words of a line may be, and what has them mean something else to YAML.
WORDS = [
    "a",
    "./b.py",
    "--x=1",
    "a:b",
    "a#b",
    "#",
    ":",
    "?",
    "-",
    "|",
    ">",
    "'",
    '"',
    "%",
    "@",
    "`",
]
WORDS += [
    "[a,",
    "b]",
    "{a",
    "}",
    "{{",
    "{{ x }}",
    "&c",
    "*c",
    "!c",
    "a:",
    "\t",
    "é",
    "<<",
    "~",
    "...",
]
PLAIN = st.sampled_from(["- a\n", "- b c\n", "- ./d --x=1 'y' \"z\" [1] k:v #\n".replace(" #", "")])
LINE = st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(lambda w: f"- {' '.join(w)}\n")
OTHER = st.sampled_from(
    [
        "# c\n",
        "\n",
        "  # é\n",
        "- command: m\n  x: [1, 2]\n",
        "- x: 1\n",
        "- 'quoted'\n",
        "- 'over\n\n  lines'\n",
        "- >-\n  folded\n  words\n",
        "- |+\n  kept\n\n",
        "  more\n",
        "- &x anchored\n",
        "- *x\n",
        "- a\r\n",
        "- last",
        "---\n",
        "...\n",
        "%TAG ! tag:yaml.org,2002:\n---\n",
        " - deep\n",
        "[a, b]\n",
        "'\n",
        "\x07\n",
    ]
)
TEXTS = st.lists(st.one_of(PLAIN, PLAIN, PLAIN, LINE, OTHER), max_size=12).map("".join)


def source(text: str) -> Source:
    return Source(text.encode(), "q.yaml", QueueFileError)


def by_parser(text: str) -> list[Entry]:
    return [*read(source(text), QUEUE)]


def validated(text: str, many: int) -> tuple[Known, list[Entry]] | str:
    """What is known of a text, and its entries, where `many` lines are read without the parser."""
    with mock.patch.object(stretches, "MANY", many):
        try:
            known = validate(text.encode(), "q.yaml", lambda _: None, None)
        except QueueFileError as error:
            return str(error)
    return known, known.entries(range(len(known.index)))


def read_past(text: str, many: int) -> tuple[list[Entry], list[str], str]:
    """The entries that are right, what is wrong with others, and what has ended the reading.

    Where the items stand is left out: that is told in the part that a parser was given.
    """
    entries: list[Entry] = []
    refused: list[str] = []
    with mock.patch.object(stretches, "MANY", many):
        try:
            for alike in Reading(text.encode(), "q.yaml", lambda e: refused.append(str(e))):
                entries += (replace(entry, items=()) for entry in alike)
        except PlacedError as error:
            return entries, refused, str(error)
    return entries, refused, ""


@pytest.mark.parametrize("parser", PARSERS)
@given(line=st.one_of(LINE, st.text(st.characters(max_codepoint=127)).map(lambda t: f"- {t}\n")))
@example("- a\n")
@example("- true\n")
@example("- a:\n")
@example("- a: b\n")
@example("- a #b\n")
@example("- a \n")
@example("- a {{ b }}\n")
@MANY
def test_a_plain_line_is_what_the_parser_makes_of_it(parser: object, line: str) -> None:
    found = entry_of(source(line), 0, len(line))
    if found is not None:
        with mock.patch.object(reader, "LOADER", parser):
            text = f"- before\n{line}- behind\n"
            _, entry, _ = by_parser(text)
            assert [*by_parser(line)] == [found]
        assert entry_of(source(text), 9, 9 + len(line)) == entry
        assert (entry.size, "{{" in entry.heads[0].value) == (1, False)


@pytest.mark.parametrize("text", ["a", "python ./train.py --lr=0.1", "a  b", "url http://x:1/#y"])
def test_words_are_plain(text: str) -> None:
    assert entry_of(source(f"- {text}\n"), 0, len(text) + 3) is not None


@pytest.mark.parametrize(
    "text", ["", " a", "a ", "a:", "a: b", "a #b", "'a'", "[a]", "- a", "1", "a{{b}}", "é", "a\tb"]
)
def test_what_means_more_to_yaml_or_to_a_template_is_not(text: str) -> None:
    assert entry_of(source(f"- {text}\n"), 0, len(text) + 3) is None
    assert not scan(f"- {text}\n", 0, 1000)


@given(text=TEXTS, behind=st.integers(0, 3))
@example("- &x a\n- b\n- c\n- *x\n", 0)
@example("- 'a'\n- b\n- c\n- &x d\n- *x\n", 0)
@example("[\n- a\n]\n", 0)
@example("%TAG !e! tag:yaml.org,2002:\n---\n- a\n- b\n- !e!str c\n", 0)
@MANY
def test_a_file_means_the_same_with_and_without_a_parser(text: str, behind: int) -> None:
    text += "- z\n" * behind
    found, expected = validated(text, 0), validated(text, 10**9)
    if isinstance(found, str) or isinstance(expected, str):
        assert found == expected
        return
    assert standing(found[0]) == standing(expected[0])
    assert found[1] == expected[1]
    assert (found[0].is_plain, found[0].is_flow) == (expected[0].is_plain, expected[0].is_flow)


@given(text=TEXTS, behind=st.integers(0, 3))
@example("- a\n- b\n- c: [\n- d\n", 0)
@example("- [&x a]\n- b\n- c\n- d\n- e\n- *x\n", 0)
@MANY
def test_so_it_is_where_mistakes_are_passed_over(text: str, behind: int) -> None:
    assume("\x07" not in text)  # The parser sees it from afar, and gives nothing of what is before.
    text += "- z\n" * behind
    assert read_past(text, 0) == read_past(text, 10**9)


def test_a_parser_reads_little_of_a_long_queue_wherever_its_plain_lines_are() -> None:
    plain = "".join(f"- a{number}\n" for number in range(500))
    text = (
        f"# mine\n- x: 1\n  command: first\n{plain}- 'quoted'\n{plain}- command: m\n  y: 1\n{plain}"
    )
    linted: list[str] = []
    with mock.patch.object(
        reader.Reader, "_item", autospec=True, side_effect=reader.Reader._item
    ) as item:
        known = validate(text.encode(), "q", lambda entry: linted.append(str(entry.heads[0])), None)
    assert (known.index.jobs, item.call_count) == (1503, 12)
    assert linted == ["first", "a0", "a499", "quoted", "a0", "a499", "m", "a0", "a499"]
