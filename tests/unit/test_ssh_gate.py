"""How many connect at a time, and what happens to those that are turned away."""

from __future__ import annotations

import threading
import time

import pytest

from pegasus.ssh.base import GivenUpError
from pegasus.ssh.login import gate
from pegasus.ssh.login.gate import DroppedError, Gate

#: Nobody closes.
OPEN = threading.Event()


class Quick(threading.Event):
    """Never set; notes for how long it was waited for, and does not wait."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.pauses.append(timeout)
        return False


@pytest.fixture
def quick() -> Quick:
    return Quick()


class Crowd:
    """Counts how many are inside at once; nobody leaves before `release`."""

    def __init__(self) -> None:
        self.inside = 0
        self.release = threading.Event()
        self._changed = threading.Condition()

    def handshake(self) -> None:
        with self._changed:
            self.inside += 1
            self._changed.notify_all()
        self.release.wait(20)

    def wait_for(self, expected: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.inside >= expected, 20)


def most_inside(doorway: Gate, addresses: list[str], expected: int) -> int:
    """Send a thread to each address; return how many get in before any has left."""
    crowd = Crowd()
    threads = [
        threading.Thread(target=doorway.connect, args=(address, crowd.handshake, OPEN))
        for address in addresses
    ]
    for thread in threads:
        thread.start()
    crowd.wait_for(expected)
    time.sleep(0.2)  # for those who should not come in
    most = crowd.inside
    crowd.release.set()
    for thread in threads:
        thread.join(20)
    assert crowd.inside == len(addresses)
    return most


def test_eight_at_a_time_connect_to_one_address() -> None:
    assert most_inside(Gate(), ["one"] * 20, expected=8) == 8


def test_different_addresses_do_not_wait_for_each_other_up_to_the_limit_in_all() -> None:
    addresses = [f"host-{number % 5}" for number in range(20)]
    assert most_inside(Gate(each=2, together=100), addresses, expected=10) == 10
    assert most_inside(Gate(each=2, together=6), addresses, expected=6) == 6


def test_what_is_dropped_is_tried_again_with_growing_and_varying_pauses(
    quick: Quick,
) -> None:
    pauses = quick.pauses
    outcomes = iter([DroppedError("1"), DroppedError("2"), "connected"])

    def handshake() -> str:
        outcome = next(outcomes)
        if isinstance(outcome, DroppedError):
            raise outcome
        return outcome

    assert Gate().connect("one", handshake, quick) == "connected"
    assert len(pauses) == 2
    assert 0.1 <= pauses[0] <= 0.3 <= pauses[0] + pauses[1]
    assert 0.2 <= pauses[1] <= 0.6


def test_it_gives_up_in_the_end_and_frees_its_place(quick: Quick) -> None:
    tries: list[int] = []

    def handshake() -> None:
        tries.append(1)
        raise DroppedError("again")

    doorway = Gate(each=1, together=1)
    for _ in range(2):
        with pytest.raises(DroppedError):
            doorway.connect("one", handshake, quick)
    assert len(tries) == 2 * gate.TRIES


def test_other_errors_are_not_tried_again() -> None:
    tries: list[int] = []

    def handshake() -> None:
        tries.append(1)
        raise PermissionError

    with pytest.raises(PermissionError):
        Gate().connect("one", handshake, OPEN)
    assert tries == [1]


@pytest.mark.parametrize(("each", "together"), [(1, 9), (9, 1)])
def test_who_waits_for_a_place_is_let_go_when_it_is_closed(each: int, together: int) -> None:
    doorway, crowd, closing = Gate(each=each, together=together), Crowd(), threading.Event()
    inside = threading.Thread(target=doorway.connect, args=("one", crowd.handshake, OPEN))
    inside.start()
    crowd.wait_for(1)
    threading.Timer(0.1, closing.set).start()
    before = time.monotonic()
    with pytest.raises(GivenUpError):
        doorway.connect("one", crowd.handshake, closing)
    assert time.monotonic() - before < 5
    crowd.release.set()
    inside.join(20)
    doorway.connect("one", lambda: None, OPEN)  # both kinds of places are free again


def test_no_further_try_is_made_when_it_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "_PAUSE", 1000)
    closing, tries = threading.Event(), []

    def handshake() -> None:
        tries.append(1)
        threading.Timer(0.1, closing.set).start()
        raise DroppedError("again")

    with pytest.raises(GivenUpError):
        Gate().connect("one", handshake, closing)
    assert tries == [1]
