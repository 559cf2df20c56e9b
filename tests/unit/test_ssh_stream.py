"""The loop that follows a running command, with a process that is made up."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from pegasus.events import Stream
from pegasus.model import Ending, Outcome
from pegasus.ssh import stream
from pegasus.ssh.base import Cancellation
from pegasus.ssh.endings import exit_ending
from pegasus.ssh.stream import Follower


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


class FakeProcess:
    """Each turn of `script` is what can be read then; time passes while there is nothing."""

    def __init__(self, clock: Clock, script: Iterator[bytes | Callable[[], None] | None]) -> None:
        self.ended = False
        self.drained = False
        self.let_go_at: float | None = None
        self._clock = clock
        self._script = script
        self._chunk: bytes | None = None

    def wait(self, timeout: float | None) -> None:
        step = next(self._script, None)
        self._chunk = None
        if callable(step):
            step()
        elif step is None:
            assert timeout is not None, "it would sleep for ever"
            self._clock.now += timeout
        else:
            self._clock.now += 0.5
            self._chunk = step

    def wake(self) -> None:
        pass

    def read(self) -> Iterator[tuple[Stream, bytes]]:
        if self._chunk is not None:
            yield Stream.STDOUT, self._chunk

    def let_go(self) -> None:
        assert self.let_go_at is None, "once is enough"
        self.let_go_at = self._clock.now

    def ending(self) -> Ending:
        return Ending.exited(3)

    def dispose(self) -> None:
        pass


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(stream, "time", clock)
    return clock


def follow(process: FakeProcess, cancellation: Cancellation | None = None) -> tuple[Ending, int]:
    total = 0

    def count(stream: Stream, data: bytes) -> None:
        nonlocal total
        total += len(data)

    ending = Follower(process, count, cancellation or Cancellation(), grace=10).run()
    return ending, total


def test_after_the_end_it_reads_on_until_nothing_comes(clock: Clock) -> None:
    def script() -> Iterator[bytes | Callable[[], None] | None]:
        yield b"before"
        yield lambda: setattr(process, "ended", True)
        yield b"after"
        yield b"after"
        yield None

    process = FakeProcess(clock, script())
    assert follow(process) == (Ending.exited(3), len(b"beforeafterafter"))
    assert clock.now < 4


def test_a_child_that_writes_for_ever_is_listened_to_for_a_limited_time(clock: Clock) -> None:
    def script() -> Iterator[bytes | Callable[[], None] | None]:
        yield lambda: setattr(process, "ended", True)
        while True:
            yield b"tick"

    process = FakeProcess(clock, script())
    assert follow(process)[0] == Ending.exited(3)
    assert stream.LINGER <= clock.now <= stream.LINGER + 1


def test_and_for_a_limited_amount(clock: Clock) -> None:
    def script() -> Iterator[bytes | Callable[[], None] | None]:
        yield lambda: setattr(process, "ended", True)
        while True:
            yield b"x" * 1024 * 1024

    process = FakeProcess(clock, script())
    assert follow(process)[1] < 2 * stream.REMAINDER


def test_an_end_with_everything_read_is_not_waited_after(clock: Clock) -> None:
    def end() -> None:
        process.ended = process.drained = True

    process = FakeProcess(clock, iter([end]))
    assert follow(process)[0] == Ending.exited(3)
    assert clock.now == 0


def test_a_cancelled_command_that_is_never_reported_as_ended_is_given_up(clock: Clock) -> None:
    cancellation = Cancellation()
    process = FakeProcess(clock, iter([cancellation.cancel]))
    ending, _ = follow(process, cancellation)
    assert ending.outcome is Outcome.CANCELLED
    assert "not confirmed" in ending.detail
    assert process.let_go_at == 0
    assert clock.now == pytest.approx(10 + stream.CONFIRMATION)


def test_a_request_that_comes_after_the_end_changes_nothing(clock: Clock) -> None:
    cancellation = Cancellation()

    def end() -> None:
        process.ended = process.drained = True
        cancellation.cancel()

    process = FakeProcess(clock, iter([end]))
    assert follow(process, cancellation)[0] == Ending.exited(3)
    assert process.let_go_at is None


@pytest.mark.parametrize(
    ("status", "name"), [(129, "HUP"), (130, "INT"), (137, "KILL"), (139, "SEGV"), (143, "TERM")]
)
def test_a_shell_s_128_and_n_is_a_death_by_signal(status: int, name: str) -> None:
    assert exit_ending(status) == Ending(Outcome.SIGNALLED, exit_status=status, exit_signal=name)


@pytest.mark.parametrize("status", [0, 1, 2, 126, 127, 128, 145, 200, 255])
def test_other_statuses_are_what_they_are(status: int) -> None:
    assert exit_ending(status) == Ending.exited(status)
