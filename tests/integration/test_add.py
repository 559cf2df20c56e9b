"""`inv add`: entries from scripts."""

from __future__ import annotations

import subprocess
import sys

import pytest
from project import Project, wait_until

from pegasus.locking import FileLock


def from_stdin(project: Project, data: bytes, *arguments: str) -> subprocess.CompletedProcess[str]:
    run = subprocess.run(
        [sys.executable, "-m", "invoke", "add", "-", *arguments],
        cwd=project.directory,
        input=data,
        capture_output=True,
        check=False,
    )
    return subprocess.CompletedProcess(
        run.args, run.returncode, run.stdout.decode(), run.stderr.decode()
    )


def test_a_command_is_added_and_that_is_said(project: Project) -> None:
    project.queue("# mine\n- a # first\n")
    run = project.run("add", "python train.py --bs {{ bs }} # 'all'", "--param", "bs=8",
                      "--param=bs=16", "--param", "opt==")  # fmt: skip
    assert run.wait() == 0
    assert (run.out, run.err) == (
        "",
        "[pegasus] added 1 entry (2 jobs) at the end of queue.yaml\n",
    )
    assert project.read("queue.yaml") == (
        "# mine\n- a # first\n"
        "- command:\n  - 'python train.py --bs {{ bs }} # ''all'''\n"
        "  bs:\n  - '8'\n  - '16'\n  opt:\n  - '='\n"
    )


def test_a_command_is_added_at_the_head(project: Project) -> None:
    project.queue("- a\n")
    run = project.run("add", "--head", "queue")
    assert run.wait() == 0
    assert "added 1 entry (1 job) at the head of queue.yaml" in run.err
    assert project.read("queue.yaml") == "- queue\n- a\n"


def test_a_command_is_added_with_its_slots_and_nodes(project: Project) -> None:
    project.queue("- a\n")
    run = project.run("add", "b {{ slots }}", "--slots", "2", "--on", "a100-*", "add", "c",
                      "--slots=0")  # fmt: skip
    assert (run.wait(), run.err.count("added 1 entry (1 job)")) == (0, 2)
    assert project.read("queue.yaml") == (
        "- a\n- command:\n  - b {{ slots }}\n  slots:\n  - 2\n  options:\n    'on': a100-*\n"
        "- command:\n  - c\n  slots:\n  - 0\n"
    )
    assert from_stdin(project, b"d\ne\n", "--slots", "4").returncode == 0
    assert project.read("queue.yaml").count("  slots:\n  - 4\n") == 2


def test_a_size_that_runs_would_refuse_is_refused(project: Project) -> None:
    project.hosts("- localhost\n")
    project.write("invoke.yaml", "pegasus: {allocation: buddy}\n")
    run = project.run("add", "a", "--slots", "3")
    assert run.wait() == 1
    assert "the command:1:1: `allocation: buddy` gives 1, 2, 4, 8, … slots" in run.err
    assert not project.exists("queue.yaml")


def test_the_file_is_made_where_the_settings_say(project: Project) -> None:
    project.write("invoke.yaml", "pegasus: {queue_file: mine.yaml}\n")
    assert project.run("add", "--flag, like a command").wait() == 0
    assert project.read("mine.yaml") == "- '--flag, like a command'\n"
    assert (project.directory / "mine.yaml").stat().st_mode & 0o777 == 0o600


def test_several_are_added_in_one_go_with_other_tasks(project: Project) -> None:
    project.hosts("- localhost\n")
    run = project.run("add", "echo one", "add", "echo two", "queue")
    assert run.wait() == 0, run.err
    assert "[localhost] one\n" in run.out
    assert "[localhost] two\n" in run.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["add"], "which command? inv add 'COMMAND', or inv add - to read stdin"),
        (["add", ""], "which command?"),
        (["add", " "], "the command:1:1: an empty command"),
        (["add", "a", "--param", "bs"], "--param bs: write it as name=value"),
        (["add", "a", "--param", "=8"], "--param =8: write it as name=value"),
        (["add", "a", "--param", "command=8"], "`command` can't be a parameter"),
        (["add", "a", "--param", "slots=2"], "`slots` can't be a parameter"),
        (["add", "a", "--slots", "two"], "`slots` is how many slots a job needs, and not 'two'"),
        (["add", "a", "--on", "@failed"], "`on`: @failed changes from run to run"),
        (["add", "a {{ b"], "the command:1:3: this tag is never closed"),
        (["add", "a {{ b }}"], "the command:1:3: there is no parameter `b`"),
        (["add", "a", "x"], "No idea what 'x' is!"),
        (["add", "--heda", "a"], "No idea what '--heda' is!"),
    ],
)
def test_what_can_not_be_added_is_said_without_a_traceback(
    project: Project, arguments: list[str], message: str
) -> None:
    project.hosts("- localhost\n")
    run = project.run(*arguments)
    assert run.wait() == 1
    assert message in run.err
    assert "Traceback" not in run.err
    assert not project.exists("queue.yaml")


def test_bytes_that_are_no_text_are_refused(project: Project) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "invoke", "add", b"a \xff"],
        cwd=project.directory,
        capture_output=True,
        check=False,
    )
    assert run.returncode == 1
    assert b"can't be written as UTF-8" in run.stderr
    assert b"Traceback" not in run.stderr


def test_a_wrong_queue_file_is_said_with_its_place_and_stays(project: Project) -> None:
    project.queue("- a\n- [b]\n")
    run = project.run("add", "c")
    assert run.wait() == 1
    assert "queue.yaml:2:3: a list inside the list" in run.err
    assert project.read("queue.yaml") == "- a\n- [b]\n"


def test_dry_only_says_so(project: Project) -> None:
    run = project.run("--dry", "add", "a", "--param", "x=1", "--param", "x=2")
    assert run.wait() == 0
    assert run.err == "[pegasus] this would add 1 entry (2 jobs) at the end of queue.yaml\n"
    assert not project.exists("queue.yaml")
    assert project.run("--dry", "add", "{{").wait() == 1


def test_each_line_of_stdin_is_an_entry(project: Project) -> None:
    data = "\ufeffecho 1\r\n\n  \r\n  - echo: '2' # x\necho {{ x }}\t\nä 🚀".encode()
    run = from_stdin(project, data, "--param", "x=5")
    assert run.returncode == 0
    assert run.stderr == "[pegasus] added 4 entries (4 jobs) at the end of queue.yaml\n"
    assert project.left == [
        {"command": [command], "x": ["5"]}
        for command in ["echo 1", "  - echo: '2' # x", "echo {{ x }}\t", "ä 🚀"]
    ]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a\n\nb\xc3\xa9 \xff\n", "stdin:3:4: this is not UTF-8"),
        (b"a\nb\0\n", "stdin:2:1: NUL and lone surrogates"),
        (b"a\nb {{ c\nd\n{{ e\n", "2 problems:\n  stdin:2:3: "),
    ],
)
def test_a_wrong_line_of_stdin_is_named_and_none_is_added(
    project: Project, data: bytes, message: str
) -> None:
    run = from_stdin(project, data)
    assert run.returncode == 1
    assert message in run.stderr
    assert "Traceback" not in run.stderr
    assert not project.exists("queue.yaml")


def test_nothing_on_stdin_is_nothing_to_add(project: Project) -> None:
    run = project.run("add", "-")
    assert run.wait() == 0
    assert run.err == "[pegasus] there was no command on stdin; nothing is added\n"
    assert not project.exists("queue.yaml")


def test_without_a_stdin_it_is_said(project: Project) -> None:
    run = subprocess.run(
        ["sh", "-c", '"$0" -m invoke add - <&-', sys.executable],
        cwd=project.directory,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert run.stderr == (
        "[pegasus] stdin can't be read: it is closed; give the commands in a pipe\n"
    )


def test_it_waits_for_an_editor_and_says_for_whom(project: Project) -> None:
    project.queue("- a\n")
    with FileLock.of(project.directory / "queue.yaml").hold("inv lock"):
        run = project.start("add", "b")
        run.wait_for("it is locked by pid")
        assert "(inv lock)" in run.err
    assert run.wait() == 0
    assert project.read("queue.yaml") == "- a\n- b\n"


def test_a_daemon_runs_what_is_added(project: Project) -> None:
    project.hosts("- localhost\n")
    project.queue("")
    daemon = project.start("queue", "--daemon")
    daemon.wait_for("localhost")
    for number in range(3):
        assert project.run("add", f"echo it is {number}").wait() == 0
    daemon.wait_for("] it is 2")
    assert project.run("stop").wait() == 0
    assert daemon.wait() == 0
    assert [line for line in daemon.out.splitlines() if "] it is" in line] == [
        f"[localhost] it is {number}" for number in range(3)
    ]


def test_it_is_called_from_other_tasks(project: Project) -> None:
    project.write(
        "tasks.py",
        "from invoke import task\n"
        "from pegasus.tasks import add as enqueue\n"
        "@task\n"
        "def fill(c):\n"
        "    enqueue(c, 'python x', param=['k=v'])\n"
        "    enqueue(c, 'python y', param='k=v')\n"
        "    enqueue(c, 'queue', head=True)\n",
    )
    assert project.run("fill").wait() == 0
    assert project.left == [
        "queue",
        {"command": ["python x"], "k": ["v"]},
        {"command": ["python y"], "k": ["v"]},
    ]


def test_many_at_once_lose_nothing(project: Project) -> None:
    runs = [project.start("add", f"echo {number}") for number in range(24)]
    wait_until(lambda: all(run.process.poll() is not None for run in runs), "all of them")
    assert [run.wait() for run in runs] == [0] * 24
    assert sorted(project.left) == sorted(f"echo {number}" for number in range(24))
