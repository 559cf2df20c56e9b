"""The scheduler of queue mode, on fake connections."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from modes import Bench, node
from project import wait_until

from pegasus import storage
from pegasus.errors import StorageError
from pegasus.events import (
    AttemptEnded,
    AttemptStarted,
    Cancelling,
    Draining,
    JobRequeued,
    LockAwaited,
    NodeConnected,
    NodeLost,
    NodeUnreachable,
    QueueMended,
    QueueRefused,
    Waiting,
)
from pegasus.locking import FileLock
from pegasus.model import Ending, Node, Outcome
from pegasus.ssh.fake import Act, FakeHosts

N0, N1, N2 = node(0, gpu="a"), node(1, gpu="b"), node(2, gpu="c")


def numbered(count: int) -> str:
    return "".join(f"- job {n}\n" for n in range(count))


def test_each_job_runs_once_and_in_order_on_one_node(tmp_path: Path) -> None:
    bench = Bench(tmp_path, FakeHosts(), [N0])
    bench.write(numbered(20))
    bench.start_queue()
    assert bench.finish().ok
    assert bench.hosts.commands == [f"job {n}" for n in range(20)]
    assert bench.left is None
    assert len(bench.consumed) == 20


def test_commands_are_filled_for_the_node_that_runs_them(tmp_path: Path) -> None:
    bench = Bench(tmp_path, FakeHosts(), [N0, N1])
    bench.write("")
    bench.start_queue(daemon=True)
    bench.wait_for(NodeConnected, times=2)
    bench.wait_for(Waiting)
    # Both nodes are free, and take both jobs at once.
    bench.write("- command: on {{ hostname }} {{ gpu }}\n  n: [1, 2]\n  gpu: [mine]\n")
    bench.hosts.wait_for(lambda hosts: len(hosts.ran) == 2)
    bench.mode.drain()
    bench.finish()
    assert {(where, command) for where, command in bench.hosts.ran} <= {
        (N0, "on node-0 a"),
        (N1, "on node-1 b"),
    }


def test_a_free_node_takes_the_next_job_while_others_are_busy(tmp_path: Path) -> None:
    gate = threading.Event()
    bench = Bench(tmp_path, FakeHosts({"job 0": Act.blocks(gate)}), [N0, N1])
    bench.write(numbered(10))
    bench.start_queue()
    bench.hosts.wait_for(lambda hosts: len(hosts.ran) == 10)
    busy = next(where for where, command in bench.hosts.ran if command == "job 0")
    assert bench.hosts.ran_on(busy) == ["job 0"]
    gate.set()
    assert bench.finish().ok


def test_a_connected_node_works_while_others_still_connect(tmp_path: Path) -> None:
    slow = threading.Event()

    def reach(where: Node) -> str | None:
        if where == N0:
            slow.wait(20)
        return None

    bench = Bench(tmp_path, FakeHosts(unreachable=reach), [N0, N1])
    bench.write(numbered(3))
    bench.start_queue()
    assert bench.finish().ok  # It does not even wait for the slow node: nothing is left to do.
    assert bench.hosts.ran_on(N1) == ["job 0", "job 1", "job 2"]
    slow.set()


def test_a_node_that_can_not_connect_is_reported_and_the_others_go_on(tmp_path: Path) -> None:
    hosts = FakeHosts(unreachable=lambda where: "refused" if where == N0 else None)
    bench = Bench(tmp_path, hosts, [N0, N1])
    gate = threading.Event()
    hosts._script = {"job 0": Act.blocks(gate)}
    bench.write(numbered(3))
    bench.start_queue()
    bench.wait_for(NodeUnreachable)
    gate.set()
    assert bench.finish().exit_status == 4
    assert hosts.ran_on(N1) == ["job 0", "job 1", "job 2"]


def test_without_nodes_nothing_is_consumed(tmp_path: Path) -> None:
    bench = Bench(tmp_path, FakeHosts(unreachable=lambda _: "refused"), [N0, N1])
    bench.write(numbered(3))
    bench.start_queue()
    assert bench.finish().exit_status == 4
    assert bench.path.read_text() == numbered(3)
    assert bench.consumed == []


def test_a_job_that_never_started_goes_back_to_the_head_for_another_node(tmp_path: Path) -> None:
    def script(where: Node, command: str) -> Act:
        return Act.never_starts() if where == N0 else Act()

    bench = Bench(tmp_path, FakeHosts(script), [N0, N1])
    bench.write("- command: job {{ n }}\n  n: [0, 1, 2, 3, 4, 5]\n")
    bench.start_queue()
    bench.finish()
    assert sorted(bench.hosts.ran_on(N1)) == [f"job {n}" for n in range(6)]
    assert bench.hosts.ran_on(N0) == []
    assert sorted(job["n"][0] for job in bench.consumed) == list("012345")
    assert bench.left is None


def test_a_node_that_breaks_every_time_takes_no_more_jobs(tmp_path: Path) -> None:
    bench = Bench(tmp_path, FakeHosts(lambda *_: Act.never_starts()), [N0])
    bench.write(numbered(2))
    bench.start_queue()
    assert bench.finish().exit_status == 4
    assert len(bench.of(NodeLost)) == 1
    assert len(bench.of(JobRequeued)) == 3
    assert bench.left[0] in ("job 0", {"command": ["job 0"]})
    assert len(bench.left) == 2
    assert bench.consumed == []


def test_a_node_that_breaks_now_and_then_goes_on(tmp_path: Path) -> None:
    lost = {f"job {n}": Act.is_lost() for n in (0, 2, 4, 6)}
    bench = Bench(tmp_path, FakeHosts(lost), [N0])
    bench.write(numbered(8))
    bench.start_queue()
    bench.finish()
    assert bench.hosts.commands == [f"job {n}" for n in range(8)]
    assert bench.of(NodeLost) == []


def test_a_lost_job_is_not_run_again_and_its_node_works_on(tmp_path: Path) -> None:
    bench = Bench(tmp_path, FakeHosts({"job 0": Act.is_lost()}), [N0])
    bench.write(numbered(3))
    bench.start_queue()
    result = bench.finish()
    assert [ending.outcome for _, ending in result.endings] == [
        Outcome.LOST,
        Outcome.SUCCEEDED,
        Outcome.SUCCEEDED,
    ]
    assert result.exit_status == 4
    assert len(bench.of(NodeConnected)) == 2


def test_a_node_that_can_not_be_reached_again_is_lost(tmp_path: Path) -> None:
    tries: list[Node] = []

    def reach(where: Node) -> str | None:
        tries.append(where)
        return None if len(tries) == 1 else "gone"

    bench = Bench(tmp_path, FakeHosts({"job 0": Act.is_lost()}, reach), [N0])
    bench.write(numbered(2))
    bench.start_queue()
    assert bench.finish().exit_status == 4
    assert [event.detail for event in bench.of(NodeLost)] == ["gone"]
    assert bench.left == ["job 1"]


def test_failed_jobs_do_not_stop_the_others(tmp_path: Path) -> None:
    bench = Bench(tmp_path, FakeHosts({"job 1": Act.exits(3)}), [N0])
    bench.write(numbered(3))
    bench.start_queue()
    result = bench.finish()
    assert result.exit_status == 5
    assert [attempt.command for attempt, _ in result.failed] == ["job 1"]
    assert result.failed[0][1] == Ending.exited(3)


def test_what_is_added_while_jobs_run_is_run_by_idle_nodes(tmp_path: Path) -> None:
    gate = threading.Event()
    bench = Bench(tmp_path, FakeHosts({"job 0": Act.blocks(gate)}), [N0, N1])
    bench.write(numbered(1))
    bench.start_queue()
    bench.wait_for(AttemptStarted)
    bench.write("- added\n")
    bench.hosts.wait_for(lambda hosts: "added" in hosts.commands)
    gate.set()
    assert bench.finish().ok


def test_what_is_added_in_the_last_moment_is_run(tmp_path: Path) -> None:
    bench = Bench(tmp_path, FakeHosts(), [N0])

    def script(where: Node, command: str) -> Act:
        if command == "job 0":
            bench.write("- added by the job itself\n")
        return Act()

    bench.hosts._script = script
    bench.write(numbered(1))
    bench.start_queue()
    assert bench.finish().ok
    assert bench.hosts.commands == ["job 0", "added by the job itself"]


def test_a_daemon_waits_and_says_so_each_time(tmp_path: Path) -> None:
    bench = Bench(tmp_path, FakeHosts(), [N0])
    bench.write("")
    bench.start_queue(daemon=True)
    bench.wait_for(Waiting)
    bench.write("- one\n")
    bench.wait_for(Waiting, times=2)
    bench.write("- two\n")
    bench.wait_for(Waiting, times=3)
    bench.mode.drain()
    assert bench.finish().ok
    assert bench.hosts.commands == ["one", "two"]


def test_draining_lets_running_jobs_end_and_takes_no_more(tmp_path: Path) -> None:
    gate = threading.Event()
    bench = Bench(tmp_path, FakeHosts({"job 0": Act.blocks(gate)}), [N0])
    bench.write(numbered(3))
    bench.start_queue()
    bench.wait_for(AttemptStarted)
    bench.mode.drain()
    bench.wait_for(Draining)
    gate.set()
    result = bench.finish()
    assert [event.running for event in bench.of(Draining)] == [1]
    assert [ending.outcome for _, ending in result.endings] == [Outcome.SUCCEEDED]
    assert bench.left == ["job 1", "job 2"]


def test_cancelling_ends_running_jobs_and_takes_no_more(tmp_path: Path) -> None:
    bench = Bench(tmp_path, FakeHosts(lambda *_: Act.blocks()), [N0, N1])
    bench.write(numbered(3))
    bench.start_queue()
    bench.wait_for(AttemptStarted, times=2)
    bench.mode.cancel()
    result = bench.finish()
    assert [event.running for event in bench.of(Cancelling)] == [2]
    assert [ending.outcome for _, ending in result.endings] == [Outcome.CANCELLED] * 2
    assert bench.left == ["job 2"]


@pytest.mark.parametrize(
    "broken", ["- [", "- bs: 1\n", "- echo {{ gone }}\n", "- echo {{ cut\n", None]
)
def test_a_file_that_is_wrong_is_said_once_and_left_alone_until_mended(
    tmp_path: Path, broken: str | None
) -> None:
    gate = threading.Event()
    bench = Bench(tmp_path, FakeHosts({"job 0": Act.blocks(gate)}), [N0, N1])
    bench.write(numbered(1))
    bench.start_queue()
    bench.wait_for(AttemptStarted)
    if broken is None:
        bench.path.unlink()
    else:
        bench.write(broken)
    bench.wait_for(QueueRefused)
    gate.set()
    bench.wait_for(AttemptEnded)
    assert bench.path.exists() is (broken is not None)
    if broken is not None:
        assert bench.path.read_text() == broken
    bench.write("- mended\n")
    assert bench.finish().ok
    assert bench.hosts.commands == ["job 0", "mended"]
    assert len(bench.of(QueueRefused)) == len(bench.of(QueueMended)) == 1


def test_jobs_before_the_one_that_is_wrong_are_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path, FakeHosts(), [N0, N1])
    bench.write("")
    bench.start_queue(daemon=True)
    bench.wait_for(NodeConnected, times=2)
    # The check before does not try all of a great many values: one shows itself late.
    monkeypatch.setattr("pegasus.lint.MOST", 1)
    bench.write("- command: big {{#if (gt n 3)}}yes{{/if}}\n  n: [5, x]\n")
    bench.wait_for(QueueRefused)
    assert "queue.yaml:2:9: " in str(bench.of(QueueRefused)[0].error)
    assert bench.hosts.commands == ["big yes"]
    assert [job["n"] for job in bench.left] == [["x"]]
    assert [job["n"] for job in bench.consumed] == [["5"]]
    bench.mode.drain()
    bench.finish()


def test_a_job_that_never_started_is_put_back_before_the_run_ends(tmp_path: Path) -> None:
    opened: list[Node] = []

    def reach(where: Node) -> str | None:
        opened.append(where)
        return None if len(opened) == 1 else "gone"

    def script(where: Node, command: str) -> Act:
        assert FileLock.of(bench.path).acquire("an editor")
        return Act.never_starts()

    bench = Bench(tmp_path, FakeHosts(script, reach), [N0])
    bench.write(numbered(2))
    bench.start_queue()
    bench.wait_for(NodeLost)
    bench.wait_for(LockAwaited)
    assert bench.left == ["job 1"]
    FileLock.of(bench.path).release()
    bench.finish()
    assert [job["command"] for job in bench.left[:1]] == [["job 0"]]
    assert bench.consumed == []


def test_a_mistake_is_said_while_all_nodes_are_busy(tmp_path: Path) -> None:
    bench = Bench(tmp_path, FakeHosts(lambda *_: Act.blocks()), [N0])
    bench.write(numbered(1))
    bench.start_queue()
    bench.wait_for(AttemptStarted)
    bench.write("- [\n")
    bench.wait_for(QueueRefused)
    bench.write("- mended\n")
    bench.wait_for(QueueMended)
    assert bench.left == ["mended"]
    bench.mode.cancel()
    bench.finish()


def test_a_storage_error_pauses_the_run_and_does_not_end_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = [True]
    append = storage.append

    def fail(path: Path, data: bytes) -> int:
        if full:
            raise StorageError("no space left on device")
        return append(path, data)

    monkeypatch.setattr("pegasus.storage.append", fail)
    bench = Bench(tmp_path, FakeHosts(), [N0])
    bench.write(numbered(2))
    bench.start_queue()
    bench.wait_for(QueueRefused)
    assert bench.hosts.commands == []
    full.clear()
    assert bench.finish().ok
    assert bench.hosts.commands == ["job 0", "job 1"]


def test_a_queue_that_can_not_even_be_looked_at_pauses_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    bench = Bench(tmp_path, FakeHosts({"job 0": Act.blocks(gate)}), [N0])
    bench.write(numbered(2))
    bench.start_queue()
    bench.wait_for(AttemptStarted)
    hidden = tmp_path.with_name(tmp_path.name + "-hidden")
    tmp_path.rename(hidden)
    bench.wait_for(QueueRefused)
    gate.set()
    bench.wait_for(AttemptEnded)
    hidden.rename(tmp_path)
    assert bench.finish().ok
    assert bench.hosts.commands == ["job 0", "job 1"]


def test_while_the_queue_is_locked_running_jobs_go_on_and_free_nodes_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []
    acquire = FileLock.try_acquire

    def try_acquire(lock: FileLock, purpose: str) -> bool:
        tried.append(purpose)
        return acquire(lock, purpose)

    monkeypatch.setattr(FileLock, "try_acquire", try_acquire)
    monkeypatch.setattr("pegasus.modes.feed.PATIENCE", 0.01)
    monkeypatch.setattr("pegasus.modes.feed.LOCK_POLL", 0.005)
    gate = threading.Event()
    bench = Bench(tmp_path, FakeHosts({"job 0": Act.blocks(gate)}), [N0])
    bench.write(numbered(2))
    bench.start_queue()
    bench.wait_for(AttemptStarted)
    lock = FileLock.of(bench.path)
    assert lock.acquire("an editor")
    gate.set()
    bench.wait_for(LockAwaited)
    tries = len(tried)
    wait_until(lambda: len(tried) > tries + 20, "more tries")
    assert "an editor" in bench.of(LockAwaited)[0].holder
    assert bench.hosts.commands == ["job 0"]
    lock.release()
    assert bench.finish().ok
    assert bench.hosts.commands == ["job 0", "job 1"]
    assert len(bench.of(LockAwaited)) == 1


def test_a_listener_of_ours_that_fails_does_not_leave_the_run_hanging(tmp_path: Path) -> None:
    def script(where: Node, command: str) -> Act:
        raise RuntimeError("a mistake")

    bench = Bench(tmp_path, FakeHosts(script), [N0])
    bench.write(numbered(1))
    bench.start_queue()
    result = bench.finish()
    assert result.exit_status == 4
    assert "a mistake" in str(result.endings[0][1])


def test_many_nodes_and_jobs_end_with_each_job_run_once(tmp_path: Path) -> None:
    nodes = [node(n) for n in range(32)]
    bench = Bench(tmp_path, FakeHosts(), nodes)
    bench.write("- command: job {{ n }}\n  n: [%s]\n" % ", ".join(map(str, range(500))))  # noqa: UP031
    bench.start_queue()
    assert bench.finish().ok
    assert sorted(bench.hosts.commands) == sorted(f"job {n}" for n in range(500))


def test_drain_before_anything_runs_ends_the_run(tmp_path: Path) -> None:
    slow = threading.Event()
    hosts = FakeHosts(unreachable=lambda _: None if slow.wait(20) else "never")
    bench = Bench(tmp_path, hosts, [N0])
    bench.write(numbered(1))
    bench.start_queue()
    wait_until(lambda: hosts.connections, "the connection")
    bench.mode.drain()
    bench.finish()
    slow.set()
    assert bench.left == ["job 0"]
