"""Each node has a colour that can be read, and the same one in the next run."""

from __future__ import annotations

import io
import os
import pty
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import TextIO

import pytest

from pegasus.terminal.lines.colours import PALETTE, PALETTE_OF_16, Colours, depth_of

#: What xterm shows for the 16 colours, and what any terminal does in the cube of the 256.
XTERM = ["000000", "cd0000", "00cd00", "cdcd00", "0000ee", "cd00cd", "00cdcd", "e5e5e5"]
XTERM += ["7f7f7f", "ff0000", "00ff00", "ffff00", "5c5cff", "ff00ff", "00ffff", "ffffff"]
LEVELS = (0, 95, 135, 175, 215, 255)


def value(colour: int) -> tuple[int, int, int]:
    if colour < 16:
        red, green, blue = bytes.fromhex(XTERM[colour])
        return red, green, blue
    cube = colour - 16
    return LEVELS[cube // 36], LEVELS[cube // 6 % 6], LEVELS[cube % 6]


def luminance(colour: tuple[int, int, int]) -> float:
    """The relative luminance of WCAG 2."""
    parts = [part / 255 for part in colour]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("colour", PALETTE)
def test_colours_are_readable_on_dark_and_on_light_backgrounds(colour: int) -> None:
    for background in ((0, 0, 0), (255, 255, 255)):
        assert contrast(value(colour), background) >= 3.6
    for background in ((0x1E, 0x1E, 0x1E), (0xFD, 0xF6, 0xE3)):
        assert contrast(value(colour), background) >= 3


@pytest.mark.parametrize("colour", PALETTE_OF_16)
def test_the_few_colours_are_readable_too(colour: int) -> None:
    for background in ((0, 0, 0), (255, 255, 255)):
        assert contrast(value(colour), background) >= 3.1


def test_no_colour_is_there_twice_and_neighbours_differ() -> None:
    assert len({value(colour) for colour in PALETTE}) == len(PALETTE) >= 16
    for one, other in pairwise([*PALETTE, PALETTE[0]]):
        assert sum(abs(a - b) for a, b in zip(value(one), value(other), strict=True)) > 100


def starts(*labels: str, depth: int = 256) -> list[str]:
    colours = Colours()
    colours.assign(labels)
    return [colours.start(label, depth) for label in labels]


def test_a_node_keeps_its_colour_whatever_nodes_there_are_besides() -> None:
    alone = starts("node-1 (gpu=0)")
    assert re.fullmatch(r"\x1b\[38;5;\d+m", alone[0])
    assert starts("node-1 (gpu=0)", "node-2", "node-3")[0] == alone[0]
    assert starts("node-1 (gpu=0)") == ["\x1b[38;5;131m"]  # not by a hash that differs by process


def test_nodes_have_different_colours_as_long_as_there_are_any() -> None:
    labels = [f"gpu{number * number}.example.org" for number in range(len(PALETTE))]
    assert len({starts(label)[0] for label in labels}) < len(PALETTE)
    assert len(set(starts(*labels))) == len(PALETTE)
    many = starts(*labels, "one-more", "and-more")
    assert many[: len(labels)] == starts(*labels)
    assert set(many) == set(starts(*labels))


def test_the_same_label_twice_has_one_colour() -> None:
    one, two, other = starts("localhost", "localhost", "node-1")
    assert one == two != other


def test_where_there_are_few_colours_those_are_taken() -> None:
    for start in starts(*map(str, range(20)), depth=16):
        assert re.fullmatch(r"\x1b\[(31|35|9[145])m", start)


def test_a_label_that_is_no_nodes_has_no_colour() -> None:
    colours = Colours()
    colours.assign(["node-1"])
    assert colours.start("pegasus", 256) == ""
    assert colours.start("node-1", 0) == ""


@pytest.fixture
def terminal() -> Iterator[TextIO]:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as stream:
        yield stream
    os.close(ours)


@pytest.mark.parametrize(
    ("environment", "at_terminal", "elsewhere"),
    [
        ({"TERM": "xterm-256color"}, 256, 0),
        ({"TERM": "xterm"}, 16, 0),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, 256, 0),
        ({"TERM": "dumb"}, 0, 0),
        ({}, 16, 0),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, 0, 0),
        ({"TERM": "xterm-256color", "NO_COLOR": ""}, 256, 0),
        ({"TERM": "xterm-256color", "FORCE_COLOR": "1"}, 256, 256),
        ({"TERM": "xterm-256color", "FORCE_COLOR": ""}, 256, 0),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, 0, 16),
        ({"TERM": "xterm-256color", "FORCE_COLOR": "1", "NO_COLOR": "1"}, 0, 0),
    ],
)
def test_the_environment_is_honoured(
    environment: dict[str, str],
    at_terminal: int,
    elsewhere: int,
    terminal: TextIO,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, text in environment.items():
        monkeypatch.setenv(name, text)
    assert depth_of(terminal) == at_terminal
    assert depth_of(io.StringIO()) == elsewhere
    assert depth_of(None) == elsewhere
