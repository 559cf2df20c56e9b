"""What a report says of a run: the numbers, the rows, the page, and where it is written."""

from __future__ import annotations

import base64
import builtins
import hashlib
import html
import json
import os
import re
import stat
import subprocess
import sys
from configparser import ConfigParser
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from longrun import RUN as LONG
from longrun import LongRun
from story import NODES, OTHER, RUN, Story, job

from pegasus.errands import report as errand
from pegasus.errors import NoSuchJobError, PegasusError, StorageError
from pegasus.journal import records
from pegasus.journal.records import job_fields, node_fields
from pegasus.model import Host, Node
from pegasus.report import figures
from pegasus.report.account import Account, Row
from pegasus.report.clock import text
from pegasus.report.head import head, nodes, status
from pegasus.report.lanes import Band, Lanes, Stretch
from pegasus.report.page import BEGINNING, page
from pegasus.report.spread import GROUPS, POINTS, choices
from pegasus.report.table import COMMAND, FIELDS, address, slots, table
from pegasus.report.utilisation import curve, total, united
from pegasus.settings import Settings

ROOT = Path(__file__).parents[2]
ZONE = timezone(timedelta(hours=2))
NOON = datetime(2024, 5, 1, 12, tzinfo=ZONE)


def at(seconds: float, zone: timezone = ZONE) -> str:
    moment = (NOON + timedelta(seconds=seconds)).astimezone(zone)
    return moment.isoformat(timespec="milliseconds")


class Run:
    """Tells of a run, each thing at a time: seconds since it began."""

    def __init__(self, story: Story) -> None:
        self.story = story

    def tell(self, seconds: float, event: str, run: str = RUN, **fields: Any) -> None:
        self.story.journal.append({"event": event, "at": at(seconds), "run": run, **fields})

    def begin(self, mode: str = "queue", among: list[Node] = NODES, run: str = RUN) -> None:
        about = {"mode": mode, "pid": 7, "host": "here", "user": "me", "settings": {}}
        self.tell(0, records.RUN_STARTED, run, **about, nodes=[*map(node_fields, among)])

    def end(self, seconds: float, status: int = 0, interrupted: int | None = None) -> None:
        self.tell(seconds, records.RUN_ENDED, exit_status=status, interrupted=interrupted)
        self.story.alive.discard(RUN)

    def take(self, seconds: float, number: int, run: str = RUN, attempts: int = 0) -> None:
        mark = f"{number:04x}{attempts:04x}"
        fields = [job_fields(job(number, attempts))]
        self.tell(seconds, records.JOBS_TAKEN, run, commit=mark, jobs=fields, consumed={})

    def start(
        self, seconds: float, number: int, attempt: int = 1, node: int = 0, **more: Any
    ) -> None:
        fields = {"node": NODES[node].label, "index": node, "repeats": 0, **more}
        fields = {"command": f"run {number}", **fields}
        self.tell(seconds, records.ATTEMPT_STARTED, job=number, attempt=attempt, **fields)

    def finish(
        self, seconds: float, number: int, outcome: str = "succeeded", attempt: int = 1,
        again: bool = False,
    ) -> None:  # fmt: skip
        exit_status = {"succeeded": 0, "failed": 3}.get(outcome)
        fields = {"exit_status": exit_status, "exit_signal": None, "detail": "", "again": again}
        sizes = {"stdout": 11, "stderr": 22, "unlogged": 0}
        self.tell(
            seconds, records.ATTEMPT_ENDED,
            job=number, attempt=attempt, outcome=outcome, **fields, **sizes,
        )  # fmt: skip

    def account(self, run: str = RUN, now: float = 100) -> Account:
        history = self.story.history
        history.catch_up()
        return Account(history, history.runs[run], "queue.yaml", NOON + timedelta(seconds=now))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    return Run(Story(tmp_path))


def told(account: Account) -> list[tuple[int, int, str, int]]:
    return [(row.job, row.attempt, row.state, row.duration) for row in account.rows]


# The numbers.


def test_a_run_that_has_ended_is_told_with_its_times(run: Run) -> None:
    run.begin()
    run.take(1, 1)
    run.start(2, 1)
    run.finish(7, 1)
    run.take(3, 2)
    run.start(4, 2, node=1)
    run.finish(9, 2, "failed")
    run.end(10, 5)
    account = run.account()
    assert told(account) == [(1, 1, "succeeded", 5000), (2, 1, "failed", 5000)]
    assert (account.wall, account.job_time) == (10_000, 10_000)
    assert account.utilisation == pytest.approx(10 / 30)
    assert account.jobs == {"succeeded": 1, "failed": 1}
    assert text(account.begin) == "2024-05-01 12:00:00"
    assert account.zone == "UTC+02:00"
    assert status(account) == "ended with status 5"


def test_what_runs_now_has_run_until_now(run: Run) -> None:
    run.begin()
    run.take(0, 1)
    run.start(40, 1)
    run.take(50, 2)
    account = run.account(now=100)
    assert told(account) == [(1, 1, "running", 60_000), (2, 0, "taken", 0)]
    assert account.jobs == {"running": 1, "taken": 1}
    assert account.wall == 100_000
    assert "still on" in status(account)


def test_what_a_dead_run_has_left_ran_until_the_last_that_is_known_of_it(run: Run) -> None:
    run.begin()
    run.take(0, 1)
    run.start(10, 1)
    run.take(0, 2)
    run.start(20, 2, node=1)
    run.finish(35, 2)
    run.take(0, 3)
    run.story.alive.clear()
    account = run.account(now=9999)
    assert told(account) == [
        (1, 1, "interrupted", 25_000), (2, 1, "succeeded", 15_000), (3, 0, "interrupted", 0),
    ]  # fmt: skip
    assert account.rows[2].why == "interrupted before it began"
    assert account.wall == 35_000
    assert "died" in status(account)


def test_what_never_started_has_kept_no_node_busy(run: Run) -> None:
    run.begin()
    run.take(0, 1)
    run.start(5, 1)
    run.tell(9, records.NEVER_STARTED, job=1, attempt=1, step="session", problem="no shell")
    run.tell(9, records.JOBS_REQUEUED, commit="ff", jobs=[job_fields(job(1))], consumed={})
    run.end(10, 4)
    account = run.account()
    assert [(row.state, row.why) for row in account.rows] == [("never started", "no shell")]
    assert account.jobs == {"queued": 1}
    assert account.job_time == 0
    assert account.utilisation == 0


def test_a_job_that_was_run_again_is_as_its_last_attempt(run: Run) -> None:
    run.begin()
    run.take(0, 1)
    run.start(1, 1)
    run.finish(2, 1, "failed", again=True)
    run.start(3, 1, attempt=2, repeats=1)
    run.finish(5, 1, attempt=2)
    run.end(6)
    account = run.account()
    assert account.jobs == {"succeeded": 1}
    assert account.attempts == {"failed": 1, "succeeded": 1}
    assert account.rows[0].why == "exit status: 3; run again"


def test_a_broadcast_has_an_attempt_for_each_node_and_a_job_for_all(run: Run) -> None:
    run.begin("broadcast")
    run.take(0, 1)
    for node, outcome in enumerate(["succeeded", "lost", "succeeded"]):
        run.start(1, 1, attempt=node + 1, node=node)
        run.finish(4, 1, outcome, attempt=node + 1)
    run.end(5, 4)
    account = run.account()
    assert account.jobs == {"lost": 1}
    assert [row.node for row in account.rows] == [0, 1, 2]
    assert account.utilisation == pytest.approx(9 / 15)


def test_what_later_runs_have_made_of_a_job_does_not_change_what_a_run_did(run: Run) -> None:
    run.begin()
    run.take(0, 1)
    run.start(1, 1)
    run.finish(2, 1, "failed")
    run.end(3, 5)
    run.begin(run=OTHER)
    run.take(50, 1, run=OTHER, attempts=1)
    run.tell(
        51, records.ATTEMPT_STARTED, OTHER,
        job=1, attempt=2, node=NODES[0].label, index=0, command="x", repeats=0,
    )  # fmt: skip
    run.finish(60, 1, attempt=2)
    account = run.account()
    assert told(account) == [(1, 1, "failed", 1000)]
    assert account.jobs == {"failed": 1}
    assert account.wall == 3000
    assert run.account(OTHER).jobs == {"succeeded": 1}


def test_times_grow_evenly_where_summer_time_ends(run: Run) -> None:
    run.begin()
    run.take(0, 1)
    run.start(0, 1)
    later = {"outcome": "succeeded", "exit_status": 0}
    run.story.journal.append({
        "event": records.ATTEMPT_ENDED, "at": at(60, timezone(timedelta(hours=1))), "run": RUN,
        "job": 1, "attempt": 1, **later,
    })  # fmt: skip
    account = run.account()
    assert account.rows[0].duration == 60_000
    assert not account.is_backward


def test_a_clock_that_was_set_back_is_told_and_nothing_takes_less_than_no_time(run: Run) -> None:
    run.begin()
    run.take(0, 1)
    run.start(100, 1)
    run.finish(40, 1)
    run.end(50)
    account = run.account()
    assert account.is_backward
    assert told(account) == [(1, 1, "succeeded", 0)]
    assert "clock was set back" in head(account)
    figures.timeline(account)


def test_a_node_that_was_never_reached_was_not_to_be_had(run: Run) -> None:
    run.begin()
    run.tell(1, records.NODE_UNREACHABLE, node="gpu-3", index=2, step="auth", problem="no <key>")
    run.take(0, 1)
    run.start(0, 1)
    run.finish(10, 1)
    run.end(10)
    account = run.account()
    assert account.utilisation == pytest.approx(1 / 2)
    assert "unreachable: no &lt;key&gt;" in nodes(account)


def test_a_run_without_jobs_has_a_report_too(run: Run) -> None:
    run.begin()
    run.end(0)
    account = run.account()
    assert account.utilisation is None
    assert "has taken no job" in head(account)
    assert b"Run 0000000a" in page(account, Path("logs"), Path())


def test_attempts_of_nodes_that_the_journal_has_lost_are_shown(run: Run) -> None:
    run.take(0, 1)
    run.start(1, 1, node=2)
    run.finish(2, 1)
    account = run.account()
    assert [node.node.label for node in account.nodes] == ["gpu-3"]
    assert account.rows[0].node == 0


# How busy nodes were.


def test_spans_are_put_together() -> None:
    spans = united([(5, 9), (0, 2), (2, 3), (6, 7), (20, 20)])
    assert spans == [(0, 3), (5, 9), (20, 20)]
    assert total(spans) == 7


@pytest.mark.parametrize("steps", [1, 7, 40])
def test_a_curve_has_the_same_area_as_its_spans(steps: int) -> None:
    spans = [(0, 100), (3, 4), (10, 55), (30, 30), (99, 100)]
    means = curve(spans, 0, 100, steps)
    assert len(means) == steps
    assert sum(means) * 100 / steps == pytest.approx(total(spans), abs=0.05)


def test_a_curve_says_how_many_spans_hold() -> None:
    assert curve([(0, 10), (5, 10), (8, 9)], 0, 10, 10) == [1] * 5 + [2, 2, 2, 3, 2]


# Durations.


def spread_of(tmp_path: Path, jobs: int, nodes: int) -> Account:
    story = Story(tmp_path)
    LongRun(tmp_path, jobs, nodes).write()
    story.history.catch_up()
    return Account(story.history, story.history.runs[LONG], "queue.yaml", NOON)


def test_durations_are_divided_by_what_varies(tmp_path: Path) -> None:
    account = spread_of(tmp_path, 400, 3)
    found = {choice.name or choice.kind: choice for choice in choices(account)}
    assert [*found] == ["model", "lr", "bs", "seed", "gpu", "node"]
    assert [group.label for group in found["bs"].groups] == ["8", "16", "32", "64"]
    medians = [group.succeeded.median for group in found["model"].groups if group.succeeded]
    assert medians == sorted(medians)
    assert sum(
        box.number for group in found["lr"].groups for box in (group.succeeded, group.failed) if box
    ) == 400  # fmt: skip


def many(run: Run, values: list[str]) -> Account:
    run.begin()
    for number, value in enumerate(values, 1):
        fields = {**job_fields(job(number)), "params": {"x": value}, "template": "run {{ x }}"}
        run.tell(0, records.JOBS_TAKEN, commit=f"{number:08x}", jobs=[fields], consumed={})
        run.start(number, number)
        run.finish(number + number / 10, number)
    return run.account(now=9999)


def test_many_numbers_become_ranges(run: Run) -> None:
    (choice,) = choices(many(run, [str(number / 10) for number in range(100, 0, -1)]))
    assert len(choice.groups) <= GROUPS
    assert choice.groups[0].label == "0.1 – 0.5"
    assert choice.groups[-1].label == "9.6 – 10.0"


def test_of_many_words_the_commonest_are_told_apart(run: Run) -> None:
    (choice,) = choices(many(run, [*(f"w{number}" for number in range(60)), "w59", "w59"]))
    assert len(choice.groups) == GROUPS
    assert choice.groups[-1].label == f"{60 - GROUPS + 1} others"
    assert "w59" in [group.label for group in choice.groups]


def test_few_durations_are_all_shown_and_many_as_quartiles(run: Run) -> None:
    (choice,) = choices(many(run, ["a", *["b"] * 101]))
    few, lots = (group.succeeded for group in choice.groups)
    assert few
    assert lots
    assert (few.low, few.median, few.high, [*few.points]) == (100, 100, 100, [0])
    assert (lots.first, lots.median, lots.third) == (2700, 5200, 7700)
    assert [*lots.points] == []


def test_outliers_are_shown_one_by_one_but_not_all_of_too_many(tmp_path: Path) -> None:
    account = spread_of(tmp_path, 3000, 8)
    boxes = [group.succeeded for choice in choices(account) for group in choice.groups]
    assert any(box and box.points for box in boxes)
    assert all(len(box.points) <= POINTS for box in boxes if box)
    for box in filter(None, boxes):
        lengths = [account.rows[place].duration for place in box.points]
        assert all(not box.low <= length <= box.high for length in lengths)


# The page.

NASTY = '</script><script>alert(1)</script><img src=x onerror=alert(1)> %{x} & "q" \x1b[2J\u202e'


def nasty(run: Run) -> Account:
    among = [Node(0, Host(NASTY, NASTY), (("<b>k</b>", NASTY),))]
    run.begin(among=among)
    fields = {**job_fields(job(1)), "params": {NASTY: NASTY}, "template": NASTY}
    run.tell(0, records.JOBS_TAKEN, commit="a", jobs=[fields], consumed={})
    run.start(1, 1, command=NASTY, node=0)
    run.tell(2, records.ATTEMPT_ENDED, job=1, attempt=1, outcome="lost", detail=NASTY)
    run.tell(3, records.NODE_LOST, node=among[0].label, index=0, problem=NASTY)
    run.end(3, 4)
    return run.account()


def test_what_users_wrote_is_text_and_never_markup(run: Run) -> None:
    written = page(nasty(run), Path("logs"), Path()).decode()
    without_scripts = re.sub(r"<script>.*?</script>", "", written, flags=re.S)
    assert "alert(1)" in without_scripts
    assert "<img" not in without_scripts
    assert "<script>" not in without_scripts
    assert "\x1b" not in without_scripts
    assert "\u202e" not in without_scripts


def test_labels_of_charts_are_shown_as_they_are(run: Run) -> None:
    drawn = json.dumps(figures.timeline(nasty(run)).to_plotly_json())
    assert "<" not in drawn.replace("<extra></extra>", "")
    assert html.unescape(figures.literal("<b>&amp;%{x}</b>")) == "<b>&amp;%{x}</b>"
    assert len(figures.literal("x" * 99)) == figures.LABEL


def test_only_the_scripts_of_the_page_may_run_and_nothing_is_fetched(run: Run) -> None:
    written = page(nasty(run), Path("logs"), Path()).decode()
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', written)
    scripts = re.findall(r"<script>(.*?)</script>", written, re.S)
    hashes = [base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in scripts]
    assert len(hashes) == 2
    allowed = " ".join(f"'sha256-{one}'" for one in hashes)
    assert policy == (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline';"
        " img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    outside = re.sub(r"<script.*?</script>", "", written, flags=re.S)
    assert re.findall(r"<[^>]*\s(?:src|href)\s*=|url\(|@import", outside) == []


def test_texts_stand_in_it_once_and_not_at_any_length(run: Run) -> None:
    run.begin("broadcast")
    run.take(0, 1)
    long = "echo " + "x" * 2 * COMMAND
    for node in range(3):
        run.start(1, 1, attempt=node + 1, node=node, command=long)
        run.finish(2, 1, attempt=node + 1)
    data = table(run.account(), "logs/", {"1.2.out", "1.2.err", "1.3.err"})
    assert [text for text in data["texts"] if text.startswith("echo")] == [
        long[:COMMAND] + f" … ({len(long) - COMMAND:,} more characters)"
    ]
    assert [row[FIELDS.index("logs")] for row in data["rows"]] == [0, 3, 2]


def test_a_large_run_makes_no_large_file(tmp_path: Path) -> None:
    account = spread_of(tmp_path, 1000, 16)
    assert len(page(account, Path("logs"), Path())) < 5_500_000


@pytest.mark.parametrize(
    ("folder", "beside", "expected"),
    [
        (".pegasus/q.yaml/logs", ".", ".pegasus/q.yaml/logs/"),
        (".pegasus/q.yaml/logs", "reports/may", "../../.pegasus/q.yaml/logs/"),
        (".pegasus/50% #1?.yaml/logs", ".", ".pegasus/50%25%20%231%3F.yaml/logs/"),
        (".pegasus/a:b\udcff.yaml/logs", ".", ".pegasus/a%3Ab%FF.yaml/logs/"),
    ],
)
def test_links_lead_from_where_the_page_stands(
    tmp_path: Path, folder: str, beside: str, expected: str
) -> None:
    assert address(tmp_path / folder, tmp_path / beside) == expected


# Where it is written.


@pytest.fixture
def settings(run: Run) -> Settings:
    run.begin()
    run.take(0, 1)
    run.start(1, 1)
    run.finish(2, 1)
    run.end(3)
    return Settings()


def test_it_is_written_beside_the_queue_for_its_owner_alone(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    path = errand.report(settings)
    assert path == Path("report-0000000a.html")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("[pegasus] report-0000000a.html written: run 0000000a, 1 attempt (")


def test_a_report_is_written_over_and_keeps_its_mode(settings: Settings) -> None:
    Path("mine.html").touch(0o644)
    for _ in range(2):
        assert errand.report(settings, "mine.html") == Path("mine.html")
    assert Path("mine.html").read_text().startswith(BEGINNING)
    assert stat.S_IMODE(Path("mine.html").stat().st_mode) == 0o644


def test_what_is_no_report_is_not_written_over(settings: Settings) -> None:
    Path("queue.yaml").write_text("- echo precious\n")
    with pytest.raises(StorageError, match="is no report; name another file, or remove it"):
        errand.report(settings, "queue.yaml")
    assert Path("queue.yaml").read_text() == "- echo precious\n"
    with pytest.raises(StorageError, match="not an ordinary file"):
        errand.report(settings, os.devnull)
    with pytest.raises(StorageError, match="check the path"):
        errand.report(settings, "nowhere/x.html")


def test_in_a_folder_it_has_the_name_of_its_run(settings: Settings) -> None:
    Path("reports").mkdir()
    assert errand.report(settings, "reports") == Path("reports/report-0000000a.html")
    written = Path("reports/report-0000000a.html").read_text()
    assert '"logs":"../.pegasus/queue.yaml/logs/"' in written


def test_it_may_go_to_stdout(settings: Settings, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert errand.report(settings, "-") is None
    assert capfdbinary.readouterr().out.startswith(BEGINNING.encode())
    assert [*Path().glob("report*")] == []


def test_another_run_is_named_by_its_id(settings: Settings, run: Run) -> None:
    run.begin(run=OTHER)
    assert errand.report(settings) == Path("report-0000000b.html")
    assert errand.report(settings, run=RUN) == Path("report-0000000a.html")
    with pytest.raises(NoSuchJobError, match="no run 12; there are: 0000000a, 0000000b"):
        errand.report(settings, run="12")


def test_without_any_run_there_is_nothing_to_report(run: Run) -> None:
    with pytest.raises(NoSuchJobError, match="no run has begun yet"):
        errand.report(Settings())


def test_dry_says_what_would_be_written(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert errand.report(settings, dry=True) is None
    assert "would write report-0000000a.html: run 0000000a, 1 attempt" in capsys.readouterr().err
    assert [*Path().glob("report*")] == []


def test_without_plotly_one_line_says_how_to_get_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *more: Any, **named: Any) -> Any:
        if name.split(".")[0] == "plotly":
            raise ModuleNotFoundError("No module named 'plotly'", name=name)
        return real(name, *more, **named)

    for name in [name for name in sys.modules if name.startswith(("plotly", "pegasus.report"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr("pegasus.report.page", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(PegasusError) as caught:
        errand.report(settings)
    assert caught.value.exit_status == 1
    assert str(caught.value).endswith("pip install plotly")
    assert "\n" not in str(caught.value)


def test_the_task_ends_with_a_line_and_a_status(settings: Settings) -> None:
    Path("tasks.py").write_text("from pegasus.tasks import ns\n")
    inv = [sys.executable, "-m", "invoke", "report"]
    done = subprocess.run([*inv, "-o", "may.html", "--run", RUN], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
    assert Path("may.html").exists()
    done = subprocess.run([*inv, "--run", "12"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "[pegasus] there is no run 12; there are: 0000000a\n"
    done = subprocess.run([*inv, "-o", "-"], capture_output=True)
    assert done.returncode == 0
    assert done.stdout.startswith(BEGINNING.encode())


def test_all_files_of_the_page_are_installed() -> None:
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    patterns = setup["options.package_data"]["pegasus.report"].replace(" ", "").split(",")
    folder = ROOT / "pegasus" / "report"
    packed = {path for pattern in patterns for path in folder.glob(pattern)}
    rest = {path for path in folder.iterdir() if path.suffix != ".py" and path.is_file()}
    assert packed == rest != set()


def test_a_row_without_times_has_no_duration() -> None:
    row = Row(1, 0, None, "taken", "taken", None, None, "x", "x", ())
    assert (row.duration, row.has_run) == (0, False)


# Slots.

GPUS = [Node(index, node.host, slots=tuple(range(8))) for index, node in enumerate(NODES)]


def shared(run: Run, mode: str = "queue") -> Account:
    """A run on nodes of eight slots, of which the first has six attempts and the others none."""
    run.begin(mode, among=GPUS[:2])
    run.tell(0, records.NODE_CONNECTED, node="gpu-1", index=0, slots=[*range(8)])
    begun: list[tuple[float, float, list[int]]] = [
        (0, 10, [0, 1, 2, 3]),
        (0, 5, [4]),
        (0, 10, [5, 7]),
        (0, 10, []),
        (1, 4, []),
        (5, 10, []),
    ]
    for number, (begin, _, given) in enumerate(begun, 1):
        run.take(0, number)
        run.start(begin, number, slots=given)
    for number, (_, end, _) in enumerate(begun, 1):
        run.finish(end, number)
    run.end(10)
    return run.account()


def test_slots_are_busy_as_long_as_attempts_have_them(run: Run) -> None:
    account = shared(run)
    assert account.has_slots
    assert account.job_time == 10_000 + 5_000 + 10_000 + 10_000 + 3_000 + 5_000
    assert [total(node.spans) for node in account.nodes] == [40_000 + 5_000 + 20_000, 0]
    assert account.utilisation == pytest.approx(65 / 160)
    assert "<dt>slots</dt><dd>16</dd>" in head(account)
    assert "utilisation of the slots" in head(account)
    told = nodes(account)
    assert ">slots</th>" in told
    assert ">slot time</th>" in told
    assert '<td class="number">8</td><td class="number">81%</td>' in told
    assert "1m 5s" in told


def test_an_attempt_is_drawn_over_the_lanes_of_its_slots(run: Run) -> None:
    account = shared(run)
    lanes = Lanes(account)
    # Eight slots and two lanes for those that need none; then the other node.
    assert lanes.bands == [Band(0.0, 10, 8), Band(10.6, 8, 8)]
    assert lanes.height == 18.6
    places = {row.job: lanes.of(place) for place, row in enumerate(account.rows)}
    assert places == {
        1: [Stretch(1.5, 4)],
        2: [Stretch(4.0, 1)],
        3: [Stretch(5.0, 1), Stretch(7.0, 1)],
        4: [Stretch(8.0, 1)],
        5: [Stretch(9.0, 1)],
        6: [Stretch(9.0, 1)],  # The lane of the one that has ended.
    }


def test_the_chart_has_a_bar_for_each_stretch_and_a_ground_for_each_node(run: Run) -> None:
    figure = figures.timeline(shared(run)).to_plotly_json()
    (bars,) = (trace for trace in figure["data"] if trace["type"] == "bar")
    assert sorted(zip(bars["y"], bars["width"], strict=True)) == [
        *[(1.5, 3.85), (4.0, 0.85), (5.0, 0.85), (7.0, 0.85)],
        *[(8.0, 0.85), (9.0, 0.85), (9.0, 0.85)],
    ]
    assert [(one["y0"], one["y1"]) for one in figure["layout"]["shapes"]] == [
        (-0.5, 7.5),
        (pytest.approx(10.1), pytest.approx(18.1)),
    ]
    assert figure["layout"]["yaxis"]["title"]["text"] == "busy slots"
    assert figure["layout"]["yaxis2"]["tickvals"] == pytest.approx([4.5, 14.1])


def test_a_node_of_a_broadcast_is_one_lane(run: Run) -> None:
    account = shared(run, "broadcast")
    lanes = Lanes(account)
    assert [band.own for band in lanes.bands] == [1, 1]
    assert lanes.of(0) == [Stretch(0.0, 1)]


def test_nodes_of_one_slot_are_drawn_without_gaps_and_grounds(run: Run) -> None:
    run.begin()
    run.take(0, 1)
    run.start(0, 1, node=1)
    run.finish(10, 1)
    run.end(10)
    account = run.account()
    lanes = Lanes(account)
    assert not account.has_slots
    assert [band.top for band in lanes.bands] == [0, 1, 2]
    assert lanes.of(0) == [Stretch(1.0, 1)]
    figure = figures.timeline(account).to_plotly_json()
    assert not figure["layout"].get("shapes")
    assert figure["layout"]["yaxis"]["title"]["text"] == "busy nodes"
    assert "slot" not in head(account) + nodes(account)


def test_the_table_says_which_slots_an_attempt_had_where_that_tells_something(run: Run) -> None:
    account = shared(run)
    said = [slots(account, row) for row in sorted(account.rows, key=lambda row: row.job)]
    assert said == ["slots 0-3", "slot 4", "slots 5, 7", "no slot", "no slot", "no slot"]
    written = table(account, "logs/", frozenset())
    assert {written["texts"][row[FIELDS.index("slots")]] for row in written["rows"]} == {*said}
    plain = replace(account.rows[0], node=1)
    account.nodes[1] = replace(account.nodes[1], slots=(0,))
    assert slots(account, plain) == ""


def test_nodes_that_came_and_went_are_told_so(run: Run) -> None:
    run.begin(among=NODES[:2])
    run.tell(1, records.NODE_ADDED, **node_fields(NODES[2]))
    run.tell(1, records.NODE_CONNECTED, node="gpu-3", index=2, slots=[0])
    run.tell(2, records.NODE_DRAINED, node="gpu-3", index=2, removed=True)
    run.tell(1, records.NODE_CONNECTED, node="gpu-1", index=0, slots=[0])
    run.tell(2, records.NODE_DRAINED, node="gpu-1", index=0, removed=False)
    told = nodes(run.account())
    assert "<td>added later, removed</td>" in told
    assert "<td>drained</td>" in told
