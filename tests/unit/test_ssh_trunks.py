"""How many SSH connections a node has, and which attempt gets which."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from attempts import in_background, node
from project import PATIENCE, wait_until

from pegasus.errors import UnreachableError
from pegasus.model import Outcome
from pegasus.ssh import trunks
from pegasus.ssh.base import Cancellation, GivenUpError
from pegasus.ssh.trunk import Sessions
from pegasus.ssh.trunks import Trunks

NODE = node()


class FakeTrunk:
    """A trunk that is open when `may_open` is set, unless there is an error."""

    def __init__(self, rig: Rig) -> None:
        self.node = NODE
        self.sessions = Sessions()
        self.is_connected = False
        self.is_closed = False
        self._rig = rig

    def open(self) -> None:
        assert self._rig.may_open.wait(2 * PATIENCE)  # longer than any test waits for others
        if self._rig.error is not None:
            raise self._rig.error
        self.is_connected = True

    def close(self) -> None:
        self.is_connected = False
        self.is_closed = True


class Rig:
    """Trunks of a node, with fakes; what each thread that enters gets."""

    def __init__(self) -> None:
        self.closing = threading.Event()
        self.may_open = threading.Event()
        self.may_open.set()
        self.error: UnreachableError | None = None
        self.made: list[FakeTrunk] = []
        self.entered: list[Any] = []
        self.trunks: Trunks = Trunks(self._make)  # type: ignore[arg-type]

    def _make(self, closing: threading.Event) -> FakeTrunk:
        self.made.append(FakeTrunk(self))
        return self.made[-1]

    def enter(self, cancellation: Cancellation | None = None) -> Any:
        return self.trunks.enter(self.closing, cancellation or Cancellation())

    def enter_in_background(self, cancellation: Cancellation | None = None) -> threading.Thread:
        def enter() -> None:
            try:
                self.entered.append(self.enter(cancellation))
            except (UnreachableError, GivenUpError) as error:
                self.entered.append(error)

        return in_background(enter)

    def fill(self, limit: int) -> FakeTrunk:
        """Take all sessions of a connection whose server gives `limit` of them."""
        for _ in range(limit + 1):
            trunk: FakeTrunk = self.enter()
        trunk.sessions.have_been = True
        assert self.trunks.leave_full(trunk)  # type: ignore[arg-type]
        return trunk


@pytest.fixture
def rig() -> Rig:
    return Rig()


def unreachable(step: str = "connect") -> UnreachableError:
    return UnreachableError(NODE, step, "there is no way")


def test_many_who_come_at_once_share_the_first_one(rig: Rig) -> None:
    rig.may_open.clear()
    threads = [rig.enter_in_background() for _ in range(8)]
    rig.may_open.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert (len(rig.made), len(set(rig.entered))) == (1, 1)
    assert rig.made[0].sessions.used == 8


def test_a_further_one_is_made_only_when_all_are_full(rig: Rig) -> None:
    first = rig.fill(2)
    second = rig.enter()
    assert second is not first
    rig.trunks.leave(first)  # type: ignore[arg-type]
    assert rig.enter() is first
    assert rig.enter() is second
    assert len(rig.made) == 2


def test_the_server_s_limit_is_how_many_were_left_when_it_had_refused_the_last(rig: Rig) -> None:
    for _ in range(8):
        trunk = rig.enter()
    for _ in range(6):
        rig.trunks.leave_full(trunk)
    assert (trunk.sessions.used, trunk.sessions.limit) == (2, 2)
    rig.trunks.leave(trunk)
    assert rig.enter() is trunk
    assert rig.enter() is not trunk


def test_one_that_gives_no_session_at_all_is_closed_and_says_so(rig: Rig) -> None:
    trunk = rig.enter()
    assert not rig.trunks.leave_full(trunk)
    assert trunk.is_closed
    assert rig.enter() is not trunk


def test_one_whose_sessions_are_all_held_by_the_dead_is_replaced(rig: Rig) -> None:
    trunk = rig.enter()
    trunk.sessions.have_been = True
    assert rig.trunks.leave_full(trunk)
    assert trunk.is_closed
    assert rig.enter() is not trunk


def test_one_that_broke_is_dropped_and_the_others_go_on(rig: Rig) -> None:
    first = rig.fill(1)
    second = rig.enter()
    first.is_connected = False
    assert rig.enter() is second
    assert (first.is_closed, second.is_closed) == (True, False)
    assert rig.trunks.open == (second,)
    rig.trunks.leave(first)  # type: ignore[arg-type]
    assert rig.trunks.open == (second,)


def test_one_that_hangs_is_used_no_more_and_closed_when_its_last_attempt_has_ended(
    rig: Rig,
) -> None:
    trunk = rig.enter()
    assert rig.enter() is trunk
    rig.trunks.leave(trunk, is_broken=True)
    assert not trunk.is_closed
    assert rig.enter() is not trunk
    rig.trunks.leave(trunk)
    assert trunk.is_closed


def test_all_who_wait_for_one_that_can_t_be_made_are_told(rig: Rig) -> None:
    rig.may_open.clear()
    rig.error = unreachable()
    threads = [rig.enter_in_background() for _ in range(4)]
    wait_until(lambda: len(waiting(rig)) == 4, "all to wait")
    rig.may_open.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert [type(error) for error in rig.entered] == [UnreachableError] * 4
    assert len(rig.made) == 1


def waiting(rig: Rig) -> list[Any]:
    return [*rig.trunks._changed._waiters]  # type: ignore[attr-defined]


def test_the_next_one_tries_again_at_once(rig: Rig) -> None:
    rig.error = unreachable()
    with pytest.raises(UnreachableError):
        rig.enter()
    rig.error = None
    assert rig.enter() is rig.made[1]


def wait_for_room(rig: Rig) -> tuple[FakeTrunk, threading.Thread]:
    """Fill a connection beside which no other can be made; return it, and who waits for it."""
    trunk = rig.fill(1)
    rig.error = unreachable()
    thread = rig.enter_in_background()
    wait_until(lambda: rig.trunks._retry_at and len(waiting(rig)) == 1, "somebody to wait")
    return trunk, thread


def test_where_no_further_one_can_be_made_room_is_waited_for(rig: Rig) -> None:
    trunk, thread = wait_for_room(rig)
    assert rig.entered == []
    rig.trunks.leave(trunk)  # type: ignore[arg-type]
    thread.join(PATIENCE)
    assert rig.entered == [trunk]


def test_and_now_and_then_it_is_tried_again(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trunks, "FIRST", 0.01)
    monkeypatch.setattr(trunks, "LONGEST", 0.02)
    rig.fill(1)
    rig.error = unreachable()
    thread = rig.enter_in_background()
    wait_until(lambda: len(rig.made) > 4, "tries")
    rig.error = None
    thread.join(PATIENCE)
    assert rig.entered == [rig.made[-1]]


def test_it_is_not_tried_all_the_time(rig: Rig) -> None:
    trunk, thread = wait_for_room(rig)
    for _ in range(20):
        rig.trunks._wake()
    rig.trunks.leave(trunk)  # type: ignore[arg-type]
    thread.join(PATIENCE)
    assert len(rig.made) == 2


def test_when_the_last_that_was_waited_for_breaks_it_is_tried_at_once(rig: Rig) -> None:
    trunk, thread = wait_for_room(rig)
    rig.error = None
    trunk.is_connected = False
    rig.trunks.leave(trunk)  # type: ignore[arg-type]
    thread.join(PATIENCE)
    assert rig.entered == [rig.made[2]]


def test_a_host_with_another_key_is_not_waited_for(rig: Rig) -> None:
    rig.fill(1)
    rig.error = unreachable("host key")
    with pytest.raises(UnreachableError, match="host key"):
        rig.enter()


@pytest.mark.parametrize("end", ["cancel", "room"])
def test_nobody_is_held_up_by_a_connection_that_is_being_made(rig: Rig, end: str) -> None:
    first = rig.fill(1)
    rig.may_open.clear()
    cancellation = Cancellation()
    thread = rig.enter_in_background(cancellation)
    wait_until(lambda: len(rig.made) == 2 and len(waiting(rig)) == 1, "somebody to wait")
    if end == "cancel":
        cancellation.cancel()
    else:
        rig.trunks.leave(first)  # type: ignore[arg-type]
    thread.join(PATIENCE)
    (found,) = rig.entered
    assert found is first if end == "room" else isinstance(found, GivenUpError)
    rig.may_open.set()  # the next one can use it
    wait_until(lambda: len(rig.trunks.open) == 2, "the second connection")


def test_where_no_thread_is_left_to_connect_that_is_told(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fail)
    with pytest.raises(UnreachableError, match="can't start new thread"):
        rig.enter()


def test_a_mistake_while_connecting_keeps_nobody_waiting(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeTrunk, "open", lambda self: 1 / 0)
    with pytest.raises(UnreachableError, match="internal error: ZeroDivisionError"):
        rig.enter()


def test_after_closing_nobody_waits_for_what_was_being_opened(rig: Rig) -> None:
    rig.may_open.clear()
    rig.enter_in_background()
    wait_until(lambda: len(rig.made) == 1, "the first")
    rig.closing.set()
    rig.trunks.close()
    rig.closing = threading.Event()
    thread = rig.enter_in_background()
    wait_until(lambda: len(rig.made) == 2, "another one")
    rig.may_open.set()
    thread.join(PATIENCE)
    assert rig.made[1] in rig.entered
    wait_until(lambda: rig.made[0].is_closed, "the end of the first")
    assert rig.trunks.open == (rig.made[1],)


@pytest.mark.parametrize("end", ["cancel", "close"])
def test_who_waits_for_room_can_be_told_to_leave_off(rig: Rig, end: str) -> None:
    rig.fill(1)
    rig.error = unreachable()
    rig.trunks._pause = 1000.0
    cancellation = Cancellation()
    thread = rig.enter_in_background(cancellation)
    wait_until(lambda: len(waiting(rig)) == 1, "somebody to wait")
    if end == "cancel":
        cancellation.cancel(Outcome.CANCELLED)
    else:
        rig.closing.set()
        rig.trunks.close()
    thread.join(PATIENCE)
    assert [type(error) for error in rig.entered] == [GivenUpError]


def test_what_is_cancelled_already_gets_none(rig: Rig) -> None:
    cancellation = Cancellation()
    rig.enter()
    cancellation.cancel()
    with pytest.raises(GivenUpError):
        rig.enter(cancellation)


def test_closing_closes_what_is_open_and_what_is_being_opened(rig: Rig) -> None:
    first = rig.fill(1)
    rig.may_open.clear()
    thread = rig.enter_in_background()
    wait_until(lambda: len(rig.made) == 2, "the second")
    rig.closing.set()
    rig.trunks.close()
    assert (first.is_closed, rig.made[1].is_closed) == (True, True)
    rig.made[1].is_closed = False
    rig.may_open.set()  # it gets open all the same
    thread.join(PATIENCE)
    wait_until(lambda: rig.made[1].is_closed, "the end of the second")
    assert rig.trunks.open == ()


@pytest.mark.parametrize("break_it", [lambda trunk: setattr(trunk, "is_connected", False), None])
def test_ensuring_one_makes_none_where_there_is_one(
    rig: Rig, break_it: Callable[[FakeTrunk], None] | None
) -> None:
    first = rig.fill(1)
    if break_it is not None:
        break_it(first)
    found: Any = rig.trunks.ensure(rig.closing)
    assert (found is first) == (break_it is None)
    assert len(rig.made) == 1 + (break_it is not None)
