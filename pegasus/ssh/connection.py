"""NodeConnection: Fabric's Connection, made for one node and for running jobs."""

from __future__ import annotations

import threading
from typing import Any

import fabric
from paramiko import Channel, SSHConfig

from pegasus.errors import NeverStartedError, UnreachableError
from pegasus.model import Ending, Node, Outcome
from pegasus.ssh.base import Cancellation, GivenUpError, OnAnnounced, OnOutput, Peer, nobody
from pegasus.ssh.login.dial import Line, first_hop
from pegasus.ssh.login.gate import DroppedError, Gate
from pegasus.ssh.login.handshake import Handshake
from pegasus.ssh.openssh.config import resolve, ssh_command
from pegasus.ssh.running import runner
from pegasus.ssh.running.endings import refuse
from pegasus.ssh.running.session import equip
from pegasus.ssh.running.stream import NotBegunError

_DISCONNECTED = "disconnected while the command ran"


def _fabric_config() -> fabric.Config:
    """Fabric's configuration with our runner; its files and variables are not read."""
    overrides = {"runners": {"remote": runner.RemoteRunner}, "run": runner.OPTIONS}
    return fabric.Config(overrides=overrides, ssh_config=SSHConfig(), lazy=True)


def _software(banner: str) -> str:
    """Return what a banner names: of `SSH-2.0-OpenSSH_9.2p1`, the last (RFC 4253, section 4.2)."""
    return banner.split("-", 2)[-1]


class NodeConnection(fabric.Connection):  # type: ignore[misc]
    """A connection to one node over SSH; see `pegasus.ssh.base.Connection`.

    Two are equal when their nodes are, whatever their addresses. The address, the user and the
    keys are OpenSSH's to say, when `open` is called.
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
        super().__init__(
            node.host.name, user=node.host.user, port=node.host.port, config=_fabric_config()
        )
        # Attributes of a Context become configuration unless they are set like this.
        self._set(node=node, _gate=gate, _config_file=ssh_config, _grace=kill_grace)
        self._set(_line=None, _closing=threading.Event(), _dead_after=dead_after)

    def derive_shorthand(self, host_string: str) -> dict[str, Any]:
        """Take a host's name as it is: it was read from hosts.yaml in parts."""
        return {"user": None, "host": host_string, "port": None}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NodeConnection) and bool(self.node == other.node)

    def __hash__(self) -> int:
        return hash(self.node)

    def open(self) -> None:
        """Connect and log in, unless that is done.

        Raises:
            UnreachableError: see its `step` and `problem`.
        """
        if self.is_connected:
            return
        self._closing.clear()
        try:
            target = resolve(self.node, self._config_file, self._closing)
            self._set(host=target.hostname, port=target.port, user=target.user, _target=target)
            handshake = Handshake(
                self.node, target, self._take_line, self._closing, self._dead_after
            )
            client = self._gate.connect(first_hop(target), handshake.make, self._closing)
        except (DroppedError, GivenUpError, UnreachableError) as error:
            self._check_closing()  # that would be why
            if isinstance(error, UnreachableError):
                raise
            raise UnreachableError(self.node, "connect", str(error)) from error
        self._set(client=client, transport=client.get_transport())
        self._check_closing()

    def attempt(
        self,
        command: str,
        on_output: OnOutput,
        cancellation: Cancellation,
        timeout: float | None = None,
        on_announced: OnAnnounced = nobody,
    ) -> Ending:
        """Run `command`; see `pegasus.ssh.base.Connection.attempt`.

        When it does not start, because the connection has dropped since the last attempt, a new
        connection is tried once.
        """
        refused = refuse(command, on_output)
        if refused is not None:
            return refused
        arguments = runner.options(on_output, cancellation, self._grace, timeout, on_announced)
        for is_last in (False, True):
            if cancellation.outcome is not None:
                break
            try:
                return self._attempt_once(command, arguments)
            except runner.NotStartedError as error:
                self._hang_up()
                if is_last or self._closing.is_set():
                    raise NeverStartedError(self.node, "session", str(error)) from error
            except NotBegunError as error:
                raise NeverStartedError(self.node, "session", self._advise(error)) from error
        return Ending(cancellation.outcome or Outcome.CANCELLED)

    def create_session(self) -> Channel:
        """Return a new session with the environment and the agent that it shall have."""
        channel = super().create_session()
        equip(channel, self._target)
        return channel

    @property
    def peer(self) -> Peer:
        """See `pegasus.ssh.base.Connection.peer`."""
        transport = self.transport
        banner = transport.remote_version if transport is not None else ""
        return Peer(str(self.user), _software(banner or ""))

    def close(self) -> None:
        """Disconnect. What still runs on the node loses its leash, and is ended there."""
        self._closing.set()
        self._hang_up()

    def _attempt_once(self, command: str, arguments: dict[str, Any]) -> Ending:
        try:
            self.open()
        except UnreachableError as error:
            raise NeverStartedError(self.node, error.step, error.problem) from error
        result = self.run(command, **arguments)
        ending: Ending = result.ending
        if ending.outcome is Outcome.LOST and self._closing.is_set():
            return Ending(Outcome.CANCELLED, detail=_DISCONNECTED)
        return ending

    def _advise(self, error: NotBegunError) -> str:
        command = ssh_command(self.node, self._config_file)
        return (
            f"the login shell, a startup file of it or a ForceCommand ran something else than "
            f"the command: {error}; `{command} echo ok` must say ok"
        )

    def _take_line(self, line: Line) -> None:
        """Remember the line that is being connected, so that `close` can end that too."""
        if self._line is not None:
            self._line.close()
        self._set(_line=line)
        self._check_closing()

    def _check_closing(self) -> None:
        if self._closing.is_set():
            self._hang_up()
            raise UnreachableError(self.node, "connect", "disconnected while connecting")

    def _hang_up(self) -> None:
        super().close()
        line = self._line
        if line is not None:
            self._set(_line=None)
            line.close()
