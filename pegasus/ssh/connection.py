"""NodeConnection: the commands of one node over SSH, several at a time."""

from __future__ import annotations

import functools
import threading

from pegasus.errors import NeverStartedError, UnreachableError
from pegasus.model import NO_SURROUNDINGS, Ending, Node, Surroundings
from pegasus.ssh.base import Cancellation, GivenUpError, OnAnnounced, OnOutput, Peer, nobody
from pegasus.ssh.login.gate import Gate
from pegasus.ssh.openssh.config import ssh_command
from pegasus.ssh.running.endings import refuse
from pegasus.ssh.running.order import NotStartedError, Order, RefusedError, UnansweredError
from pegasus.ssh.running.stream import NotBegunError
from pegasus.ssh.trunk import Trunk
from pegasus.ssh.trunks import Trunks


class NodeConnection:
    """A connection to one node over SSH; see `pegasus.ssh.base.Connection`.

    It is as many SSH connections as the server wants for the commands that run at a time; one
    that breaks takes only those along that run over it.
    """

    def __init__(
        self,
        node: Node,
        *,
        gate: Gate,
        ssh_config: str | None = None,
        kill_grace: float = 10.0,
        dead_after: float | None = None,
    ) -> None:
        """Prepare a connection; nothing is contacted yet.

        Parameters:
            gate: limits how many connect at a time; shared by the connections of a run.
            ssh_config: what replaces OpenSSH's own configuration files.
            kill_grace: seconds between TERM and KILL.
            dead_after: seconds of silence after which the host is taken for dead.
        """
        self.node = node
        self._config_file = ssh_config
        self._grace = kill_grace
        self._lock = threading.Lock()
        self._closing = threading.Event()  # Of what is open now; what opens later has another.
        make = functools.partial(
            Trunk, node, gate=gate, ssh_config=ssh_config, dead_after=dead_after
        )
        self._trunks = Trunks(make)
        self._peer = Peer(node.host.user or "")

    def open(self) -> None:
        """Connect and log in, unless that is done and holds.

        Raises:
            UnreachableError: see its `step` and `problem`.
        """
        try:
            self._peer = self._trunks.ensure(self._begin()).peer
        except GivenUpError as error:
            problem = "disconnected while connecting"
            raise UnreachableError(self.node, "connect", problem) from error

    def attempt(
        self,
        command: str,
        on_output: OnOutput,
        cancellation: Cancellation,
        timeout: float | None = None,
        on_announced: OnAnnounced = nobody,
        surroundings: Surroundings = NO_SURROUNDINGS,
    ) -> Ending:
        """Run `command`; see `pegasus.ssh.base.Connection.attempt`.

        When it does not start, because the connection has dropped since the last attempt, a new
        connection is tried once.
        """
        refused = refuse(command, surroundings, on_output)
        if refused is not None:
            return refused
        order = Order(
            command, on_output, cancellation, self._grace, timeout, on_announced, surroundings
        )
        closing = self._begin()
        try:
            return self._attempt_twice(order, closing)
        except NotBegunError as error:
            raise NeverStartedError(self.node, "session", self._advise(error)) from error
        except UnreachableError as error:
            raise NeverStartedError(self.node, error.step, error.problem) from error
        except GivenUpError as error:
            if cancellation.outcome is not None:
                return Ending(cancellation.outcome)
            raise NeverStartedError(self.node, "session", "disconnected before it began") from error

    @property
    def trunks(self) -> tuple[Trunk, ...]:
        """Its SSH connections, as far as they hold, the oldest first."""
        return self._trunks.open

    @property
    def peer(self) -> Peer:
        """See `pegasus.ssh.base.Connection.peer`."""
        return self._peer

    def close(self) -> None:
        """Disconnect. What still runs on the node loses its leash, and is ended there."""
        with self._lock:
            self._closing.set()
        self._trunks.close()

    def _begin(self) -> threading.Event:
        """Return what will say that the connection is closed which is used from now on."""
        with self._lock:
            if self._closing.is_set():
                self._closing = threading.Event()
            return self._closing

    def _attempt_twice(self, order: Order, closing: threading.Event) -> Ending:
        """Run a command; where an SSH connection proves to be broken, over another one."""
        try:
            return self._attempt_once(order, closing)
        except NotStartedError as error:
            if isinstance(error, RefusedError) or closing.is_set():
                raise NeverStartedError(self.node, "session", str(error)) from error
        try:
            return self._attempt_once(order, closing)
        except NotStartedError as error:
            raise NeverStartedError(self.node, "session", str(error)) from error

    def _attempt_once(self, order: Order, closing: threading.Event) -> Ending:
        """Run a command over an SSH connection whose server has a session for it."""
        while True:
            trunk = self._trunks.enter(closing, order.cancellation)
            try:
                ending = trunk.attempt(order)
            except RefusedError:
                if not self._trunks.leave_full(trunk):
                    raise
            except BaseException as error:
                is_wanted = order.cancellation.outcome is None  # If not, that is why.
                is_broken = is_wanted and isinstance(error, NotStartedError)
                is_broken |= isinstance(error, UnansweredError)
                self._trunks.leave(trunk, is_broken=is_broken)
                raise
            else:
                self._trunks.leave(trunk)
                return ending

    def _advise(self, error: NotBegunError) -> str:
        command = ssh_command(self.node, self._config_file)
        return (
            f"the login shell, a startup file of it or a ForceCommand ran something else than "
            f"the command: {error}; `{command} echo ok` must say ok"
        )
