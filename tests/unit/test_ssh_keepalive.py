"""How silence is counted, on a socket pair; no SSH is spoken."""

from __future__ import annotations

import errno
import itertools
import os
import socket
import threading
from collections import deque
from collections.abc import Iterator
from typing import Any

import pytest

from pegasus.ssh.wire.keepalive import Patience, SilentPeerError, WatchedSocket, tune


class Scripted:
    """A socket whose reads and writes end as they are told: with bytes, a number or an error."""

    def __init__(self, *endings: object) -> None:
        self._endings = iter(endings)
        self._pair = socket.socketpair()
        self.is_shut = False

    def recv(self, size: int) -> Any:
        return self._end()

    def send(self, data: bytes) -> Any:
        return self._end()

    def fileno(self) -> int:
        return self._pair[0].fileno()

    def feed(self, data: bytes) -> None:
        self._pair[1].sendall(data)

    def shutdown(self, how: int) -> None:
        self.is_shut = True

    def _end(self) -> object:
        ending = next(self._endings)
        if isinstance(ending, Exception):
            raise ending
        return ending


NAP = BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")


def watched(*endings: object, naps: int = 2) -> tuple[WatchedSocket, Scripted, list[str]]:
    raw = Scripted(*endings)
    line = WatchedSocket(raw, Patience(30, naps))  # type: ignore[arg-type]
    asked: list[str] = []
    line.on_silence = lambda: asked.append("asked")
    return line, raw, asked


def nap(line: WatchedSocket) -> None:
    with pytest.raises(TimeoutError):
        line.recv(1)


@pytest.mark.parametrize(
    ("dead_after", "interval", "count", "expected"),
    [
        (None, None, 3, Patience(30, 2)),
        (None, 15.0, 3, Patience(45, 3)),
        (None, 15.0, 0, Patience(15, 2)),
        (None, 60.0, 1, Patience(60, 2)),
        (None, 10.0, 100, Patience(1000, 100)),
        (7.0, None, 3, Patience(7, 2)),
        (7.0, 15.0, 3, Patience(7, 2)),
        (120.0, 15.0, 3, Patience(120, 8)),
    ],
)
def test_the_setting_comes_first_then_openssh_s_configuration_then_30_s(
    dead_after: float | None, interval: float | None, count: int, expected: Patience
) -> None:
    patience = Patience.choose(dead_after, interval, count)
    assert patience == expected
    assert patience.nap * patience.naps == pytest.approx(expected.dead_after)
    assert patience.nap <= (interval or expected.dead_after)


def test_a_peer_is_asked_after_a_nap_and_dead_after_another() -> None:
    line, raw, asked = watched(NAP, NAP)
    nap(line)
    assert (asked, raw.is_shut, line.death) == (["asked"], False, "")
    with pytest.raises(SilentPeerError, match="no sign of life for 30 s"):
        line.recv(1)
    assert (asked, raw.is_shut, line.death) == (["asked"], True, "no sign of life for 30 s")


def test_any_byte_is_a_sign_of_life() -> None:
    line, raw, asked = watched(NAP, b"x", NAP, b"y", NAP)
    for _ in range(2):
        nap(line)
        assert line.recv(1) != b""
    nap(line)
    assert (len(asked), raw.is_shut) == (3, False)


def test_what_came_while_the_program_was_suspended_counts() -> None:
    line, raw, _ = watched(NAP, NAP, b"x")
    nap(line)
    raw.feed(b"x")
    nap(line)
    assert (line.recv(1), raw.is_shut) == (b"x", False)


def test_it_is_asked_at_every_interval() -> None:
    line, _, asked = watched(NAP, NAP, NAP, NAP, naps=4)
    for number in range(1, 4):
        nap(line)
        assert len(asked) == number
    with pytest.raises(SilentPeerError):
        line.recv(1)


def test_silence_means_nothing_before_the_login() -> None:
    line, raw, _ = watched(*[NAP] * 10)
    line.on_silence = None
    for _ in range(10):
        nap(line)
    assert (line.death, raw.is_shut) == ("", False)


def test_a_write_that_makes_no_progress_means_the_same() -> None:
    line, raw, _ = watched(NAP, 3, NAP, NAP, b"")
    with pytest.raises(TimeoutError):
        line.send(b"data")
    assert line.send(b"data") == 3
    with pytest.raises(TimeoutError):
        line.send(b"data")
    with pytest.raises(SilentPeerError, match="no sign of life for 30 s"):
        line.send(b"data")
    assert raw.is_shut
    with pytest.raises(SilentPeerError, match="no sign of life for 30 s"):
        line.recv(1)  # the other thread is told as well


def test_when_the_kernel_gives_up_it_is_not_taken_for_a_nap() -> None:
    line, _, asked = watched(OSError(errno.ETIMEDOUT, "Connection timed out"))
    with pytest.raises(SilentPeerError):
        line.recv(1)
    assert asked == []


def test_why_a_connection_broke_is_remembered() -> None:
    line, _, _ = watched(OSError(errno.ECONNRESET, "Connection reset by peer"))
    with pytest.raises(ConnectionResetError):
        line.recv(1)
    assert line.death == "Connection reset by peer"


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_closing_wakes_whoever_reads(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[0].settimeout(60)
    line = WatchedSocket(pair[0], Patience(120))
    read: list[object] = []

    def listen() -> None:
        try:
            read.append(line.recv(1))
        except OSError as error:
            read.append(error.errno)

    thread = threading.Thread(target=listen)
    thread.start()
    line.close()
    thread.join(10)
    assert read in ([b""], [errno.EBADF])
    assert line.death == ""


def test_a_full_socket_is_not_writable(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[0].setblocking(False)
    line = WatchedSocket(pair[0], Patience())
    assert line.is_writable()
    with pytest.raises(BlockingIOError):
        deque(pair[0].send(b"x" * 65536) for _ in itertools.count())
    assert not line.is_writable()


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="not on this system")
def test_the_kernel_is_as_patient_as_we_are() -> None:
    with socket.socket() as sock:
        tune(sock, Patience(30))
        read = [
            sock.getsockopt(socket.IPPROTO_TCP, getattr(socket, name))
            for name in ("TCP_NODELAY", "TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT")
        ]
        assert read == [1, 15, 5, 3]
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1


def test_other_sockets_are_left_alone(pair: tuple[socket.socket, socket.socket]) -> None:
    tune(pair[0], Patience())


def test_a_socket_that_another_thread_has_closed_meanwhile_is_closed_and_no_surprise(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    line = WatchedSocket(pair[0], Patience())
    line.close()
    with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        line.is_writable()
