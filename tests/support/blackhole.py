"""A host of one's own, in a network namespace, whose packets can be made to vanish silently.

It needs root and a kernel that lets us make namespaces. Names and addresses hold the process id,
so that tests which run at the same time keep out of each other's way.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager


class UnavailableError(Exception):
    """No namespace can be made here; the message says why."""


class FarHost:
    """A host at the other end of a cable.

    Attributes:
        address: how to reach it.
        prefix: the command that executes another one there.
    """

    def __init__(self, namespace: str, near: str, address: str) -> None:
        self.address = address
        self.prefix = ("ip", "netns", "exec", namespace)
        self._near = near

    def swallow(self) -> None:
        """Have nothing come from it any more, not even an error."""
        _ip(*self.prefix[1:], "ip", "route", "replace", "blackhole", f"{self._near}/32")

    def heal(self) -> None:
        """End that."""
        _ip(*self.prefix[1:], "ip", "route", "del", "blackhole", f"{self._near}/32")


@contextmanager
def far_host() -> Iterator[FarHost]:
    """Make a far host, and remove it in the end.

    Raises:
        UnavailableError: that can't be done here.
    """
    if os.geteuid() != 0 or shutil.which("ip") is None:
        raise UnavailableError("network namespaces need root and `ip`")
    number = os.getpid()
    namespace, ours, theirs = (f"{kind}{number}" for kind in ("pegasus", "pgn", "pgf"))
    network = f"198.18.{number // 64 % 256}"  # for tests of networks: RFC 2544
    base = number % 64 * 4
    near, far = f"{network}.{base + 1}", f"{network}.{base + 2}"
    inside = ("netns", "exec", namespace, "ip")
    try:
        _ip("netns", "add", namespace)
    except subprocess.CalledProcessError as error:
        raise UnavailableError(f"ip netns add: {error.stderr.strip()}") from error
    try:
        _ip("link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", namespace)
        _ip("address", "add", f"{near}/30", "dev", ours)
        _ip("link", "set", ours, "up")
        _ip(*inside, "address", "add", f"{far}/30", "dev", theirs)
        _ip(*inside, "link", "set", theirs, "up")
        _ip(*inside, "link", "set", "lo", "up")
        yield FarHost(namespace, near, far)
    finally:
        _ip("netns", "delete", namespace)  # it lives on until nothing runs there any more
        subprocess.run(["ip", "link", "delete", ours], capture_output=True, check=False)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
