"""Fixtures for all tests that run pegasus as a user does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from project import Project


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A user's directory in which to run pegasus."""
    made = Project(tmp_path)
    try:
        yield made
    finally:
        made.end()
