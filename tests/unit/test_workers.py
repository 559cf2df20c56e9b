"""Threads that are kept: as few as do, and none that waits for ever."""

from __future__ import annotations

import threading

from project import PATIENCE, wait_until

from pegasus.modes.queueing.loop import Loop
from pegasus.modes.workers import Workers


def test_one_thread_does_what_comes_one_after_another() -> None:
    workers = Workers()
    threads: list[threading.Thread] = []
    for number in range(50):
        workers.call(lambda: threads.append(threading.current_thread()))
        wait_until(lambda number=number: len(threads) > number and workers._idle, "the deed")
    assert len(set(threads)) == 1


def test_there_is_a_thread_for_each_thing_that_is_to_be_done_at_a_time() -> None:
    workers = Workers()
    together = threading.Barrier(8)
    done: list[int] = []

    def meet() -> None:
        done.append(together.wait(PATIENCE))

    for _ in range(8):
        workers.call(meet)
    wait_until(lambda: len(done) == 8, "eight threads at the barrier")


def test_a_thread_that_has_nothing_to_do_ends() -> None:
    workers = Workers(patience=0.01)
    threads: list[threading.Thread] = []
    workers.call(lambda: threads.append(threading.current_thread()))
    wait_until(lambda: threads and not threads[0].is_alive(), "the end of the thread")
    workers.call(lambda: threads.append(threading.current_thread()))
    wait_until(lambda: len(threads) == 2, "another thread")


def test_nothing_is_forgotten_when_threads_end_as_they_are_called() -> None:
    workers = Workers(patience=0.0)
    done: list[int] = []
    for number in range(2000):
        workers.call(lambda number=number: done.append(number))
    wait_until(lambda: len(done) == 2000, "all deeds")


def test_threads_do_not_keep_a_program_from_ending() -> None:
    workers = Workers()
    daemons: list[bool] = []
    workers.call(lambda: daemons.append(threading.current_thread().daemon))
    wait_until(lambda: daemons, "the thread")
    assert daemons == [True]


def test_a_scheduler_that_was_busy_gets_all_messages_that_have_come() -> None:
    loop = Loop()
    heard: list[int] = []
    for number in range(5):
        loop.send(lambda number=number: heard.append(number))
    messages = loop.receive(None)
    for message in messages:
        message()
    assert heard == [0, 1, 2, 3, 4]
    assert loop.receive(0) == []
