"""What OpenSSH would do for a host: with `ssh -G`, and without it."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import threading
import time
from pathlib import Path

import pytest

from pegasus.errors import UnreachableError
from pegasus.model import Host, Node
from pegasus.ssh.base import GivenUpError
from pegasus.ssh.login.jump import jump_command
from pegasus.ssh.openssh import config
from pegasus.ssh.openssh.config import resolve
from pegasus.ssh.openssh.target import Target

#: OpenSSH looks here, whatever $HOME says.
HOME = pwd.getpwuid(os.getuid()).pw_dir

CONFIG = """\
Host plain
    HostName real.example
    Port 2200
    User someone
    IdentityFile ~/.ssh/key_of_%h_%r
    IdentitiesOnly yes
    UserKnownHostsFile /tmp/known_%h
    GlobalKnownHostsFile none
    StrictHostKeyChecking yes
    ConnectTimeout 7
    IdentityAgent none
Host proxied
    ProxyCommand nc -X 5 %h %p # %%
Host jumped
    ProxyJump me@first:2201,second
"""


@pytest.fixture
def config_file(tmp_path: Path) -> str:
    path = tmp_path / "config"
    path.write_text(CONFIG)
    return str(path)


@pytest.fixture(params=["ssh -G", "paramiko"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("HOME", HOME)  # Paramiko's parser looks there
    if request.param == "paramiko":
        monkeypatch.setenv("PATH", "")
    return str(request.param)


def target(config_file: str | None, name: str, **parts: object) -> Target:
    return resolve(Node(0, Host(name, name, **parts)), config_file)  # type: ignore[arg-type]


def test_directives_of_the_host_are_taken(parser: str, config_file: str) -> None:
    found = target(config_file, "plain")
    assert (found.hostname, found.port, found.user) == ("real.example", 2200, "someone")
    assert found.identity_files == (f"{HOME}/.ssh/key_of_real.example_someone",)
    assert found.identities_only
    assert found.known_hosts == ("/tmp/known_real.example",)
    assert found.global_known_hosts == ()
    assert (found.strict, found.connect_timeout, found.agent) == ("yes", 7.0, "none")


def test_user_and_port_of_the_hosts_file_win(parser: str, config_file: str) -> None:
    found = target(config_file, "plain", user="other", port=99)
    assert (found.hostname, found.port, found.user) == ("real.example", 99, "other")
    assert found.identity_files[0].endswith("key_of_real.example_other")


def test_the_home_is_the_one_openssh_takes(
    config_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/somewhere")
    found = target(config_file, "unnamed.example")
    assert f"{HOME}/.ssh/id_ed25519" in found.identity_files
    assert f"{HOME}/.ssh/known_hosts" in found.known_hosts


def test_without_directives_openssh_s_defaults_hold(parser: str, config_file: str) -> None:
    found = target(config_file, "unnamed.example")
    assert (found.hostname, found.port) == ("unnamed.example", 22)
    assert found.strict == "accept-new"
    assert f"{HOME}/.ssh/id_ed25519" in found.identity_files
    assert f"{HOME}/.ssh/known_hosts" in found.known_hosts
    assert (found.proxy_jump, found.proxy_command, found.connect_timeout) == (None, None, None)


def known_hosts(tmp_path: Path, value: str) -> tuple[str, ...]:
    (tmp_path / "config").write_text(f"UserKnownHostsFile {value}\n")
    return target(str(tmp_path / "config"), "a").known_hosts


def test_paths_with_blanks_stay_whole(parser: str, tmp_path: Path) -> None:
    assert known_hosts(tmp_path, '"/no such/known  hosts"') == ("/no such/known  hosts",)
    key = f"{tmp_path}/my key"
    (tmp_path / "config").write_text(f'IdentityFile "{key}"\nIdentityAgent "{key}.sock"\n')
    found = target(str(tmp_path / "config"), "a")
    assert (found.identity_files, found.agent) == ((key,), f"{key}.sock")


def test_lists_of_paths_are_taken_apart(parser: str, tmp_path: Path) -> None:
    found = known_hosts(tmp_path, "/a/b ~/c  %d/d")
    assert found == ("/a/b", f"{HOME}/c", f"{HOME}/d")
    assert known_hosts(tmp_path, "none") == ()
    assert known_hosts(tmp_path, "relative") == ("relative",)


def test_a_list_with_blanks_in_its_paths(tmp_path: Path) -> None:
    found = known_hosts(tmp_path, '"/no such/known hosts" "~/other file" /third')
    assert found == ("/no such/known hosts", f"{HOME}/other file", "/third")


def test_a_directory_whose_name_ends_with_a_blank(tmp_path: Path) -> None:
    (tmp_path / "odd ").mkdir()
    path = f"{tmp_path}/odd /known hosts"
    assert known_hosts(tmp_path, f'"{path}"') == (path,)


def test_what_exists_is_what_is_meant(tmp_path: Path) -> None:
    (tmp_path / "known").write_text("")
    (tmp_path / "known hosts").write_text("")
    path = f"{tmp_path}/known hosts"
    assert known_hosts(tmp_path, f'"{path}"') == (path,)


@pytest.mark.parametrize("value", ["{0}/known hosts", "one two", '"one two" /three'])
def test_a_list_that_can_be_read_in_two_ways_is_refused(tmp_path: Path, value: str) -> None:
    (tmp_path / "known").write_text("")
    with pytest.raises(UnreachableError, match="one path with blanks or several") as caught:
        known_hosts(tmp_path, value.format(tmp_path))
    assert caught.value.step == "resolve"


def test_two_quoted_paths_are_openssh_s_to_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UnreachableError, match="known_hosts files"):
        known_hosts(tmp_path, '"/a b" "/c d"')


def test_the_command_that_a_user_would_try() -> None:
    plain = Node(0, Host("a", "a"))
    assert config.ssh_command(plain, None) == "ssh a"
    full = Node(0, Host("b@a:22", "a", "b", 22))
    assert config.ssh_command(full, "/my config") == "ssh -F '/my config' -p 22 b@a"


def test_tokens_of_a_proxy_command_are_worked_out(parser: str, config_file: str) -> None:
    assert target(config_file, "proxied").proxy_command == "nc -X 5 proxied 22 # %"


@pytest.mark.parametrize(
    "name", ["-oProxyCommand=x", "-x", "", "a b", "a;b", "$(x)", "a`b`", "a\nb", "a'b", "a|b"]
)
def test_names_that_a_shell_or_an_option_parser_would_read_are_refused(
    parser: str, config_file: str, name: str
) -> None:
    with pytest.raises(UnreachableError, match="can't be a host name") as caught:
        target(config_file, name)
    assert caught.value.step == "resolve"


@pytest.mark.parametrize("user", ["-x", "a;b", "a'b", "$(x)", "a\nb"])
def test_user_names_likewise(parser: str, config_file: str, user: str) -> None:
    with pytest.raises(UnreachableError, match="can't be a user name"):
        target(config_file, "plain", user=user)


@pytest.mark.parametrize("name", ["::1", "fe80::1%eth0", "10.0.0.1", "a-b_c.example", "bücher.de"])
def test_ordinary_names_and_addresses_are_not(config_file: str, name: str) -> None:
    assert target(config_file, name).name == name


def test_a_close_does_not_wait_for_what_the_configuration_runs(tmp_path: Path) -> None:
    path, begun = tmp_path / "config", tmp_path / "begun"
    path.write_text(f'Match exec "echo $$ >{begun}; sleep 61; :"\n Port 7\n')
    closing = threading.Event()
    errors: list[BaseException] = []

    def ask() -> None:
        try:
            resolve(Node(0, Host("a", "a")), str(path), closing)
        except GivenUpError as error:
            errors.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    while not (begun.exists() and begun.read_text().strip()):
        assert thread.is_alive()
        time.sleep(0.01)
    closing.set()
    thread.join(10)
    assert [type(error) for error in errors] == [GivenUpError]
    wait_until_ended(int(begun.read_text()))


def wait_until_ended(pid: int) -> None:
    deadline = time.monotonic() + 10
    stat = Path(f"/proc/{pid}/stat")
    with contextlib.suppress(OSError):
        while stat.read_text().rsplit(") ", 1)[1][0] != "Z":
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_what_openssh_is_told_of_the_host_key_and_the_session(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(
        "ServerAliveInterval 20\nServerAliveCountMax 4\nRevokedHostKeys /r/k\n"
        "RequiredRSASize 3072\nVerifyHostKeyDNS ask\nNoHostAuthenticationForLocalhost yes\n"
        "CASignatureAlgorithms ssh-ed25519,rsa-sha2-512\nRekeyLimit 1G 1h\n"
        "CertificateFile ~/c\nCertificateFile /%n/%C\nAddressFamily inet\nCompression yes\n"
    )
    found = target(str(path), "a")
    assert (found.alive_interval, found.alive_count) == (20.0, 4)
    assert (found.revoked_host_keys, found.required_rsa_size) == (("/r/k",), 3072)
    assert (found.verify_host_key_dns, found.trust_loopback) == (True, True)
    assert found.ca_algorithms == ("ssh-ed25519", "rsa-sha2-512")
    assert found.rekey_limit == (1 << 30, 3600)
    assert found.certificate_files[0] == f"{HOME}/c"
    assert re.fullmatch("/a/[0-9a-f]{40}", found.certificate_files[1])
    assert (found.address_family, found.compression) == ("inet", True)


def test_the_hash_of_a_host_is_openssh_s(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text("UserKnownHostsFile /k/%C\nIdentityFile /k/%C\nControlPath /other\n")
    found = target(str(path), "a")
    assert found.known_hosts == found.identity_files


def test_known_hosts_are_not_worked_out_twice(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("UserKnownHostsFile /k/%%h\nIdentityFile /k/%%h\n")
    found = target(str(tmp_path / "config"), "a")
    assert found.known_hosts == found.identity_files == ("/k/%h",)


def test_include_match_and_none_are_openssh_s_to_read(tmp_path: Path) -> None:
    (tmp_path / "included").write_text("Host inner\n HostName from.include\n")
    path = tmp_path / "config"
    path.write_text(
        f"Include {tmp_path}/included\n"
        "Match host matched exec true\n Port 77\n"
        "Host direct\n ProxyJump none\n"
        "Host *\n ProxyJump bastion\n"
    )
    assert target(str(path), "inner").hostname == "from.include"
    assert target(str(path), "matched").port == 77
    assert target(str(path), "matched").proxy_jump == "bastion"
    assert target(str(path), "direct").proxy_jump is None


def test_without_openssh_an_include_is_an_error_and_not_silence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", "")
    path = tmp_path / "config"
    path.write_text("Host a\n  Include other\n")
    with pytest.raises(UnreachableError, match="install the OpenSSH client"):
        target(str(path), "a")


@pytest.mark.parametrize("parser", ["ssh -G", "paramiko"], indirect=True)
def test_a_file_that_is_not_there_is_named(parser: str, tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="nowhere") as caught:
        target(str(tmp_path / "nowhere"), "a")
    assert caught.value.step == "resolve"


def test_jumps_are_nested_so_that_each_key_is_checked(config_file: str) -> None:
    node = Node(0, Host("jumped", "jumped"))
    command = jump_command(node, resolve(node, config_file))
    assert command[-4:] == ["-W", "[jumped]:22", "--", "second"]
    assert "StrictHostKeyChecking=accept-new" in command
    [proxy] = [word for word in command if word.startswith("ProxyCommand=")]
    assert proxy.endswith("-l me -p 2201 -W '[%h]:%p' -- first")


@pytest.mark.parametrize("jump", ["-oX", "a b", "host:port", "", "a,,b", "x@-y"])
def test_a_jump_host_can_be_no_option(config_file: str, jump: str) -> None:
    node = Node(0, Host("a", "a"))
    via = Target(name="a", hostname="a", port=22, user="x", proxy_jump=jump)
    with pytest.raises(UnreachableError) as caught:
        jump_command(node, via)
    assert caught.value.step == "resolve"
    assert caught.value.node == node
