"""A host at the far end of a slow link: in a network namespace, with packets that come late.

The kernel's own `netem` delays them, where it was built with that. Elsewhere a thread does: it
copies packets from one TUN device to the other, each as late. Either way all that the two ends
say to each other is delayed, from the first packet of a TCP connection on.

It needs root and `ip`. Names and addresses hold the process id, so that two may run at a time.
"""

from __future__ import annotations

import fcntl
import os
import select
import shutil
import struct
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress

# linux/if_tun.h: give this descriptor a device of IP packets, without a header of its own.
_TUNSETIFF, _TUN, _NO_HEADER = 0x400454CA, 0x0001, 0x1000


class UnavailableError(Exception):
    """No slow link can be made here; the message says why."""


class SlowLink:
    """A cable to a host at its far end.

    Attributes:
        address: of that host.
        prefix: the command that executes another one there.
        means: what delays the packets.
    """

    def __init__(self, number: int, one_way: float) -> None:
        network, host = f"198.18.{number // 64 % 256}", number % 64 * 4  # RFC 2544: for tests
        self._namespace = f"pegasus-far{number}"
        self._ends = f"pgs{number}", f"pgt{number}"
        self._near, self.address = f"{network}.{host + 1}", f"{network}.{host + 2}"
        self._one_way = one_way
        self.prefix = ("ip", "netns", "exec", self._namespace)
        self.means = ""

    def set_up(self, packets: _Packets) -> None:
        """Make it."""
        near, far = self._ends
        _run("ip", "netns", "add", self._namespace)
        try:
            self._make_cable(near, far)
        except UnavailableError:
            packets.start(near, far)
            _run("ip", "link", "set", far, "netns", self._namespace)
            self.means = "TUN devices"
        self._address((), near, self._near, self.address)
        self._address(self.prefix, far, self.address, self._near)
        _run(*self.prefix, "ip", "link", "set", "lo", "up")

    def _make_cable(self, near: str, far: str) -> None:
        """Make a cable that the kernel delays by itself, or nothing."""
        peer = ("type", "veth", "peer", "name", far, "netns", self._namespace)
        _run("ip", "link", "add", near, *peer)
        try:
            for prefix, end in ((), near), (self.prefix, far):
                _run(*prefix, *self._delayed(end))
        except UnavailableError:
            _run("ip", "link", "delete", near)
            raise
        self.means = "netem"

    def _delayed(self, device: str) -> tuple[str, ...]:
        delay = f"{self._one_way * 1e3:g}ms"
        return ("tc", "qdisc", "add", "dev", device, "root", "netem", "delay", delay)

    def remove(self) -> None:
        """Remove it."""
        for words in ("link", "delete", self._ends[0]), ("netns", "delete", self._namespace):
            with suppress(UnavailableError):  # What was never made, or is gone with its descriptor.
                _run("ip", *words)

    def _address(self, prefix: tuple[str, ...], device: str, own: str, other: str) -> None:
        _run(*prefix, "ip", "address", "add", own, "peer", other, "dev", device)
        _run(*prefix, "ip", "link", "set", device, "up")


class _Packets:
    """Copies IP packets between two TUN devices, later."""

    def __init__(self, one_way: float) -> None:
        self._one_way = one_way
        self._devices: list[int] = []
        self._waiting: deque[tuple[float, int, bytes]] = deque()
        self._stop = os.pipe()
        self._thread = threading.Thread(target=self._copy, daemon=True)

    def start(self, *names: str) -> None:
        """Make devices of these names, and copy from now on."""
        try:
            for name in names:
                self._devices.append(os.open("/dev/net/tun", os.O_RDWR))
                request = struct.pack("16sH22x", name.encode(), _TUN | _NO_HEADER)
                fcntl.ioctl(self._devices[-1], _TUNSETIFF, request)
        except OSError as error:
            raise UnavailableError(f"neither netem nor TUN devices: {error}") from error
        self._thread.start()

    def close(self) -> None:
        """Copy no more; the devices are gone then."""
        os.close(self._stop[1])
        if self._thread.is_alive():
            self._thread.join()
        for each in (self._stop[0], *self._devices):
            os.close(each)

    def _copy(self) -> None:
        first, second = self._devices
        while True:
            readable = select.select([*self._devices, self._stop[0]], [], [], self._until_due())[0]
            if self._stop[0] in readable:
                return
            for device in readable:
                other = second if device == first else first
                due = time.monotonic() + self._one_way
                self._waiting.append((due, other, os.read(device, 65536)))
            while self._waiting and self._waiting[0][0] <= time.monotonic():
                _, device, packet = self._waiting.popleft()
                with suppress(OSError):  # The other end is not up yet, or no more.
                    os.write(device, packet)

    def _until_due(self) -> float | None:
        return max(self._waiting[0][0] - time.monotonic(), 0) if self._waiting else None


@contextmanager
def slow_link(one_way: float) -> Iterator[SlowLink]:
    """Make a slow link, and remove it in the end.

    Args:
        one_way: how late a packet comes, in seconds.

    Raises:
        UnavailableError: that can't be done here.
    """
    if os.geteuid() != 0 or shutil.which("ip") is None:
        raise UnavailableError("network namespaces need root and `ip`")
    link, packets = SlowLink(os.getpid(), one_way), _Packets(one_way)
    try:
        link.set_up(packets)
        yield link
    finally:
        packets.close()
        link.remove()


def _run(*words: str) -> None:
    try:
        subprocess.run(words, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        problem = getattr(error, "stderr", "") or str(error)
        raise UnavailableError(f"{' '.join(words[:3])}: {problem.strip()}") from error
