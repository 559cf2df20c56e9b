"""Durations: what people write, and what is none."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pegasus import durations


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("90s", 90),
        ("30m", 1800),
        ("2h", 7200),
        ("1d", 86_400),
        ("1w", 604_800),
        ("1.5h", 5400),
        ("2h30m", 9000),
        ("1d 2h", 93_600),
        ("5 min", 300),
        ("2 hours", 7200),
        ("1H", 3600),
        ("1:30", 90),
        ("1:30:00", 5400),
        (" 2h\n", 7200),
        ("90", 90),
        ("0.5", 0.5),
        ("1e3", 1000),
        ("0", 0),
        ("0s", 0),
        (90, 90),
        (0.25, 0.25),
        ("36500d", durations.LONGEST),
    ],
)
def test_what_is_a_duration(written: object, seconds: float) -> None:
    assert durations.parse(written) == seconds


@pytest.mark.parametrize(
    "written",
    [
        *("", " ", "soon", "h", "2x", "1y", "2h x", "30m1h", "1,5h", "1h 1h", "1:2:3:4", "0x10"),
        *("-1", "-1s", "-2h", "- 1h", "-1:30", "nan", "-inf", "٣", "٣s", "２h", "²h", "½h", "2h\0"),
        *(True, False, None, [90], {"h": 2}, -1, -0.5, float("nan")),
    ],
)
def test_what_is_no_duration_is_said_with_what_would_be(written: object) -> None:
    with pytest.raises(ValueError, match="is not a duration; write 90s, 30m, 2h or 1d"):
        durations.parse(written)


@pytest.mark.parametrize("written", ["36501d", "1e400", "inf", "9" * 90 + "d", float("inf"), 1e300])
def test_what_is_too_long_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match="is too long; 36500d is the most"):
        durations.parse(written)


def test_the_longest_duration_can_be_waited_for() -> None:
    assert durations.LONGEST < threading.TIMEOUT_MAX


def test_nothing_is_never_negative() -> None:
    assert str(durations.parse("-0")) == "0.0"


@given(st.one_of(st.text(), st.text("0123456789.:-+ehdms \t", max_size=150)))
def test_any_text_is_a_duration_or_an_error_for_people(text: str) -> None:
    try:
        seconds = durations.parse(text)
    except ValueError as error:
        seconds, message = 0.0, str(error)
    else:
        message = " is not a duration"
    assert 0 <= seconds <= durations.LONGEST
    assert " is not a duration" in message or " is too long" in message
    assert len(message) < 1000


@pytest.mark.parametrize(
    "text", ["9" * 400_000, "1 " * 200_000, "9" * 5000 + "d", " " * 10**6 + "x"]
)
def test_a_huge_text_costs_nothing(text: str) -> None:
    start = time.process_time()
    with pytest.raises(ValueError, match="is not a duration"):
        durations.parse(text)
    assert time.process_time() - start < 1
