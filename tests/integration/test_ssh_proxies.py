"""Jump hosts and proxies that die, and where connections come from."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from project import wait_until
from ssh_client import configure, connection_to, failure, output_of, run
from sshd import Sshd

from pegasus.errors import NeverStartedError, UnreachableError
from pegasus.model import Outcome
from pegasus.ssh.base import Connection

MakeSshd = Callable[..., Sshd]

#: Far below what any timeout would take, in seconds.
AT_ONCE = 5.0


def children() -> list[int]:
    """Return the ids of our own child processes."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            rest = stat.read_text().rsplit(") ", 1)[1]
        except OSError:
            continue
        if int(rest.split()[1]) == os.getpid():
            found.append(int(stat.parent.name))
    return found


@pytest.fixture(params=["jump", "command"])
def proxied(request: pytest.FixtureRequest, sshd: Sshd, tmp_path: Path) -> str:
    """A configuration in which node-1 is reached through another process."""
    lines = {
        "jump": "ProxyJump node-2",
        "command": f"ProxyCommand ssh -F {sshd.ssh_config} -W '[%h]:%p' node-2",
    }
    return configure(sshd, tmp_path, "Host node-1", lines[request.param])


def connecting(connection: Connection) -> tuple[list[UnreachableError], threading.Thread]:
    """Open a connection in a thread; return what will be wrong, and the thread."""
    errors: list[UnreachableError] = []

    def connect() -> None:
        try:
            connection.open()
        except UnreachableError as error:
            errors.append(error)

    thread = threading.Thread(target=connect)
    thread.start()
    return errors, thread


def test_a_proxy_that_dies_while_a_command_runs(proxied: str, tmp_path: Path) -> None:
    before = set(children())
    connection = connection_to(proxied)
    connection.open()
    [proxy] = set(children()) - before
    endings = []
    begun = tmp_path / "begun"
    command = f"touch {begun}; sleep 60"
    thread = threading.Thread(target=lambda: endings.append(run(connection, command)[0]))
    thread.start()
    wait_until(begun.exists, "the beginning")
    kill(proxy)
    start, spent = time.monotonic(), time.process_time()
    thread.join(AT_ONCE)
    assert time.monotonic() - start < AT_ONCE
    assert [ending.outcome for ending in endings] == [Outcome.LOST]
    time.sleep(1)
    assert time.process_time() - spent < 0.5
    connection.close()
    assert set(children()) <= before


def test_a_proxy_that_dies_while_nothing_runs(proxied: str) -> None:
    before = set(children())
    connection = connection_to(proxied)
    connection.open()
    [proxy] = set(children()) - before
    kill(proxy)
    wait_until(lambda: not connection.trunks, "the end of the connection")  # type: ignore[attr-defined]
    spent = time.process_time()
    time.sleep(1)
    assert time.process_time() - spent < 0.1
    ending, output = run(connection, "echo again")  # over a new one
    assert (ending.exit_status, output) == (0, "again\n")
    connection.close()
    assert set(children()) <= before


def test_a_proxy_that_dies_while_connecting(sshd: Sshd, tmp_path: Path) -> None:
    program = tmp_path / "proxy"
    program.write_text(f"#!/bin/sh\necho $$ >{tmp_path}/pid.new\n"
                       f"mv {tmp_path}/pid.new {tmp_path}/pid\nexec sleep 60\n")  # fmt: skip
    program.chmod(0o700)
    connection = connection_to(configure(sshd, tmp_path, "Host node-1", f"ProxyCommand {program}"))
    errors, thread = connecting(connection)
    wait_until((tmp_path / "pid").exists, "the proxy")
    spent = time.process_time()
    kill(int((tmp_path / "pid").read_text()))
    thread.join(AT_ONCE)
    assert [error.step for error in errors] == ["connect"]
    assert "by signal 9" in errors[0].problem
    assert time.process_time() - spent < 1
    connection.close()


def test_a_jump_that_is_gone_for_good_is_named(sshd: Sshd, tmp_path: Path) -> None:
    config = configure(
        sshd, tmp_path, "Host gone", "HostName 127.0.0.1", f"Port {free_port()}",
        "Host node-1", "ProxyJump gone",
    )  # fmt: skip
    error = failure(config)
    assert error.step == "connect"
    assert "on the way, by gone:" in error.problem
    assert "refused" in error.problem


def test_a_jump_whose_key_has_changed_is_named_with_file_and_line(
    make_sshd: MakeSshd, sshd: Sshd, tmp_path: Path
) -> None:
    bastion = make_sshd()
    lines = [
        "Host bastion", "HostName 127.0.0.1", f"Port {bastion.port}", f"User {bastion.user}",
        f"IdentityFile {bastion.directory}/client_key",
        f"UserKnownHostsFile {tmp_path}/known of bastion".replace(" of ", "_"),
        "Host node-1", "ProxyJump bastion",
    ]  # fmt: skip
    config = configure(sshd, tmp_path, *lines)
    assert output_of(config, "echo in") == "in\n"
    bastion.replace_host_key()
    bastion.restart()
    error = failure(config)
    assert error.step == "host key"
    assert "bastion" in error.problem
    assert f"{tmp_path}/known_bastion:1" in error.problem


def test_a_lost_jump_lets_no_command_begin(make_sshd: MakeSshd, tmp_path: Path) -> None:
    bastion, server = make_sshd(), make_sshd()
    config = configure(
        server, tmp_path, "Host bastion", "HostName 127.0.0.1", f"Port {bastion.port}",
        f"IdentityFile {bastion.directory}/client_key", "Host node-1", "ProxyJump bastion",
    )  # fmt: skip
    connection = connection_to(config)
    connection.open()
    bastion.stop()
    wait_until(lambda: not connection.trunks, "the end of the connection")  # type: ignore[attr-defined]
    with pytest.raises(NeverStartedError) as caught:
        run(connection, "true")
    assert caught.value.step == "connect"
    connection.close()


def test_a_connection_comes_from_the_bind_address(sshd: Sshd, tmp_path: Path) -> None:
    where = "echo $SSH_CONNECTION"
    config = configure(sshd, tmp_path, "BindAddress 127.0.0.77")
    assert output_of(config, where).startswith("127.0.0.77 ")
    error = failure(configure(sshd, tmp_path, "BindAddress 192.0.2.1"))
    assert error.step == "connect"
    assert "BindAddress 192.0.2.1" in error.problem


@pytest.mark.parametrize(("family", "address"), [("inet", "127.0.0.1"), ("inet6", "::1")])
def test_a_name_s_addresses_are_of_the_family_that_is_wanted(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, family: str, address: str
) -> None:
    asked = []

    def look_up(host: str, port: int, wanted: int, *rest: object) -> list[object]:
        asked.append(wanted)
        raise socket.gaierror(-2, "not known")

    config = configure(sshd, tmp_path, f"AddressFamily {family}")
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    assert failure(config).step == "resolve"
    assert asked == [{"inet": socket.AF_INET, "inet6": socket.AF_INET6}[family]]


def test_connecting_is_tried_as_often_as_the_configuration_says(sshd: Sshd, tmp_path: Path) -> None:
    port = free_port()
    config = configure(sshd, tmp_path, "ConnectionAttempts 30", "Host node-1", f"Port {port}")
    connection = connection_to(config)
    errors, thread = connecting(connection)
    time.sleep(0.5)  # the first try has failed
    assert errors == []
    with socket.create_server(("127.0.0.1", port)) as server:
        server.settimeout(10)
        server.accept()[0].close()
    connection.close()
    thread.join(10)
    assert "disconnected" in str(errors[0])


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
