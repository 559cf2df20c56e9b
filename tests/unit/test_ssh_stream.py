"""The loop that follows a running command, with a process that is made up."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

import pytest

from pegasus.events import Stream
from pegasus.model import Ending, Outcome
from pegasus.ssh.base import Cancellation
from pegasus.ssh.running import stream
from pegasus.ssh.running.endings import exit_ending
from pegasus.ssh.running.order import Order
from pegasus.ssh.running.stream import Follower, NotBegunError
from pegasus.ssh.running.watchdog import announcement

MARKER = announcement(4194304)

#: What comes at once, in bytes.
CHUNK = 32768


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


class FakeProcess:
    """Each turn of `script` is what can be read then; time passes while there is nothing.

    What it writes first is `opening`.
    """

    def __init__(
        self,
        clock: Clock,
        script: Iterator[bytes | Callable[[], None] | None],
        opening: bytes = MARKER,
    ) -> None:
        self.ended = False
        self.result = Ending.exited(3)
        self.pace = 0.5
        self._opening = opening
        self.drained = False
        self.is_caught_up = True
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
            self._clock.now += self.pace
            self._chunk = step

    def wake(self) -> None:
        pass

    def caught_up(self) -> bool:
        return self.is_caught_up

    def read(self) -> Iterator[tuple[Stream, bytes]]:
        opening, self._opening = self._opening, b""
        if opening:
            yield Stream.STDOUT, opening
        if self._chunk is not None:
            yield Stream.STDOUT, self._chunk

    def let_go(self) -> None:
        assert self.let_go_at is None, "once is enough"
        self.let_go_at = self._clock.now

    def ending(self) -> Ending:
        return self.result

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

    order = Order("true", count, cancellation or Cancellation(), grace=10)
    ending = Follower(process, order).run()
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


def test_time_that_the_listener_takes_is_not_time_without_output(clock: Clock) -> None:
    chunks = [bytes([number]) * CHUNK for number in range(60)]

    def script() -> Iterator[bytes | Callable[[], None] | None]:
        yield lambda: setattr(process, "ended", True)
        yield from chunks
        process.drained = True

    seen = []

    def listen(stream: Stream, data: bytes) -> None:
        clock.now += 4  # longer than QUIET, and in all than LINGER
        seen.append(data)

    process = FakeProcess(clock, script())
    process.pace = 0
    Follower(process, Order("true", listen, Cancellation(), grace=10)).run()
    assert seen == chunks


def test_a_slow_line_gets_the_time_it_needs(clock: Clock) -> None:
    chunks = 100

    def script() -> Iterator[bytes | Callable[[], None] | None]:
        yield lambda: setattr(process, "ended", True)
        yield from [b"x" * CHUNK] * chunks
        process.drained = True

    process = FakeProcess(clock, script())
    assert follow(process)[1] == chunks * CHUNK
    assert clock.now > 2 * stream.LINGER


def reader(clock: Clock, chunks: list[bytes]) -> FakeProcess:
    """Return a process that writes these chunks and ends; empty ones are left out."""

    def end() -> None:
        process.ended = process.drained = True

    process = FakeProcess(clock, iter([*filter(None, chunks), end]), opening=b"")
    return process


def _collect(seen: list[bytes], stream: Stream, data: bytes) -> None:
    seen.append(data)


@pytest.mark.parametrize(
    "noise",
    [
        b"",
        b"welcome\n",
        b"<pegasus: <peg",
        b"x" * 100,
        b"<pegasus: started >",
        b"<pegasus: started $$>",
        b"<pegasus: started 12345678901234567890>",
    ],
)
def test_only_what_follows_the_marker_is_the_command_s(clock: Clock, noise: bytes) -> None:
    output = b"\0one\n" + MARKER + b"two"  # the second marker is the command's own
    text = noise + MARKER + output
    cuttings = [[text[:cut], text[cut:]] for cut in range(len(text))]
    cuttings.append([bytes([byte]) for byte in text])
    for chunks in cuttings:
        seen: list[bytes] = []
        announced: list[int | None] = []
        process = reader(clock, chunks)
        process.pace = 0.1
        listener = functools.partial(_collect, seen)
        order = Order("true", listener, Cancellation(), 1, None, announced.append)
        follower = Follower(process, order)
        assert follower.run() == Ending.exited(3)
        assert b"".join(seen) == output
        assert b"" not in seen
        assert announced == [4194304]


def test_the_longest_announcement_may_come_in_pieces(clock: Clock) -> None:
    text = announcement(10**19 - 1)
    announced: list[int | None] = []
    for cut in range(1, len(text)):
        process = reader(clock, [b"noise" + text[:cut], text[cut:]])
        order = Order("true", lambda *_: None, Cancellation(), 1, None, announced.append)
        Follower(process, order).run()
    assert announced == [10**19 - 1] * (len(text) - 1)


def test_the_announcement_is_told_before_any_output(clock: Clock) -> None:
    told: list[object] = []
    process = reader(clock, [b"welcome", MARKER + b"out"])
    cancellation = Cancellation()
    order = Order("true", lambda _, data: told.append(data), cancellation, 1, None, told.append)
    Follower(process, order).run()
    assert told == [4194304, b"out"]


def test_who_hears_of_the_announcement_and_fails_does_not_end_the_command(clock: Clock) -> None:
    def fail(_: int | None) -> None:
        raise RuntimeError("a mistake")

    seen: list[bytes] = []
    process = reader(clock, [MARKER + b"one", b"two"])
    listener = functools.partial(_collect, seen)
    with pytest.raises(RuntimeError, match="a mistake"):
        Follower(process, Order("true", listener, Cancellation(), 1, None, fail)).run()
    assert seen == [b"one", b"two"]
    assert process.ended


@pytest.mark.parametrize("status", [0, 1, 255])
def test_an_end_without_the_marker_is_not_the_command_s(clock: Clock, status: int) -> None:
    def end() -> None:
        process.ended = process.drained = True

    process = FakeProcess(clock, iter([b"not\n", b"available", end]), opening=b"")
    process.result = Ending.exited(status)
    with pytest.raises(NotBegunError, match=f"status {status} and said 'not available'"):
        follow(process)
    assert process.let_go_at is None


def test_a_connection_lost_before_the_marker_leaves_open_whether_it_began(clock: Clock) -> None:
    def end() -> None:
        process.ended = process.drained = True

    process = FakeProcess(clock, iter([end]), opening=b"")
    process.result = Ending(Outcome.LOST, detail="lost")
    assert follow(process)[0] == process.result


def test_a_marker_that_comes_late_after_the_end_is_waited_for(clock: Clock) -> None:
    def script() -> Iterator[bytes | Callable[[], None] | None]:
        yield lambda: setattr(process, "ended", True)
        yield lambda: setattr(clock, "now", clock.now + 5 * stream.QUIET)
        yield MARKER + b"out"

    process = FakeProcess(clock, script(), opening=b"")
    assert follow(process) == (Ending.exited(3), len(b"out"))


def test_what_never_begins_is_let_go_after_a_while(clock: Clock) -> None:
    process = FakeProcess(clock, iter([b"menu> "]), opening=b"")
    with pytest.raises(NotBegunError, match="nothing began within 60 s and said 'menu>'"):
        follow(process)
    assert process.let_go_at == pytest.approx(stream.BEGINNING)
    assert clock.now == pytest.approx(stream.BEGINNING + 10 + stream.CONFIRMATION)


def test_what_begins_after_it_was_let_go_is_lost_and_not_run_again(clock: Clock) -> None:
    def end() -> None:
        process.ended = process.drained = True

    process = FakeProcess(clock, iter([None, MARKER, end]), opening=b"")
    ending = follow(process)[0]
    assert (ending.outcome, "began after 60 s" in ending.detail) == (Outcome.LOST, True)


def test_what_has_begun_may_take_any_time(clock: Clock) -> None:
    def later() -> None:
        clock.now += 1e6

    def end() -> None:
        process.ended = process.drained = True

    process = FakeProcess(clock, iter([later, later, end]))
    assert follow(process)[0] == Ending.exited(3)
    assert process.let_go_at is None


def test_what_has_not_begun_can_be_cancelled(clock: Clock) -> None:
    cancellation = Cancellation()

    def end() -> None:
        process.ended = process.drained = True

    process = FakeProcess(clock, iter([cancellation.cancel, end]), opening=b"")
    assert follow(process, cancellation)[0] == Ending(Outcome.CANCELLED)
    assert process.let_go_at == 0


def test_a_child_that_writes_for_ever_is_listened_to_for_a_limited_time(clock: Clock) -> None:
    def script() -> Iterator[bytes | Callable[[], None] | None]:
        yield lambda: setattr(process, "ended", True)
        while True:
            yield b"tick"

    process = FakeProcess(clock, script())
    assert follow(process)[0] == Ending.exited(3)
    assert stream.LINGER <= clock.now <= stream.LINGER + 1


def test_a_line_that_falters_after_the_end_cuts_nothing_off(clock: Clock) -> None:
    def script() -> Iterator[bytes | Callable[[], None] | None]:
        yield lambda: setattr(process, "ended", True)
        yield None  # nothing comes, and the host is asked why
        for _ in range(5):
            yield lambda: setattr(clock, "now", clock.now + 10 * stream.LINGER)
            yield b"late"
            yield None
        yield lambda: setattr(process, "is_caught_up", True)

    process = FakeProcess(clock, script())
    process.is_caught_up = False
    assert follow(process) == (Ending.exited(3), len(b"late") * 5)


def test_a_host_is_asked_no_longer_when_the_user_cancels(clock: Clock) -> None:
    cancellation = Cancellation()

    def script() -> Iterator[bytes | Callable[[], None] | None]:
        yield lambda: setattr(process, "ended", True)
        yield None
        yield cancellation.cancel

    process = FakeProcess(clock, script())
    process.is_caught_up = False
    assert follow(process, cancellation)[0] == Ending.exited(3)


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
