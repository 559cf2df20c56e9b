"""What a session gets: its environment, and the agent."""

from __future__ import annotations

import os
import shlex
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from agents import SshAgent
from project import wait_until
from ssh_client import configure, connection_to, output_of, run
from sshd import Sshd

from pegasus.ssh.base import Connection

MakeSshd = Callable[..., Sshd]

#: A program that asks the agent at $SSH_AUTH_SOCK for its keys and tells how many there are.
_ASK = """\
import os, socket
s = socket.socket(socket.AF_UNIX)
s.connect(os.environ['SSH_AUTH_SOCK'])
try:
    s.sendall(b'\\0\\0\\0\\1\\x0b')
    answer = s.recv(9)
except OSError:
    answer = b''
print(answer[8:].hex() or 'hung up')
"""
ASK = shlex.join([sys.executable, "-c", _ASK])


@pytest.fixture(scope="module")
def taking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """A server that takes some of the environment."""
    server = Sshd(tmp_path_factory.mktemp("taking"), "AcceptEnv ONE TWO_* OURS_*")
    server.start()
    try:
        yield server
    finally:
        server.stop()


def show(names: str) -> str:
    return "; ".join(f'echo "{name}=[${{{name}-unset}}]"' for name in names.split())


def test_set_env_is_sent_and_the_server_decides(taking: Sshd, tmp_path: Path) -> None:
    config = configure(
        taking, tmp_path, """SetEnv ONE=1 "TWO_B=a b 'c' $d" OTHER=3""", "Host node-1"
    )
    assert output_of(config, show("ONE TWO_B OTHER")).splitlines() == [
        "ONE=[1]", "TWO_B=[a b 'c' $d]", "OTHER=[unset]",
    ]  # fmt: skip


def test_send_env_takes_patterns_and_what_takes_them_back(
    taking: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OURS_A", "OURS_B", "OURS_ABC", "OURS_X1", "OURS_X12", "ONE", "OURS_NOT"):
        monkeypatch.setenv(name, f"our {name}")
    config = configure(
        taking, tmp_path, "SendEnv OURS_A* NO*", "SendEnv OURS_X? OURS_NOT ONE",
        "SendEnv -OURS_NO*", "SetEnv ONE=set",
    )  # fmt: skip
    found = output_of(config, show("OURS_A OURS_ABC OURS_B OURS_X1 OURS_X12 OURS_NOT ONE"))
    assert found.splitlines() == [
        "OURS_A=[our OURS_A]", "OURS_ABC=[our OURS_ABC]", "OURS_B=[unset]",
        "OURS_X1=[our OURS_X1]", "OURS_X12=[unset]", "OURS_NOT=[unset]", "ONE=[set]",
    ]  # fmt: skip


def test_bytes_that_are_no_text_are_sent_as_they_are(
    taking: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environb, b"OURS_A", b"\xff\xfe")
    config = configure(taking, tmp_path, "SendEnv OURS_A")
    assert output_of(config, 'printf %s "$OURS_A" | od -An -tx1').split() == ["ff", "fe"]


def test_every_session_gets_the_environment_and_waits_for_no_answer(
    taking: Sshd, tmp_path: Path
) -> None:
    connection = connection_to(configure(taking, tmp_path, "SetEnv ONE=1"))
    try:
        connection.open()
        for _ in range(2):
            assert run(connection, show("ONE"))[1] == "ONE=[1]\n"
    finally:
        connection.close()


def forwarding(server: Sshd, directory: Path, value: str) -> Connection:
    connection = connection_to(configure(server, directory, f"ForwardAgent {value}"))
    connection.open()
    return connection


@pytest.mark.parametrize("value", ["yes", "$ANOTHER", "{path}", "identity"])
def test_a_job_can_use_the_agent_that_is_forwarded(
    sshd: Sshd, tmp_path: Path, agent: SshAgent, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    agent.add(str(sshd.directory / "client_key"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    if value == "$ANOTHER":
        monkeypatch.setenv("ANOTHER", agent.path)
    lines = [f"ForwardAgent {value.format(path=agent.path)}"]
    if value in ("yes", "identity"):  # the agent is that of the login
        lines = ["ForwardAgent yes", f"IdentityAgent {agent.path}"]
    config = configure(sshd, tmp_path, *lines)
    assert output_of(config, ASK) == "01\n"


def test_the_environment_s_agent_is_the_one_that_is_forwarded(
    sshd: Sshd, tmp_path: Path, agent: SshAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", agent.path)
    config = configure(sshd, tmp_path, "ForwardAgent yes", "IdentityAgent SSH_AUTH_SOCK")
    assert output_of(config, ASK) == "00\n"


def test_the_agent_signs_for_an_ssh_on_the_host(
    sshd: Sshd, tmp_path: Path, agent: SshAgent
) -> None:
    """As `git clone` over SSH does."""
    agent.add(str(sshd.directory / "client_key"))
    onward = (
        f"ssh -F none -p {sshd.port} -o BatchMode=yes -o StrictHostKeyChecking=no "
        f"-o UserKnownHostsFile=/dev/null -o IdentityFile=none 127.0.0.1 echo cloned"
    )
    config = configure(sshd, tmp_path, f"ForwardAgent {agent.path}")
    assert output_of(config, onward) == "cloned\n"


@pytest.mark.parametrize("value", ["no", "none-such", "$UNSET_VARIABLE"])
def test_without_an_agent_to_forward_a_session_has_none(
    sshd: Sshd, tmp_path: Path, agent: SshAgent, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", agent.path)
    monkeypatch.delenv("UNSET_VARIABLE", raising=False)
    config = configure(sshd, tmp_path, f"ForwardAgent {value}")
    assert output_of(config, show("SSH_AUTH_SOCK")) == "SSH_AUTH_SOCK=[unset]\n"


def test_an_agent_that_goes_away_leaves_the_connection_alone(
    sshd: Sshd, tmp_path: Path, agent: SshAgent
) -> None:
    connection = forwarding(sshd, tmp_path, agent.path)
    try:
        assert run(connection, ASK)[1] == "00\n"
        agent.end()
        assert run(connection, ASK)[1] == "hung up\n"
        assert run(connection, "echo on")[1] == "on\n"
    finally:
        connection.close()


def test_who_uses_an_agent_that_dies_is_told(sshd: Sshd, tmp_path: Path, agent: SshAgent) -> None:
    connection = forwarding(sshd, tmp_path, agent.path)
    use = ASK.replace("s.sendall", "id")  # waits for an answer to nothing
    outputs: list[str] = []
    thread = threading.Thread(target=lambda: outputs.append(run(connection, use)[1]))
    thread.start()
    try:
        wait_until(lambda: len(pumps()) == 2, "the forwarding")
        agent.end()
        thread.join(20)
        assert outputs == ["hung up\n"]
    finally:
        connection.close()
        thread.join(20)


def test_forwarding_costs_nothing_while_idle_and_leaves_nothing(
    sshd: Sshd, tmp_path: Path, agent: SshAgent
) -> None:
    connection = forwarding(sshd, tmp_path, agent.path)
    run(connection, ASK)
    wait_until(lambda: not pumps(), "the end of the forwarding")
    before = descriptors()
    for _ in range(5):
        assert run(connection, ASK)[1] == "00\n"
    wait_until(lambda: not pumps() and descriptors() == before, "closed descriptors")
    hold = ASK.replace("try:", "import time; time.sleep(60)\ntry:")
    thread = threading.Thread(target=run, args=(connection, hold))
    thread.start()
    wait_until(lambda: len(pumps()) == 2, "the forwarding")
    spent = time.process_time()
    time.sleep(1)
    assert time.process_time() - spent < 0.1
    connection.close()
    thread.join(20)
    wait_until(lambda: not pumps() and descriptors() < before, "closed descriptors")


def pumps() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name == "pegasus-agent"]


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_more_than_a_few_programs_use_the_agent_at_a_time(
    sshd: Sshd, tmp_path: Path, agent: SshAgent
) -> None:
    connection = forwarding(sshd, tmp_path, agent.path)
    try:
        together = f"for i in 1 2 3 4 5 6 7 8; do {ASK} & done; wait"
        assert run(connection, together)[1] == "00\n" * 8
    finally:
        connection.close()


def test_a_server_that_opens_an_agent_channel_unasked_is_refused(agent: SshAgent) -> None:
    import paramiko

    from pegasus.ssh.wire.transport import NodeTransport

    class Server(paramiko.ServerInterface):  # type: ignore[misc]
        def get_allowed_auths(self, username: str) -> str:
            return "none"

        def check_auth_none(self, username: str) -> int:
            return int(paramiko.AUTH_SUCCESSFUL)

    ours, theirs = socket.socketpair()
    serving = paramiko.Transport(theirs)
    serving.add_server_key(paramiko.ECDSAKey.generate())
    serving.start_server(server=Server(), event=threading.Event())
    client = NodeTransport(ours)
    try:
        client.start_client(timeout=20)
        client.auth_none("me")
        with pytest.raises(paramiko.ChannelException, match="prohibited"):
            serving.open_forward_agent_channel()
    finally:
        client.close()
        serving.close()
