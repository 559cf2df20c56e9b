"""What the journal tells of jobs, attempts, runs and nodes, and of changes that were not made."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from story import OTHER, RUN, Story, job

from pegasus.errors import JournalError, StorageError
from pegasus.journal import records
from pegasus.journal.history import History, JobState, NodeState
from pegasus.journal.jobs import KINDS, WORST_FIRST
from pegasus.journal.records import record
from pegasus.model import Outcome
from pegasus.storage import staged_place


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path)


# A job and its attempts.


def test_a_job_is_taken_runs_and_ends(story: Story) -> None:
    story.begin()
    story.take(1)
    assert story.state() is JobState.TAKEN
    story.start(1)
    story.tell(records.ATTEMPT_ANNOUNCED, job=1, attempt=1, pid=4711)
    assert story.state() is JobState.RUNNING
    told = story.history.jobs[1]
    (attempt,) = told.attempts.values()
    assert (attempt.number, attempt.run, attempt.node, attempt.index) == (1, RUN, "gpu-1", 0)
    assert (attempt.command, attempt.pid, attempt.ended) == ("run 1", 4711, None)
    story.finish(1, "failed")
    assert story.state() is JobState.FAILED
    assert (attempt.outcome, attempt.exit_status, attempt.exit_signal) == (Outcome.FAILED, 3, None)
    assert (attempt.stdout, attempt.stderr, attempt.unlogged) == (11, 22, 33)
    assert (attempt.detail, attempt.again) == ("it says", False)
    assert attempt.ended
    assert attempt.started <= attempt.ended
    assert str(attempt.ending) == "exit status: 3"


def test_a_job_is_as_it_stands_in_the_journal_with_its_attempts_counted(story: Story) -> None:
    story.begin()
    story.take(1, attempts=2)
    story.history.catch_up()
    told = story.history.jobs[1]
    assert (told.id, told.run, bool(told.taken_at)) == (1, RUN, True)
    assert told.job == job(1)
    assert told.job.attempts == 2
    story.start(1, attempt=3)
    story.history.catch_up()
    assert (told.job.id, told.job.attempts) == (1, 3)
    assert told.job.options.written == (("retries", "1"),)


@pytest.mark.parametrize("outcome", [one.value for one in Outcome])
def test_the_word_of_an_ending_is_the_state_of_its_job(story: Story, outcome: str) -> None:
    story.begin()
    story.take(1)
    story.start(1)
    story.finish(1, outcome)
    assert story.state().value == outcome


def test_every_ending_has_a_rank_and_a_kind() -> None:
    open_states = {JobState.QUEUED, JobState.TAKEN, JobState.RUNNING}
    assert set(WORST_FIRST) == set(JobState) - open_states
    assert sorted(one.value for kind in KINDS.values() for one in kind) == sorted(
        one.value for one in WORST_FIRST
    )


def test_a_repeat_makes_good_what_it_repeats(story: Story) -> None:
    story.begin()
    story.take(1)
    story.start(1)
    story.finish(1, "failed", again=True)
    assert story.state() is JobState.TAKEN
    story.start(1, attempt=2, repeats=1)
    assert story.state() is JobState.RUNNING
    story.finish(1, "succeeded", attempt=2)
    assert story.state() is JobState.SUCCEEDED


def test_a_job_that_is_to_be_repeated_stays_failed_when_its_run_ends(story: Story) -> None:
    story.begin()
    story.take(1)
    story.start(1)
    story.finish(1, "timed out", again=True)
    story.end()
    assert story.state() is JobState.TIMED_OUT


def test_a_repeat_that_never_starts_makes_nothing_good(story: Story) -> None:
    story.begin()
    story.take(1)
    story.start(1)
    story.finish(1, "failed", again=True)
    story.start(1, attempt=2, repeats=1)
    story.tell(records.NEVER_STARTED, job=1, attempt=2, step="session", problem="no session")
    assert story.state() is JobState.TAKEN
    assert story.history.jobs[1].attempts[2].never_started == "no session"
    assert [one.number for one in story.history.jobs[1].final] == [1]
    story.end()
    assert story.state() is JobState.FAILED


def test_on_several_nodes_the_worst_ending_is_the_state(story: Story) -> None:
    story.begin(mode="broadcast")
    story.take(1)
    for node, outcome in enumerate(["succeeded", "lost", "failed"]):
        story.start(1, attempt=node + 1, node=node)
        assert story.state() is JobState.RUNNING
        story.finish(1, outcome, attempt=node + 1)
    assert story.state() is JobState.LOST
    story.start(1, attempt=4, node=1, repeats=2)
    assert story.state() is JobState.RUNNING
    story.finish(1, "succeeded", attempt=4)
    assert story.state() is JobState.FAILED


def test_what_came_before_a_job_was_put_back_does_not_count(story: Story) -> None:
    story.begin()
    story.take(1)
    story.start(1)
    story.finish(1, "failed")
    story.put_back(1, attempts=1)
    assert story.state() is JobState.QUEUED
    story.take(1, attempts=1)
    assert story.state() is JobState.TAKEN
    story.start(1, attempt=2)
    story.finish(1, "succeeded", attempt=2)
    assert story.state() is JobState.SUCCEEDED
    assert [*story.history.jobs[1].attempts] == [1, 2]


def test_a_job_that_never_started_and_was_put_back_is_queued(story: Story) -> None:
    story.begin()
    story.take(1)
    story.start(1)
    story.tell(records.NEVER_STARTED, job=1, attempt=1, step="session", problem="no session")
    assert story.state() is JobState.TAKEN
    story.put_back(1, attempts=1, run=RUN)
    assert story.state() is JobState.QUEUED
    assert story.history.jobs[1].run == RUN


# Runs that end, and runs that die.


@pytest.mark.parametrize("how", ["ended", "died", "killed"])
@pytest.mark.parametrize("begun", [True, False])
def test_what_a_run_has_left_is_interrupted(story: Story, how: str, begun: bool) -> None:
    story.begin()
    story.take(1)
    if begun:
        story.start(1)
    assert story.state() in (JobState.RUNNING, JobState.TAKEN)
    if how == "ended":
        story.end(status=130, interrupted=2)
    elif how == "died":
        story.tell(records.RUN_DIED)
    else:
        story.alive.clear()
    assert story.history.catch_up()
    assert story.state() is JobState.INTERRUPTED
    run = story.history.runs[RUN]
    assert (run.is_on, run.ended is not None, run.died) == (False, how == "ended", how == "died")


def test_a_run_is_known_by_its_beginning_and_its_end(story: Story) -> None:
    story.begin(OTHER, "broadcast")
    story.begin()
    story.end(OTHER, status=143, interrupted=15)
    story.history.catch_up()
    assert [*story.history.runs] == [OTHER, RUN]
    run = story.history.runs[OTHER]
    assert (run.mode, run.pid, run.host, run.user) == ("broadcast", 7, "here", "me")
    assert (run.exit_status, run.interrupted, run.settings) == (143, 15, {"daemon": False})
    assert [node.label for node in run.nodes.values()] == ["gpu-1", "gpu-2", "gpu-3"]
    assert not run.is_on
    assert story.history.runs[RUN].is_on


def test_only_runs_without_an_end_are_asked_for(story: Story) -> None:
    story.begin(OTHER)
    story.end(OTHER)
    story.begin("0000000c")
    story.tell(records.RUN_DIED, "0000000c")
    story.begin()
    story.history.catch_up()
    assert set(story.asked) == {RUN}


def test_a_run_that_ends_while_it_is_looked_for_is_not_taken_for_dead(story: Story) -> None:
    story.begin()
    story.take(1)
    story.start(1)

    def is_alive(_: str) -> bool:
        if story.alive:
            story.finish(1)
            story.end()
        return False

    history = History(story.journal.folder, is_alive)
    history.catch_up()
    assert history.state(history.jobs[1]) is JobState.SUCCEEDED
    assert history.runs[RUN].ended


def test_a_run_of_which_only_jobs_are_known_lives_as_well(story: Story) -> None:
    story.take(1)
    assert story.state() is JobState.TAKEN
    story.alive.clear()
    assert story.state() is JobState.INTERRUPTED


def test_nodes_are_followed(story: Story) -> None:
    story.begin()
    story.tell(records.NODE_CONNECTED, node="gpu-1", index=0)
    story.tell(records.NODE_CONNECTED, node="gpu-2", index=1)
    story.tell(
        records.NODE_UNREACHABLE, node="gpu-3", index=2, step="auth", problem="no", skipped=False
    )
    story.tell(records.NODE_DISCONNECTED, node="gpu-2", index=1, problem="fell silent")
    story.history.catch_up()
    nodes = story.history.runs[RUN].nodes

    def told() -> list[tuple[NodeState, str]]:
        return [(node.state, node.problem) for node in nodes.values()]

    connected, gone = (NodeState.CONNECTED, ""), (NodeState.UNREACHABLE, "no")
    assert told() == [connected, (NodeState.DISCONNECTED, "fell silent"), gone]
    story.tell(records.NODE_CONNECTED, node="gpu-2", index=1)
    story.tell(records.NODE_LOST, node="gpu-1", index=0, problem="broke")
    story.history.catch_up()
    assert told() == [(NodeState.LOST, "broke"), connected, gone]


# Commits that were not made.


@pytest.mark.parametrize("is_read_before", [True, False])
def test_a_take_that_was_undone_has_not_been(story: Story, is_read_before: bool) -> None:
    story.begin()
    story.take(1)
    story.start(1)
    story.finish(1, "failed")
    story.put_back(1, attempts=1)
    mark = story.commit(records.JOBS_TAKEN, job(1, 1), job(2))
    if is_read_before:
        staged_place(story.queue_file, mark).touch()
        assert story.states() == {1: JobState.QUEUED}
    story.tell(records.UNDONE, commit=mark)
    staged_place(story.queue_file, mark).unlink(missing_ok=True)
    assert story.states() == {1: JobState.QUEUED}


@pytest.mark.parametrize("is_read_before", [True, False])
def test_a_putting_back_that_was_undone_has_not_been(story: Story, is_read_before: bool) -> None:
    story.begin()
    story.take(1)
    story.start(1)
    story.finish(1, "failed")
    mark = story.put_back(1, attempts=1)
    if is_read_before:
        staged_place(story.queue_file, mark).touch()
        assert story.state() is JobState.FAILED
    story.tell(records.UNDONE, commit=mark)
    staged_place(story.queue_file, mark).unlink(missing_ok=True)
    assert story.state() is JobState.FAILED


def test_the_last_take_counts_once_its_file_is_in_place(story: Story) -> None:
    story.begin()
    mark = story.take(1)
    staged = staged_place(story.queue_file, mark)
    staged.touch()
    assert story.states() == {}
    assert not story.history.catch_up()
    staged.rename(story.queue_file)
    assert story.history.catch_up()
    assert story.states() == {1: JobState.TAKEN}
    assert not story.history.catch_up()


def test_what_happens_to_a_job_right_after_its_take_is_not_lost(story: Story) -> None:
    story.begin()
    mark = story.take(1)
    staged = staged_place(story.queue_file, mark)
    staged.touch()
    assert story.states() == {}
    staged.unlink()
    story.start(1)
    assert story.states() == {1: JobState.RUNNING}


def test_a_take_that_is_undone_while_it_is_looked_for_is_not_seen(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.begin()
    mark = story.take(1)
    staged = staged_place(story.queue_file, mark)
    staged.touch()

    def lexists(path: Path) -> bool:
        if staged.exists():
            story.tell(records.UNDONE, commit=mark)
            staged.unlink()
        return False

    monkeypatch.setattr(os.path, "lexists", lexists)
    assert story.states() == {}


def test_a_file_that_an_earlier_commit_has_left_says_nothing(story: Story) -> None:
    story.begin()
    staged_place(story.queue_file, story.take(1)).touch()
    story.take(2)
    assert story.states() == {1: JobState.TAKEN, 2: JobState.TAKEN}


# The file.


def test_without_a_journal_there_is_no_history(story: Story) -> None:
    assert not story.history.catch_up()
    assert story.states() == {}
    assert story.history.runs == {}


def test_only_what_is_new_is_read(story: Story) -> None:
    story.begin()
    story.take(1)
    assert story.history.catch_up()
    told = story.history.jobs[1]
    assert not story.history.catch_up()
    story.start(1)
    assert story.history.catch_up()
    assert story.history.jobs[1] is told
    assert [*told.attempts] == [1]


def test_a_journal_that_was_replaced_is_read_anew(story: Story) -> None:
    story.begin()
    story.take(1)
    assert [*story.states()] == [1]
    story.journal.path.rename(story.journal.path.with_name("old"))
    assert story.states() == {}
    story.begin(OTHER)
    story.take(1, run=OTHER)
    assert story.states() == {1: JobState.INTERRUPTED}
    assert [*story.history.runs] == [OTHER]


def test_a_line_that_is_being_written_is_read_when_it_is_whole(story: Story) -> None:
    story.begin()
    story.take(1)
    line = records.encode(record(records.RUN_DIED, RUN))
    with open(story.journal.path, "ab") as file:
        file.write(line[:-5])
    assert story.state() is JobState.TAKEN
    with open(story.journal.path, "ab") as file:
        file.write(line[-5:])
    assert story.state() is JobState.INTERRUPTED


def test_another_version_is_an_error(story: Story) -> None:
    story.begin()
    header = b'{"journal": "pegasus", "version": 2}\n'
    story.journal.path.write_bytes(header)
    with pytest.raises(JournalError, match="version 2"):
        story.history.catch_up()


def test_a_journal_that_can_not_be_read_is_an_error(story: Story) -> None:
    story.journal.folder.mkdir(parents=True)
    story.journal.path.mkdir()
    with pytest.raises(StorageError, match="can't be read"):
        story.history.catch_up()


def test_unknown_events_and_fields_are_passed_over(story: Story) -> None:
    story.begin()
    story.take(1)
    story.tell("job_admired", job=1)
    story.tell(records.ATTEMPT_STARTED, job=1, attempt=1, node="gpu-9", index=9, colour="red")
    assert story.state() is JobState.RUNNING
    assert story.history.jobs[1].attempts[1].node == "gpu-9"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=3,
)


def every_record(story: Story) -> list[dict[str, Any]]:
    """Tell a story with a record of every event, and return the records."""
    story.begin()
    story.take(1)
    story.start(1)
    story.tell(records.ATTEMPT_ANNOUNCED, job=1, attempt=1, pid=1)
    story.finish(1, "failed")
    story.start(1, attempt=2)
    story.tell(records.NEVER_STARTED, job=1, attempt=2, step="session", problem="no")
    story.tell(records.NODE_LOST, node="gpu-1", index=0, problem="no")
    story.put_back(1, attempts=1)
    story.tell(records.UNDONE, commit=story.take(2))
    story.tell(records.RUN_DIED, OTHER)
    story.end()
    return [json.loads(line) for line in story.journal.path.read_text().splitlines()[1:]]


@given(data=st.data())
def test_a_broken_record_breaks_nothing(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    story = Story(tmp_path_factory.mktemp("broken"))
    written = every_record(story)
    header = story.journal.path.read_bytes().split(b"\n")[0] + b"\n"
    index = data.draw(st.integers(0, len(written) - 1))
    field = data.draw(st.sampled_from(sorted(written[index])))
    if data.draw(st.booleans()):
        del written[index][field]
    else:
        written[index][field] = data.draw(VALUES)
    story.journal.path.write_bytes(header + b"".join(map(records.encode, written)))
    for state in story.states().values():
        assert isinstance(state, JobState)


# A model to hold it against.


class OneJob:
    """The story of one job, and the state that it is in."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.told: dict[int, JobState] = {}
        self.attempts = 0

    @property
    def is_in_queue(self) -> bool:
        return self.told.get(1, JobState.QUEUED) is JobState.QUEUED

    def _say(self) -> str:
        """Say that it is taken or put back, whichever can be."""
        change = self.story.take if self.is_in_queue else self.story.put_back
        return change(1, attempts=self.attempts)

    def change(self) -> None:
        self._say()
        self.told[1] = JobState.TAKEN if self.is_in_queue else JobState.QUEUED

    def undo(self) -> None:
        self.story.tell(records.UNDONE, commit=self._say())

    def stage(self) -> None:
        mark = self._say()
        staged = staged_place(self.story.queue_file, mark)
        staged.touch()
        self.read()
        self.story.tell(records.UNDONE, commit=mark)
        staged.unlink()

    def fail(self) -> None:
        if self.told.get(1) is JobState.TAKEN:
            self.attempts += 1
            self.story.start(1, attempt=self.attempts)
            self.story.finish(1, "failed", attempt=self.attempts)
            self.told[1] = JobState.FAILED

    def read(self) -> None:
        assert self.story.states() == self.told


@given(steps=st.lists(st.sampled_from(["change", "undo", "stage", "fail", "read"]), max_size=25))
def test_a_change_that_was_not_made_is_as_if_nobody_had_said_so(
    steps: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    story = Story(tmp_path_factory.mktemp("commits"))
    story.begin()
    one = OneJob(story)
    for step in [*steps, "read"]:
        getattr(one, step)()
