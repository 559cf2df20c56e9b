"""How the output of a session begins: perhaps with noise, then the watchdog's announcement."""

from __future__ import annotations

from pegasus.events import Stream
from pegasus.ssh.running.watchdog import ANNOUNCEMENT, LONGEST

#: How much is kept of what something else has said in place of the command, in bytes.
_HEARD = 200


class Opening:
    """Takes what comes before the command's own output off it, up to the announcement.

    Attributes:
        group: the number of the command's process group, once it is announced.
    """

    def __init__(self) -> None:
        self.group: int | None = None
        self._held = b""
        self._heard = b""

    def strip(self, stream: Stream, data: bytes) -> bytes:
        """Return the part of `data` that is to be handed on.

        Standard error is not held back: what it brings may be the command's already.
        """
        if self.is_over:
            return data
        self._heard += data[: _HEARD - len(self._heard)]
        if stream is Stream.STDERR:
            return data
        text = self._held + data
        found = ANNOUNCEMENT.search(text)
        if found is None:
            self._held = text[1 - LONGEST :]  # it may come in pieces
            return b""
        self.group = int(found[1])
        return text[found.end() :]

    @property
    def is_over(self) -> bool:
        """Whether the command has begun."""
        return self.group is not None

    @property
    def heard(self) -> str:
        """How the output began, in one line; perhaps it tells what is wrong."""
        return " ".join(self._heard.decode(errors="replace").split())
