"""Hooks: what they are told, how they are checked and called, and that they change nothing."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from project import PATIENCE, wait_until

from pegasus.errors import SettingsError
from pegasus.events import (
    AttemptEnded,
    AttemptStarted,
    Event,
    JobsTaken,
    JobsUnfit,
    QueueCounted,
    RunEnded,
    RunStarted,
    Unfit,
)
from pegasus.files.entries import QUEUE, Entry, read
from pegasus.files.source import Source
from pegasus.hooks import caller, calls, facts, sink
from pegasus.hooks.checks import KNOWN, check
from pegasus.hooks.sink import Hooks
from pegasus.model import Attempt, Ending, Host, Job, Need, Node, Outcome, Place, Slots
from pegasus.result import RunResult
from pegasus.settings import Settings, plain

NODE = Node(0, Host("node-1", "node-1"), (("gpu", "0"),))
FAILED = Ending.exited(3)


def started(*nodes: Node) -> RunStarted:
    return RunStarted("r1", "queue", 1, "here", "me", {}, nodes)


def attempt(job: int = 7, command: str = "exit 3", **more: Any) -> Attempt:
    params = tuple(more.pop("params", {}).items())
    return Attempt(more.pop("number", 1), Job(command, params, id=job), NODE, command, **more)


class Run:
    """A run as its hooks see it."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.result = RunResult()
        self.said: list[str] = []
        self.hooks = Hooks(Settings(**settings), self.result, folder, self.said.append)
        self.emit(started(NODE))

    def emit(self, *events: Event) -> None:
        for event in events:
            self.result(event)
            self.hooks(event)

    def fail(self, *numbers: int, ending: Ending = FAILED, again: bool = False) -> None:
        for number in numbers:
            one = attempt(number)
            self.emit(AttemptStarted(one), AttemptEnded(one, ending, again))

    def end(self, interrupted: int | None = None) -> list[str]:
        """End the run; return what was said."""
        self.result.interrupted = interrupted
        self.emit(RunEnded("r1", self.result.exit_status, interrupted))
        self.hooks.finish()
        return self.said

    def written(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no word of waiting in between, however slow the machine is."""
    monkeypatch.setattr(sink, "QUIETLY", sink.PATIENCE)


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Run]:
    return lambda **settings: Run(tmp_path, **settings)


# What is called, and when.


def test_on_fail_is_called_for_each_attempt_that_counts(run: Callable[..., Run]) -> None:
    called: list[tuple[Attempt, Ending]] = []
    on = run(on_fail=lambda *given: called.append(given))
    on.fail(1, ending=Ending(Outcome.LOST, detail="broken"))
    on.fail(2, again=True)
    again = attempt(2, number=2, repeats=1)
    on.emit(AttemptStarted(again), AttemptEnded(again, FAILED))
    on.fail(3, ending=Ending.exited(0))
    on.fail(4, ending=Ending(Outcome.CANCELLED))
    assert on.end() == []
    assert [(one.key, ending.outcome) for one, ending in called] == [
        ((1, 1), Outcome.LOST),
        ((2, 2), Outcome.FAILED),
    ]


def test_what_was_to_be_run_again_and_is_not_has_failed_at_the_end(
    run: Callable[..., Run],
) -> None:
    called: list[int] = []
    on = run(on_fail=lambda attempt, _: called.append(attempt.job.id))
    on.fail(1)
    on.fail(2, again=True)
    on.end()
    assert called == [1, 2]


@pytest.mark.parametrize(
    ("events", "times"),
    [
        ([QueueCounted(0)], 0),
        ([QueueCounted(2), QueueCounted(1)], 0),
        ([QueueCounted(2), QueueCounted(0)], 1),
        ([QueueCounted(2), QueueCounted(0), QueueCounted(0)], 1),
        ([QueueCounted(0), JobsTaken(()), QueueCounted(0)], 1),
        ([QueueCounted(1), QueueCounted(0), QueueCounted(3), QueueCounted(0)], 2),
    ],
)
def test_on_empty_is_called_when_the_queue_has_run_empty(
    run: Callable[..., Run], events: list[Event], times: int
) -> None:
    called: list[None] = []
    on = run(on_empty=lambda: called.append(None))
    on.emit(*events)
    on.end()
    assert len(called) == times


@pytest.mark.parametrize(("interrupted", "status"), [(None, 5), (2, 130), (15, 143)])
def test_on_finish_is_called_last_with_the_result(
    run: Callable[..., Run], interrupted: int | None, status: int
) -> None:
    order: list[Any] = []
    on = run(
        on_fail=lambda attempt, ending: order.append(attempt.job.id),
        on_finish=lambda result: order.append(result),
    )
    on.fail(1, 2)
    on.end(interrupted)
    assert order == [1, 2, on.result]
    assert order[2].exit_status == status


def test_on_finish_is_not_called_for_a_run_that_never_began(tmp_path: Path) -> None:
    called: list[object] = []
    hooks = Hooks(Settings(on_finish=called.append), RunResult(), tmp_path, called.append)
    hooks(RunEnded("r1", 130, 2))
    hooks.finish()
    assert called == []


def test_without_hooks_nothing_is_done(run: Callable[..., Run]) -> None:
    before = threading.active_count()
    on = run()
    on.fail(1)
    assert threading.active_count() == before
    assert on.end() == []


# What they are told.


def told(on: Run) -> dict[str, str]:
    return dict(line.split("=", 1) for line in on.written("told") if line.startswith("PEGASUS_"))


def test_a_failure_is_told_in_the_template_and_the_environment(run: Callable[..., Run]) -> None:
    on = run(
        queue_file="/q/queue.yaml",
        on_fail="echo {{ pegasus_job }} {{ hostname }} {{ gpu }} {{ bs }} {{ pegasus_outcome }}"
        " {{shell_quote pegasus_command}} > $PEGASUS_STDOUT_LOG.x; env > {{ out }}",
    )
    out = str(on.folder / "told")
    (on.folder / "logs").mkdir()
    one = attempt(7, "x 'y'\nz", params={"bs": "8", "out": out, "a-b": "no variable"})
    on.emit(AttemptEnded(one, Ending(Outcome.SIGNALLED, exit_signal="TERM\nX")))
    assert on.end() == []
    assert on.written("logs/7.1.out.x") == ["7 node-1 0 8 signalled x 'y'", "z"]
    environment = told(on)
    assert environment == {
        "PEGASUS_RUN": "r1",
        "PEGASUS_MODE": "queue",
        "PEGASUS_QUEUE_FILE": "/q/queue.yaml",
        "PEGASUS_JOB": "7",
        "PEGASUS_ATTEMPT": "1",
        "PEGASUS_NODE": "node-1 (gpu=0)",
        "PEGASUS_SLOTS": "0",
        "PEGASUS_COMMAND": "x 'y'",  # and the next line
        "PEGASUS_OUTCOME": "signalled",
        "PEGASUS_EXIT_STATUS": "",
        "PEGASUS_EXIT_SIGNAL": r"TERM\nX",
        "PEGASUS_ENDING": r"killed by signal TERM\nX",
        "PEGASUS_STDOUT_LOG": str(on.folder / "logs" / "7.1.out"),
        "PEGASUS_STDERR_LOG": str(on.folder / "logs" / "7.1.err"),
        "PEGASUS_PARAMS": environment["PEGASUS_PARAMS"],
        "PEGASUS_PARAM_bs": "8",
        "PEGASUS_PARAM_gpu": "0",
        "PEGASUS_PARAM_out": out,
        "PEGASUS_PARAM_hostname": "node-1",
        "PEGASUS_PARAM_slots": "0",
        "PEGASUS_PARAM_slot_count": "1",
    }
    assert json.loads(environment["PEGASUS_PARAMS"]) == {
        "bs": "8",
        "a-b": "no variable",
        "out": out,
        "gpu": "0",
        "hostname": "node-1",
        "slots": "0",
        "slot_count": "1",
    }


def test_a_failure_is_told_with_the_slots_it_was_on_whatever_those_of_the_run_are(
    run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PEGASUS_SLOTS", "5")  # This run may itself be a job.
    folder = run().folder
    on = run(
        on_fail=f"echo {{{{ slots }}}} {{{{ slot_count }}}} {{{{ pegasus_slots }}}} > {folder}/one;"
        f" env > {folder}/told"
    )
    on.emit(AttemptEnded(attempt(slots=Slots((2, 3))), FAILED))
    assert on.end() == []
    assert on.written("one") == ["2,3 2 2,3"]
    assert told(on)["PEGASUS_SLOTS"] == "2,3"


def test_jobs_that_fit_no_node_call_nothing_and_are_counted(run: Callable[..., Run]) -> None:
    folder = run().folder
    on = run(on_empty=f"echo {{{{ pegasus_unfit }}}} >> {folder}/empty", on_fail=f"> {folder}/bad")
    stuck = JobsUnfit((Unfit(Need(16), 3, Place("queue.yaml", 1, 1), "too many"),))
    on.emit(QueueCounted(3))
    on.emit(stuck)
    on.emit(QueueCounted(0))
    assert on.end() == []
    assert on.written("empty") == ["3"]
    assert not (folder / "bad").exists()


def test_the_end_is_told_in_the_template_and_the_environment(run: Callable[..., Run]) -> None:
    folder = run().folder
    on = run(
        on_finish=f"env > {folder}/told; echo {{{{ pegasus_exit_status }}}} > {folder}/status",
        queue_file="/q/queue.yaml",
    )
    on.emit(QueueCounted(4))
    on.fail(1, 2)
    on.fail(3, ending=Ending.exited(0))
    on.fail(4, ending=Ending(Outcome.UNREACHABLE))
    on.fail(5, ending=Ending(Outcome.CANCELLED))
    on.fail(6, ending=Ending(Outcome.TIMED_OUT))
    assert on.end(15) == []
    assert on.written("status") == ["143"]
    environment = told(on)
    assert environment.pop("PEGASUS_ELAPSED").isdigit()
    assert environment == {
        "PEGASUS_RUN": "r1",
        "PEGASUS_MODE": "queue",
        "PEGASUS_QUEUE_FILE": "/q/queue.yaml",
        "PEGASUS_DONE": "1",
        "PEGASUS_FAILED": "3",
        "PEGASUS_LOST": "1",
        "PEGASUS_CANCELLED": "1",
        "PEGASUS_RUNNING": "0",
        "PEGASUS_QUEUED": "4",
        "PEGASUS_UNFIT": "0",
        "PEGASUS_NODES_LOST": "0",
        "PEGASUS_EXIT_STATUS": "143",
        "PEGASUS_INTERRUPTED": "15",
    }


def test_the_names_are_those_that_are_checked() -> None:
    result, run = RunResult(), started(NODE)
    failure = facts.of_failure(run, "q", Path(), attempt(), FAILED)
    progress = facts.of_progress(run, "q", result, None, 1.5)
    assert tuple(failure.known) == KNOWN["on_fail"]
    assert tuple(failure.reported) == facts.REPORTED
    assert tuple(progress.known) == KNOWN["on_empty"]
    assert tuple(facts.of_end(progress, 0, None).known) == KNOWN["on_finish"]


def test_a_parameter_never_stands_for_what_pegasus_knows() -> None:
    job = attempt(params={"job": "mine", "pegasus_job": "mine"})
    variables = facts.of_failure(started(), "q", Path(), job, FAILED).variables()
    assert (variables["job"], variables["pegasus_job"]) == ("mine", "7")


def test_what_a_hook_of_another_run_was_told_is_not_told_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PEGASUS_JOB", "1")
    monkeypatch.setenv("PEGASUS_PARAM_bs", "8")
    monkeypatch.setenv("PEGASUS_TOKEN", "the user's own")
    environment = facts.of_progress(started(), "q", RunResult(), 0, 0).environment()
    assert "PEGASUS_JOB" not in environment
    assert "PEGASUS_PARAM_bs" not in environment
    assert environment["PEGASUS_TOKEN"] == "the user's own"


def test_texts_that_no_environment_takes_are_cut(run: Callable[..., Run]) -> None:
    folder = run().folder
    on = run(on_fail=f'printf %s "$PEGASUS_COMMAND" > {folder}/command')
    on.emit(AttemptEnded(attempt(1, "é\0" * 200_000), FAILED))
    assert on.end() == []
    assert (folder / "command").read_text() == "é�" * (facts.LONGEST // 2) + "…"


def test_nothing_that_a_host_has_worded_is_in_a_template(run: Callable[..., Run]) -> None:
    ending = Ending(Outcome.SIGNALLED, exit_signal="$(touch x)", detail="$(touch y)")
    texts = facts.of_failure(started(), "q", Path(), attempt(), ending).variables().values()
    assert [text for text in texts if "touch" in text] == []


# How they are run.


def test_a_command_has_a_session_of_its_own_and_no_input(run: Callable[..., Run]) -> None:
    on = run(on_empty="ps -o pid=,sid= -p $$; cat; echo end")
    on.emit(QueueCounted(1), QueueCounted(0))
    shown = "\n".join(on.end()).split("\n")
    pid, session = shown[0].removeprefix("on_empty: ").split()
    assert pid == session
    assert shown[1:] == ["on_empty: end"]


def test_they_are_made_one_at_a_time_in_order_and_block_nobody(run: Callable[..., Run]) -> None:
    gate, called, at_once = threading.Event(), [], []

    def hook(attempt: Attempt, ending: Ending) -> None:
        at_once.append(None)
        gate.wait(PATIENCE)
        called.append((attempt.job.id, len(at_once)))

    on = run(on_fail=hook)
    on.fail(*range(200))
    assert called == []
    gate.set()
    assert on.end() == [f"hooks take long: {caller.BEHIND} calls of them wait, and jobs go on"]
    assert called == [(number, number + 1) for number in range(200)]


@pytest.mark.parametrize(
    ("hook", "said"),
    [
        ("exit 4", "on_fail failed for job 1: exit status 4"),
        ("kill -9 $$", "on_fail failed for job 1: killed by signal SIGKILL"),
        ("kill -40 $$", "on_fail failed for job 1: killed by signal 40"),
        ("true {{ nope }}", "on_fail failed for job 1: there is no parameter `nope`"),
        ("true '\0'", "on_fail failed for job 1: it can't be run: embedded null byte"),
        (lambda a, b: {}["x\ny"], r"on_fail failed for job 1: KeyError: 'x\ny'"),
        (lambda a, b: exit(3), "on_fail failed for job 1: SystemExit: 3"),
        (lambda a: None, "on_fail failed for job 1: TypeError: "),
    ],
)
def test_a_failure_is_said_in_one_line_and_changes_nothing(
    run: Callable[..., Run], hook: Any, said: str
) -> None:
    on = run(on_fail=hook)
    on.fail(1)
    (line,) = on.end()
    assert line.startswith(said)
    assert "\n" not in line
    assert on.result.exit_status == 5


def test_a_command_that_is_not_found_says_so(run: Callable[..., Run]) -> None:
    on = run(on_fail="no-such-program-here")
    on.fail(1)
    shown, failed = on.end()
    assert shown.startswith("on_fail: sh: ")
    assert "not found" in shown
    assert failed == "on_fail failed for job 1: exit status 127"


def test_thousands_of_failures_of_a_hook_are_counted(run: Callable[..., Run]) -> None:
    def hook(attempt: Attempt, ending: Ending) -> None:
        raise OSError("no route")

    on = run(on_fail=hook)
    on.fail(*range(2000))
    said = [line for line in on.end() if "take long" not in line]
    assert len(said) == caller.TOLD + 1
    assert said[-2].endswith("OSError: no route; should it fail again, that is only counted")
    assert said[-1] == "on_fail failed 2000 times"


def test_output_is_shown_as_it_comes_and_not_without_end(run: Callable[..., Run]) -> None:
    on = run(on_empty="i=0; while [ $i -lt 500 ]; do echo line $i; i=$((i + 1)); done")
    on.emit(QueueCounted(1), QueueCounted(0))
    lines = "\n".join(on.end()).split("\n")
    assert lines == [
        *(f"on_empty: line {number}" for number in range(calls.LINES)),
        "on_empty: … (more is not shown)",
    ]


def test_of_a_line_that_has_no_end_the_beginning_is_shown(run: Callable[..., Run]) -> None:
    on = run(on_empty="head -c 500000 /dev/zero | tr '\\0' x; echo; echo end")
    on.emit(QueueCounted(1), QueueCounted(0))
    *long, last = "\n".join(on.end()).split("\n")
    assert long[0] == "on_empty: " + "x" * calls.WIDTH + "…"
    assert {line.strip("x…") for line in long} == {"on_empty: "}
    assert max(map(len, long)) == len(long[0])
    assert last == "on_empty: end"


def test_what_a_command_leaves_in_the_background_holds_up_nothing(
    run: Callable[..., Run],
) -> None:
    gate = run().folder / "gate"
    on = run(on_finish=f"(until [ -e {gate} ]; do sleep 0.1; done) & echo begun")
    try:
        assert on.end() == ["on_finish: begun"]
    finally:
        gate.touch()


def begun(on: Run, *numbers: int) -> None:
    """Have jobs fail, and wait until the hook of the first one has begun."""
    on.fail(*numbers)
    wait_until(lambda: on.written("begun"), "the hook")


def last_lines(on: Run) -> list[str]:
    """What was said, but for what a slow machine may add."""
    return [line for line in on.said if line != "waiting for on_finish"]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "GRACE", 0.1)
    monkeypatch.setattr(sink, "QUIETLY", 0.1)
    monkeypatch.setattr(sink, "PATIENCE", 0.2)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.usefixtures("impatient")
def test_a_command_that_takes_too_long_is_killed(
    run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "LIMIT", 0.3)
    on = run(on_fail="sleep 100")
    on.fail(1)
    wait_until(lambda: on.said, "the word of the end")
    assert on.said == ["on_fail failed for job 1: killed, since it took longer than 0.3 s"]
    on.end()


@pytest.mark.usefixtures("impatient")
def test_with_a_command_all_is_killed_that_it_has_begun(run: Callable[..., Run]) -> None:
    folder = run().folder
    inner = f"echo $$ > {folder}/pid; mv {folder}/pid {folder}/begun; sleep 100; true"
    on = run(on_fail=f"trap '' TERM; sh -c '{inner}'; true")
    begun(on, 1)
    on.end()
    assert on.said[-1] == "on_fail failed for job 1: killed"
    assert not is_alive(int(on.written("begun")[0]))


@pytest.mark.usefixtures("impatient")
def test_the_end_waits_for_a_while_and_then_goes_on_to_on_finish(
    run: Callable[..., Run],
) -> None:
    finished: list[RunResult] = []
    on = run(on_fail=f"echo > {run().folder}/begun; sleep 100", on_finish=finished.append)
    begun(on, 1, 2, 3)
    on.end()
    assert last_lines(on) == [
        "waiting for on_fail",
        "on_fail failed for job 1: killed",
        "2 calls of hooks were not made any more",
    ]
    assert finished == [on.result]


@pytest.mark.usefixtures("impatient")
def test_a_function_that_never_returns_is_left(
    run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sink, "GRACE", 0.1)
    gate, finished = threading.Event(), threading.Event()
    on = run(on_fail=lambda a, b: gate.wait(PATIENCE), on_finish=lambda _: finished.set())
    on.fail(1)
    on.end()
    assert on.said[:2] == ["waiting for on_fail", "on_fail does not return, and is left"]
    assert finished.wait(PATIENCE)
    gate.set()


@pytest.mark.usefixtures("impatient")
def test_who_has_left_commands_running_does_not_wait_for_what_came_before(
    run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sink, "PATIENCE", PATIENCE)
    finished: list[RunResult] = []
    on = run(on_fail=f"echo > {run().folder}/begun; sleep 100", on_finish=finished.append)
    begun(on, 1)
    on.emit(AttemptStarted(attempt(2)))
    on.end(2)
    assert last_lines(on) == ["on_fail failed for job 1: killed"]
    assert finished == [on.result]


@pytest.mark.usefixtures("impatient")
def test_the_end_can_be_left(run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sink, "PATIENCE", PATIENCE)
    finished: list[RunResult] = []
    on = run(on_fail=f"echo > {run().folder}/begun; sleep 100", on_finish=finished.append)
    begun(on, 1, 2)
    ending = threading.Thread(target=on.end)
    ending.start()
    wait_until(lambda: "waiting for on_fail" in on.said, "the end to wait")
    on.hooks.drain()
    ending.join(PATIENCE)
    assert on.said[1:] == [
        "on_fail failed for job 1: killed",
        "1 call of hooks was not made any more",
    ]
    assert finished == []


# How they are checked.


def entries(text: str) -> list[Entry]:
    return [*read(Source(text.encode(), "queue.yaml", QUEUE.error), QUEUE)]


def problem(queue: str = "", nodes: tuple[Node, ...] = (NODE,), **settings: Any) -> str:
    try:
        check(Settings(**settings), nodes, entries(queue))
    except SettingsError as error:
        return str(error)
    return ""


OTHER = Node(1, Host("node-2", "node-2"))
MIXED = "- a {{ bs }}\n- bs: [1, 2]\n- b\n"


@pytest.mark.parametrize(
    ("hook", "template", "said"),
    [
        ("on_fail", "{{ pegasus_job", "on_fail: this tag is never closed"),
        ("on_fail", "{{ nope }}", "on_fail, for the command at queue.yaml:1:3: there is no param"),
        (
            "on_fail",
            "{{ bs }}",
            "on_fail, for the command at queue.yaml:3:3: there is no parameter",
        ),
        ("on_fail", "{{ gpu }}", "on_fail, for the command at queue.yaml:1:3: there is no param"),
        ("on_fail", "{{#if bs}}{{ bs }}{{/if}} {{ hostname }} {{ pegasus_node }}", ""),
        ("on_fail", "{{shell_quoted pegasus_command}}", "on_fail: there is no helper"),
        ("on_fail", "echo '{{ pegasus_command }}'", "on_fail: sh would run what is in pegasus_c"),
        ("on_fail", 'echo {{shell_quote pegasus_command}} "$PEGASUS_COMMAND"', ""),
        ("on_finish", "{{ pegasus_exit_status }} {{ pegasus_done }}", ""),
        ("on_finish", "{{ pegasus_job }}", "on_finish: there is no parameter `pegasus_job`"),
        ("on_empty", "{{ pegasus_queued }}{{ pegasus_run }}", ""),
        ("on_empty", "{{ bs }}", "on_empty: there is no parameter `bs`"),
        ("on_empty", "{{ pegasus_exit_status }}", "on_empty: there is no parameter"),
    ],
)
def test_templates_are_checked_for_all_kinds_of_jobs_and_nodes(
    hook: str, template: str, said: str
) -> None:
    found = problem(MIXED, (NODE, OTHER), **{hook: template})
    assert found.startswith(said)
    assert bool(found) == bool(said)


def test_where_values_decide_they_are_tried() -> None:
    queue = "- a\n- bs: [1, 2, x]\n"
    template = "{{#if (eq bs 'x')}}{{ nope }}{{/if}}"
    assert "there is no parameter `nope`" in problem(queue, on_fail=template)
    assert problem(queue, on_fail=template.replace("'x'", "'y'")) == ""


def test_for_an_empty_queue_only_what_jobs_may_have_is_believed() -> None:
    assert problem(on_fail="{{ bs }} {{ lr }} {{ pegasus_job }}") == ""
    assert "did you mean `pegasus_job`?" in problem(on_fail="{{ bs }} {{ pegasus_jbo }}")
    assert "sh would run" in problem(on_fail="{{ bs }} {{ pegasus_command }}")


@pytest.mark.parametrize(
    ("hook", "function", "said"),
    [
        ("on_fail", lambda attempt, ending: None, ""),
        ("on_fail", lambda *given: None, ""),
        ("on_fail", print, ""),
        ("on_fail", lambda attempt: None, "must take an attempt and its ending (too many posi"),
        ("on_finish", lambda: None, "must take the result of the run (too many positional"),
        ("on_empty", lambda result: None, "must take no arguments (missing a required argument"),
    ],
)
def test_functions_are_checked_for_what_they_take(
    hook: str, function: Callable[..., object], said: str
) -> None:
    found = problem(**{hook: function})
    assert said in found
    assert bool(found) == bool(said)


def test_hooks_which_may_hold_secrets_are_not_among_the_settings_on_record() -> None:
    settings = Settings(on_fail="curl -H 'Authorization: s3cret'", on_finish=print)
    values = plain(settings)
    assert (values["on_fail"], values["on_finish"], values["on_empty"]) == (True, True, False)
    assert "s3cret" not in json.dumps(values)
