"""What `inv status` makes of a journal: the numbers, the text, the JSON document."""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console
from story import OTHER, RUN, Story

from pegasus.errands import status as errand
from pegasus.errors import JournalError, SettingsError
from pegasus.files.queuefile import QueueFile
from pegasus.journal import records
from pegasus.journal.standing import Queue, Standing
from pegasus.settings import Settings
from pegasus.terminal.errands import status as terminal
from pegasus.terminal.errands.overview import LISTED, overview
from pegasus.terminal.times import clock, duration, moment

QUEUE = Queue("queue.yaml", 5)
PAGE = (Path(__file__).parents[2] / "docs" / "status.md").read_text()


@pytest.fixture
def story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Story:
    monkeypatch.chdir(tmp_path)
    return Story(tmp_path)


def standing(story: Story, queue: Queue = QUEUE) -> Standing:
    story.history.catch_up()
    return Standing.of(story.history, queue)


def text(story: Story, queue: Queue = QUEUE) -> str:
    return "\n".join(terminal.text(standing(story, queue)))


def document(story: Story) -> dict[str, Any]:
    return terminal.document(standing(story))


def eventful(story: Story) -> None:
    """Tell of a run that is on, in which everything has happened."""
    story.begin()
    story.tell(records.NODE_CONNECTED, node="gpu-1", index=0)
    story.tell(records.NODE_CONNECTED, node="gpu-2", index=1)
    story.tell(records.NODE_UNREACHABLE, node="gpu-3", index=2, step="auth", problem="no key")
    outcomes = ["succeeded", "failed", "signalled", "timed out", "lost", "unreachable", "cancelled"]
    for number, outcome in enumerate(outcomes, 1):
        story.take(number)
        story.start(number)
        story.finish(number, outcome)
    story.take(8)
    story.start(8)
    story.tell(records.ATTEMPT_ANNOUNCED, job=8, attempt=1, pid=4711)
    story.take(9)
    story.take(10)
    story.put_back(10)


# The numbers.


def test_each_job_is_counted_once_under_its_kind(story: Story) -> None:
    eventful(story)
    told = standing(story)
    assert told.counts == {
        "done": 1, "failed": 3, "lost": 2, "cancelled": 1, "running": 1, "taken": 1,
    }  # fmt: skip
    assert [one.job.id for one in told.running] == [8]
    assert [one.job.id for one in told.troubles] == [2, 3, 4, 5, 6]
    assert [run.id for run in told.runs] == [RUN]


def test_a_run_that_was_killed_has_interrupted_what_it_had_taken(story: Story) -> None:
    eventful(story)
    story.alive.clear()
    told = standing(story)
    assert told.counts["interrupted"] == 2
    assert told.running == []
    whys = {one.job.id: one.why for one in told.troubles if one.kind == "interrupted"}
    assert whys == {8: "interrupted", 9: "interrupted before it began"}


def test_without_a_run_that_is_on_it_is_about_the_last_one(story: Story) -> None:
    story.begin(OTHER)
    story.take(1, run=OTHER)
    story.end(OTHER)
    story.begin()
    story.take(2)
    story.start(2)
    story.finish(2)
    story.end()
    told = standing(story)
    assert [run.id for run in told.runs] == [RUN]
    assert told.counts == {"done": 1}
    assert [one.job.id for one in told.earlier] == [1]


def test_all_runs_that_are_on_are_told_of(story: Story) -> None:
    story.alive = {RUN, OTHER}
    story.begin(OTHER)
    story.begin("0000000c")
    story.begin()
    story.take(1, run=OTHER)
    story.take(2)
    told = standing(story)
    assert [run.id for run in told.runs] == [OTHER, RUN]
    assert told.counts == {"taken": 2}


def test_a_job_that_was_put_back_is_no_trouble_of_an_earlier_run(story: Story) -> None:
    story.begin(OTHER)
    story.take(1, run=OTHER)
    story.end(OTHER)
    story.begin()
    assert len(standing(story).earlier) == 1
    story.put_back(1)
    assert standing(story).earlier == []


def test_a_broadcast_job_in_trouble_names_its_worst_node_and_how_many_more(story: Story) -> None:
    story.begin(mode="broadcast")
    story.take(1)
    for node, outcome in enumerate(["failed", "lost", "succeeded"]):
        story.start(1, attempt=node + 1, node=node)
        story.finish(1, outcome, attempt=node + 1)
    (trouble,) = standing(story).troubles
    assert trouble.attempt
    assert (trouble.attempt.node, trouble.others, trouble.kind) == ("gpu-2", 1, "lost")
    assert re.search(r"^1 +gpu-2 and 1 more +lost: it says +run 1$", text(story), re.M)


# The text.


def test_the_text_tells_of_all(story: Story) -> None:
    eventful(story)
    shown = text(story)
    assert re.search(rf"^run {RUN} \(queue\) is on: pid 7 of me on here, since ", shown, re.M)
    numbers = "5 queued, 1 taken, 1 running, 1 done, 3 failed, 2 lost, 0 interrupted, 1 cancelled"
    assert numbers in shown.splitlines()
    assert re.search(r"^8 +gpu-1 +\d\d:\d\d:\d\d \(\d+s\) +run 8$", shown, re.M)
    assert re.search(r"^2 +gpu-1 +exit status: 3 +run 2$", shown, re.M)
    assert re.search(r"^3 +gpu-1 +killed by signal SEGV +run 3$", shown, re.M)
    assert re.search(r"^4 +gpu-1 +timed out: it says +run 4$", shown, re.M)
    assert "3 nodes\n" in shown
    assert "  1 busy:        gpu-1\n  1 free:        gpu-2\n" in shown
    assert "  1 unreachable: gpu-3 (no key)\n" in shown
    assert "inv retry --failed or --lost puts them back into the queue" in shown


def test_how_a_run_ended_is_told(story: Story) -> None:
    story.begin()
    story.end(status=130, interrupted=2)
    assert re.search(r"ended \S+ after 0s, by signal 2, with status 130$", text(story), re.M)
    assert "3 nodes at its end" in text(story)


def test_a_run_that_died_is_told(story: Story) -> None:
    story.begin()
    story.tell(records.RUN_DIED)
    assert f"run {RUN} (queue) died: it did not say how it ended; it began " in text(story)


def test_what_earlier_runs_have_left_is_one_line(story: Story) -> None:
    story.begin(OTHER)
    for number, outcome in enumerate(["failed", "timed out", "lost"], 1):
        story.take(number, run=OTHER)
        story.start(number)
        story.finish(number, outcome)
    story.take(4, run=OTHER)
    story.end(OTHER)
    story.begin()
    advice = "inv retry --failed, --lost or --interrupted puts them back into the queue"
    line = f"earlier runs have left 2 failed, 1 lost and 1 interrupted jobs ({advice})"
    assert line in text(story).splitlines()


def test_only_the_first_of_many_in_trouble_are_listed(story: Story) -> None:
    story.begin()
    for number in range(1, LISTED + 4):
        story.take(number)
        story.start(number)
        story.finish(number, "failed")
    shown = text(story)
    assert f"\n{LISTED} " in shown
    assert f"\n{LISTED + 1} " not in shown
    assert "… and 3 more (inv status --json lists all)" in shown


def test_without_a_journal_the_queue_is_told_of(story: Story) -> None:
    assert text(story).splitlines() == [
        "no run has used queue.yaml yet",
        "5 queued, 0 running, 0 done, 0 failed, 0 lost, 0 interrupted, 0 cancelled",
    ]


def test_a_queue_that_can_not_be_read_is_told_of(story: Story) -> None:
    shown = text(story, Queue("queue.yaml", None, "queue.yaml: there is no such file"))
    assert "? queued" in shown
    assert "queue.yaml: there is no such file" in shown.splitlines()


def nasty(story: Story, command: str) -> None:
    story.begin()
    story.take(1)
    for attempt, node in enumerate(["[red]n\x1b[2J", "\u202en"], 1):
        story.tell(
            records.ATTEMPT_STARTED,
            job=1, attempt=attempt, node=node, index=7 + attempt, command=command, repeats=0,
        )  # fmt: skip


def test_other_peoples_texts_are_shown_and_not_obeyed(story: Story) -> None:
    nasty(story, "echo [bold]x[/bold] :smile: \x1b[31m\x07\x9b\rover\nsecond")
    shown = text(story)
    assert "echo [bold]x[/bold] :smile: \\x1b[31m\\x07\\x9b\\rover …" in shown
    assert "[red]n\\x1b[2J" in shown
    assert "\\u202en" in shown
    assert "second" not in shown
    assert all(one.isprintable() or one == "\n" for one in shown)


@pytest.mark.parametrize(
    ("command", "shown"),
    [("sleep 5\n", "sleep 5"), ("\n \nsleep 5\n\n", "sleep 5"), ("sleep 5\ndate", "sleep 5 …")],
)
def test_a_command_is_known_by_its_first_line(story: Story, command: str, shown: str) -> None:
    nasty(story, command)
    assert len(re.findall(rf"^1 .* {shown}$", text(story), re.M)) == 2


@pytest.mark.parametrize("width", [1, 10, 40, 80, 200])
def test_no_line_is_wider_than_the_terminal(story: Story, width: int) -> None:
    eventful(story)
    nasty(story, "echo 長い長い長い長い長い長い長い長い長い長い長い長い " * 3)
    drawn = io.StringIO()
    console = Console(file=drawn, width=width)
    console.print(overview(standing(story), datetime.now().astimezone(), width))
    assert max(map(cell_len, drawn.getvalue().splitlines())) <= width


def test_in_40_columns_the_jobs_can_still_be_told_apart(story: Story) -> None:
    eventful(story)
    drawn = io.StringIO()
    console = Console(file=drawn, width=40)
    console.print(overview(standing(story), datetime.now().astimezone(), 40))
    assert re.search(r"^8 +gpu-1 +0s +run 8", drawn.getvalue(), re.M)
    assert re.search(r"^2 +gpu-1 +exit status: 3 +run 2", drawn.getvalue(), re.M)


def test_what_stdout_can_not_encode_is_escaped(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    nasty(story, "echo é\n…")
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding="ascii"))
    terminal.show(standing(story))
    assert b"echo \\xe9 \\u2026" in raw.getvalue()


def test_times_are_told_as_people_do() -> None:
    zone = timezone(timedelta(hours=1))
    now = datetime(2024, 5, 6, 12, 0, tzinfo=zone)
    assert clock(now.replace(second=5), now) == "12:00:05"
    assert clock(now - timedelta(days=1), now) == "2024-05-05 12:00"
    assert [*map(duration, [-1, 0, 59.9, 60, 3_661, 90_000, 86_400])] == [
        "0s", "0s", "59s", "1m", "1h 1m", "1d 1h", "1d",
    ]  # fmt: skip
    assert moment(now.isoformat()) == now
    assert moment("long ago") is None


# The document.


def tables() -> Iterator[tuple[str, list[str]]]:
    """Yield what stands in front of each table of the page's second half, and its fields."""
    half = PAGE.split("## The JSON document")[1]
    for found in re.finditer(
        r"([^\n]*\n[^\n]*)\n\n\| field \| \|\n\|---\|---\|\n((?:\|.*\n)+)", half
    ):
        cells = [row.split("|")[1] for row in found[2].splitlines()]
        yield found[1], [name for cell in cells for name in re.findall("`([a-z_]+)`", cell)]


def documented(word: str) -> list[str]:
    (fields,) = [fields for before, fields in tables() if word in before]
    return fields


def test_every_field_is_on_the_page(story: Story) -> None:
    eventful(story)
    story.begin(OTHER)
    story.take(11, run=OTHER)
    story.end(OTHER)
    told = document(story)
    assert json.loads(json.dumps(told)) == told
    assert [*told] == documented("null.")
    assert [*told["runs"][0]] == documented("`runs`")
    assert [*told["runs"][0]["nodes"][0]] == documented("`nodes`")
    assert [*told["counts"]] == documented("`counts`; each")
    assert [*told["running"][0]] == documented("Each of `running`")
    for name in ("troubles", "earlier"):
        assert [*told[name][0]] == documented("all fields of the attempt")


def test_the_document_tells_of_all(story: Story) -> None:
    eventful(story)
    told = document(story)
    assert (told["version"], told["queue_file"], told["queued"]) == (1, "queue.yaml", 5)
    assert told["queue_problem"] is None
    (run,) = told["runs"]
    assert (run["run"], run["mode"], run["state"], run["pid"]) == (RUN, "queue", "on", 7)
    assert [(node["state"], node["job"]) for node in run["nodes"]] == [
        ("connected", 8), ("connected", None), ("unreachable", None),
    ]  # fmt: skip
    assert told["counts"] == {
        "taken": 1, "running": 1, "done": 1, "failed": 3, "lost": 2, "interrupted": 0,
        "cancelled": 1,
    }  # fmt: skip
    (running,) = told["running"]
    assert (running["job"], running["node"], running["pid"]) == (8, "gpu-1", 4711)
    states = ["failed", "signalled", "timed out", "lost", "unreachable"]
    assert [one["state"] for one in told["troubles"]] == states
    assert [one["kind"] for one in told["troubles"]] == ["failed"] * 3 + ["lost"] * 2
    assert told["troubles"][1]["exit_signal"] == "SEGV"


@pytest.mark.parametrize("how", ["on", "ended", "died"])
def test_the_state_of_a_run_is_a_word(story: Story, how: str) -> None:
    story.begin()
    if how == "ended":
        story.end()
    if how == "died":
        story.alive.clear()
    assert document(story)["runs"][0]["state"] == how


# The errand.


@pytest.fixture
def settings(story: Story) -> Settings:
    return Settings()


def shown(settings: Settings, capsys: pytest.CaptureFixture[str], **more: bool) -> str:
    errand.status(settings, **more)
    out, err = capsys.readouterr()
    assert err == ""
    return out


@pytest.mark.parametrize(
    ("content", "queued", "problem"),
    [
        ("- a\n- command: [b, c]\n  x: [1, 2]\n", 5, None),
        ("", 0, None),
        (None, None, "queue.yaml: there is no such file"),
        ("- a\n- []\n- b\n", 2, "queue.yaml:2:3: "),
        ("- a\n- [\n", None, "queue.yaml:"),
        ("- []\n- {}\n", 0, "(and 1 more: inv check lists them)"),
    ],
)
def test_the_queue_is_counted_as_far_as_it_can_be_read(
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
    content: str | None,
    queued: int | None,
    problem: str | None,
) -> None:
    Path("queue.yaml").unlink()
    if content is not None:
        Path("queue.yaml").write_text(content)
    told = json.loads(shown(settings, capsys, as_json=True))
    assert told["queued"] == queued
    assert (problem or "") in (told["queue_problem"] or "")
    assert bool(problem) == bool(told["queue_problem"])


def test_nothing_is_changed(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    Path("queue.yaml").write_text("- a\n")
    shown(settings, capsys)
    shown(settings, capsys, as_json=True)
    assert os.listdir() == ["queue.yaml"]


def test_a_queue_file_that_is_a_link_has_the_journal_of_the_real_one(
    story: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    story.begin()
    Path("link.yaml").symlink_to("queue.yaml")
    assert f"run {RUN}" in shown(Settings(queue_file="link.yaml"), capsys)


def test_json_and_watch_contradict_each_other(settings: Settings) -> None:
    with pytest.raises(SettingsError, match="choose one"):
        errand.status(settings, as_json=True, watch=True)


def test_a_journal_of_another_version_is_an_error(story: Story, settings: Settings) -> None:
    story.begin()
    story.journal.path.write_bytes(b'{"journal": "pegasus", "version": 9}\n')
    with pytest.raises(JournalError, match="version 9"):
        errand.status(settings)


class OverError(Exception):
    """The end of watching."""


class Rounds:
    """The time of the errand. It stands still, but for what happens between two looks."""

    def __init__(self) -> None:
        self.now = 0.0
        self.todo: list[Callable[[], object]] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, _: float) -> None:
        if not self.todo:
            raise OverError
        self.now += 1
        self.todo.pop(0)()


@pytest.fixture
def rounds(monkeypatch: pytest.MonkeyPatch) -> Rounds:
    made = Rounds()
    monkeypatch.setattr(errand, "time", made)
    return made


def test_watching_prints_again_when_something_has_changed(
    story: Story,
    settings: Settings,
    rounds: Rounds,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rounds.todo += [
        lambda: None,
        story.begin,
        lambda: None,
        lambda: Path("queue.yaml").write_text("- a\n- b\n"),
        lambda: None,
    ]
    with pytest.raises(OverError):
        errand.status(settings, watch=True)
    out = capsys.readouterr().out
    assert [*map(int, re.findall(r"^(\d) queued", out, re.M))] == [0, 0, 2]
    assert [len(re.findall(one, out)) for one in ("no run has used", f"run {RUN}")] == [1, 2]


def test_a_queue_that_takes_long_to_count_is_counted_less_often(
    story: Story,
    settings: Settings,
    rounds: Rounds,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counted: list[float] = []
    alike = QueueFile.alike

    def slowly(self: QueueFile, refuse: Any) -> Any:
        counted.append(rounds.now)
        rounds.now += 2
        return alike(self, refuse)

    monkeypatch.setattr(QueueFile, "alike", slowly)
    rounds.todo += [lambda: Path("queue.yaml").write_text("- a\n" * int(rounds.now))] * 50
    with pytest.raises(OverError):
        errand.status(settings, watch=True)
    assert counted[:3] == [0.0, 22.0, 44.0]
