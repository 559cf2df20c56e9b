"""Logging in: what OpenSSH would try without asking anybody anything, in its order."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from typing import Any

from paramiko import Agent, PKey, SSHException
from paramiko.agent import AgentSSH
from paramiko.auth_strategy import (
    AuthFailure,
    AuthSource,
    AuthStrategy,
    InMemoryPrivateKey,
    NoneAuth,
    OnDiskPrivateKey,
)

from pegasus.model import Node
from pegasus.ssh.config import Target, ssh_command


class _AgentAt(AgentSSH):  # type: ignore[misc]
    """An ssh-agent that listens elsewhere than at $SSH_AUTH_SOCK (IdentityAgent)."""

    def __init__(self, path: str) -> None:
        super().__init__()
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(path)
            self._connect(connection)
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        """Disconnect."""
        self._close()


class Login(AuthStrategy):  # type: ignore[misc]
    """Tries "none", the agent's keys and the key files; never a password or a passphrase."""

    def __init__(self, node: Node, target: Target) -> None:
        super().__init__(ssh_config=None)
        self._node = node
        self._target = target
        #: Remarks on keys that were not tried, for the message when nothing works.
        self._unused: list[str] = []

    def get_sources(self) -> Iterator[AuthSource]:
        """Yield what is to be tried, in this order."""
        user = self._target.user
        yield NoneAuth(user)
        with self._agent() as agent:
            for key in self._agent_keys(agent):
                yield InMemoryPrivateKey(user, key)
            for path in self._target.identity_files:
                key = self._load(path)
                if key is not None:
                    yield OnDiskPrivateKey(user, "ssh-config", path, key)

    def describe(self, failure: AuthFailure) -> str:
        """Say in words what was tried in vain, and what to do."""
        tried = [_name(source) for source, _ in failure.result if not isinstance(source, NoneAuth)]
        parts = [f"{self._target.user}@{self._target.hostname} lets none of our keys in"]
        parts.append(f"tried {', '.join(tried)}" if tried else "there was no key to try")
        parts += self._unused
        if "shut down" in str(failure.result[-1].result):
            parts.append("the server hung up, perhaps after too many keys: see IdentitiesOnly")
        command = ssh_command(self._node, self._target.config_file)
        parts.append(f"`{command}` must work without a password: see ssh-copy-id")
        return "; ".join(parts)

    @contextlib.contextmanager
    def _agent(self) -> Iterator[Any]:
        """Connect to the agent while its keys are tried; None when there is none."""
        agent = self._open_agent()
        try:
            yield agent
        finally:
            if agent is not None:
                agent.close()

    def _open_agent(self) -> Any:
        path = self._target.agent
        if path == "none":
            return None
        try:
            return Agent() if path is None else _AgentAt(path)
        except (OSError, SSHException) as error:
            self._unused.append(f"no ssh-agent at {path or '$SSH_AUTH_SOCK'} ({error})")
            return None

    def _agent_keys(self, agent: Any) -> list[Any]:
        """Return the agent's keys, those of IdentityFile first, or alone (IdentitiesOnly)."""
        keys = list(agent.get_keys()) if agent is not None else []
        wanted = {_public_data(path) for path in self._target.identity_files} - {None}
        named = [key for key in keys if key.get_base64() in wanted]
        if self._target.identities_only:
            return named
        return named + [key for key in keys if key not in named]

    def _load(self, path: str) -> PKey | None:
        if not os.path.exists(path):
            return None
        try:
            return PKey.from_path(path)
        except TypeError:  # what the cryptography library raises for a missing passphrase
            self._unused.append(f"{path} has a passphrase: ssh-add it")
        except Exception as error:  # a library's parser on a file of the user's
            self._unused.append(f"{path} can't be used ({error})")
        return None


def _public_data(path: str) -> str | None:
    """Return the base64 of the public key beside a private one."""
    try:
        with open(path + ".pub", encoding="utf-8", errors="replace") as file:
            words = file.read().split()
    except OSError:
        return None
    return words[1] if len(words) > 1 else None


def _name(source: AuthSource) -> str:
    if isinstance(source, OnDiskPrivateKey):
        return str(source.path)
    comment = getattr(source.pkey, "comment", "") or source.pkey.get_name()
    return f"the agent's {comment}"
