"""Reading known_hosts files as OpenSSH does, and adding to them."""

from __future__ import annotations

import fcntl
import os
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paramiko import HostKeys

from pegasus.ssh.hostkeys.knownhosts import KnownKey, append, look_up, opened_to_add

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOa5F233/INqWcjvAxNHYYz0Os7FmFCpjMEYpMy+y+/A"
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEgxbI3IRlGgtuf1f8dZx9zU7g3Jv1oAlVIJv5y5VKnM"


def write(directory: Path, *lines: str) -> str:
    path = directory / "known_hosts"
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def lines_of(file: str, *names: str) -> list[tuple[str, int, str]]:
    return [(key.name, key.line, key.marker) for key in look_up(names, file)]


def test_a_line_is_found_with_all_that_it_says(tmp_path: Path) -> None:
    file = write(tmp_path, "# x", f"@revoked b,A.Example {KEY} a comment")
    [key] = look_up(["a.example"], file)
    assert isinstance(key, KnownKey)
    assert (key.place, key.marker, key.hosts) == (f"{file}:2", "@revoked", "b,A.Example")
    assert (key.kind, len(key.blob), key.is_shared) == ("ssh-ed25519", 51, True)


def test_several_names_are_looked_up_at_once(tmp_path: Path) -> None:
    hashed = HostKeys.hash_host("[a.example]:2222")
    file = write(tmp_path, f"*.example {KEY}", f"{hashed} {KEY}", f"*a* {OTHER}", f"b {KEY}")
    assert lines_of(file, "[a.example]:2222", "a.example") == [
        ("a.example", 1, ""),
        ("[a.example]:2222", 2, ""),
        ("[a.example]:2222", 3, ""),
        ("a.example", 3, ""),
    ]


@pytest.mark.parametrize(
    ("pattern", "is_match"),
    [("[a.*]:2222", True), ("[[]a.example]:2222", False), ("[a.?xample]:22*", True), ("?", False)],
)
def test_brackets_are_no_patterns(tmp_path: Path, pattern: str, is_match: bool) -> None:
    file = write(tmp_path, f"{pattern} {KEY}")
    assert bool(look_up(["[a.example]:2222"], file)) == is_match


@pytest.mark.parametrize("size", [24, 28, 32, 64])
def test_a_key_that_is_cut_short_is_none(tmp_path: Path, size: int) -> None:
    kind, data = KEY.split()
    assert look_up(["a"], write(tmp_path, f"a {kind} {data[:size]}")) == []


def test_a_key_of_a_type_to_come_is_a_key(tmp_path: Path) -> None:
    blob = "AAAACXNzaC1uZXdlcgAAAAF4"  # ssh-newer, x
    file = write(tmp_path, f"a ssh-newer {blob}")
    assert [key.kind for key in look_up(["a"], file)] == ["ssh-newer"]


@pytest.mark.parametrize("name", ["none", "directory", "file/none"])
def test_a_file_that_is_not_there_knows_nobody(tmp_path: Path, name: str) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "file").write_text("")
    assert look_up(["a"], str(tmp_path / name)) == []


NAMES = ["a", "b.example", "[a]:22", "[b.example]:2222", "::1", "a.b.c", "é"]
PATTERNS = st.one_of(
    st.sampled_from(NAMES),
    st.sampled_from(NAMES).map(str.upper),
    st.text("ab.*?[]:2!,", max_size=8),
)
HOSTS = st.one_of(
    st.lists(st.builds("{}{}".format, st.sampled_from(["", "", "!"]), PATTERNS), min_size=1).map(
        ",".join
    ),
    st.sampled_from(NAMES).map(HostKeys.hash_host),
    st.sampled_from(["|1|", "|1|x|y", "|2|a|b", "|1|AAAA|AAAA", "||||"]),
)
BLANKS = st.sampled_from([" ", "\t", "  ", " \t "])
LINES = st.one_of(
    st.builds(
        "{}{}{}{}{}{}{}".format,
        st.sampled_from(["", "", "", " ", "\t", "#"]),
        st.sampled_from(["", "", "", "@revoked ", "@cert-authority ", "@x ", "@revoked\t", "@"]),
        HOSTS,
        BLANKS,
        st.sampled_from([KEY, OTHER]),
        st.sampled_from(["", " a comment", "\t", "\r"]),
        st.sampled_from(["", "\0x"]),
    ),
    st.text("a@#| \t*", max_size=12),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(LINES, max_size=6), st.sampled_from(NAMES))
def test_lines_are_found_as_openssh_finds_them(lines: list[str], name: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        file = write(Path(directory), *lines)
        found = subprocess.run(
            ["ssh-keygen", "-F", name, "-f", file], capture_output=True, check=False
        ).stdout.decode(errors="replace")
        expected = []
        for said in found.splitlines():
            if said.startswith("# Host ") and " found: line " in said:
                number, _, marker = said.rpartition(" found: line ")[2].strip().partition(" ")
                expected.append((name, int(number), marker))
        markers = {"": "", "@revoked": "REVOKED", "@cert-authority": "CA"}
        ours = [(key, line, markers[marker]) for key, line, marker in lines_of(file, name)]
        assert ours == expected


def test_a_line_goes_into_the_file_that_is_there_when_its_turn_comes(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text("old\n")
    held = os.open(file, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)

    def add() -> None:
        with opened_to_add(str(file)) as descriptor:
            assert descriptor is not None
            append(descriptor, "added\n")

    thread = threading.Thread(target=add)
    thread.start()
    wait_for_lock(os.fstat(held).st_ino)
    new = tmp_path / "new"
    new.write_text("new\n")
    new.rename(file)  # as `ssh-keygen -R` does
    os.close(held)
    thread.join(10)
    assert file.read_text() == "new\nadded\n"


def wait_for_lock(inode: int) -> None:
    """Return when somebody waits for a lock on a file."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        locks = Path("/proc/locks").read_text().splitlines()
        if any("->" in line and f":{inode} " in line for line in locks):
            return
        time.sleep(0.005)
    raise AssertionError("nobody waits for the lock")
