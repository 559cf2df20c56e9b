"""One JSON object on a line: what goes over a run's socket."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Mapping
from typing import Any

VERSION = 1
#: Stands for a line that is longer than it may be; no message reads like this.
TOO_LONG = b"too long"
#: The longest request, in bytes.
LIMIT = 65536
#: The errors that a client needs to tell from others.
NO_SUCH_JOB = "no such job"
NO_SUCH_NODE = "no such node"
#: How the error of a run begins that does not know what it is told; some know less than others.
UNKNOWN = "do must be "


def encode(message: Mapping[str, object]) -> bytes:
    """Return `message` as a line."""
    return json.dumps(message).encode() + b"\n"


def decode(line: bytes) -> dict[str, Any]:
    """Return the object on a line.

    Raises:
        ValueError: it is none.
    """
    try:
        message = json.loads(line)
    except RecursionError as error:
        raise ValueError("too deep") from error
    if not isinstance(message, dict):
        raise ValueError("not an object")
    return message


def read_line(connection: socket.socket, limit: int, patience: float) -> bytes:
    """Return what comes up to a line's end, or to the end of all; `TOO_LONG` for more.

    Args:
        limit: the most bytes to take.
        patience: for how many seconds to wait, in all.

    Raises:
        OSError: the connection broke, or time was up (TimeoutError).
    """
    deadline = time.monotonic() + patience
    data = bytearray()
    while not data.endswith(b"\n"):
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        connection.settimeout(remaining)
        chunk = connection.recv(65536)
        data += chunk
        if len(data) > limit:
            return TOO_LONG
        if not chunk:
            break
    return bytes(data)
