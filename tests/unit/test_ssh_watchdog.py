"""The watchdog, run by every kind of sh that a host may have."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from leashes import run_on_leash
from processes import kill
from project import wait_until

from pegasus.ssh.running import watchdog

SHELLS = ("dash", "bash", "busybox")

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture(params=SHELLS)
def shell_path(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A PATH on which `sh` is the shell under test."""
    binary = shutil.which(request.param)
    assert binary is not None, f"install {request.param}: the watchdog is tested with it"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "sh").symlink_to(binary)
    return f"{tmp_path / 'bin'}:{os.environ['PATH']}"


@pytest.fixture
def start(shell_path: str) -> Iterator[Start]:
    """Start the watchdog on a command; whatever is left of its group is killed afterwards."""
    started: list[subprocess.Popen[bytes]] = []

    def start(command: str, grace: float = 10, **variables: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            watchdog.argv(grace),
            env={**os.environ, "PATH": shell_path, **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        started.append(process)
        assert process.stdin is not None
        process.stdin.write(watchdog.leash(command))
        process.stdin.flush()
        return process

    yield start
    for process in started:
        for pid in group(process.pid):
            kill(pid)
        for pipe in (process.stdin, process.stdout, process.stderr):
            assert pipe is not None
            pipe.close()
        process.wait()


def group(leader: int) -> list[int]:
    """Return the living members of a process group."""
    members = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, _, pgrp = (entry / "stat").read_text().rsplit(") ", 1)[1].split()[:3]
            except OSError:
                continue
            if int(pgrp) == leader and state not in "ZX":
                members.append(int(entry.name))
    return members


def finish(process: subprocess.Popen[bytes]) -> tuple[int, bytes, bytes]:
    assert process.stdout is not None
    assert process.stderr is not None
    out, err = process.stdout.read(), process.stderr.read()
    return process.wait(20), out.removeprefix(watchdog.announcement(process.pid)), err


def let_go(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()


def read_until(process: subprocess.Popen[bytes], expected: bytes) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == watchdog.announcement(process.pid) + expected


@pytest.mark.parametrize(
    ("command", "status", "out"),
    [
        ("exit 7", 7, b""),
        ("exit 255", 255, b""),
        ("kill -KILL $$", 137, b""),
        ("kill -TERM $$", 143, b""),
        ("cat; echo $?", 0, b"0\n"),
        ("echo $0 $#", 0, b"sh 0\n"),
        ("echo one\n\necho 'two\nthree'\n", 0, b"one\ntwo\nthree\n"),
        ("printf '%s|' '!a!' \"$((1+1))\" '\\n' \"it's\"", 0, b"!a!|2|\\n|it's|"),
        ("printf 'Zwölf ☃'", 0, "Zwölf ☃".encode()),
        ("\tprintf x\t", 0, b"x"),
        ("printf end", 0, b"end"),
        ("trap 'echo int' INT; kill -INT $$", 0, b"int\n"),
    ],
)
def test_runs_what_was_asked_and_passes_the_status_on(
    start: Start, command: str, status: int, out: bytes
) -> None:
    assert finish(start(command)) == (status, out, b"")


@pytest.mark.parametrize("command", ["echo out", "exit 3", "kill -KILL $$", "echo x >&2", "-x"])
def test_the_announcement_comes_before_anything_of_the_job(start: Start, command: str) -> None:
    process = start(command)
    assert process.stdout is not None
    expected = b"out\n" if command == "echo out" else b""
    assert process.stdout.read() == watchdog.announcement(process.pid) + expected


def test_only_a_command_of_several_lines_takes_a_process_to_be_decoded() -> None:
    assert watchdog.leash("printf '\\n\\\\'") == b"run printf '\\n\\\\' end\n"
    assert watchdog.leash("echo '\\'\nexit 3") == b"run-escaped echo '\\\\'\\nexit 3 end\n"
    before, decoding, _ = watchdog.TEXT.partition("$(")
    assert before.endswith("case $_pegasus_line in ???-escaped*) _pegasus_job="), before
    assert decoding


def test_it_announces_the_group_and_not_itself_where_a_shell_is_around_it(start: Start) -> None:
    command = 'readlink /proc/$$/exe; read -r stat </proc/$$/stat; set -- ${stat##*") "}; echo $3'
    around = ["sh", "-c", 'echo $$; "$@"; exit $?', "sh", *watchdog.argv(1)]  # as ForceCommands do
    out = run_on_leash(around, watchdog.leash(command)).stdout
    pid, _, rest = out.partition(b"\n")
    assert rest.startswith(watchdog.announcement(int(pid)))
    assert rest.endswith(b"\n%s\n" % pid)


def test_a_kill_of_the_announced_group_reaches_all_of_a_job(start: Start) -> None:
    process = start("sleep 60 & sleep 60")
    assert process.stdout is not None
    found = watchdog.ANNOUNCEMENT.fullmatch(process.stdout.read(len(_announced(process))))
    assert found is not None
    wait_until(lambda: len(group(process.pid)) >= 4, "the job")
    os.killpg(int(found[1]), signal.SIGKILL)
    wait_until(lambda: group(process.pid) == [], "the end of the group")


def _announced(process: subprocess.Popen[bytes]) -> bytes:
    return watchdog.announcement(process.pid)


def test_the_longest_announcement_is_as_long_as_it_says() -> None:
    longest = watchdog.announcement(10**19 - 1)
    assert len(longest) == watchdog.LONGEST
    assert watchdog.ANNOUNCEMENT.fullmatch(longest)


def test_a_job_whose_announcement_can_t_be_written_is_not_run(start: Start, tmp_path: Path) -> None:
    process = start("true")
    finish(process)
    with open("/dev/full", "wb") as full:
        run_on_leash(watchdog.argv(1), watchdog.leash(f"touch {tmp_path}/ran"), stdout=full)
    assert not (tmp_path / "ran").exists()


def test_the_text_does_not_bring_forth_the_announcement_where_it_is_shown() -> None:
    assert not watchdog.ANNOUNCEMENT.search(watchdog.exec_request(10).encode())
    assert not watchdog.ANNOUNCEMENT.search(watchdog.leash("echo ready"))


@pytest.mark.parametrize("flag", ["-v", "-x", "-n"])
def test_a_shell_that_shows_what_it_executes_does_not_bring_it_forth(
    shell_path: str, flag: str
) -> None:
    script = f"exec 2>&1; {watchdog.TEXT}"
    shown = run_on_leash(
        ["sh", flag, "-c", script, "sh", "1", "1"],
        watchdog.leash("true"),
        env={**os.environ, "PATH": shell_path},
    )
    found = watchdog.ANNOUNCEMENT.findall(shown.stdout + shown.stderr)
    assert len(found) == (flag != "-n")


def test_keeps_output_and_errors_apart(start: Start) -> None:
    assert finish(start("echo out; echo err >&2")) == (0, b"out\n", b"err\n")


def test_a_leading_dash_is_no_option(start: Start) -> None:
    status, _, err = finish(start("-x"))
    assert status in (126, 127)  # 126 where a directory of the PATH can't be searched
    assert b"-x" in err


def test_a_command_of_100_kb_full_of_quotes_and_backslashes_arrives_whole(start: Start) -> None:
    text = "'\"$`\\!\n" * 14_000
    quoted = "'" + text.replace("'", "'\\''") + "'"
    command = f"printf %s {quoted[:60_000]}' | wc -c"
    expected = subprocess.run(["sh", "-c", command], capture_output=True).stdout
    assert len(command) > 50_000
    assert finish(start(command))[1].strip() == expected.strip()
    assert finish(start(f"# {'x' * 100_000}\necho done"))[1] == b"done\n"


def test_a_command_too_long_for_the_system_says_so(start: Start) -> None:
    status, _, err = finish(start("echo " + "x" * 200_000))
    assert status in (126, 127)
    assert b"rgument list too long" in err


def test_the_job_inherits_neither_descriptors_nor_variables(start: Start) -> None:
    assert finish(start("ls /proc/self/fd | wc -l"))[1].strip() == b"4"  # and ls's own
    assert b"pegasus" not in finish(start("env; set"))[1]


def test_variables_of_the_user_reach_the_job(start: Start) -> None:
    assert finish(start('echo "$IFS_ $line"', line="a b"))[1] == b" a b\n"


def test_an_unfinished_command_is_never_run(start: Start) -> None:
    process = start("true")
    finish(process)
    cut = subprocess.run(
        watchdog.argv(1), input=watchdog.leash("echo ran")[:-5], capture_output=True
    )
    assert (cut.returncode, cut.stdout) == (255, b"")


def test_input_that_a_startup_file_has_eaten_from_is_refused() -> None:
    eaten = subprocess.run(
        watchdog.argv(1), input=watchdog.leash("echo ran")[3:], capture_output=True
    )
    assert (eaten.returncode, eaten.stdout) == (255, b"")
    assert b"startup file" in eaten.stderr


def test_nothing_is_left_when_the_job_ends(start: Start) -> None:
    process = start("true")
    assert finish(process)[0] == 0
    assert group(process.pid) == []


def test_background_children_outlive_a_job_that_ends_by_itself(start: Start) -> None:
    process = start("sleep 60 >/dev/null 2>&1 & echo $!")
    out = finish(process)[1]
    assert group(process.pid) == [int(out)]


def test_letting_go_ends_the_whole_tree(start: Start) -> None:
    process = start("sleep 60 & sh -c 'echo ready; sleep 60; true'")
    read_until(process, b"ready\n")
    assert len(group(process.pid)) >= 4
    let_go(process)
    process.wait(5)  # long before the grace is over
    wait_until(lambda: group(process.pid) == [], "the end of the group")


def test_a_handler_of_term_may_finish_its_work(start: Start) -> None:
    process = start(
        "trap 'echo saving; sleep 0.3; echo saved; exit 3' TERM;"
        "echo ready; while :; do sleep 0.05; done"
    )
    read_until(process, b"ready\n")
    let_go(process)
    assert finish(process)[1] == b"saving\nsaved\n"


def test_a_child_that_handles_term_is_waited_for_when_its_shell_has_gone(start: Start) -> None:
    process = start(
        "(trap 'sleep 0.3; echo saved; exit' TERM; echo ready; while :; do sleep 0.05; done) &wait"
    )
    read_until(process, b"ready\n")
    let_go(process)
    assert finish(process)[1] == b"saved\n"
    wait_until(lambda: group(process.pid) == [], "the end of the group")


def test_what_ignores_term_is_killed_after_the_grace(start: Start) -> None:
    process = start("trap '' TERM HUP; echo ready; while :; do sleep 0.05; done", grace=0.5)
    read_until(process, b"ready\n")
    before = time.monotonic()
    let_go(process)
    process.wait(20)
    assert 0.4 < time.monotonic() - before < 10
    wait_until(lambda: group(process.pid) == [], "the end of the group")


def test_a_child_that_ignores_term_is_killed_although_the_job_has_ended(start: Start) -> None:
    process = start("(trap '' TERM; echo ready; exec sleep 60) & sleep 60", grace=0.5)
    read_until(process, b"ready\n")
    let_go(process)
    process.wait(20)
    wait_until(lambda: group(process.pid) == [], "the end of the group")


def test_a_stopped_job_is_continued_so_that_it_can_end(start: Start) -> None:
    process = start("trap 'echo bye; exit' TERM; echo ready; kill -STOP $$; sleep 60")
    read_until(process, b"ready\n")
    wait_until(lambda: any(_is_stopped(pid) for pid in group(process.pid)), "a stopped process")
    let_go(process)
    assert finish(process)[1] == b"bye\n"


def _is_stopped(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].startswith("T")
    except OSError:
        return False


def test_letting_go_before_the_job_has_begun_ends_it_too(start: Start) -> None:
    for _ in range(10):
        process = start("sleep 60", grace=1)
        let_go(process)
        process.wait(10)
        wait_until(lambda: group(process.pid) == [], "the end of the group")  # noqa: B023 - called at once


def test_the_exec_request_reads_the_same_in_every_login_shell() -> None:
    text = watchdog.TEXT
    assert not set("'\\\n") & set(text)
    assert "!" not in text.replace("$! ;", "")
    assert len(watchdog.exec_request(10)) < 4096


def test_the_grace_is_given_as_sleep_reads_it() -> None:
    assert watchdog.argv(10.0)[-2:] == ["10", "10"]
    assert watchdog.argv(0.5)[-2:] == ["0.5", "1"]
