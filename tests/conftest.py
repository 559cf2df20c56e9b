"""Fixtures for all tests that run pegasus as a user does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from project import Project

# Where a failure stops others, examples are the same each time; elsewhere they are new ones.
# How long one takes says nothing where other programs run, too.
_UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("unhurried", _UNHURRIED)
settings.register_profile("ci", _UNHURRIED, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "unhurried")

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
