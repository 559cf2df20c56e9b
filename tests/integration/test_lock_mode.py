"""`inv lock`: an editor on the queue while nobody takes from it."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pexpect
import pytest
from project import Project, wait_until

GOOD = "# mine\n- echo one\n- echo two\n"


def script(project: Project, name: str, body: str) -> Path:
    """Write an editor: a shell script whose last argument is the file."""
    path = project.write(name, f"#!/bin/sh\nfor file; do :; done\n{body}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def ready(project: Project) -> Project:
    project.hosts("- localhost\n")
    project.queue(GOOD)
    return project


def test_the_editor_gets_the_queue_file_and_its_text_stays(ready: Project) -> None:
    editor = script(ready, "ed", 'echo "- echo three" >> "$file"')
    run = ready.run("lock", "--editor", str(editor))
    assert run.wait() == 0, run.err
    assert ready.read("queue.yaml") == GOOD + "- echo three\n"
    assert not ready.exists("queue.yaml.lock")


@pytest.mark.parametrize(
    ("option", "config", "variable", "expected"),
    [
        ("flag", "configured", "variable", "flag"),
        ("", "configured", "variable", "configured"),
        ("", "", "variable", "variable"),
    ],
)
def test_the_option_wins_over_the_configuration_and_that_over_the_variable(
    ready: Project, option: str, config: str, variable: str, expected: str
) -> None:
    for name in ("flag", "configured", "variable"):
        script(ready, name, f'echo "# {name}" >> "$file"')
    if config:
        ready.write("invoke.yaml", f"pegasus: {{editor: ./{config}}}\n")
    flags = ["--editor", f"./{option}"] if option else []
    assert ready.run("l", *flags, env={"EDITOR": f"./{variable}"}).wait() == 0
    assert ready.read("queue.yaml").endswith(f"# {expected}\n")


def test_vim_is_the_last_resort(ready: Project) -> None:
    script(ready, "vim", 'echo "# vim" >> "$file"')
    path = f"{ready.directory}:/usr/bin:/bin"
    assert ready.run("lock", env={"EDITOR": "", "PATH": path}).wait() == 0
    assert ready.read("queue.yaml").endswith("# vim\n")


def test_an_editor_may_have_arguments(ready: Project) -> None:
    editor = script(ready, "with space", '[ "$1" = --wait ] && echo "# waited" >> "$file"')
    assert ready.run("lock", "--editor", f"'{editor}' --wait").wait() == 0
    assert ready.read("queue.yaml").endswith("# waited\n")


def test_a_missing_editor_is_said_and_changes_nothing(ready: Project) -> None:
    run = ready.run("lock", "--editor", "no-such-editor")
    assert run.wait() == 1
    assert "can't run the editor no-such-editor" in run.err
    assert "Traceback" not in run.err
    assert ready.read("queue.yaml") == GOOD


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- echo [a, {b\\n- {", "queue.yaml:"),
        ("- command: [[x]]", "queue.yaml:1:"),
        ("- echo {{ nope }}", "queue.yaml:1:"),
        ("- echo {{ cut", "queue.yaml:1:"),
    ],
)
def test_without_a_terminal_a_wrong_file_is_restored_and_kept_beside(
    ready: Project, text: str, message: str
) -> None:
    editor = script(ready, "ed", f"printf '%b' '{text}' > \"$file\"")
    run = ready.run("lock", "--editor", str(editor))
    assert run.wait() == 1
    assert message in run.err
    assert "queue.yaml.rejected" in run.err
    assert ready.read("queue.yaml") == GOOD
    assert ready.read("queue.yaml.rejected") == text.replace("\\n", "\n")


def test_what_was_refused_before_is_kept_too(ready: Project) -> None:
    for text in ("- [1", "- [2", "- [3"):
        editor = script(ready, "ed", f"printf '%s' '{text}' > \"$file\"")
        assert ready.run("lock", "--editor", str(editor)).wait() == 1
    assert ready.read("queue.yaml.rejected") == "- [3"
    assert ready.read("queue.yaml.rejected.1") == "- [1"
    assert ready.read("queue.yaml.rejected.2") == "- [2"


def test_a_new_file_that_is_refused_goes_away_again(ready: Project) -> None:
    (ready.directory / "queue.yaml").unlink()
    editor = script(ready, "ed", "echo '- [' > \"$file\"")
    assert ready.run("lock", "--editor", str(editor)).wait() == 1
    assert not ready.exists("queue.yaml")
    assert ready.read("queue.yaml.rejected") == "- [\n"


def test_an_editor_that_fails_is_said(ready: Project) -> None:
    run = ready.run("lock", "--editor", "false")
    assert run.wait() == 1
    assert "false ended with status 1" in run.err
    assert ready.read("queue.yaml") == GOOD


def at_a_terminal(project: Project, editor: Path) -> pexpect.spawn[str]:
    return pexpect.spawn(
        sys.executable,
        ["-m", "invoke", "lock", "--editor", str(editor)],
        cwd=str(project.directory),
        encoding="utf-8",
        timeout=60,
    )


def break_once(project: Project) -> Path:
    """Return an editor that breaks the file first and mends it when it is run again."""
    return script(
        project,
        "ed",
        'if [ -e broken ]; then echo "- echo mended" > "$file"; '
        'else : > broken; echo "- [" > "$file"; fi',
    )


@pytest.mark.parametrize(
    ("answer", "left"), [("e", "- echo mended\n"), ("k", "- [\n"), ("r", GOOD)]
)
def test_the_user_edits_again_keeps_or_restores(ready: Project, answer: str, left: str) -> None:
    terminal = at_a_terminal(ready, break_once(ready))
    terminal.expect("queue.yaml:")
    terminal.expect(r"\(r\)estore")
    terminal.sendline("what?")
    terminal.expect(r"\(r\)estore")
    terminal.sendline(answer)
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 0
    assert ready.read("queue.yaml") == left
    assert ready.exists("queue.yaml.rejected") is (answer == "r")
    assert ("the refused text is in" in terminal.before) is (answer == "r")


def test_running_jobs_go_on_and_free_nodes_wait_while_the_editor_is_open(ready: Project) -> None:
    ready.queue("- echo up; until [ -e go ]; do sleep 0.02; done; echo ended\n- echo replaced\n")
    run = ready.start("queue")
    run.wait_for("] up")
    body = ': > open; until [ -e save ]; do sleep 0.02; done; echo "- echo edited" > "$file"'
    lock = ready.start("lock", "--editor", str(script(ready, "ed", body)))
    wait_until(lambda: ready.exists("open"), "the editor")
    ready.write("go", "")
    run.wait_for("] ended")
    run.wait_for("waiting for the queue: it is locked by")
    assert f"pid {lock.process.pid}" in run.err
    assert "inv lock" in run.err
    assert "since" in run.err
    ready.write("save", "")
    assert lock.wait() == 0
    assert run.wait() == 0, run.err
    assert "] edited" in run.out
    assert "replaced" not in run.out.replace("=== run", "")


def test_a_second_editor_waits_for_the_first_and_says_for_whom(ready: Project) -> None:
    body = ': > open; until [ -e save ]; do sleep 0.02; done; echo "- echo first" >> "$file"'
    first = ready.start("lock", "--editor", str(script(ready, "ed1", body)))
    wait_until(lambda: ready.exists("open"), "the editor")
    second = ready.start(
        "lock", "--editor", str(script(ready, "ed2", 'echo "- echo second" >> "$file"'))
    )
    second.wait_for(f"locked by pid {first.process.pid}")
    ready.write("save", "")
    assert first.wait() == 0
    assert second.wait() == 0
    assert ready.read("queue.yaml") == GOOD + "- echo first\n- echo second\n"


def test_a_run_that_waits_for_the_lock_can_be_interrupted(ready: Project) -> None:
    body = ": > open; until [ -e save ]; do sleep 0.02; done"
    lock = ready.start("lock", "--editor", str(script(ready, "ed", body)))
    wait_until(lambda: ready.exists("open"), "the editor")
    run = ready.start("queue")
    run.wait_for("waiting for the queue")
    run.signal(signal.SIGINT)
    assert run.wait() == 130
    assert "Traceback" not in run.err
    ready.write("save", "")
    assert lock.wait() == 0
    assert ready.read("queue.yaml") == GOOD


def test_the_lock_dies_with_its_holder(ready: Project) -> None:
    editor = script(ready, "ed", "echo $$ > pid; : > open; until [ -e save ]; do sleep 0.02; done")
    lock = ready.start("lock", "--editor", str(editor))
    wait_until(lambda: ready.exists("open"), "the editor")
    lock.signal(signal.SIGKILL)
    lock.process.wait()
    try:
        run = ready.run("queue")
        assert run.wait() == 0, run.err
        assert "[localhost] two" in run.out
        assert not ready.exists("queue.yaml.lock")
    finally:
        ready.write("save", "")
