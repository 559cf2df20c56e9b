"""A session that is asked for ahead of the attempt that is going to need it.

So an attempt that follows another one need not wait for the answer, which takes a round trip.
A server does nothing for a session before there is a command for it, but counts it: so there is
one a connection at most, and who is refused a session takes that one.
"""

from __future__ import annotations

import math
import threading

from paramiko import Message

from pegasus.ssh.running.order import RefusedError
from pegasus.ssh.running.session import Session
from pegasus.ssh.wire.transport import NodeTransport

#: For how long after its last sign of life a connection is believed to hold, in seconds. Asking for
#: a session also shows whether it does; a command that is lost with it may have begun.
FRESH = 0.25


class Ahead:
    """Keeps one session ahead. All threads that use the connection call it.

    Only with OpenSSH's server: of others it is not known what they make of sessions in which
    nothing happens.
    """

    def __init__(self, transport: NodeTransport) -> None:
        """Prepare; nothing is asked for yet."""
        self._transport = transport
        self._lock = threading.Lock()  # Guards what follows.
        self._session: Session | None = None
        self._beside = 0
        self._limit = math.inf if transport.is_openssh else 0

    def ask(self, beside: int) -> list[Message]:
        """Return what the caller must send to have a session ahead; nothing, where there is one.

        The server may refuse it while so many attempts use the connection: then none is asked for
        any more beside as many. That says nothing to anybody else.
        """
        with self._lock:
            if self._session is not None or beside >= self._limit:
                return []
            self._beside = beside
            self._session = Session(self._transport)
            return [self._session.request]

    def take(self) -> Session | None:
        """Return one that is open, for the caller alone; None where one must be asked for.

        Raises:
            NotStartedError: the connection is lost, or the server does not answer.
        """
        with self._lock:
            session, self._session = self._session, None
            beside = self._beside
        if session is None:
            return None
        if session.channel.closed or (session.is_open and not self._is_fresh()):
            session.close()
            return None
        try:
            session.wait()
        except RefusedError:
            session.close()
            with self._lock:
                self._limit = min(self._limit, beside)
            return None
        return session

    def drop(self) -> None:
        """Let go of one that was to be asked for, and perhaps was not."""
        with self._lock:
            session, self._session = self._session, None
        if session is not None:
            session.close()

    def _is_fresh(self) -> bool:
        return self._transport.silence < FRESH
