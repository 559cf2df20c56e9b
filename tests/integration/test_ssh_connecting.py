"""Connecting: host keys, jump hosts, many at a time, and what is said when it fails."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from attempts import node
from paramiko import SSHClient
from ssh_client import configure
from sshd import ALIASES, Sshd, generate_key

from pegasus.errors import UnreachableError
from pegasus.ssh.base import Cancellation, Connection
from pegasus.ssh.connect import connector
from pegasus.ssh.group import BroadcastGroup
from pegasus.ssh.login.handshake import Handshake

MakeSshd = Callable[..., Sshd]


def open_and_close(config: str, name: str = "node-1", **parts: object) -> None:
    connection = connector(ssh_config=config)(node(name, **parts))
    try:
        connection.open()
        ending = connection.attempt("exit 9", lambda stream, data: None, Cancellation())
        assert ending.exit_status == 9
    finally:
        connection.close()


def failure(config: str, name: str = "node-1", **parts: object) -> UnreachableError:
    with pytest.raises(UnreachableError) as caught:
        open_and_close(config, name, **parts)
    assert caught.value.node == node(name, **parts)
    return caught.value


def test_an_unknown_key_is_added_in_one_line_and_known_from_then_on(make_sshd: MakeSshd) -> None:
    server = make_sshd()
    for _ in range(2):
        open_and_close(server.ssh_config)
    expected = f"[127.0.0.1]:{server.port} {server.host_key}\n"
    assert server.known_hosts.read_text() == expected
    assert server.known_hosts.stat().st_mode & 0o777 == 0o600


def test_openssh_reads_the_line_that_was_added(make_sshd: MakeSshd) -> None:
    server = make_sshd()
    open_and_close(server.ssh_config)
    strict = ["ssh", "-F", server.ssh_config, "-o", "StrictHostKeyChecking=yes", "node-1", "true"]
    assert subprocess.run(strict, stdin=subprocess.DEVNULL).returncode == 0


def test_a_line_is_appended_whole_to_a_file_without_a_last_newline(make_sshd: MakeSshd) -> None:
    server = make_sshd()
    other = "other.example " + server.host_key
    server.known_hosts.write_text(f"# mine\n{other}")
    open_and_close(server.ssh_config)
    lines = server.known_hosts.read_text().splitlines()
    assert lines == ["# mine", other, f"[127.0.0.1]:{server.port} {server.host_key}"]


def test_many_connections_add_the_key_once(make_sshd: MakeSshd) -> None:
    server = make_sshd()
    connect = connector(ssh_config=server.ssh_config)
    group = BroadcastGroup.of(connect(node("node-1", index)) for index in range(6))
    assert group.each(lambda connection: connection.open()).errors == {}
    group.close()
    assert len(server.known_hosts.read_text().splitlines()) == 1


def test_a_changed_key_is_refused_with_file_and_line(make_sshd: MakeSshd) -> None:
    server = make_sshd()
    open_and_close(server.ssh_config)
    server.known_hosts.write_text("# a comment\n" + server.known_hosts.read_text())
    before = server.known_hosts.read_bytes()
    server.replace_host_key()
    server.restart()
    error = failure(server.ssh_config)
    assert error.step == "host key"
    assert f"{server.known_hosts}:2" in error.problem
    assert "changed" in error.problem
    assert server.known_hosts.read_bytes() == before


def test_a_known_hosts_file_with_blanks_in_its_path_is_the_one_that_is_used(
    make_sshd: MakeSshd, tmp_path: Path
) -> None:
    server = make_sshd()
    (tmp_path / "sp ace").mkdir()
    known = tmp_path / "sp ace" / "known hosts"
    config = configure(server, tmp_path, f'UserKnownHostsFile "{known}"')
    open_and_close(config)
    assert known.read_text() == f"[127.0.0.1]:{server.port} {server.host_key}\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config", "sp ace"]
    server.replace_host_key()
    server.restart()
    error = failure(config)
    assert error.step == "host key"
    assert f"{known}:1" in error.problem
    assert f"ssh-keygen -f '{known}' -R" in error.problem
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config", "sp ace"]


def test_a_key_of_another_type_than_the_known_one_is_a_changed_key(make_sshd: MakeSshd) -> None:
    server = make_sshd()
    open_and_close(server.ssh_config)
    server.replace_host_key("ecdsa")
    server.restart()
    assert failure(server.ssh_config).step == "host key"


def test_the_known_type_of_key_is_the_one_that_is_asked_for(
    make_sshd: MakeSshd, tmp_path: Path
) -> None:
    rsa = generate_key(tmp_path / "rsa_key", "rsa")
    server = make_sshd(f"HostKey {tmp_path}/rsa_key")
    server.known_hosts.write_text(f"[127.0.0.1]:{server.port} {rsa}\n")
    open_and_close(configure(server, tmp_path, "StrictHostKeyChecking yes"))


def test_a_revoked_key_is_refused_even_when_nothing_is_strict(
    make_sshd: MakeSshd, tmp_path: Path
) -> None:
    server = make_sshd()
    known = f"[127.0.0.1]:{server.port} {server.host_key}\n"
    server.known_hosts.write_text(f"{known}@revoked * {server.host_key}\n")
    for strictness in ("accept-new", "no"):
        config = configure(server, tmp_path, f"StrictHostKeyChecking {strictness}")
        error = failure(config)
        assert error.step == "host key"
        assert "revoked" in error.problem
        assert f"{server.known_hosts}:2" in error.problem


@pytest.mark.parametrize(
    "entry", ["|hashed|", "[127.0.0.*]:*", "[127.0.0.1]:{port},other", "127.0.0.1"]
)
def test_keys_are_found_however_their_hosts_are_written(
    make_sshd: MakeSshd, tmp_path: Path, entry: str
) -> None:
    server = make_sshd()
    name = f"[127.0.0.1]:{server.port}" if entry == "|hashed|" else entry.format(port=server.port)
    server.known_hosts.write_text(f"{name} {server.host_key}\n")
    if entry == "|hashed|":
        subprocess.run(
            ["ssh-keygen", "-q", "-H", "-f", str(server.known_hosts)], capture_output=True
        )
    line = server.known_hosts.read_text()
    assert (name in line) != (entry == "|hashed|")
    authority = generate_key(tmp_path / "authority")
    server.known_hosts.write_text(
        f"@cert-authority * {authority}\n@revoked * {authority}\nnonsense\n{line}"
    )
    before = server.known_hosts.read_bytes()
    open_and_close(configure(server, tmp_path, "StrictHostKeyChecking yes"))
    assert server.known_hosts.read_bytes() == before


def test_strict_yes_refuses_an_unknown_key_and_adds_nothing(
    make_sshd: MakeSshd, tmp_path: Path
) -> None:
    server = make_sshd()
    error = failure(configure(server, tmp_path, "StrictHostKeyChecking yes"))
    assert error.step == "host key"
    assert str(server.known_hosts) in error.problem
    assert not server.known_hosts.exists()


def test_strict_no_accepts_a_changed_key_and_leaves_the_file_alone(
    make_sshd: MakeSshd, tmp_path: Path
) -> None:
    server = make_sshd()
    open_and_close(server.ssh_config)
    before = server.known_hosts.read_bytes()
    server.replace_host_key()
    server.restart()
    open_and_close(configure(server, tmp_path, "StrictHostKeyChecking no"))
    assert server.known_hosts.read_bytes() == before


def test_names_are_hashed_where_openssh_would_hash_them(
    make_sshd: MakeSshd, tmp_path: Path
) -> None:
    server = make_sshd()
    config = configure(server, tmp_path, "HashKnownHosts yes")
    for _ in range(2):
        open_and_close(config)
    assert len(server.known_hosts.read_text().splitlines()) == 1
    assert server.known_hosts.read_text().startswith("|1|")


def test_the_alias_of_a_host_key_is_what_it_is_known_by(
    make_sshd: MakeSshd, tmp_path: Path
) -> None:
    server = make_sshd()
    open_and_close(configure(server, tmp_path, "HostKeyAlias the-cluster"))
    assert server.known_hosts.read_text() == f"the-cluster {server.host_key}\n"


@pytest.mark.parametrize("repetition", range(5))
def test_sixteen_nodes_on_one_sshd_all_connect_every_time(sshd: Sshd, repetition: int) -> None:
    """MaxStartups is the default."""
    connect = connector(ssh_config=sshd.ssh_config)
    nodes = [node(ALIASES[index % len(ALIASES)], index) for index in range(16)]
    group = BroadcastGroup.of(connect(one) for one in nodes)
    try:
        assert group.each(lambda connection: connection.open()).errors == {}
    finally:
        group.close()


@pytest.mark.parametrize(("each", "together", "most"), [(3, 64, 3), (64, 2, 2)])
def test_no_more_connect_at_a_time_than_the_settings_say(
    sshd: Sshd, each: int, together: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, here, seen = threading.Lock(), 0, []
    make = Handshake.make

    def count(handshake: Handshake) -> SSHClient:
        nonlocal here
        with lock:
            here += 1
            seen.append(here)
        try:
            return make(handshake)
        finally:
            with lock:
                here -= 1

    monkeypatch.setattr(Handshake, "make", count)
    connect = connector(ssh_config=sshd.ssh_config, handshakes=together, handshakes_per_host=each)
    group = BroadcastGroup.of(connect(node("node-1", index)) for index in range(8))
    try:
        assert group.each(lambda connection: connection.open()).errors == {}
    finally:
        group.close()
    assert max(seen) == most


def test_a_server_that_turns_some_away_is_tried_again(make_sshd: MakeSshd) -> None:
    server = make_sshd("MaxStartups 2")
    connect = connector(ssh_config=server.ssh_config)
    group = BroadcastGroup.of(connect(node("node-1", index)) for index in range(8))
    try:
        assert group.each(lambda connection: connection.open()).errors == {}
    finally:
        group.close()


def test_user_and_port_of_the_hosts_file_win(sshd: Sshd, tmp_path: Path) -> None:
    config = configure(sshd, tmp_path, "Host elsewhere", "HostName 127.0.0.1", "Port 1", "User x")
    open_and_close(config, "elsewhere", user=sshd.user, port=sshd.port)


def test_a_jump_through_another_server_checks_both_keys(
    make_sshd: MakeSshd, tmp_path: Path
) -> None:
    bastion, server = make_sshd(), make_sshd()
    jump = (
        "Host bastion",
        "HostName 127.0.0.1",
        f"Port {bastion.port}",
        f"User {bastion.user}",
        f"IdentityFile {bastion.directory}/client_key",
        "Host node-1",
        "ProxyJump bastion",
    )
    config = configure(server, tmp_path, *jump)
    open_and_close(config)
    assert sorted(server.known_hosts.read_text().splitlines()) == sorted(
        [
            f"[127.0.0.1]:{bastion.port} {bastion.host_key}",
            f"[127.0.0.1]:{server.port} {server.host_key}",
        ]
    )
    assert "direct-tcpip" in bastion.log.read_text() or "Accepted" in bastion.log.read_text()
    bastion.replace_host_key()
    bastion.restart()
    error = failure(config)
    assert error.step == "host key"
    assert "bastion" in error.problem


def test_two_jumps_in_a_row(make_sshd: MakeSshd, tmp_path: Path) -> None:
    server = make_sshd()
    config = configure(
        server, tmp_path, "Host far", "HostName 127.0.0.1", f"Port {server.port}",
        "ProxyJump node-2,node-3",
    )  # fmt: skip
    open_and_close(config, "far")
    assert server.log.read_text().count("Accepted publickey") == 3


def test_a_proxy_command_is_what_the_connection_goes_through(sshd: Sshd, tmp_path: Path) -> None:
    command = f"ProxyCommand ssh -F {sshd.ssh_config} -W '[%h]:%p' node-2 2>{tmp_path}/said"
    open_and_close(configure(sshd, tmp_path, "Host node-1", command))
    assert (tmp_path / "said").exists()


def test_a_proxy_that_ends_is_noticed_and_says_why(sshd: Sshd, tmp_path: Path) -> None:
    config = configure(
        sshd, tmp_path, "Host node-1", "ProxyCommand echo 'no way through %h' >&2; exit 1"
    )
    before = time.monotonic()
    error = failure(config)
    assert error.step == "connect"
    assert "no way through 127.0.0.1" in error.problem
    assert time.monotonic() - before < 10


@pytest.mark.parametrize(
    ("command", "how"), [("false", "with status 1"), ("sh -c 'kill -9 $$'", "by signal 9")]
)
def test_a_proxy_that_ends_without_a_word_is_named_at_once(
    sshd: Sshd, tmp_path: Path, command: str, how: str
) -> None:
    tried = tmp_path / "tried"
    program = tmp_path / "proxy"
    program.write_text(f"#!/bin/sh\necho >>{tried}\nexec {command}\n")
    program.chmod(0o700)
    error = failure(configure(sshd, tmp_path, "Host node-1", f"ProxyCommand {program} %h"))
    assert error.step == "connect"
    assert f"ProxyCommand `{program} 127.0.0.1` ended {how}" in error.problem
    assert tried.read_text() == "\n"


def test_proxies_are_gone_when_the_connection_is_closed(sshd: Sshd, tmp_path: Path) -> None:
    config = configure(sshd, tmp_path, "Host node-1", "ProxyJump node-2")
    connection = connector(ssh_config=config)(node("node-1"))
    connection.open()
    assert len(children_named("ssh")) == 1
    connection.close()
    assert children_named("ssh") == []


def children_named(name: str) -> list[str]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            before, rest = stat.read_text().rsplit(") ", 1)
        except OSError:
            continue
        if int(rest.split()[1]) == os.getpid() and before.endswith(f"({name}"):
            found.append(before)
    return found


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_name_that_is_not_found(sshd: Sshd) -> None:
    error = failure(sshd.ssh_config, "no-such-host.invalid")
    assert error.step == "resolve"
    assert "no-such-host.invalid" in str(error)


def test_a_port_where_nothing_listens(sshd: Sshd) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    error = failure(sshd.ssh_config, "127.0.0.1", port=port)
    assert error.step == "connect"
    assert "refused" in error.problem


def test_a_host_that_never_answers(sshd: Sshd, tmp_path: Path, silent_port: int) -> None:
    config = configure(sshd, tmp_path, "ConnectTimeout 1")
    before = time.monotonic()
    error = failure(config, "127.0.0.1", port=silent_port)
    assert error.step == "connect"
    assert "within 1 s" in error.problem
    assert time.monotonic() - before < 20


def test_a_server_that_is_not_sshd(sshd: Sshd) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            peer, _ = server.accept()
            with peer:
                peer.sendall(b"HTTP/1.1 400 Bad Request\r\n" * 200)
                peer.recv(100)

        thread = threading.Thread(target=answer)
        thread.start()
        error = failure(sshd.ssh_config, "127.0.0.1", port=server.getsockname()[1])
        thread.join()
    assert error.step == "connect"
    assert "not an SSH server" in error.problem


def test_a_server_that_lets_none_of_our_keys_in(sshd: Sshd, tmp_path: Path) -> None:
    generate_key(tmp_path / "stranger")
    locked = tmp_path / "locked"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", str(locked)])
    path = tmp_path / "config"
    text = Path(sshd.ssh_config).read_text().replace(f"{sshd.directory}/client_key", str(locked))
    path.write_text(f"IdentityFile {tmp_path}/stranger\nIdentityFile {tmp_path}/none\n" + text)
    error = failure(str(path))
    assert error.step == "auth"
    assert f"tried {tmp_path}/stranger" in error.problem
    assert f"{locked} has a passphrase" in error.problem
    assert f"`ssh -F {path} node-1` must work" in error.problem
    error = failure(str(path), "127.0.0.1", user=sshd.user, port=sshd.port)
    assert f"`ssh -F {path} -p {sshd.port} {sshd.user}@127.0.0.1` must work" in error.problem


def test_a_configuration_that_is_not_there_or_wrong(sshd: Sshd, tmp_path: Path) -> None:
    error = failure(str(tmp_path / "none"))
    assert (error.step, "none" in error.problem) == ("resolve", True)
    error = failure(configure(sshd, tmp_path, "NoSuchDirective 1"))
    assert error.step == "resolve"
    assert "nosuchdirective" in error.problem.lower()


def test_errors_leave_neither_threads_nor_descriptors(
    sshd: Sshd, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config = configure(sshd, tmp_path, f"UserKnownHostsFile {tmp_path}/none",
                       "StrictHostKeyChecking yes")  # fmt: skip
    failure(config)
    threads, descriptors = threading.active_count(), len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        failure(config)
    deadline = time.monotonic() + 20
    while threading.active_count() > threads or len(os.listdir("/proc/self/fd")) > descriptors:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert capfd.readouterr().err == ""  # nothing of Paramiko's log


@pytest.fixture
def full_port() -> Iterator[int]:
    """A port whose queue is full: the system answers no further connection."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        with contextlib.suppress(TimeoutError):
            while True:
                stack.enter_context(socket.create_connection(server.getsockname(), 0.3))
        yield server.getsockname()[1]


def close_while_connecting(
    config: str, names: list[str], **parts: object
) -> tuple[list[BaseException], float]:
    """Open connections, close them from here; return the errors and how long that took."""
    connect = connector(ssh_config=config)
    group = BroadcastGroup.of(
        connect(node(name, index, **parts)) for index, name in enumerate(names)
    )
    errors: list[BaseException] = []
    begin = threading.Barrier(len(names) + 1)

    def open_one(connection: Connection) -> None:
        begin.wait(20)
        connection.open()

    def open_all() -> None:
        errors.extend(group.each(open_one).errors.values())

    thread = threading.Thread(target=open_all)
    thread.start()
    begin.wait(20)
    time.sleep(0.5)  # the waits come when the configuration has been read
    assert thread.is_alive()
    before = time.monotonic()
    group.close()
    thread.join(60)
    return errors, time.monotonic() - before


@pytest.mark.parametrize("kind", ["silent", "full"])
def test_closing_ends_all_that_connect_or_wait_for_it(
    sshd: Sshd, request: pytest.FixtureRequest, kind: str
) -> None:
    port = request.getfixturevalue(f"{kind}_port")
    errors, seconds = close_while_connecting(sshd.ssh_config, ["127.0.0.1"] * 16, port=port)
    assert len(errors) == 16
    assert {type(error) for error in errors} == {UnreachableError}
    assert all("disconnected while connecting" in str(error) for error in errors)
    assert seconds < 5  # far below the 30 s that a connection may take


def test_closing_ends_those_whose_proxy_is_silent(sshd: Sshd, tmp_path: Path) -> None:
    config = configure(sshd, tmp_path, "Host node-1", "ProxyCommand sleep 60")
    errors, seconds = close_while_connecting(config, ["node-1"] * 3)
    assert [type(error) for error in errors] == [UnreachableError] * 3
    assert all("disconnected while connecting" in str(error) for error in errors)
    assert seconds < 5


def test_a_host_whose_port_never_answers(sshd: Sshd, tmp_path: Path, full_port: int) -> None:
    config = configure(sshd, tmp_path, "ConnectTimeout 1")
    error = failure(config, "127.0.0.1", port=full_port)
    assert error.step == "connect"
    assert "does not answer within 1 s" in error.problem
