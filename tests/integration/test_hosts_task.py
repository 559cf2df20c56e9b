"""`inv hosts`: the nodes as a table or JSON; `--ping`: who answers."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pexpect
import pytest
from project import CTRL_C, Project
from sshd import Sshd

from pegasus.model import Host, Node
from pegasus.ssh.connect import connector

HOSTS = """\
- hostname: node-[1-2]
  gpu: [0, 1]
  options: {timeout: 2h, retries: 1}
- "kim@[::1]:22"
"""
SHOWN = """\
#  host    user  port  parameters  options
0  node-1              gpu=0       timeout=2h, retries=1
1  node-1              gpu=1       timeout=2h, retries=1
2  node-2              gpu=0       timeout=2h, retries=1
3  node-2              gpu=1       timeout=2h, retries=1
4  ::1     kim     22
5 nodes
"""


def test_the_nodes_are_a_table(project: Project) -> None:
    project.hosts(HOSTS)
    run = project.run("hosts")
    assert (run.wait(), run.out, run.err) == (0, SHOWN, "")


def test_the_nodes_are_json(project: Project) -> None:
    project.hosts(HOSTS)
    shown = json.loads(project.run("hosts", "--json").out)
    assert (shown["version"], len(shown["nodes"])) == (1, 5)
    assert shown["nodes"][1] == {
        "node": "node-1 (gpu=1)",
        "index": 1,
        "host": "node-1",
        "name": "node-1",
        "user": None,
        "port": None,
        "params": {"gpu": "1"},
        "slots": [0],
        "options": {"timeout": "2h", "retries": "1"},
    }
    last = shown["nodes"][4]
    assert (last["host"], last["name"], last["user"], last["port"]) == (
        "kim@[::1]:22",
        "::1",
        "kim",
        22,
    )


def test_slots_and_variables_are_shown_as_they_are_written(project: Project) -> None:
    project.hosts(
        "- {hostname: a, slots: 8, options: {env: {A: x, B: y}, cwd: /d}}\n"
        "- {hostname: b, slots: [3, 0]}\n- {hostname: c, slots: gpus}\n"
        "- {hostname: d, slots: [5]}\n"
        "- e\n"
    )
    assert project.run("hosts").out.splitlines() == [
        "#  host  slots   options",
        "0  a     8       env.A=x, env.B=y, cwd=/d",
        "1  b     [0, 3]",
        "2  c     gpus",
        "3  d     [5]",
        "4  e     1",
        "5 nodes",
    ]
    nodes = json.loads(project.run("hosts", "--json").out)["nodes"]
    assert [node["slots"] for node in nodes] == [[*range(8)], [0, 3], None, [5], [0]]
    assert nodes[0]["options"] == {"env": {"A": "x", "B": "y"}, "cwd": "/d"}


def test_texts_of_others_do_not_command_the_terminal(project: Project) -> None:
    project.hosts('- hostname: n\n  x: "\\e[2J[red]:boom:"\n')
    out = project.run("hosts").out
    assert "\x1b" not in out
    assert "x=\\x1b[2J[red]:boom:" in out


@pytest.mark.parametrize("columns", [40, 200])
def test_a_table_is_as_wide_as_the_terminal(project: Project, columns: int) -> None:
    project.hosts(f"- hostname: n\n  x: {'long ' * 20}\n")
    shown, status = pexpect.run(
        f"{sys.executable} -m invoke hosts",
        cwd=str(project.directory),
        # Those who run tests in parallel set COLUMNS, and it wins.
        env={name: value for name, value in os.environ.items() if name != "COLUMNS"},
        dimensions=(24, columns),
        encoding="utf-8",
        withexitstatus=True,
    )
    assert status == 0
    lines = re.sub("\x1b\\[[0-9;]*m", "", shown).splitlines()
    assert max(map(len, lines)) <= columns
    assert "".join("".join(lines).split()).count("long") == 20
    assert (len(lines) == 3) == (columns == 200)


def test_without_a_file_it_says_what_to_do(project: Project) -> None:
    run = project.run("hosts")
    assert (run.wait(), run.out) == (1, "")
    assert run.err.startswith("[pegasus] hosts.yaml: there is no such file; write a list of host")


def test_a_ping_shows_who_answers(project: Project, sshd: Sshd) -> None:
    project.hosts("- node-[1-3]\n- localhost\n")
    run = project.run("hosts", "--ping", "--ssh-config", sshd.ssh_config)
    assert (run.wait(), run.err) == (0, "")
    head, *rows, last = run.out.splitlines()
    assert head.split() == ["#", "host", "time", "as", "answer"]
    assert last == "4 of 4 nodes can be reached"
    for number, row in enumerate(rows[:3]):
        index, host, milliseconds, unit, user, server, *_ = row.split()
        assert (index, host, user, unit) == (str(number), f"node-{number + 1}", sshd.user, "ms")
        assert float(milliseconds.replace(",", "")) >= 0
        assert server.startswith("OpenSSH_")
    assert rows[3].endswith("this machine, without SSH")


def test_more_nodes_are_pinged_than_a_process_may_open_files_by_default(
    project: Project, sshd: Sshd
) -> None:
    project.hosts("- hostname: node-[1-8]\n  x: [1, 2, 3, 4]\n")

    def allow_few() -> None:
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (32, most))

    arguments = ["hosts", "--ping", "--ssh-config", sshd.ssh_config]
    run = project.start(*arguments, preexec_fn=allow_few)
    assert (run.wait(), run.err) == (0, "")
    assert "32 of 32 nodes can be reached" in run.out


def test_a_ping_shows_what_is_wrong_and_ends_with_4(project: Project, sshd: Sshd) -> None:
    project.hosts("- node-1\n- root@127.0.0.1:1\n")
    arguments = ["hosts", "--ping", "--ssh-config", sshd.ssh_config]
    run = project.run(*arguments)
    assert (run.wait(), run.err) == (4, "")
    assert "connect: 127.0.0.1 port 1: Connection refused" in run.out
    assert run.out.endswith("\n1 of 2 nodes can be reached\n")

    run = project.run(*arguments, "--json")
    assert (run.wait(), run.err) == (4, "")
    shown = json.loads(run.out)
    assert (shown["version"], shown["reached"]) == (1, 1)
    up, down = shown["nodes"]
    assert (up["reached"], up["login"], up["step"], up["problem"]) == (True, sshd.user, None, None)
    assert up["server"].startswith("OpenSSH_")
    assert up["seconds"] > 0
    assert (down["reached"], down["login"], down["server"]) == (False, None, None)
    assert (down["step"], "Connection refused" in down["problem"]) == ("connect", True)


def test_a_login_that_runs_nothing_is_no_answer(
    project: Project, make_sshd: Callable[..., Sshd]
) -> None:
    server = make_sshd("ForceCommand echo no shell for you")
    project.hosts("- node-1\n")
    run = project.run("hosts", "--ping", "--ssh-config", server.ssh_config)
    assert run.wait() == 4
    assert "session: " in run.out


def test_a_ping_is_of_the_chosen_nodes_and_a_dry_one_connects_to_none(
    project: Project, sshd: Sshd
) -> None:
    project.hosts("- node-1\n- root@127.0.0.1:1\n")
    arguments = ["hosts", "--ping", "--ssh-config", sshd.ssh_config]
    run = project.run(*arguments, "--exclude", "root@*")
    assert (run.wait(), run.out.splitlines()[-1]) == (0, "1 of 1 node can be reached")
    run = project.run("--dry", *arguments)
    assert (run.wait(), run.out.splitlines()[-1]) == (0, "2 nodes")


@contextmanager
def silent_server() -> Iterator[int]:
    """Accept connections, and say nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("in_terminal", [False, True])
def test_ctrl_c_ends_a_ping_at_once(project: Project, in_terminal: bool) -> None:
    with silent_server() as port:
        project.hosts(f"- localhost\n- root@127.0.0.1:{port}\n")
        if in_terminal:
            terminal = project.start_in_terminal("hosts", "--ping")
            terminal.wait_for("1 of 2 have answered")
            begun = time.monotonic()
            terminal.type(CTRL_C)
            assert terminal.wait() == 130
            assert "Traceback" not in terminal.out
        else:
            run = project.start("hosts", "--ping")
            # Who has this port open may be seen from here: the connection has been accepted.
            deadline = time.monotonic() + 30
            while not _is_connected(port):
                assert time.monotonic() < deadline
                time.sleep(0.01)
            begun = time.monotonic()
            run.signal(signal.SIGINT)
            assert (run.wait(), run.out, run.err) == (130, "", "")
        assert time.monotonic() - begun < 10


def _is_connected(port: int) -> bool:
    """Whether somebody has connected to a port of this machine."""
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in table]
    return any(row[1].endswith(f":{port:04X}") and row[3] == "01" for row in rows[1:])


def test_a_connection_knows_its_peer(sshd: Sshd) -> None:
    connection = connector(ssh_config=sshd.ssh_config)(Node(0, Host("node-1", "node-1")))
    connection.open()
    try:
        assert connection.peer.user == sshd.user
        assert connection.peer.server.startswith("OpenSSH_")
    finally:
        connection.close()
