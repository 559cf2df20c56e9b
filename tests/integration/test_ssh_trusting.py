"""Host keys: the same known_hosts files are put before OpenSSH's ssh and before us."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from client import Client, assert_same_verdict, fill
from sshd import Sshd

MakeSshd = Callable[..., Sshd]

KNOWN = {
    "no file": None,
    "an empty file": "",
    "the key": "NAME KEY\n",
    "the key, and a comment": "NAME KEY me@here\n",
    "another key": "NAME OTHER\n",
    "another key, and the right one": "NAME OTHER\nNAME KEY\n",
    "a key of another type": "NAME OTHERTYPE\n",
    "a key of another type, and the right one": "NAME OTHERTYPE\nNAME KEY\n",
    "a key of another host": "elsewhere OTHER\n",
    "a hashed name": "HASHED KEY\n",
    "a hashed name with another key": "HASHED OTHER\n",
    "a broken hash": "|1|abc|def OTHER\n",
    "a pattern": "[127.0.0.*]:* KEY\n",
    "a pattern with another key": "[127.?.0.*]:PORT OTHER\n",
    "a pattern of brackets, which is none": "[[]127.0.0.1[]]:PORT OTHER\n",
    "a name that is excluded": "[127.0.0.*]:*,!NAME OTHER\n",
    "a name that is excluded before": "!NAME,* OTHER\n",
    "another name that is excluded": "[127.0.0.*]:*,!elsewhere OTHER\n",
    "only an exclusion": "!elsewhere OTHER\n",
    "a list": "elsewhere,10.0.0.1,NAME KEY\n",
    "a list with another key": "elsewhere,NAME,,10.0.0.1 OTHER\n",
    "the name without a port": "127.0.0.1 KEY\n",
    "the name without a port with another key": "127.0.0.1 OTHER\n",
    "comments and empty lines": "# NAME OTHER\n\n   \n  # x\nNAME KEY\n",
    "blanks and tabs": " \t NAME \t  KEY\n",
    "another key after tabs": "\tNAME\tOTHER\n",
    "carriage returns": "elsewhere OTHER\r\nNAME KEY\r\n",
    "carriage returns with another key": "NAME OTHER\r\n",
    "no newline after the key": "NAME KEY",
    "a key that is cut short": "NAME ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOa5F2\n",
    "a key that is cut short elsewhere": "NAME ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOa5F233\n",
    "a key that is not base64": "NAME ssh-ed25519 !!!\n",
    "a key with too much padding": "NAME ssh-ed25519 BASE64=\n",
    "a key under a wrong type": "NAME ssh-rsa BASE64\n",
    "a key without a type": "NAME BASE64\n",
    "a name alone": "NAME\n",
    "a type alone": "NAME ssh-ed25519\n",
    "an end of text in a line": "NAME KEY\0 more\n",
    "an end of text before a line": "\0NAME KEY\n",
    "bytes that are not text": "\udcff\udcfe KEY\nNAME KEY\n",
    "a vertical tab, which is no blank": "NAME\vKEY\n",
    "a revoked key": "@revoked * KEY\n",
    "a known key that is revoked": "NAME KEY\n@revoked NAME KEY\n",
    "another key that is revoked": "NAME KEY\n@revoked * OTHER\n",
    "a key that is revoked for others": "NAME KEY\n@revoked elsewhere KEY\n",
    "a revoked key after tabs": "@revoked\t*\tKEY\n".replace("KEY", "ssh-ed25519\tBASE64"),
    "an authority with the host's key": "@cert-authority * KEY\n",
    "an authority, and another key": "@cert-authority * OTHER\nNAME OTHER\n",
    "an authority, and the key": "@cert-authority * OTHER\nNAME KEY\n",
    "an unknown marker": "@trusted NAME OTHER\n",
    "two markers": "@cert-authority @revoked NAME OTHER\n",
    "a marker alone": "@revoked\n",
}

#: What we refuse and ssh does not: the revoked ones, where nothing is strict.
CASES = [
    (case, strictness)
    for case in KNOWN
    for strictness in ("yes", "accept-new", "no")
    if strictness != "no" or "revoked" not in case
]


@pytest.mark.parametrize(("case", "strictness"), CASES)
def test_the_verdict_is_openssh_s(sshd: Sshd, tmp_path: Path, case: str, strictness: str) -> None:
    option = f"StrictHostKeyChecking {strictness}"
    assert_same_verdict(sshd, tmp_path, KNOWN[case], option)


@pytest.mark.parametrize("known", ["@revoked * KEY\n", "NAME KEY\n@revoked NAME KEY\n"])
def test_what_is_revoked_is_refused_even_when_nothing_is_strict(
    sshd: Sshd, tmp_path: Path, known: str
) -> None:
    ours = Client(sshd, tmp_path, ("StrictHostKeyChecking no",))
    ours.known_hosts.write_text(fill(known, sshd))
    line = len(known.splitlines())
    assert f"revoked in {ours.known_hosts}:{line}" in ours.problem()


def test_a_key_that_is_revoked_for_the_host_is_so_on_every_port(sshd: Sshd, tmp_path: Path) -> None:
    ours = Client(sshd, tmp_path)
    ours.known_hosts.write_text(fill("NAME KEY\n@revoked 127.0.0.1 KEY\n", sshd))
    assert f"revoked in {ours.known_hosts}:2" in ours.problem()


@pytest.mark.parametrize(
    ("options", "known"),
    [
        (("StrictHostKeyChecking off",), "NAME OTHER\n"),
        (("StrictHostKeyChecking off",), ""),
        (("HostKeyAlias Cluster",), "cluster KEY\n"),
        (("HostKeyAlias Cluster",), "cluster OTHER\n"),
        (("HostKeyAlias Cluster",), "Clus* OTHER\n"),
        (("HostKeyAlias Cluster",), "NAME OTHER\n"),
        (("HostKeyAlias Cluster",), ""),
        (("HostKeyAlias [cluster]:22", "StrictHostKeyChecking yes"), "[cluster]:22 KEY\n"),
        (("NoHostAuthenticationForLocalhost yes", "StrictHostKeyChecking yes"), ""),
        (("NoHostAuthenticationForLocalhost yes",), "NAME OTHER\n"),
        (("NoHostAuthenticationForLocalhost yes",), "@revoked * KEY\n"),
        (("NoHostAuthenticationForLocalhost yes", "HostKeyAlias Cluster"), "cluster OTHER\n"),
        (
            (
                "NoHostAuthenticationForLocalhost yes",
                "StrictHostKeyChecking yes",
                "ProxyCommand busybox nc %h %p",
            ),
            "",
        ),
        (("RevokedHostKeys /nowhere",), "NAME KEY\n"),
        (("RevokedHostKeys /",), "NAME KEY\n"),
        (("RevokedHostKeys /dev/null",), "NAME KEY\n"),
        (("RevokedHostKeys none",), "NAME KEY\n"),
        (("RevokedHostKeys /nowhere", "StrictHostKeyChecking no"), "NAME KEY\n"),
        (("RevokedHostKeys /nowhere", "NoHostAuthenticationForLocalhost yes"), ""),
        (("VerifyHostKeyDNS yes", "StrictHostKeyChecking yes"), "NAME KEY\n"),
        (("VerifyHostKeyDNS yes", "StrictHostKeyChecking yes"), "NAME OTHER\n"),
        (("VerifyHostKeyDNS yes", "StrictHostKeyChecking no"), ""),
        (("RequiredRSASize 16384",), "NAME KEY\n"),
        (("UserKnownHostsFile /dev/null",), "NAME OTHER\n"),
        (("UserKnownHostsFile none",), "NAME OTHER\n"),
        (("UserKnownHostsFile none", "StrictHostKeyChecking no"), "NAME KEY\n"),
        (("UserKnownHostsFile none", "StrictHostKeyChecking yes"), "NAME KEY\n"),
        (("UserKnownHostsFile /proc/version",), "NAME OTHER\n"),  # can't be written to
    ],
    ids=str,
)
def test_the_verdict_is_openssh_s_with_other_options(
    sshd: Sshd, tmp_path: Path, options: tuple[str, ...], known: str
) -> None:
    if not any(option.startswith("StrictHostKeyChecking") for option in options):
        options += ("StrictHostKeyChecking accept-new",)
    assert_same_verdict(sshd, tmp_path, known, *options)


def test_ask_is_read_as_accept_new(sshd: Sshd, tmp_path: Path) -> None:
    ours = Client(sshd, tmp_path, ("StrictHostKeyChecking ask",))
    assert ours.refusal() is None
    assert ours.known_hosts.read_text() == fill("NAME KEY\n", sshd)
    ours.known_hosts.write_text(fill("NAME OTHER\n", sshd))
    assert "has changed" in ours.problem()


def test_an_unknown_key_is_not_added_where_the_dns_should_be_asked(
    sshd: Sshd, tmp_path: Path
) -> None:
    ours = Client(sshd, tmp_path, ("VerifyHostKeyDNS ask",))
    assert "connect with ssh once" in ours.problem()
    assert not ours.known_hosts.exists()


@pytest.mark.parametrize("kind", ["missing directory", "directory", "link", "loose link"])
def test_known_hosts_that_are_no_plain_file(sshd: Sshd, tmp_path: Path, kind: str) -> None:
    ours = Client(sshd, tmp_path / "client")
    ours.directory.mkdir()
    real = tmp_path / "elsewhere" / "hosts"
    if kind == "directory":
        ours.known_hosts.mkdir()
    elif kind != "missing directory":
        real.parent.mkdir()
        ours.known_hosts.symlink_to(real)
    if kind == "link":
        real.write_text("# mine\n")
    assert ours.is_let_in_by_openssh()
    if kind == "link":
        real.write_text("# mine\n")
    elif kind == "loose link":
        real.unlink()
    assert ours.refusal() is None
    if "link" in kind:
        assert ours.known_hosts.is_symlink()
        before = "# mine\n" if kind == "link" else ""
        assert real.read_text() == before + fill("NAME KEY\n", sshd)
        real.write_text(fill("NAME OTHER\n", sshd))
        assert not ours.is_let_in_by_openssh()
        assert "has changed" in ours.problem()


def test_known_hosts_that_cannot_be_read_let_nobody_in(sshd: Sshd, tmp_path: Path) -> None:
    ours = Client(sshd, tmp_path, ("StrictHostKeyChecking no",))
    ours.known_hosts.symlink_to(ours.known_hosts)  # the superuser can read all but this
    assert f"{ours.known_hosts}: " in ours.problem()
    assert "can be read" in ours.problem()


def test_files_for_all_users_are_read_too_and_never_written_to(sshd: Sshd, tmp_path: Path) -> None:
    system = tmp_path / "system"
    option = f"GlobalKnownHostsFile {system}"
    ours = Client(sshd, tmp_path, (option, "StrictHostKeyChecking yes"))
    system.write_text(fill("NAME KEY\n", sshd))
    assert ours.is_let_in_by_openssh()
    assert ours.refusal() is None
    ours = Client(sshd, tmp_path, (option,))
    system.write_text(fill("NAME OTHER\n", sshd))
    assert not ours.is_let_in_by_openssh()
    problem = ours.problem()
    assert f"{system}:1 has another one" in problem
    assert f"all users of this machine (sudo ssh-keygen -f {system} -R '[127.0.0.1]:" in problem
    system.write_text("")
    assert ours.refusal() is None
    assert system.read_text() == ""
    assert ours.known_hosts.read_text() == fill("NAME KEY\n", sshd)


def test_the_command_that_is_named_for_a_changed_key_mends_it(sshd: Sshd, tmp_path: Path) -> None:
    ours = Client(sshd, tmp_path / "with blank")
    ours.directory.mkdir()
    ours.known_hosts.write_text(fill("elsewhere OTHER\nNAME OTHER\n", sshd))
    problem = ours.problem()
    assert f"{ours.known_hosts}:2 has another one" in problem
    assert fingerprint(sshd.host_key, tmp_path) in problem
    command = problem.rpartition("(")[2].rstrip(")")
    subprocess.run(["sh", "-c", command], check=True, capture_output=True)
    assert ours.known_hosts.read_text() == fill("elsewhere OTHER\n", sshd)
    assert ours.refusal() is None


@pytest.mark.parametrize("names", ["NAME,elsewhere", "*", "[127.0.0.?]:*"])
def test_a_line_for_other_hosts_too_is_to_be_changed_by_hand(
    sshd: Sshd, tmp_path: Path, names: str
) -> None:
    ours = Client(sshd, tmp_path)
    ours.known_hosts.write_text(fill(f"{names} OTHER\n", sshd))
    problem = ours.problem()
    assert "by hand" in problem
    assert "ssh-keygen" not in problem


def fingerprint(key: str, directory: Path) -> str:
    (directory / "key.pub").write_text(key + "\n")
    command = ["ssh-keygen", "-l", "-f", str(directory / "key.pub")]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[1]


def test_hashed_names_are_found_by_openssh_and_written_for_it(sshd: Sshd, tmp_path: Path) -> None:
    ours = Client(sshd, tmp_path, ("HashKnownHosts yes",))
    assert ours.refusal() is None
    assert ours.known_hosts.read_text().startswith("|1|")
    assert len(ours.known_hosts.read_text().splitlines()) == 1
    strict = Client(sshd, tmp_path, ("StrictHostKeyChecking yes",))
    assert strict.is_let_in_by_openssh()
    assert strict.refusal() is None


CONNECT_SIXTEEN = """
import sys
from pegasus.model import Host, Node
from pegasus.ssh.connect import connector
from pegasus.ssh.group import BroadcastGroup
connect = connector(ssh_config=sys.argv[1])
group = BroadcastGroup.of(connect(Node(i, Host("node-1", "node-1"))) for i in range(16))
print("ready", flush=True)
sys.stdin.readline()
errors = group.each(lambda connection: connection.open()).errors
group.close()
sys.exit(str(errors) if errors else 0)
"""


@pytest.mark.parametrize("hashed", ["yes", "no"])
def test_sixteen_connections_of_each_of_two_processes_add_one_line(
    make_sshd: MakeSshd, tmp_path: Path, hashed: str
) -> None:
    server = make_sshd("MaxStartups 100")
    ours = Client(server, tmp_path, (f"HashKnownHosts {hashed}",))
    ours.known_hosts.write_text("# mine")
    command = [sys.executable, "-c", CONNECT_SIXTEEN, ours.config]
    processes = [
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
    first, *lines = ours.known_hosts.read_text().splitlines()
    assert first == "# mine"
    assert [line.split(" ", 1)[1] for line in lines] == [server.host_key]


@pytest.mark.parametrize(("size", "is_enough"), [(3072, True), (3073, False)])
def test_rsa_keys_have_to_be_large_enough(
    rsa_server: Sshd, tmp_path: Path, size: int, is_enough: bool
) -> None:
    option = f"RequiredRSASize {size}"
    assert assert_same_verdict(rsa_server, tmp_path, "NAME KEY\n", option) == is_enough


@pytest.mark.parametrize("word", ["ssh-rsa", "rsa-sha2-512"])
def test_rsa_keys_are_known_under_the_names_of_their_signatures_too(
    rsa_server: Sshd, tmp_path: Path, word: str
) -> None:
    known, strict = f"NAME {word} BASE64\n", "StrictHostKeyChecking yes"
    assert assert_same_verdict(rsa_server, tmp_path, known, strict)


@pytest.fixture(scope="module")
def rsa_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """An sshd whose only host key is an RSA key of 3072 bits."""
    server = Sshd(tmp_path_factory.mktemp("rsa-sshd"))
    server.replace_host_key("rsa")
    server.start()
    try:
        yield server
    finally:
        server.stop()
