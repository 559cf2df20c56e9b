"""What experiments are made of: what running programs have written, the original, a slow link."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks import original
from benchmarks.lab import FailedError
from benchmarks.running import clock_readings, ending, records, wait_until
from benchmarks.slow_link import UnavailableError, slow_link


def program(directory: Path, says: str) -> str:
    directory.mkdir()
    path = directory / "pegasus"
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return str(path)


def test_the_original_is_told_from_our_own_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = program(tmp_path / "ours", "pegasus 0.1.0")
    theirs = program(tmp_path / "theirs", "pegasus-ssh 1.4.0")
    monkeypatch.setenv("PATH", f"{tmp_path / 'ours'}:{tmp_path / 'none'}:{tmp_path / 'theirs'}")
    assert original.find() == theirs
    assert original.version(theirs) == "1.4.0"
    assert original.version(ours) is None
    monkeypatch.setenv("PATH", str(tmp_path / "ours"))
    assert original.find() is None


def test_clock_readings_are_found_in_lines_with_a_prefix(tmp_path: Path) -> None:
    output = tmp_path / "output"
    output.write_text("[n0] === run 'date +%s%N'\n[n0] 1700000000500000000\n[n0] 12345\n")
    assert clock_readings(output) == [1700000000.5]


def test_records_are_those_of_one_event_and_whole_ones(tmp_path: Path) -> None:
    assert records(tmp_path, "node_connected") == []
    journal = tmp_path / ".pegasus" / "queue.yaml" / "journal.jsonl"
    journal.parent.mkdir(parents=True)
    journal.write_text(
        '{"version": 1}\n'
        '{"event": "node_connected", "node": "a"}\n'
        '{"event": "attempt_started", "command": "echo \\"node_connected\\""}\n'
        '{"event": "node_connected", "nod'
    )
    assert records(tmp_path, "node_connected") == [{"event": "node_connected", "node": "a"}]


def test_waiting_ends_when_the_program_has_ended() -> None:
    process = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])
    ended = "no first job: the program ended with status 3"
    with ending(process), pytest.raises(FailedError, match=ended):
        wait_until(lambda: False, "first job", process)


def test_a_program_is_ended_even_where_an_experiment_fails() -> None:
    process = subprocess.Popen(["sleep", "600"])
    with pytest.raises(ValueError, match="broken"), ending(process):
        raise ValueError("broken")
    assert process.returncode is not None


def test_packets_come_late_both_ways_and_nothing_is_left_of_a_slow_link() -> None:
    one_way, device = 0.01, f"pgs{os.getpid()}"  # Tests run beside this one.
    try:
        with slow_link(one_way) as link:
            with subprocess.Popen(
                [*link.prefix, sys.executable, "-c", ECHO, link.address],
                stdout=subprocess.PIPE,
                text=True,
            ) as server:
                assert server.stdout
                port = int(server.stdout.readline())
                begin = time.monotonic()
                with socket.create_connection((link.address, port)) as client:
                    connected = time.monotonic() - begin
                    client.sendall(b"x")
                    assert client.recv(1) == b"x"
                    answered = time.monotonic() - begin - connected
            assert is_listed(link.prefix[-1], "netns", "list")
            assert is_listed(device, "-oneline", "link")
    except UnavailableError as error:
        pytest.skip(str(error))
    assert connected >= 2 * one_way
    assert answered >= 2 * one_way
    assert not is_listed(link.prefix[-1], "netns", "list")
    assert not is_listed(device, "-oneline", "link")


ECHO = """\
import socket, sys
with socket.create_server((sys.argv[1], 0)) as server:
    print(server.getsockname()[1], flush=True)
    client, _ = server.accept()
    client.sendall(client.recv(1))
"""


def is_listed(name: str, *words: str) -> bool:
    """Return whether `ip` with these words lists a name."""
    listed = subprocess.run(["ip", *words], capture_output=True, text=True, check=True).stdout
    return re.search(rf"\b{name}\b", listed) is not None
