"""The queue from Python: `pegasus.Queue`."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from queuefiles import items_of, jobs_of
from story import OTHER, RUN, Story

from pegasus import (
    HostsFileError,
    Job,
    JobState,
    NoSuchJobError,
    Outcome,
    PegasusError,
    ProblemsError,
    Queue,
    QueueFileError,
    SettingsError,
    StorageError,
)
from pegasus.control.lease import Lease
from pegasus.control.record import Record
from pegasus.files.queuefile import QueueFile
from pegasus.journal import records
from pegasus.journal.records import text_of
from pegasus.locking import FileLock
from pegasus.model import Need


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Queue:
    monkeypatch.chdir(tmp_path)
    return Queue()


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    """What a run that is on, and one that has died, have written into the journal."""
    told = Story(tmp_path)
    told.begin(OTHER)
    told.begin(RUN)
    lease = Lease.take(told.journal.folder / "runs", Record(RUN, "queue", 7, "here", "now", "x"))
    yield told
    lease.release()


def text(queue: Queue) -> str:
    return queue.path.read_bytes().decode()


def in_file(queue: Queue) -> list[Job]:
    return jobs_of(items_of(text(queue)))


def take(queue: Queue, count: int) -> list[Job]:
    file = QueueFile(queue.path, queue.path.parent / "consumed.yaml")
    with file.lock.hold("test"):
        return file.take(count)


# Adding.


def test_commands_are_added_at_the_end_and_at_the_head(queue: Queue) -> None:
    assert queue.add("b") == 1
    assert queue.add("c {{ x }}", {"x": "1", "y": ["2", "3"]}) == 2
    assert queue.add("a", head=True) == 1
    assert in_file(queue) == [
        Job("a"),
        Job("b"),
        Job("c {{ x }}", (("x", "1"), ("y", "2"))),
        Job("c {{ x }}", (("x", "1"), ("y", "3"))),
    ]


@pytest.mark.parametrize("head", [False, True])
def test_many_are_added_in_their_order(queue: Queue, head: bool) -> None:
    queue.add("there")
    assert queue.extend(["a", ("b {{ x }}", {"x": ("1", "2")}), "c"], head=head) == 4
    new = [Job("a"), *(Job("b {{ x }}", (("x", n),)) for n in "12"), Job("c")]
    assert in_file(queue) == ([*new, Job("there")] if head else [Job("there"), *new])


def test_nothing_is_added_for_no_command(queue: Queue) -> None:
    assert queue.extend([]) == 0
    assert not queue.path.exists()


@pytest.mark.parametrize(
    "command",
    ["- a", "@x", "!x", "#", "a: b # c", "'\"", "\\{{ }}", " a ", "a\n\n  b\n", "\t", "~",
     "é 漢 🚀", "x\x07\x85"],
)  # fmt: skip
def test_any_text_is_a_command_and_a_value(queue: Queue, command: str) -> None:
    if command.strip():
        queue.add(command)
    queue.add("x", {"a: b": command, "<<": ["", command]})
    assert in_file(queue) == [
        *([Job(command)] if command.strip() else []),
        Job("x", (("a: b", command), ("<<", ""))),
        Job("x", (("a: b", command), ("<<", command))),
    ]


def test_a_command_is_added_with_its_slots_and_nodes(queue: Queue) -> None:
    assert queue.add("a", slots=2) == 1
    assert queue.add("b {{ x }}", {"x": ["1", "2"]}, slots=0, on="a100-*,x y") == 2
    assert queue.extend(["c", ("d {{ x }}", {"x": "1"})], slots=4, on="b", head=True) == 2
    assert text(queue) == (
        "- command:\n  - c\n  slots:\n  - 4\n  options:\n    'on': b\n"
        "- command:\n  - d {{ x }}\n  x:\n  - '1'\n  slots:\n  - 4\n  options:\n    'on': b\n"
        "- command:\n  - a\n  slots:\n  - 2\n"
        "- command:\n  - b {{ x }}\n  x:\n  - '1'\n  - '2'\n  slots:\n  - 0\n"
        "  options:\n    'on': a100-*,x y\n"
    )
    assert [job.need for job in take(queue, 9)] == [
        Need(4, "b"), Need(4, "b"), Need(2), *[Need(0, "a100-*,x y")] * 2,
    ]  # fmt: skip


def test_slots_are_added_in_brackets_too(queue: Queue) -> None:
    queue.path.write_text("[a]")
    queue.add("b", slots=2, on="x")
    assert text(queue) == "[a, {command: ['b'], slots: [2], options: {'on': 'x'}}]"


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"slots": -1}, "`slots` is how many slots a job needs, and not -1"),
        ({"slots": True}, "and not True"),
        ({"slots": 1.5}, "and not 1.5"),
        ({"slots": "two"}, "and not 'two'"),
        ({"slots": "²"}, "and not '²'"),
        ({"slots": 5000}, "a node has 4,096 slots at most"),
        ({"slots": 10**30}, "and not 1000"),
        ({"on": ""}, "`on`: it is empty"),
        ({"on": "a,,b"}, "`on`: `,,` does not join terms"),
        ({"on": "@failed"}, "@failed changes from run to run"),
        ({"on": ["a"]}, "can't be a value of `on`"),
    ],
)
def test_slots_and_nodes_that_can_not_be_are_refused(
    queue: Queue, how: dict[str, Any], message: str
) -> None:
    with pytest.raises(QueueFileError, match=f"^the command:1:1: .*{message}"):
        queue.add("a", **how)
    assert not queue.path.exists()


def test_what_is_added_is_checked_for_the_nodes_that_it_is_bound_to(queue: Queue) -> None:
    Path("hosts.yaml").write_text("- {hostname: a, gpu: 1}\n- b\n")
    with pytest.raises(QueueFileError, match="there is no parameter `gpu`"):
        queue.add("run {{ gpu }} {{ slots }}", slots=2)
    assert queue.add("run {{ gpu }} {{ slots }}", slots=2, on="a") == 1


def test_a_size_that_the_policy_of_the_runs_never_gives_is_refused(queue: Queue) -> None:
    Path("hosts.yaml").write_text("- a\n")
    assert queue.add("a", slots=3) == 1
    with pytest.raises(QueueFileError, match=r"^the command:1:1: `allocation: buddy` gives 1, 2"):
        Queue(allocation="buddy").add("a", slots=3)


def test_what_is_put_back_needs_what_it_needed(queue: Queue) -> None:
    queue.path.write_text(
        "- command: a\n  x: [1, 2]\n  slots: [2]\n"
        "  options: {env: {A: 'x {{ x }}', on: b}, cwd: /d, on: 'n-*'}\n"
    )
    before = take(queue, 2)
    assert [*map(text_of, queue.retry([2, 1]))] == [*map(text_of, before)]
    assert in_file(queue) == before
    again = take(queue, 2)
    assert again == before
    assert [(job.id, job.need) for job in again] == [(1, Need(2, "n-*")), (2, Need(2, "n-*"))]


def test_numbers_are_written_as_they_look(queue: Queue) -> None:
    params: Any = {"n": [1, 0.5], "m": 8}
    queue.add("x", params)
    assert in_file(queue)[0] == Job("x", (("n", "1"), ("m", "8")))


@pytest.mark.parametrize(
    ("command", "params", "message"),
    [
        ("", {}, "an empty command"),
        (" \n", {}, "an empty command"),
        ("a\0b", {}, "NUL and lone surrogates can't be part of a text"),
        ("a", {"x": "\0"}, "NUL"),
        ("a\udc80", {}, "can't be written as UTF-8"),
        ("a", {"x\udc80": "1"}, "can't be written as UTF-8"),
        ("a", {"command": "x"}, "`command` can't be a parameter: the command is given by itself"),
        ("a", {"options": "x"}, "`options` can't be a parameter: .* inv lock"),
        ("a", {"hostname": "x"}, "`hostname` can't be a parameter"),
        ("a", {"slots": "2"}, "`slots` can't be a parameter: .* `slots=2` or `--slots 2`"),
        ("a", {"slot_count": "2"}, "`slot_count` can't be a parameter: templates have"),
        ("a", {"": "x"}, "a key must be a text"),
        ("a", {"x\ny": "x"}, "a key must be a short text on one line"),
        ("a", {"x" * 101: "x"}, "a key must be a short text on one line"),
        ("a", {"x": []}, "`x` has no value; give it one, or leave it out"),
        ("a", {"x": [None]}, "None can't be a value of `x`; give a text"),
        ("a", {"x": True}, "True can't be a value of `x`"),
        ("a", {"x": b"1"}, "b'1' can't be a value of `x`"),
        ("a", {"x": {"y": "1"}}, "{'y': '1'} can't be a value of `x`"),
        ("a", {"x": map(str, range(400)), "z": map(str, range(400))}, "160,000 jobs"),
        ("a {{ x", {}, "^the command:1:3: this tag is never closed"),
        ("one\n two {{ #x }}", {}, "^the command:2:6: "),
    ],
)  # fmt: skip
def test_what_no_run_could_take_is_refused(
    queue: Queue, command: str, params: dict[str, Any], message: str
) -> None:
    with pytest.raises(QueueFileError, match=message):
        queue.add(command, params)
    assert not queue.path.exists()


def test_parameters_that_nobody_has_are_refused_for_the_nodes_of_hosts_yaml(queue: Queue) -> None:
    queue.add("a {{ x }}")  # Without nodes it can't be known.
    Path("hosts.yaml").write_text("- hostname: h\n  gpu: 0\n")
    queue.add("b {{ gpu }} {{ hostname }}")
    with pytest.raises(QueueFileError, match="the command:1:3: there is no parameter `x`"):
        queue.add("c {{ x }}", {"z": "1"})
    Path("hosts.yaml").write_text("- hostname: h\n  x: 0\n")
    queue.add("d {{ x }}")
    Path("hosts.yaml").write_text("- hostname: h\n  options: {cancel: 'kill {{ name }}'}\n")
    with pytest.raises(HostsFileError, match="there is no parameter `name`"):
        queue.add("e")
    assert [job.template[0] for job in in_file(queue)] == ["a", "b", "d"]


def test_all_that_is_wrong_with_many_is_said_and_none_is_added(queue: Queue) -> None:
    with pytest.raises(ProblemsError) as caught:
        queue.extend(["fine", "{{ a", ("b", {"x": "1"}), "x {{#if}}"])
    assert [str(error).split(": ")[0] for error in caught.value.errors] == [
        "command 2:1:1",
        "command 4:1:3",
    ]
    with pytest.raises(QueueFileError, match="command 2:1:1: an empty command"):
        queue.extend(["fine", ""])
    assert not queue.path.exists()


def test_a_text_is_not_taken_for_many_commands(queue: Queue) -> None:
    with pytest.raises(QueueFileError, match="this is one command; add it by `add`"):
        queue.extend("ls")
    assert not queue.path.exists()


def test_a_wrong_queue_file_is_refused_and_stays(queue: Queue) -> None:
    queue.path.write_text("- a\n- b: c\n  d: [[]]\n")
    with pytest.raises(QueueFileError, match=r"queue\.yaml:3"):
        queue.add("c")
    with pytest.raises(QueueFileError, match=r"queue\.yaml:3"):
        queue.jobs()
    assert text(queue) == "- a\n- b: c\n  d: [[]]\n"


def test_what_others_do_with_the_file_is_seen(queue: Queue) -> None:
    other = Queue(queue.path)
    queue.add("a")
    other.add("b")
    queue.path.write_text(text(queue) + "# edited\n- c")
    queue.add("d")
    assert take(queue, 1) == [Job("a")]
    other.add("e")
    assert text(queue) == "- b\n# edited\n- c\n- d\n- e\n"


def test_a_folder_that_can_not_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="there"):
        Queue(tmp_path / "not" / "there.yaml").add("a")


def test_a_queue_does_not_become_another_one_with_the_working_directory(
    queue: Queue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    relative = Queue("queue.yaml")
    relative.add("here")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for refused in (lambda: relative.add("there"), relative.jobs, lambda: relative.retry([1])):
        with pytest.raises(StorageError, match=r"queue\.yaml is another file by now"):
            refused()
    assert not [*Path().iterdir()]


def test_one_file_can_not_be_two(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="are the same file"):
        Queue(tmp_path / "q", consumed=tmp_path / "q")


def test_who_waits_for_the_lock_is_told_who_holds_it(queue: Queue) -> None:
    holders: list[str] = []
    told = threading.Event()

    def on_wait(holder: str) -> None:
        holders.append(holder)
        told.set()

    waiting = Queue(queue.path, on_wait=on_wait)
    lock = FileLock.of(queue.path)
    with ThreadPoolExecutor() as pool:
        with lock.hold("an editor"):
            added = pool.submit(waiting.add, "a")
            assert told.wait(60)
            assert not queue.path.exists()
        assert added.result(60) == 1
    assert len(holders) == 1
    assert "(an editor) of " in holders[0]


def test_a_queue_can_be_looked_at_while_it_is_locked(queue: Queue) -> None:
    queue.add("a")
    with FileLock.of(queue.path).hold("an editor"):
        assert [job.template for job in queue.jobs()] == ["a"]
        assert queue.choose(states=JobState) == []


ADDER = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pegasus import Queue
name, threads, calls = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
shared = Queue("queue.yaml")
def add(thread):
    queue = shared if thread % 2 else Queue("queue.yaml")
    for call in range(calls):
        queue.add(f"{name} {thread} {call}", head=bool(call % 5 == 4))
print("ready", flush=True)
sys.stdin.read(1)
with ThreadPoolExecutor(threads) as pool:
    list(pool.map(add, range(threads)))
"""


def test_a_thousand_additions_at_once_lose_nothing(queue: Queue) -> None:
    processes, threads, calls = 24, 4, 11
    adders = [
        subprocess.Popen(
            [sys.executable, "-c", ADDER, f"p{number}", str(threads), str(calls)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for number in range(processes)
    ]
    try:
        for adder in adders:
            assert adder.stdout is not None
            assert adder.stdout.readline() == b"ready\n"
        for adder in adders:
            assert adder.stdin is not None
            adder.stdin.close()
        assert [adder.wait(300) for adder in adders] == [0] * processes
    finally:
        for adder in adders:
            adder.kill()
            adder.wait()
            assert adder.stdout is not None
            adder.stdout.close()
    added = [job.template for job in in_file(queue)]
    assert sorted(added) == sorted(
        f"p{number} {thread} {call}"
        for number in range(processes)
        for thread in range(threads)
        for call in range(calls)
    )
    last = [line for line in added if int(line.split()[2]) % 5 != 4]
    for number in range(processes):
        for thread in range(threads):
            mine = [line for line in last if line.startswith(f"p{number} {thread} ")]
            assert mine == sorted(mine, key=lambda line: int(line.split()[2]))
    assert {path.name for path in queue.path.parent.iterdir()} == {"queue.yaml", ".pegasus"}


# Looking.


def test_jobs_are_those_that_were_taken_and_those_in_the_file(story: Story, queue: Queue) -> None:
    for number, outcome in enumerate(["succeeded", "failed"], 1):
        story.take(number)
        story.start(number)
        story.finish(number, outcome)
    story.take(3)
    story.start(3, node=1)
    queue.path.write_text("- command: a\n  x: [1, 2]\n")
    found = queue.jobs()
    assert [(job.id, job.state, job.node) for job in found] == [
        (1, JobState.SUCCEEDED, "gpu-1"),
        (2, JobState.FAILED, "gpu-1"),
        (3, JobState.RUNNING, "gpu-2"),
        (None, JobState.QUEUED, None),
        (None, JobState.QUEUED, None),
    ]
    assert (found[1].template, found[1].params) == ("run 2", {"x": "2"})
    (attempt,) = found[1].attempts
    assert (attempt.number, attempt.command, attempt.node) == (1, "run 2", "gpu-1")
    assert (attempt.outcome, attempt.exit_status, attempt.exit_signal) == (Outcome.FAILED, 3, None)
    assert attempt.started <= (attempt.ended or "")
    assert found[2].attempts[0].outcome is None
    assert [(job.template, job.params) for job in found[3:]] == [
        ("a", {"x": "1"}),
        ("a", {"x": "2"}),
    ]


def test_a_job_that_was_put_back_stands_in_the_file_with_its_id(story: Story, queue: Queue) -> None:
    queue.extend(["new", "run 1"])
    story.take(1)
    story.start(1)
    story.finish(1, "failed")
    queue.retry([1], tail=True)
    assert [(job.id, job.template, job.state) for job in queue.jobs()] == [
        (None, "new", JobState.QUEUED),
        (None, "run 1", JobState.QUEUED),
        (1, "run 1", JobState.QUEUED),
    ]
    queue.path.write_text("- new\n")
    assert [(job.id, job.state) for job in queue.jobs()] == [
        (1, JobState.FAILED),
        (None, JobState.QUEUED),
    ]


def test_there_are_no_jobs_where_there_is_no_file(queue: Queue) -> None:
    assert queue.jobs() == []


def test_a_job_that_is_being_taken_is_seen_once(queue: Queue) -> None:
    numbers = [str(number) for number in range(20)]
    queue.extend(numbers)
    with ThreadPoolExecutor() as pool:
        taking = pool.submit(lambda: [take(queue, 1) for _ in numbers])
        looks = 0
        while not taking.done() or not looks:
            seen = queue.jobs()
            assert sorted(job.template for job in seen) == sorted(numbers)
            looks += 1
        assert taking.exception() is None
    assert [job.id for job in queue.jobs()] == [*range(1, 21)]


# Putting back.


def test_jobs_are_put_back_as_they_were_in_the_order_of_their_ids(
    story: Story, queue: Queue
) -> None:
    queue.add("there")
    for number in (1, 2, 3, 4):
        story.take(number)
        story.start(number)
        story.finish(number, "failed" if number % 2 else "succeeded")
    back = queue.retry([3, 2])
    assert [(job.id, job.template, job.attempts) for job in back] == [
        (2, "run 2", 1),
        (3, "run 3", 1),
    ]
    queue.retry(states=[JobState.FAILED], tail=True)
    assert text(queue) == "".join(
        "- there\n"
        if number == 0
        else f"- command:\n  - run {number}\n  x:\n  - '{number}'\n  options:\n    retries: '1'\n"
        for number in (2, 3, 0, 1)
    )
    assert [(job.id, job.attempts) for job in take(queue, 4)] == [(2, 1), (3, 1), (5, 0), (1, 1)]


@pytest.fixture
def one_of_each(story: Story, queue: Queue) -> Story:
    """Jobs 1 to 7 with every outcome; 8 runs, 9 waits, 10 is queued; the dead run has left 11."""
    for number, outcome in enumerate(Outcome, 1):
        story.take(number)
        story.start(number)
        story.finish(number, outcome.value)
    story.take(8)
    story.start(8, node=2)
    story.take(9)
    story.take(11, run=OTHER)
    story.take(10)
    story.put_back(10)
    story.take(12)
    queue.path.write_text("- command: run 10\n  x: 10\n  options: {retries: 1}\n")
    return story


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([8], "job 8 is running on gpu-3"),
        ([9], "job 9 was taken by a run that is on, and is yet to run"),
        ([10], "job 10 stands in the queue already"),
        ([77], "there is no job 77; those that were taken have the ids 1 to 12"),
        ([2, 8, 9], "job 8 .*\njob 9 "),
    ],
)
def test_what_can_not_be_put_back_is_said_and_nothing_is(
    one_of_each: Story, queue: Queue, ids: list[int], message: str
) -> None:
    before = text(queue)
    with pytest.raises(NoSuchJobError, match=message):
        queue.retry(ids)
    assert text(queue) == before


def test_states_choose_jobs_and_pass_over_what_is_to_run_anyway(
    one_of_each: Story, queue: Queue
) -> None:
    assert [job.id for job in queue.choose(states=JobState)] == [1, 2, 3, 4, 5, 6, 7, 11]
    assert [job.id for job in queue.choose(states=JobState, run=OTHER)] == [11]
    assert [job.id for job in queue.choose(states=[JobState.LOST], run="last")] == [6]
    assert [job.id for job in queue.choose(states=["lost"], run="last")] == [6]
    assert [job.id for job in queue.choose(states="lost", run="last")] == [6]
    with pytest.raises(SettingsError, match="'gone' is no state of a job; there are: queued, "):
        queue.choose(states=["gone"])
    assert [job.id for job in queue.choose([6], states=[JobState.FAILED])] == [2, 6]
    with pytest.raises(NoSuchJobError, match="there is no run 7; there are: 0000000b, 0000000a"):
        queue.choose(states=JobState, run="7")


def test_without_a_run_there_is_no_last_one(queue: Queue) -> None:
    with pytest.raises(NoSuchJobError, match="no run has begun yet"):
        queue.choose(states=JobState, run="last")


def test_a_job_that_was_put_back_and_removed_by_hand_comes_back_only_by_its_id(
    one_of_each: Story, queue: Queue
) -> None:
    queue.path.write_text("- other\n")
    assert 10 not in [job.id for job in queue.retry(states=JobState)]
    assert [job.id for job in queue.retry([10])] == [10]
    assert [job.id for job in take(queue, 1)] == [10]


def test_many_who_put_back_at_once_do_so_once(story: Story, queue: Queue) -> None:
    numbers = [*range(1, 31)]
    for number in numbers:
        story.take(number)
        story.start(number)
        story.finish(number, "lost")

    def retry(_: int) -> list[int]:
        return [job.id for job in Queue(queue.path).retry(states=[JobState.LOST])]

    with ThreadPoolExecutor(8) as pool:
        assert sorted(map(len, pool.map(retry, range(8)))) == [*[0] * 7, 30]
    assert [job.id for job in take(queue, 100)] == numbers


def test_a_wrong_queue_file_takes_nothing_back(story: Story, queue: Queue) -> None:
    story.take(1)
    story.end()
    queue.path.write_text("- [")
    for tail in (False, True):
        with pytest.raises(QueueFileError):
            queue.retry([1], tail=tail)
    queue.path.write_text("- a\n")
    assert [job.id for job in queue.retry([1])] == [1]


def test_every_error_is_pegasus_own(queue: Queue) -> None:
    queue.path.mkdir()
    for call in (queue.jobs, lambda: queue.add("a")):
        with pytest.raises(PegasusError):
            call()


def test_an_addition_leaves_a_broken_commit_to_those_who_take(story: Story, queue: Queue) -> None:
    queue.add("a")
    mark = story.commit(records.JOBS_TAKEN, Job("a", id=1))
    queue.path.with_name(f".queue.yaml.{mark}.next").write_text("[]")
    queue.add("b")
    assert [(job.id, job.template) for job in queue.jobs()] == [(None, "a"), (None, "b")]
    assert [job.template for job in take(queue, 5)] == ["a", "b"]
