"""Looking up host keys where there is no OpenSSH to do it, and adding them."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from paramiko import ECDSAKey, HostKeys, SSHClient

from pegasus.errors import UnreachableError
from pegasus.model import Host, Node
from pegasus.ssh import hostkeys
from pegasus.ssh.config import Target
from pegasus.ssh.hostkeys import HostKeyCheck, KnownKey, LookUpError, look_up

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOa5F233/INqWcjvAxNHYYz0Os7FmFCpjMEYpMy+y+/A"


@pytest.fixture
def without_openssh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hostkeys.shutil, "which", lambda name: None)


def write(directory: Path, *lines: str) -> str:
    path = directory / "known_hosts"
    path.write_text("\n".join(lines) + "\n")
    return str(path)


@pytest.mark.usefixtures("without_openssh")
def test_exact_and_hashed_names_are_found(tmp_path: Path) -> None:
    hashed = HostKeys.hash_host("[a.example]:2222")
    file = write(tmp_path, "# x", f"b,A.example {KEY}", f"{hashed} {KEY}")
    kind, data = KEY.split()
    assert look_up("a.example", file) == [KnownKey(file, 2, "", kind, data)]
    assert look_up("[a.example]:2222", file) == [KnownKey(file, 3, "", kind, data)]
    assert look_up("c.example", file) == []


@pytest.mark.usefixtures("without_openssh")
@pytest.mark.parametrize("line", [f"@revoked * {KEY}", f"*.example {KEY}", f"a,!b {KEY}"])
def test_what_only_openssh_can_read_is_an_error_with_its_place(tmp_path: Path, line: str) -> None:
    file = write(tmp_path, f"b {KEY}", line)
    with pytest.raises(LookUpError, match=r"known_hosts:2 .*install the OpenSSH client"):
        look_up("a.example", file)


def test_a_file_that_is_not_there_knows_nobody(tmp_path: Path) -> None:
    assert look_up("a", str(tmp_path / "none")) == []


def check_for(file: Path, **options: str) -> HostKeyCheck:
    target = Target(
        name="a", hostname="a.example", port=22, user="x", known_hosts=(str(file),), **options
    )  # type: ignore[arg-type]
    return HostKeyCheck(Node(0, Host("a", "a")), target)


def test_connections_that_see_an_unknown_key_at_the_same_time_add_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meeting, add = threading.Barrier(6), HostKeyCheck._add

    def add_when_all_are_here(check: HostKeyCheck, key: ECDSAKey) -> None:
        meeting.wait(20)
        add(check, key)

    monkeypatch.setattr(HostKeyCheck, "_add", add_when_all_are_here)
    file, key = tmp_path / "new" / "known_hosts", ECDSAKey.generate()
    threads = [
        threading.Thread(target=check_for(file).missing_host_key, args=(SSHClient(), "", key))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert file.read_text() == f"a.example {key.get_name()} {key.get_base64()}\n"


def test_of_two_keys_seen_at_the_same_time_only_one_is_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, other = tmp_path / "known_hosts", ECDSAKey.generate()
    add = HostKeyCheck._add

    def add_after_another(check: HostKeyCheck, key: ECDSAKey) -> None:
        file.write_text(f"a.example {other.get_name()} {other.get_base64()}\n")
        add(check, key)

    monkeypatch.setattr(HostKeyCheck, "_add", add_after_another)
    with pytest.raises(UnreachableError, match="has changed"):
        check_for(file).missing_host_key(SSHClient(), "", ECDSAKey.generate())


def test_a_file_that_cannot_be_written_to_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    check = check_for(tmp_path / "file" / "known_hosts")
    check.missing_host_key(SSHClient(), "", ECDSAKey.generate())
