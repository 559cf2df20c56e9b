"""docs/durability.md names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_each_test_that_is_named_is_there_and_each_test_of_crashes_is_named() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "docs/durability.md").read_text())
    there = {
        (str(path.relative_to(ROOT)), name)
        for path in (ROOT / "tests/crash").glob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    assert set(named) == there
