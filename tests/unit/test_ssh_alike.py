"""When one answer of `ssh -G` holds for several hosts: never for those that it would tell apart."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from project import wait_until_settled

from pegasus.model import Host, Node
from pegasus.ssh.openssh import alike, config
from pegasus.ssh.openssh.ask import Answer, ask
from pegasus.ssh.openssh.config import resolve
from pegasus.ssh.openssh.target import Target

NAMES = [f"node-{number}" for number in range(1, 9)]


class Asked:
    """Asks `ssh -G`, and counts how often."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, node: Node, config_file: str | None, closing: threading.Event) -> Answer:
        self.names.append(node.host.name)
        return ask(node, config_file, closing)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    counter = Asked()
    monkeypatch.setattr(alike, "ask", counter)
    monkeypatch.setattr(alike, "_FRESH", 600.0)
    monkeypatch.setattr(config, "_answers", alike.Answers())
    return counter


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    def write(text: str, name: str = "config") -> str:
        path = tmp_path / name
        path.write_text(text)
        wait_until_settled(path)
        return str(path)

    return write


def targets(path: str, names: list[str] = NAMES, **parts: Any) -> list[Target]:
    return [resolve(Node(0, Host(name, name, **parts)), path) for name in names]


def alone(path: str, names: list[str] = NAMES, **parts: Any) -> list[Target]:
    """Return the targets as they are where each host is asked for by itself."""
    found = []
    for name in names:
        config._answers = alike.Answers()
        found += targets(path, [name], **parts)
    return found


SAME = """\
# All of them
Host node-* !node-99 other
    User someone
    Port=2200
    IdentityFile "~/.ssh/a key"
    ControlPath ~/.ssh/%r@%h:%p
    ProxyJump first,me@second:22
Host *
    UserKnownHostsFile /a /b
"""


def test_openssh_is_asked_once_for_hosts_that_are_alike(
    asked: Asked, write: Callable[..., str]
) -> None:
    path = write(SAME)
    found = targets(path)
    assert asked.names == ["node-1"]
    assert found == alone(path)
    assert [target.hostname for target in found] == NAMES
    assert found[7].user == "someone"


def test_it_is_asked_for_each_user_and_port_and_for_addresses(
    asked: Asked, write: Callable[..., str]
) -> None:
    path = write("Host *\n    IdentityAgent none\n")
    parts: list[dict[str, Any]] = [{}, {"user": "a"}, {"port": 7}, {"user": "a", "port": 7}]
    addresses = ["10.0.0.1", "10.0.0.2"]
    found = [targets(path, names, **part) for part in parts for names in (NAMES, addresses)]
    assert asked.names == ["node-1", "10.0.0.1"] * 4
    assert found == [alone(path, names, **part) for part in parts for names in (NAMES, addresses)]


def test_one_that_matches_another_line_is_asked_for(
    asked: Asked, write: Callable[..., str]
) -> None:
    path = write("Host node-? !node-3\n    Port 1\nHost *-4 node-5\n    Port 2\n    User x\n")
    found = targets(path)
    assert asked.names == ["node-1", "node-3", "node-4"]
    assert found == alone(path)
    assert [target.port for target in found] == [1, 1, 22, 1, 1, 1, 1, 1]


@pytest.mark.parametrize(
    "text",
    [
        "Match host node-1\n    Port 7\n",
        "Match exec true\n    User x\n",
        '"Match" host node-1\n    Port 7\n',
        "HostName %h.example\n",
        "IdentityFile ~/.ssh/%n\n",
        "IdentityAgent ${HOME}\n",
        "CanonicalizeHostname yes\nCanonicalDomains example\nCanonicalizeFallbackLocal yes\n",
        'Host "node-1"\n    Port 7\n',
        "HostName node-1\n",
        'HostName "node-1"\n',
        "Host node-1,node-2\n    Port 7\n",
    ],
)
def test_where_a_name_may_make_a_difference_each_is_asked_for(
    asked: Asked, write: Callable[..., str], text: str
) -> None:
    path = write(text)
    found = targets(path, NAMES[:3])
    assert found == alone(path, NAMES[:3])
    assert asked.names[:2] == NAMES[:2]


@pytest.mark.parametrize("names", [["Node-1", "Node-2"], ["::1", "::2"], ["127.1", "127.2"]])
def test_names_that_openssh_may_write_in_another_way_are_asked_for(
    asked: Asked, write: Callable[..., str], names: list[str]
) -> None:
    path = write("Host *\n    Port 7\n")
    assert targets(path, names) == alone(path, names)
    assert asked.names[:2] == names


def test_included_files_count(asked: Asked, write: Callable[..., str]) -> None:
    inner = write("Host node-2\n    Port 7\n", "inner")
    path = write(f"Include {inner}\nHost *\n    User x\n")
    assert [target.port for target in targets(path, NAMES[:4])] == [22, 7, 22, 22]
    assert asked.names == ["node-1", "node-2"]


def test_a_file_that_is_only_included_for_some_is_no_trap(
    asked: Asked, write: Callable[..., str]
) -> None:
    inner = write("Host node-3\n    Port 7\nHost *\n    User x\n", "inner")
    path = write(f"Host node-2 node-3\n    Include {inner}\nHost *\n    Port 9\n")
    found = targets(path, NAMES[:4])
    assert found == alone(path, NAMES[:4])
    assert [(target.port, target.user == "x") for target in found[1:3]] == [(9, True), (7, True)]


def test_a_change_is_seen_at_once(asked: Asked, write: Callable[..., str]) -> None:
    path = write("Port 7\n")
    targets(path)
    write("Port 8\n")
    assert {target.port for target in targets(path)} == {8}
    Path(path).write_text("Port 9\n")
    assert {target.port for target in targets(path)} == {9}


def test_a_file_that_was_written_just_now_is_not_trusted(
    asked: Asked, write: Callable[..., str]
) -> None:
    path = write("Port 7\n")
    moment = time.time() + 60
    os.utime(path, (moment, moment))
    targets(path, NAMES[:2])
    assert asked.names == NAMES[:2]


def test_nor_is_one_that_was_put_there_just_now_however_old_it_is(
    asked: Asked, write: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write("Port 7\n")
    monkeypatch.setattr(alike, "COARSE", 60 * 10**9)  # However slow this machine is.
    os.utime(path, (1, 1))
    targets(path, NAMES[:2])
    assert asked.names == NAMES[:2]


def test_an_answer_does_not_stand_for_long(
    asked: Asked, write: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alike, "_FRESH", -1.0)
    targets(write("Port 7\n"), NAMES[:3])
    assert asked.names == NAMES[:3]


def test_all_who_ask_at_the_same_time_share_an_answer(
    asked: Asked, write: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alike, "_WAIT", 60.0)
    path = write("Port 7\n")
    found: list[Target] = []
    threads = [
        threading.Thread(target=lambda name=name: found.extend(targets(path, [name])))  # type: ignore[misc]
        for name in NAMES
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(target.hostname for target in found) == NAMES
    assert len(asked.names) == 1


def test_nobody_waits_long_for_another_host_s_answer(
    asked: Asked, write: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alike, "_WAIT", 0.01)
    path = write("Port 7\n")
    with config._answers._surveys[config.shutil.which("ssh") or "", path].lock:
        assert targets(path, ["node-1"])[0].port == 7


@pytest.mark.parametrize("seen", [{"host_lines": 2}, {"host_lines": 0}, {"files": ()}])
def test_where_openssh_saw_the_files_otherwise_each_is_asked_for(
    write: Callable[..., str], asked: Asked, monkeypatch: pytest.MonkeyPatch, seen: dict[str, Any]
) -> None:
    monkeypatch.setattr(alike, "ask", lambda *args: replace(asked(*args), **seen))
    path = write("Host *\n    Port 7\n")
    targets(path, NAMES[:3])
    assert asked.names == NAMES[:3]


def test_where_more_files_are_read_for_some_each_of_those_is_asked_for(
    write: Callable[..., str], asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(node: Node, *args: Any) -> Answer:
        answer = asked(node, *args)
        is_first = node.host.name == "node-1"
        return answer if is_first else replace(answer, files=(*answer.files, "/more"))

    monkeypatch.setattr(alike, "ask", ask)
    targets(write("Host node-1\n    Port 7\n"), ["node-1", "node-1", "node-2", "node-3"])
    assert asked.names == ["node-1", "node-2", "node-3"]


PATTERN = st.lists(st.sampled_from(["node-*", "node-1", "!node-2", "*-2", "node-?", "*", "!*3"]))
BLOCK = st.tuples(
    PATTERN.filter(bool), st.sampled_from(["Port 1", "Port 2", "User a", "HostName x", "User b"])
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(BLOCK, max_size=4))
def test_whatever_the_host_lines_are_the_answer_is_openssh_s(
    asked: Asked, write: Callable[..., str], blocks: list[tuple[list[str], str]]
) -> None:
    path = write("".join(f"Host {' '.join(p)}\n    {line}\n" for p, line in blocks))
    names = ["node-1", "node-2", "node-3", "other"]
    config._answers = alike.Answers()
    assert targets(path, names) == alone(path, names)
