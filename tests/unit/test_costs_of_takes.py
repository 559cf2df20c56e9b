"""What a take and a record cost, in what does not depend on the machine: calls and bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from forks import result
from syscalls import Call, Watch, pass_over

from pegasus.files.queuefile import QueueFile
from pegasus.journal.file import Journal
from pegasus.journal.records import record
from pegasus.modes.feed import Feed

LINE = "- a plain line\n"


class Costs(NamedTuple):
    """The calls that open, change or sync what is in a folder, and how much they write."""

    calls: list[str]
    written: int


def costs(folder: Path, work: Callable[[], object], times: int = 3) -> Costs:
    """What it costs to do `work` for the last of some times."""

    def child() -> Costs:
        calls: list[str] = []
        written: list[int] = []

        def note(call: Call, make: Callable[[], object]) -> object:
            calls.append(call.name)
            written.append(len(call.data))
            return pass_over(call, make)

        Watch(folder, note).start()
        for _ in range(times):
            calls.clear()
            written.clear()
            work()
        return Costs(calls, sum(written))

    found: Costs = result(child)
    return found


def taking(folder: Path, entries: int, count: int = 1) -> Costs:
    """What it costs to take so many jobs off a queue of so many entries."""
    folder.mkdir(exist_ok=True)
    path = folder / "queue.yaml"
    path.write_text(LINE * (entries + 2 * count))
    feed = Feed(QueueFile(path, folder / "consumed.yaml"), lambda _: None, "a test")

    def take() -> None:
        taken = feed.take(lambda _: [(at, None) for at in range(count)], lambda _, job: job)
        assert len(taken) == count

    feed.take(lambda _: [], lambda _, job: job)
    return costs(folder, take)


def test_a_take_is_five_syncs_and_few_calls_however_many_jobs_it_takes(tmp_path: Path) -> None:
    one, many = taking(tmp_path, 200).calls, taking(tmp_path, 200, count=40).calls
    assert many == one
    assert (
        one.count("fsync") == 5
    )  # The new queue and its name, the journal, consumed.yaml, the rename.
    assert len(one) <= 45


def test_a_take_writes_the_queue_once_and_little_else(tmp_path: Path) -> None:
    short, long = taking(tmp_path / "a", 100), taking(tmp_path / "b", 10_000)
    assert abs(long.written - short.written - 9_900 * len(LINE)) < 50  # Numbers have more digits.
    holders = 2 * 2 * 1024  # Who has the lock, in two files, and that nobody has any more.
    assert short.written - 99 * len(LINE) < holders + 700


def test_a_record_is_one_write_and_no_sync(tmp_path: Path) -> None:
    journal = Journal(tmp_path / ".pegasus" / "queue.yaml")
    ended = record("attempt_ended", "5f0c91ab", job=1)
    found = costs(tmp_path, lambda: journal.append(ended))
    assert found.calls == ["open", "write", "close"]


def test_several_records_are_one_write(tmp_path: Path) -> None:
    journal = Journal(tmp_path / ".pegasus" / "queue.yaml")
    started = [record("attempt_started", "5f0c91ab", job=number) for number in range(5)]
    found = costs(tmp_path, lambda: journal.append(*started))
    assert found.calls == ["open", "write", "close"]
