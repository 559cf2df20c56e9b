"""How many connect at a time, and what happens to those that are turned away."""

from __future__ import annotations

import threading
import time

import pytest

from pegasus.ssh import gate
from pegasus.ssh.gate import DroppedError, Gate


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
        threading.Thread(target=doorway.connect, args=(address, crowd.handshake))
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
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(gate.time, "sleep", pauses.append)
    outcomes = iter([DroppedError("1"), DroppedError("2"), "connected"])

    def handshake() -> str:
        outcome = next(outcomes)
        if isinstance(outcome, DroppedError):
            raise outcome
        return outcome

    assert Gate().connect("one", handshake) == "connected"
    assert len(pauses) == 2
    assert 0.1 <= pauses[0] <= 0.3 <= pauses[0] + pauses[1]
    assert 0.2 <= pauses[1] <= 0.6


def test_it_gives_up_in_the_end_and_frees_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate.time, "sleep", lambda seconds: None)
    tries: list[int] = []

    def handshake() -> None:
        tries.append(1)
        raise DroppedError("again")

    doorway = Gate(each=1, together=1)
    for _ in range(2):
        with pytest.raises(DroppedError):
            doorway.connect("one", handshake)
    assert len(tries) == 2 * gate.TRIES


def test_other_errors_are_not_tried_again() -> None:
    tries: list[int] = []

    def handshake() -> None:
        tries.append(1)
        raise PermissionError

    with pytest.raises(PermissionError):
        Gate().connect("one", handshake)
    assert tries == [1]
