"""The cancel command of a job: what ends it where signals don't reach, as in a container.

It has a connection of its own, since the sessions of the node's others may all be taken.
"""

from __future__ import annotations

import threading

from pegasus.errors import NodeError
from pegasus.events import Output, Sink, Stream
from pegasus.model import NO_SURROUNDINGS, Attempt, Surroundings
from pegasus.modes.reconnect import Clock, reconnect
from pegasus.ssh.base import Cancellation, Connect, nobody

#: How long an attempt's ending waits for its cancel command, in seconds.
WITHIN = 30.0


class CancelCommand:
    """Runs one attempt's cancel command, once, in a thread and on a connection of its own.

    Whatever goes wrong with it, what it cancels is neither broken nor held up by more than
    `within` seconds. Both write the attempt's output, one piece at a time: so the output of
    the attempt goes through here, too.

    Args:
        attempt: what is cancelled.
        command: the command, filled for the attempt's node.
        connect: makes the connection.
        emit: where output goes.
        within: how long `finish` waits for it, in seconds.
        surroundings: what it finds: the same as the attempt's own command.
    """

    def __init__(
        self,
        attempt: Attempt,
        command: str,
        connect: Connect,
        emit: Sink,
        within: float = WITHIN,
        surroundings: Surroundings = NO_SURROUNDINGS,
    ) -> None:
        self._attempt = attempt
        self._command = command
        self._connect = connect
        self._emit = emit
        self._within = within
        self._surroundings = surroundings
        self._output_lock = threading.Lock()  # A reader of output may be slow: not so `start`.
        self._is_over = False
        self._lock = threading.Lock()  # Guards what follows.
        self._is_late = False
        self.is_started = False
        """Whether it was, or is to be; after `finish` this does not change."""
        self._thread: threading.Thread | None = None
        self._problem = f"it did not end within {within:g} s"
        self._given_up = threading.Event()
        self._cancellation = Cancellation()

    def on_output(self, stream: Stream, data: bytes) -> None:
        """Pass on output of the attempt or of the command; see `pegasus.ssh.base.OnOutput`."""
        with self._output_lock:
            if not self._is_over:
                self._emit(Output(self._attempt, stream, data))

    def start(self, connect_within: float = 0.0, clock: Clock | None = None) -> None:
        """Begin to run it, unless the attempt has ended; return at once.

        Args:
            connect_within: for how long a node that can't be connected to is tried again.
        """
        arguments = (connect_within, clock or Clock())
        with self._lock:
            if self._is_late or self.is_started:
                return
            self.is_started = True
            thread = threading.Thread(target=self._run, args=arguments, daemon=True)
            try:
                thread.start()
                self._thread = thread
            except RuntimeError as error:  # It is out of threads: no reason to cancel nothing else.
                self._problem = str(error)

    def finish(self) -> str:
        """Wait for its end, if it was started; return why it failed, or nothing.

        It can't be started any more.
        """
        with self._lock:
            self._is_late = True
        if self._thread is not None:
            self._thread.join(self._within)
        with self._output_lock:
            self._is_over = True
        problem = self._problem
        self._given_up.set()
        self._cancellation.cancel()
        return f"the cancel command failed: {problem}" if self.is_started and problem else ""

    def _run(self, connect_within: float, clock: Clock) -> None:
        try:
            self._problem = self._execute(connect_within, clock)
        except NodeError as error:
            self._problem = f"{error.step}: {error.problem}"
        except Exception as error:
            # A mistake of ours must not keep the attempt from ending.
            self._problem = f"internal error: {error!r}"

    def _execute(self, connect_within: float, clock: Clock) -> str:
        """Run it and return why it failed, or nothing."""
        connection = self._connect(self._attempt.node)
        try:
            if not reconnect(connection, connect_within, self._given_up, clock, pause=0):
                return self._problem
            end = self._cancellation
            ending = connection.attempt(
                self._command, self.on_output, end, None, nobody, self._surroundings
            )
            return "" if ending.succeeded else str(ending)
        finally:
            connection.close()
