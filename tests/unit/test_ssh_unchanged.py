"""Files that are read once, for as long as nobody changes them."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from pegasus.ssh import unchanged
from pegasus.ssh.unchanged import Unchanged


class Reads:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self, path: str) -> str:
        self.count += 1
        return Path(path).read_text()


@pytest.fixture
def reads() -> Reads:
    return Reads()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_text("one")
    age(path)
    return path


def age(path: Path, seconds: float = 10) -> None:
    moment = time.time() - seconds
    os.utime(path, (moment, moment))


def test_a_file_is_read_once(file: Path, reads: Reads) -> None:
    read = Unchanged(reads)
    assert [read(str(file)) for _ in range(5)] == ["one"] * 5
    assert reads.count == 1


def test_a_file_that_has_changed_is_read_again(file: Path, reads: Reads) -> None:
    read = Unchanged(reads)
    assert read(str(file)) == "one"
    file.write_text("two")
    assert read(str(file)) == "two"
    other = file.with_name("other")
    other.write_text("six")
    age(other)
    other.replace(file)
    assert read(str(file)) == "six"
    file.unlink()
    with pytest.raises(FileNotFoundError):
        read(str(file))


def test_a_change_at_the_moment_of_the_reading_is_seen(
    file: Path, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unchanged, "signature", lambda status: (status.st_size,))
    read = Unchanged(reads)
    file.write_text("two")
    assert read(str(file)) == "two"
    file.write_text("six")  # of the same size, and at the same moment for the clock of files
    assert read(str(file)) == "six"


def test_a_device_is_read_each_time(reads: Reads) -> None:
    read = Unchanged(reads)
    assert [read("/dev/null") for _ in range(2)] == ["", ""]
    assert reads.count == 2


def test_what_can_not_be_read_is_tried_again(file: Path) -> None:
    def refuse(path: str) -> str:
        raise PermissionError

    read = Unchanged(refuse)
    for _ in range(2):
        with pytest.raises(PermissionError):
            read(str(file))
