"""The recorder of a run: what happens is in the journal, in order, whatever the disk does."""

from __future__ import annotations

import os
import threading
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from disks import Disk
from project import PATIENCE, wait_until

from pegasus import events
from pegasus.errors import JournalError, NeverStartedError, StorageError, UnreachableError
from pegasus.events import Event, Stream
from pegasus.journal import recorder as recorder_module
from pegasus.journal import runlogs, trouble
from pegasus.journal.file import Journal, JournalReader, journal_path
from pegasus.journal.logs import Logs, log_path, logs_folder
from pegasus.journal.recorder import Recorder
from pegasus.model import Attempt, Ending, Host, Job, Node, Outcome

NODE = Node(3, Host("gpu-1", "gpu-1"), (("container", "gpu0"),))
NAME = {"node": "gpu-1 (container=gpu0)", "index": 3}
FIRST = Attempt(1, Job("train {{ bs }}", (("bs", "8"),), id=7), NODE, "train 8")
SECOND = Attempt(2, FIRST.job, NODE, "train 8", repeats=1)
OTHER = Attempt(1, Job("true", id=8), NODE, "true")


class Kept:
    """A recorder, and what it leaves on the disk."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        self.folder = folder
        self.disk = disk
        self.told: list[str] = []
        self.recorder = Recorder(Journal(folder), "5f0c91ab", Logs(folder), self.told.append)

    def note(self, *events: Event) -> None:
        for event in events:
            self.recorder(event)

    def records(self) -> list[dict[str, Any]]:
        """What is in the journal, but for `at` and `run`, which are looked at here."""
        reader = JournalReader(self.folder)
        reader.begins_anew()
        found = [*reader.read()]
        for record in found:
            assert datetime.fromisoformat(record.pop("at")).tzinfo
            assert record.pop("run") == "5f0c91ab"
        return found

    def events(self) -> list[str]:
        return [record["event"] for record in self.records()]

    def log(self, attempt: Attempt = FIRST, stream: str = "out") -> bytes:
        return log_path(self.folder, *attempt.key, stream).read_bytes()

    def mend(self) -> None:
        self.disk.takes_records = self.disk.opens = True
        self.disk.room = None
        self.disk.now += recorder_module.RETRY


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kept:
    monkeypatch.setattr(trouble, "EVERY", 3600.0)  # Tests say when it is tried again.
    return Kept(tmp_path / ".pegasus" / "queue.yaml", Disk(monkeypatch))


def out(data: bytes, attempt: Attempt = FIRST, stream: Stream = Stream.STDOUT) -> events.Output:
    return events.Output(attempt, stream, data)


def test_an_attempt_is_recorded_from_its_start_to_its_end(kept: Kept) -> None:
    kept.recorder.begin(FIRST)
    kept.note(
        events.AttemptStarted(FIRST),
        events.AttemptAnnounced(FIRST, 4711),
        out(b"one\n"),
        out(b"oops\n", stream=Stream.STDERR),
        out(b"two"),
        events.AttemptEnded(FIRST, Ending.exited(3), again=True),
    )
    begun, announced, ended = kept.records()
    assert begun == {
        "event": "attempt_started",
        "job": 7,
        "attempt": 1,
        **NAME,
        "command": "train 8",
        "repeats": 0,
        "slots": [0],
    }
    assert announced == {"event": "attempt_announced", "job": 7, "attempt": 1, "pid": 4711}
    assert datetime.fromisoformat(ended.pop("started")).tzinfo
    assert ended == {
        "event": "attempt_ended",
        "job": 7,
        "attempt": 1,
        "outcome": "failed",
        "exit_status": 3,
        "exit_signal": None,
        "detail": "",
        "stdout": 7,
        "stderr": 5,
        "unlogged": 0,
        "again": True,
    }
    assert (kept.log(), kept.log(stream="err")) == (b"one\ntwo", b"oops\n")
    assert kept.told == []


def test_a_second_attempt_says_which_one_it_makes_good(kept: Kept) -> None:
    kept.recorder.begin(SECOND)
    signalled = Ending(Outcome.SIGNALLED, exit_status=137, exit_signal="KILL", detail="why")
    kept.note(events.AttemptStarted(SECOND), events.AttemptEnded(SECOND, signalled))
    begun, ended = kept.records()
    assert (begun["attempt"], begun["repeats"]) == (2, 1)
    names = ("outcome", "exit_status", "exit_signal", "detail", "again")
    assert [ended[name] for name in names] == ["signalled", 137, "KILL", "why", False]


def test_the_time_of_the_start_stands_in_the_ending_too(kept: Kept) -> None:
    kept.recorder.begin(FIRST)
    kept.note(events.AttemptEnded(FIRST, Ending.exited(0)))
    reader = JournalReader(kept.folder)
    reader.begins_anew()
    begun, ended = reader.read()
    assert ended["started"] == begun["at"]


def test_nodes_are_recorded(kept: Kept) -> None:
    refused = UnreachableError(NODE, "auth", "no key fits")
    kept.note(
        events.NodeConnected(NODE),
        events.NodeUnreachable(NODE, refused, skipped=True),
        events.NodeDisconnected(NODE, "reset"),
        events.NodeLost(NODE, "gone"),
        events.Waiting(),
    )
    assert kept.records() == [
        {"event": "node_connected", **NAME, "slots": [0]},
        {
            "event": "node_unreachable",
            **NAME,
            "step": "auth",
            "problem": "no key fits",
            "skipped": True,
        },
        {"event": "node_disconnected", **NAME, "problem": "reset"},
        {"event": "node_lost", **NAME, "problem": "gone"},
    ]


def test_nodes_that_come_and_go_and_pauses_are_recorded(kept: Kept) -> None:
    kept.note(
        events.NodeAdded(NODE),
        events.NodeDrained(NODE, removed=True),
        events.NodeUndrained(NODE),
        events.JobsUnfit(()),
        events.Paused(2),
        events.Resumed(),
        events.HostsMended(),
    )
    assert [record["event"] for record in kept.records()] == [
        "node_added",
        "node_drained",
        "node_undrained",
        "jobs_unfit",
        "paused",
        "resumed",
    ]


def test_an_attempt_that_never_started_and_a_late_cancel_command_are_recorded(kept: Kept) -> None:
    kept.recorder.begin(FIRST)
    error = NeverStartedError(NODE, "session", "refused")
    kept.note(events.NeverStarted(FIRST, error), events.CancelCommandEnded(OTHER, "no docker"))
    assert kept.records()[1:] == [
        {
            "event": "never_started",
            "job": 7,
            "attempt": 1,
            "step": "session",
            "problem": "refused",
        },
        {"event": "cancel_command_ended", "job": 8, "attempt": 1, "problem": "no docker"},
    ]


def test_nothing_begins_while_the_journal_can_t_be_written(kept: Kept) -> None:
    kept.disk.takes_records = False
    for _ in range(3):
        with pytest.raises(StorageError, match="no space left on device"):
            kept.recorder.begin(FIRST)
        kept.disk.now += recorder_module.RETRY
    assert not logs_folder(kept.folder).exists()
    assert len(kept.told) == 1
    assert str(journal_path(kept.folder)) in kept.told[0]
    assert "free some space" in kept.told[0]
    assert "nothing begins" in kept.told[0]
    kept.mend()
    kept.recorder.begin(FIRST)
    assert kept.events() == ["attempt_started"]
    assert len(kept.told) == 2
    assert "can be written again" in kept.told[1]


def test_nor_while_its_logs_can_t_and_then_its_start_is_recorded_once(kept: Kept) -> None:
    kept.disk.opens = False
    for _ in range(3):
        with pytest.raises(StorageError, match="too many open files"):
            kept.recorder.begin(FIRST)
    kept.mend()
    kept.recorder.begin(FIRST)
    kept.note(events.AttemptStarted(FIRST))
    assert kept.events() == ["attempt_started"]
    assert kept.log() == kept.log(stream="err") == b""
    assert len(kept.told) == 2


def test_nor_in_a_journal_of_another_version(kept: Kept) -> None:
    kept.folder.mkdir(parents=True)
    journal_path(kept.folder).write_text('{"journal": "pegasus", "version": 2}\n')
    with pytest.raises(JournalError):
        kept.recorder.begin(FIRST)


def test_an_attempt_that_was_cancelled_while_it_waited_has_a_beginning_and_an_end(
    kept: Kept,
) -> None:
    kept.disk.takes_records = False
    with pytest.raises(StorageError):
        kept.recorder.begin(FIRST)
    ended = events.AttemptEnded(FIRST, Ending(Outcome.CANCELLED, detail="before it began"))
    kept.note(events.AttemptStarted(FIRST), ended)
    kept.mend()
    kept.recorder.flush()
    assert kept.events() == ["attempt_started", "attempt_ended"]


def test_what_can_t_be_written_waits_in_its_order(kept: Kept) -> None:
    kept.recorder.begin(FIRST)
    kept.disk.takes_records = False
    kept.note(
        events.AttemptAnnounced(FIRST, 1),
        events.NodeDisconnected(NODE, "reset"),
        events.AttemptEnded(FIRST, Ending.exited(0)),
    )
    assert kept.events() == ["attempt_started"]
    kept.mend()
    kept.note(events.NodeConnected(NODE), events.NodeLost(NODE, "gone"))
    waited = ["attempt_announced", "node_disconnected", "attempt_ended"]
    assert kept.events() == ["attempt_started", *waited, "node_connected", "node_lost"]
    assert len(kept.told) == 2


def test_what_begins_comes_behind_what_waits(kept: Kept) -> None:
    kept.disk.takes_records = False
    kept.note(events.NodeConnected(NODE))
    with pytest.raises(StorageError):
        kept.recorder.begin(FIRST)
    kept.mend()
    kept.recorder.begin(FIRST)
    assert kept.events() == ["node_connected", "attempt_started"]


def test_a_full_disk_is_not_tried_more_often_than_now_and_then(kept: Kept) -> None:
    kept.disk.takes_records = False
    kept.note(events.NodeConnected(NODE))
    tries = kept.disk.tries
    for _ in range(1000):
        kept.note(events.NodeConnected(NODE))
        with pytest.raises(StorageError):
            kept.recorder.begin(FIRST)
        kept.disk.now += recorder_module.RETRY / 1001
    assert kept.disk.tries == tries
    kept.mend()
    kept.recorder.flush()
    assert len(kept.events()) == 1001


def test_the_end_tries_a_last_time_and_has_it_on_the_disk(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.disk.takes_records = False
    kept.note(events.NodeConnected(NODE))
    kept.disk.takes_records = True  # At once: there is no later.
    synced: list[bool] = []
    append = Journal.append

    def note(journal: Journal, *records: Any, sync: bool = False) -> None:
        synced.append(sync)
        append(journal, *records, sync=sync)

    monkeypatch.setattr(Journal, "append", note)
    kept.recorder.close()
    assert kept.events() == ["node_connected"]
    assert synced == [True]
    assert "missing" not in "".join(kept.told)


def test_the_end_says_what_is_missing(kept: Kept) -> None:
    kept.recorder.begin(FIRST)
    kept.disk.takes_records, kept.disk.room = False, 0
    kept.note(out(b"12345"), events.AttemptEnded(FIRST, Ending.exited(0)))
    kept.recorder.close()
    assert "records of this run that are missing in the journal: 1" in kept.told[-2]
    assert "5 bytes" in kept.told[-1]


def test_output_goes_on_while_a_log_can_t_be_written_and_that_is_said_once(kept: Kept) -> None:
    kept.recorder.begin(FIRST)
    kept.recorder.begin(OTHER)
    kept.disk.room = 0
    kept.note(out(b"one"), out(b"two"), out(b"three", OTHER))
    assert len(kept.told) == 1
    assert str(log_path(kept.folder, 7, 1, "out")) in kept.told[0]
    kept.mend()
    kept.note(out(b"four"))
    assert len(kept.told) == 1  # The other is still in trouble.
    kept.note(out(b"five", OTHER))
    assert len(kept.told) == 2
    assert (kept.log(), kept.log(OTHER)) == (b"onetwofour", b"threefive")


def test_an_end_while_the_disk_is_full_does_not_say_so_once_more(kept: Kept) -> None:
    kept.recorder.begin(FIRST)
    kept.disk.takes_records, kept.disk.room = False, 0
    kept.note(out(b"12345"), events.AttemptEnded(FIRST, Ending.exited(0)))
    kept.note(events.NodeConnected(NODE))
    assert len(kept.told) == 1


def test_output_of_what_has_ended_waits_for_room_too(kept: Kept) -> None:
    kept.recorder.begin(FIRST)
    kept.disk.room = 2
    kept.note(out(b"12345"), events.AttemptEnded(FIRST, Ending.exited(0)))
    assert kept.records()[-1]["unlogged"] == 3
    kept.mend()
    kept.recorder.flush()
    assert kept.log() == b"12345"
    assert "can be written again" in kept.told[1]
    kept.recorder.close()
    assert len(kept.told) == 2


def test_but_not_all_of_it(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runlogs, "HELD_LATE", 7)
    kept.disk.room = 0
    for attempt in (FIRST, OTHER):
        kept.note(out(b"12345", attempt), events.AttemptEnded(attempt, Ending.exited(0)))
    kept.mend()
    kept.recorder.flush()
    assert kept.log() == b"12345"
    assert not log_path(kept.folder, *OTHER.key, "out").read_bytes()
    kept.recorder.close()
    assert "5 bytes" in kept.told[-1]


def test_what_waits_does_not_wait_for_the_next_event(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trouble, "EVERY", 0.01)
    kept.recorder.begin(FIRST)
    kept.recorder.begin(OTHER)
    kept.disk.takes_records, kept.disk.room = False, 0
    kept.note(out(b"one"), out(b"two", OTHER), events.AttemptEnded(OTHER, Ending.exited(0)))
    kept.mend()
    wait_until(lambda: len(kept.told) == 2, "all is written")
    assert (kept.log(), kept.log(OTHER)) == (b"one", b"two")
    assert kept.events()[-1] == "attempt_ended"
    kept.disk.room = 0  # And the next time, too.
    kept.note(out(b"more"))
    kept.mend()
    wait_until(lambda: len(kept.told) == 4, "all is written once more")
    assert kept.log() == b"onemore"


def test_it_is_not_said_that_all_is_well_when_who_waited_is_cancelled(kept: Kept) -> None:
    kept.disk.opens = False
    with pytest.raises(StorageError):
        kept.recorder.begin(FIRST)
    kept.note(events.AttemptEnded(FIRST, Ending(Outcome.CANCELLED)))
    assert len(kept.told) == 1


def test_how_much_of_the_output_is_not_in_the_logs_is_recorded(kept: Kept) -> None:
    kept.recorder.begin(FIRST)
    kept.disk.room = 2
    kept.note(out(b"12345"), events.AttemptEnded(FIRST, Ending.exited(0)))
    ended = kept.records()[-1]
    assert (ended["stdout"], ended["unlogged"]) == (5, 3)
    assert kept.log() == b"12"


def test_what_a_late_cancel_command_says_is_added_to_the_log(kept: Kept) -> None:
    kept.recorder.begin(FIRST)
    kept.note(
        out(b"training\n"),
        events.AttemptEnded(FIRST, Ending(Outcome.LOST)),
        out(b"stopped\n"),
        events.CancelCommandEnded(FIRST),
    )
    assert kept.log() == b"training\nstopped\n"
    assert kept.events() == ["attempt_started", "attempt_ended", "cancel_command_ended"]


def test_no_log_stays_open_however_an_attempt_ends(kept: Kept) -> None:
    def open_logs() -> int:
        names = [os.path.join("/proc/self/fd", name) for name in os.listdir("/proc/self/fd")]
        found = [os.readlink(name) for name in names if os.path.lexists(name)]
        return sum(target.startswith(str(logs_folder(kept.folder))) for target in found)

    for attempt in (FIRST, SECOND, OTHER):
        kept.recorder.begin(attempt)
    assert open_logs() == 6
    kept.note(events.NeverStarted(FIRST, NeverStartedError(NODE, "session", "refused")))
    kept.note(events.AttemptEnded(SECOND, Ending(Outcome.LOST)))
    kept.note(events.AttemptEnded(OTHER, Ending.exited(0)))
    assert open_logs() == 0
    kept.note(out(b"stopped", SECOND))
    assert open_logs() == 1
    kept.note(events.CancelCommandEnded(SECOND))
    assert open_logs() == 0


def test_without_a_keeper_a_start_is_recorded_all_the_same(kept: Kept) -> None:
    kept.note(events.AttemptStarted(FIRST), out(b"x"), events.AttemptEnded(FIRST, Ending.exited(0)))
    assert kept.events() == ["attempt_started", "attempt_ended"]
    assert kept.records()[1]["started"]
    assert kept.log() == b"x"


def test_odd_text_is_written_all_the_same(kept: Kept) -> None:
    odd = Attempt(1, Job("x", id=9), NODE, "echo \udcff \u2028 \x00 ☃\n'\"")
    kept.recorder.begin(odd)
    assert kept.records()[0]["command"] == odd.command
    assert len(journal_path(kept.folder).read_bytes().splitlines()) == 2


def test_many_threads_lose_nothing_and_keep_the_order_of_each(kept: Kept) -> None:
    def work(job: int) -> None:
        for number in range(1, 11):
            attempt = Attempt(number, Job("x", id=job), NODE, "x")
            kept.recorder.begin(attempt)
            kept.note(events.AttemptStarted(attempt), out(b"%d" % job, attempt))
            kept.note(events.AttemptEnded(attempt, Ending.exited(0)))

    threads = [threading.Thread(target=work, args=(job,)) for job in range(1, 17)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = kept.records()
    for job in range(1, 17):
        own = [(one["event"], one["attempt"]) for one in found if one["job"] == job]
        expected = [
            (event, number)
            for number in range(1, 11)
            for event in ("attempt_started", "attempt_ended")
        ]
        assert own == expected
        assert log_path(kept.folder, job, 10, "out").read_bytes() == b"%d" % job


class Slow(Journal):
    """A journal whose writer is held up until the test lets it go on."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.appends: list[int] = []
        self.is_writing = threading.Event()
        self.may_write = threading.Event()
        self.may_write.set()

    def append(self, *records: Any, sync: bool = False) -> None:
        self.appends.append(len(records))
        self.is_writing.set()
        assert self.may_write.wait(PATIENCE)
        super().append(*records, sync=sync)


def test_the_starts_of_several_attempts_are_one_write(tmp_path: Path) -> None:
    journal = Slow(tmp_path / ".pegasus" / "queue.yaml")
    recorder = Recorder(journal, "5f0c91ab", Logs(journal.folder), lambda _: None)
    recorder.note_starts([FIRST, OTHER])
    assert journal.appends == [2]
    recorder.begin(FIRST)
    recorder.begin(OTHER)
    assert journal.appends == [2]
    assert logs_folder(journal.folder).exists()


def test_starts_that_can_not_be_noted_now_are_tried_again_by_each_attempt(kept: Kept) -> None:
    kept.disk.takes_records = False
    kept.recorder.note_starts([FIRST, OTHER])
    with pytest.raises(StorageError):
        kept.recorder.begin(FIRST)
    kept.mend()
    kept.recorder.begin(OTHER)
    assert [record["job"] for record in kept.records()] == [8]


def test_what_was_announced_while_another_thread_writes_is_taken_along(tmp_path: Path) -> None:
    journal = Slow(tmp_path / ".pegasus" / "queue.yaml")
    recorder = Recorder(journal, "5f0c91ab", Logs(journal.folder), lambda _: None)
    journal.may_write.clear()
    writer = threading.Thread(target=recorder, args=(events.NodeConnected(NODE),))
    writer.start()
    assert journal.is_writing.wait(PATIENCE)
    recorder(events.AttemptAnnounced(FIRST, 4711))  # It would wait here for ever.
    recorder(events.AttemptAnnounced(OTHER, 4712))
    journal.may_write.set()
    writer.join(PATIENCE)
    reader = JournalReader(journal.folder)
    found = [record["event"] for record in reader.read()]
    assert found == ["node_connected", "attempt_announced", "attempt_announced"]
    assert journal.appends == [1, 2]


def test_what_has_ended_is_in_the_journal_before_anybody_hears_of_it(tmp_path: Path) -> None:
    journal = Slow(tmp_path / ".pegasus" / "queue.yaml")
    recorder = Recorder(journal, "5f0c91ab", Logs(journal.folder), lambda _: None)
    recorder.note_starts([FIRST, OTHER])
    journal.may_write.clear()
    journal.is_writing.clear()
    heard: list[int] = []

    def end(attempt: Attempt) -> None:
        recorder(events.AttemptEnded(attempt, Ending.exited(0)))
        heard.append(attempt.job.id)

    threads = [threading.Thread(target=end, args=(one,)) for one in (FIRST, OTHER)]
    threads[0].start()
    assert journal.is_writing.wait(PATIENCE)
    threads[1].start()
    wait_until(lambda: len(recorder._pending) == 2, "the other one's record")
    assert heard == []
    journal.may_write.set()
    for thread in threads:
        thread.join(PATIENCE)
    ended = JournalReader(journal.folder, "attempt_ended").read()
    assert sorted(record["job"] for record in ended) == sorted(heard) == [7, 8]
