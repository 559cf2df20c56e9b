"""Fixtures for all tests that run pegasus as a user does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from project import Project

# Where a failure stops others, examples are the same each time; elsewhere they are new ones.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")

# What developers set for themselves hides what buffered streams do at their end.
os.environ.pop("PYTHONUNBUFFERED", None)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A user's directory in which to run pegasus."""
    made = Project(tmp_path)
    try:
        yield made
    finally:
        made.end()
