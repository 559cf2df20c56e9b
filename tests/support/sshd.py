"""A real OpenSSH server for the tests: on loopback, with keys and configuration of its own.

Nothing of the user's is read or changed: host keys, client key, known_hosts and the client's
configuration live in one directory. Every process is ended by its id.
"""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

from processes import kill

#: `Host` aliases of the client's configuration: so many nodes on one server.
ALIASES = tuple(f"node-{number}" for number in range(1, 9))

# Of several SetEnv lines the first one counts. A bash that thinks it was started by another shell
# does not read the user's .bashrc, which takes time, and may have something to say.
_SERVER_CONFIG = """\
Port {port}
ListenAddress {address}
HostKey {directory}/host_key
AuthorizedKeysFile {directory}/authorized_keys
PidFile none
StrictModes no
UsePAM {pam}
PasswordAuthentication no
KbdInteractiveAuthentication no
PubkeyAuthentication yes
PermitRootLogin prohibit-password
LogLevel VERBOSE
{extra}
SetEnv SHLVL=2
"""

_CLIENT_CONFIG = """\
Host {aliases}
    HostName {address}
    Port {port}
    User {user}
Host *
    IdentityFile {directory}/client_key
    IdentitiesOnly yes
    IdentityAgent none
    UserKnownHostsFile {directory}/known_hosts
    GlobalKnownHostsFile none
    StrictHostKeyChecking accept-new
    HashKnownHosts no
"""


def generate_key(path: Path, kind: str = "ed25519") -> str:
    """Make a key pair at `path` without a passphrase; return `type base64` of the public one."""
    subprocess.run(
        ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "pegasus-test", "-f", str(path)],
        check=True,
        stdin=subprocess.DEVNULL,
    )
    return " ".join(path.with_name(path.name + ".pub").read_text().split()[:2])


class Sshd:
    """One sshd and the means to reach it.

    Attributes:
        address, port: where it listens; the same after `restart`.
        user: whom it lets in: whoever runs the tests.
        directory: where everything of it lies.
        ssh_config: the client's configuration, with the aliases node-1 to node-8.
        known_hosts: the file the client's configuration names; absent until a key is added.
    """

    def __init__(
        self,
        directory: Path,
        extra: str = "",
        address: str = "127.0.0.1",
        prefix: tuple[str, ...] = (),
    ) -> None:
        """Make keys and configuration in `directory`.

        Parameters:
            extra: lines for sshd_config.
            prefix: a command that executes the server, such as `ip netns exec NAME`.
        """
        self._binary = _find_sshd()
        self._extra = extra
        self._prefix = prefix
        self._process: subprocess.Popen[bytes] | None = None
        self.directory = directory
        self.user = getpass.getuser()
        self.address = address
        self.port = 0
        self.known_hosts = directory / "known_hosts"
        self.ssh_config = str(directory / "ssh_config")
        self.log = directory / "sshd.log"
        self.host_key = generate_key(directory / "host_key")
        (directory / "authorized_keys").write_text(generate_key(directory / "client_key") + "\n")

    def start(self) -> None:
        """Start listening, on a free port the first time and on the same one later."""
        for _ in range(20):
            port = self.port or _free_port()
            self._launch(port)
            if self._wait_ready(port):
                self.port = port
                self._write_client_config()
                return
            self._end_listener()
            time.sleep(0.05)
        raise AssertionError(f"sshd does not start; its log:\n{self.log.read_text()}")

    def stop(self) -> None:
        """End the server and every connection to it, as a crash of its host would."""
        sessions = self.sessions()
        self._end_listener()
        for pid in sessions:
            kill(pid)

    def restart(self) -> None:
        """Stop, and start again on the same port with the host key that is there now."""
        self.stop()
        self.start()

    def sever(self) -> None:
        """Cut every connection; the server listens on, and what runs on it is not signalled."""
        for pid in self.sessions():
            kill(pid)

    @property
    def pid(self) -> int:
        """The id of the process that listens."""
        assert self._process is not None
        return self._process.pid

    def sessions(self) -> list[int]:
        """Return the ids of the processes that serve connections, parents first."""
        if self._process is None:
            return []
        found, frontier = [], [self._process.pid]
        while frontier:
            frontier = [pid for parent in frontier for pid in _sshd_children(parent)]
            found += frontier
        return found

    def replace_host_key(self, kind: str = "ed25519") -> None:
        """Give the server another identity, from the next `restart` on."""
        for name in ("host_key", "host_key.pub"):
            (self.directory / name).unlink()
        self.host_key = generate_key(self.directory / "host_key", kind)

    def _launch(self, port: int) -> None:
        config = self.directory / "sshd_config"
        config.write_text(
            _SERVER_CONFIG.format(
                address=self.address,
                port=port,
                directory=self.directory,
                pam=_use_pam(self.user),
                extra=self._extra,
            )
        )
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._prefix, self._binary, "-D", "-e", "-f", str(config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _write_client_config(self) -> None:
        Path(self.ssh_config).write_text(
            _CLIENT_CONFIG.format(
                aliases=" ".join(ALIASES),
                address=self.address,
                port=self.port,
                user=self.user,
                directory=self.directory,
            )
        )

    def _wait_ready(self, port: int) -> bool:
        assert self._process is not None
        deadline = time.monotonic() + 10
        while self._process.poll() is None and time.monotonic() < deadline:
            if _answers(self.address, port):
                return self._process.poll() is None
            time.sleep(0.02)
        return False

    def _end_listener(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def _find_sshd() -> str:
    binary = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if binary is None or shutil.which("ssh-keygen") is None:
        raise AssertionError(
            "these tests need an OpenSSH server: install it (apt-get install -y openssh-server)"
        )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where sshd separates privileges
    return binary


def _use_pam(user: str) -> str:
    """Without PAM, sshd lets nobody in whose password is locked, as root's often is."""
    try:
        lines = Path("/etc/shadow").read_text().splitlines()
    except OSError:
        return "no"
    return "yes" if any(line.startswith(f"{user}:!") for line in lines) else "no"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=1) as probe:
            return probe.recv(4) == b"SSH-"
    except OSError:
        return False


def _sshd_children(parent: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                name, rest = (entry / "stat").read_text().split("(", 1)[1].rsplit(") ", 1)
            except OSError:
                continue  # it has ended meanwhile
            if int(rest.split()[1]) == parent and name.startswith("sshd"):
                found.append(int(entry.name))
    return found
