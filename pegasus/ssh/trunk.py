"""Trunk: Fabric's Connection, made for one node; one SSH connection, for many sessions."""

from __future__ import annotations

import functools
import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import fabric
from paramiko import Message, SSHConfig

from pegasus.errors import UnreachableError
from pegasus.model import Ending, Node, Outcome
from pegasus.ssh.base import GivenUpError, Peer
from pegasus.ssh.login.dial import Line, first_hop
from pegasus.ssh.login.gate import DroppedError, Gate
from pegasus.ssh.login.handshake import Handshake
from pegasus.ssh.openssh.config import resolve
from pegasus.ssh.running.ahead import Ahead
from pegasus.ssh.running.order import NotStartedError, Order, RefusedError
from pegasus.ssh.running.process import RemoteProcess
from pegasus.ssh.running.session import Session
from pegasus.ssh.running.stream import Follower, NotBegunError

_DISCONNECTED = "disconnected while the command ran"
_UNANSWERED = "the server has not said whether it runs the command"

#: So many refusals may be due to a session that has just ended.
_STALE_REFUSALS = 2


@functools.cache
def _fabric_config() -> fabric.Config:
    """Fabric's configuration, for all trunks; its files and variables are not read."""
    return fabric.Config(ssh_config=SSHConfig(), lazy=True)


def _software(banner: str) -> str:
    """Return what a banner names: of `SSH-2.0-OpenSSH_9.2p1`, the last (RFC 4253, section 4.2)."""
    return banner.split("-", 2)[-1]


@dataclass
class Sessions:
    """What is known of the sessions of an SSH connection. `pegasus.ssh.trunks` keeps it.

    Attributes:
        used: how many attempts have one, or are about to ask for one.
        limit: how many the server gives at most, as far as it has refused any.
        ended: how many attempts that had one have ended.
        have_been: whether the server has ever given one.
        are_over: whether none is to be asked for any more.
    """

    used: int = 0
    limit: float = math.inf
    ended: int = 0
    have_been: bool = False
    are_over: bool = False

    @property
    def has_room(self) -> bool:
        """Whether an attempt may ask for one."""
        return not self.are_over and self.used < self.limit


class Trunk(fabric.Connection):  # type: ignore[misc]
    """An SSH connection to a node. The address, the user and the keys are OpenSSH's to say.

    It is made once: what is broken stays so, and another one takes its place. Fabric keeps nothing
    of a run in it, so that several threads may run commands over it at the same time.

    Attributes:
        sessions: what is known of its sessions.
    """

    # Fabric sets this one without having declared it, and what is not declared it takes for
    # configuration, which it then works out anew: while other trunks read it.
    inline_ssh_env = True

    def __init__(
        self,
        node: Node,
        closing: threading.Event,
        *,
        gate: Gate,
        ssh_config: str | None,
        dead_after: float | None,
    ) -> None:
        """Prepare; see `NodeConnection`. Nothing is contacted yet.

        Parameters:
            closing: set when nobody wants the node's connections any more.
        """
        super().__init__(
            node.host.name, user=node.host.user, port=node.host.port, config=_fabric_config()
        )
        # Attributes of a Context become configuration unless they are set like this.
        self._set(node=node, _gate=gate, _config_file=ssh_config, _dead_after=dead_after)
        self._set(_line=None, _closing=closing, _is_closed=False)
        self._set(sessions=Sessions(), _ahead=None)

    def derive_shorthand(self, host_string: str) -> dict[str, Any]:
        """Take a host's name as it is: it was read from hosts.yaml in parts."""
        return {"user": None, "host": host_string, "port": None}

    # Two to the same address are two.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def open(self) -> None:
        """Connect and log in, unless that was done.

        Raises:
            UnreachableError: see its `step` and `problem`.
        """
        if self.transport is not None:
            return
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
        transport = client.get_transport()
        self._set(_ahead=Ahead(transport), client=client, transport=transport)
        self._check_closing()

    def attempt(self, order: Order) -> Ending:
        """Run a command in a session of its own; return how it ended.

        Raises:
            RefusedError: the server gives no further session.
            NotStartedError: the command did not begin for another reason.
            NotBegunError: something else ran.
        """
        session = self._ahead.take() or self._ask_for_session()
        self.sessions.have_been = True
        try:
            # Where no command has been run, this one may be the only one.
            ahead = self._ahead.ask(self.sessions.used) if self.sessions.ended else []
            self._begin(session, order, ahead)
            ending = _follow(RemoteProcess(session), order)
        finally:
            session.close()
        if ending.outcome is Outcome.LOST and self._closing.is_set():
            return Ending(Outcome.CANCELLED, detail=_DISCONNECTED)
        return ending

    def _begin(self, session: Session, order: Order, ahead: Sequence[Message]) -> None:
        try:
            session.begin(order, self._target, ahead)
        except NotStartedError:
            if ahead:  # Nobody must wait for a session that nobody has asked for.
                self._ahead.drop()
            raise

    @property
    def peer(self) -> Peer:
        """Who is at the other end."""
        transport = self.transport
        banner = transport.remote_version if transport is not None else ""
        return Peer(str(self.user), _software(banner or ""))

    def close(self) -> None:
        """Disconnect. What still runs loses its leash, and is ended there. Any thread may call."""
        self._set(_is_closed=True)
        super().close()
        line = self._line
        if line is not None:
            self._set(_line=None)
            line.close()

    def _ask_for_session(self) -> Session:
        """Return a session that is open, after all that the server may mean by refusing one."""
        sessions, refusals = self.sessions, 0
        while True:
            ended = sessions.ended
            session = Session(self.transport)
            try:
                session.open()
                return session
            except NotStartedError as error:
                session.close()
                if not isinstance(error, RefusedError):
                    raise
                ahead: Session | None = self._ahead.take()  # It may have the last place.
                if ahead is not None:
                    return ahead
                refusals += 1
                # One that has just ended may still count, for two refusals: by the first one, its
                # end has been sent there, and by the second, the server has taken note of it.
                if ended == sessions.ended and (not ended or refusals > _STALE_REFUSALS):
                    raise

    def _take_line(self, line: Line) -> None:
        """Remember the line that is being connected, so that `close` can end that too."""
        if self._line is not None:
            self._line.close()
        self._set(_line=line)
        self._check_closing()

    def _check_closing(self) -> None:
        if self._closing.is_set() or self._is_closed:
            self.close()
            raise UnreachableError(self.node, "connect", "disconnected while connecting")


def _follow(process: RemoteProcess, order: Order) -> Ending:
    """Follow a command to its end; see `Follower.run`.

    Where nothing is heard of it and the server has not even said whether it runs it, it may have
    begun all the same.
    """
    try:
        return Follower(process, order).run()
    except NotBegunError as error:
        if process.is_answered:
            raise
        return Ending(Outcome.LOST, detail=f"{_UNANSWERED}: {error}")
