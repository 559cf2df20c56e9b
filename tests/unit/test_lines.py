"""Bytes in chunks, lines out."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pegasus.terminal.lines.splitter import LINE_END, LONGEST, LineSplitter, WholeLines


def split(*chunks: bytes) -> list[str]:
    splitter = LineSplitter()
    lines = [line for chunk in chunks for line in splitter.feed(chunk)]
    return lines + splitter.finish()


@pytest.mark.parametrize(
    ("chunks", "lines"),
    [
        ([b"a\nb\n"], ["a", "b"]),
        ([b"a\n", b"", b"b"], ["a", "b"]),
        ([b"unterminated"], ["unterminated"]),
        ([b""], []),
        ([b"\n\n"], ["", ""]),
        ([b"10%\r20%\r30%\n"], ["10%", "20%", "30%"]),
        ([b"dos\r\nunix\n"], ["dos", "unix"]),
        ([b"dos\r", b"\nunix\n"], ["dos", "unix"]),
        ([b"a\r", b"\n", b"b"], ["a", "b"]),
        ([b"\r", b"x"], ["", "x"]),
        (["é".encode()[:1], "é".encode()[1:] + b"\n"], ["é"]),
        ([b"bad \xff byte\n"], ["bad \ufffd byte"]),
        ([b"cut \xc3"], ["cut \ufffd"]),
        (["a\u2028b\x0bc\x85d\n".encode()], ["a\u2028b\x0bc\x85d"]),
    ],
)
def test_lines_are_cut_at_their_ends_wherever_chunks_are(
    chunks: list[bytes], lines: list[str]
) -> None:
    assert split(*chunks) == lines


def test_a_line_without_end_comes_in_bounded_pieces() -> None:
    pieces = split(*[b"x" * 10_000] * 100)
    assert "".join(pieces) == "x" * 1_000_000
    assert max(map(len, pieces)) < LONGEST + 10_000


@given(st.binary(max_size=300), st.data())
def test_chunks_do_not_change_the_lines(data: bytes, draw: st.DataObject) -> None:
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(data)), max_size=6)))
    edges = [0, *cuts, len(data)]
    chunks = [data[a:b] for a, b in pairwise(edges)]
    assert split(*chunks) == split(data)


@given(st.text(st.sampled_from("ab\r\n\u2028é"), max_size=40), st.integers(1, 7))
def test_a_text_of_whole_lines_has_the_lines_of_the_stream(text: str, size: int) -> None:
    data, whole = text.encode(), WholeLines()
    chunks = [data[at : at + size] for at in range(0, len(data), size)]
    made = "".join([*map(whole.feed, chunks), whole.finish()])
    *lines, rest = LINE_END.split(text)
    assert made == "".join(f"{line}\n" for line in [*lines, *([rest] if rest else [])])
