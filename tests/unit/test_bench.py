"""The frame of the benchmarks: verdicts, turns, what is written of them, and their page."""

from __future__ import annotations

import itertools
import json
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

import benchmarks
from benchmarks import EXPERIMENTS, MORE, ROOT, __main__, machine, results
from benchmarks.comparing import faster, longer, times_faster
from benchmarks.lab import FailedError, Lab
from benchmarks.measuring import Row, Verdict, alternate, at_least, at_most, not_run

PAGE = ROOT / "docs" / "performance.md"

#: What experiments are made of.
PARTS = {
    "__init__",
    "__main__",
    "comparing",
    "lab",
    "machine",
    "measuring",
    "original",
    "results",
    "running",
    "slow_link",
}


def result_of(*rows: Row) -> dict[str, object]:
    outcome = results.Outcome("queue", "many jobs", 1.5, 0.25, rows)
    facts = {"machine": machine.facts(), "notes": ["A note."], "repetitions": 5}
    return results.document([outcome], **facts, began="2024-03-12T09:30:00+01:00", seconds=61.0)


def shown(figure: float) -> str:
    return f"{figure:g}"


def test_a_limit_itself_is_within_it() -> None:
    assert at_most(2.0, 2.0) is Verdict.REACHED
    assert at_most(2.1, 2.0) is Verdict.MISSED
    assert at_least(2.0, 2.0) is Verdict.REACHED
    assert at_least(1.9, 2.0) is Verdict.MISSED


def test_deeds_are_done_in_turn() -> None:
    done = []
    deeds = {name: lambda name=name: done.append(name) for name in "abc"}

    alternate(deeds, 2)

    assert done == ["a", "b", "c", "a", "b", "c"]


def test_a_deed_has_its_own_figure_or_else_its_time_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = itertools.count(step=0.5)
    monkeypatch.setattr("benchmarks.measuring.time.perf_counter", lambda: next(clock))

    found = alternate({"own": lambda: 7.0, "timed": lambda: None}, 2)

    assert found == {"own": [7.0, 7.0], "timed": [0.5, 0.5]}


def test_rates_and_times_are_compared_by_their_medians() -> None:
    ours, theirs = [1.0, 2.0, 90.0], [4.0, 1.0, 4.0]

    assert faster("rate", 0.6, ours, theirs, shown) == Row(
        "rate",
        "≥ 0.6 ×",
        "0.50 × (2 / 4)",
        Verdict.MISSED,
        {"ours": ours, "theirs": theirs, "ratio": 0.5},
    )
    assert longer("time", 0.6, ours, theirs, shown).verdict is Verdict.REACHED
    assert times_faster("time", 2.1, ours, theirs, shown).verdict is Verdict.MISSED
    assert times_faster("time", 2.0, ours, theirs, shown).figure == "2.00 × (2 / 4)"
    assert longer("time", None, ours, theirs, shown).verdict is Verdict.MEASURED


def test_the_json_has_what_is_to_be_known(tmp_path: Path) -> None:
    path = tmp_path / "new" / "results.json"
    row = Row("a | b", "≤ 2 s", "1 s", Verdict.REACHED, {"seconds": [1.0]})

    results.write(path, result_of(row, not_run("c", "≥ 3 ×", "not installed")))
    result = results.read(path)

    assert result["version"] == results.VERSION
    assert result["machine"]["cores"] > 0
    assert result["machine"]["libraries"]["paramiko"]
    assert result["experiments"] == [
        {
            "name": "queue",
            "title": "many jobs",
            "seconds": 1.5,
            "load": 0.25,
            "rows": [
                {
                    "what": "a | b",
                    "target": "≤ 2 s",
                    "figure": "1 s",
                    "verdict": "reached",
                    "numbers": {"seconds": [1.0]},
                },
                {
                    "what": "c",
                    "target": "≥ 3 ×",
                    "figure": "not installed",
                    "verdict": "not run",
                    "numbers": {},
                },
            ],
        }
    ]


def test_json_of_another_form_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"version": results.VERSION + 1}))

    with pytest.raises(ValueError, match="version 2"):
        results.read(path)


def test_publishing_replaces_the_table_and_no_other_word(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- figures -->\nold\n<!-- end of figures -->\n## queue\nafter\n")

    results.publish(result_of(Row("a | b", "≤ 2 s", "1 s", Verdict.REACHED)), page)
    once = page.read_text()
    results.publish(result_of(Row("a | b", "≤ 2 s", "1 s", Verdict.REACHED)), page)

    assert page.read_text() == once
    assert once.startswith("before\n<!-- figures -->\n")
    assert once.endswith("\n<!-- end of figures -->\n## queue\nafter\n")
    assert "| [queue](#queue) | a \\| b | ≤ 2 s | 1 s | reached |\n" in once
    assert "A note." in once
    assert "old" not in once


@pytest.mark.parametrize(
    "text", ["", "<!-- figures -->", "<!-- end of figures --><!-- figures -->"]
)
def test_a_page_without_a_place_for_the_table_is_left_alone(text: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)

    with pytest.raises(ValueError, match="must have"):
        results.publish(result_of(), page)

    assert page.read_text() == text


def test_every_experiment_can_be_named() -> None:
    modules = {path.stem for path in (ROOT / "benchmarks").glob("*.py")}

    assert modules - PARTS == {*EXPERIMENTS, *MORE}


@pytest.mark.parametrize("name", [*EXPERIMENTS, *MORE])
def test_an_experiment_has_a_title_and_measures_and_is_told_of(name: str) -> None:
    module = import_module(f"benchmarks.{name}")

    assert module.TITLE
    assert callable(module.measure)
    assert f"\n### {name}\n" in PAGE.read_text()


def test_the_page_has_the_table_of_the_last_run() -> None:
    assert results.table(results.read(__main__.RESULTS)) in PAGE.read_text()


@pytest.fixture
def experiment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str, str], None]:
    """Make an experiment of a name that yields a row, and does something else behind it."""

    def make(name: str, behind: str) -> None:
        (tmp_path / f"{name}.py").write_text(
            "from benchmarks.measuring import Row, Verdict\n"
            "TITLE = 'a test'\n"
            "def measure(lab):\n"
            "    yield Row('one', '', '1 s', Verdict.MEASURED)\n"
            f"    {behind}\n"
        )
        path = [*benchmarks.__path__, str(tmp_path)]
        monkeypatch.setattr("benchmarks.__path__", path)
        monkeypatch.setattr(__main__, "KNOWN", (name,))

    return make


def test_a_failing_experiment_leaves_a_row_that_says_so(
    experiment: Callable[[str, str], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    experiment("fails_in_a_test", r"raise OSError('no more\nlines')")
    target = tmp_path / "out.json"
    monkeypatch.setattr(sys, "argv", ["bench", "fails_in_a_test", "--json", str(target)])

    status = __main__.main()

    assert status == 0
    rows = results.read(target)["experiments"][0]["rows"]
    assert [(row["what"], row["figure"], row["verdict"]) for row in rows] == [
        ("one", "1 s", "measured"),
        ("the rest", "OSError: no more", "not run"),
    ]
    assert "  one  " in capsys.readouterr().out


def test_a_missed_target_sets_the_status(
    experiment: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment("misses_in_a_test", "yield Row('two', '≤ 0 s', '1 s', Verdict.MISSED)")
    monkeypatch.setattr(sys, "argv", ["bench", "misses_in_a_test"])

    assert __main__.main() == 1


def test_an_unknown_experiment_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["bench", "nosuch"])

    assert __main__.main() == 2
    assert "no experiment: nosuch; there are queue, " in capsys.readouterr().out


def test_the_lab_runs_programs_and_says_what_they_took() -> None:
    with Lab() as lab:
        directory = lab.directory()
        run = lab.run(directory, "sh", "-c", "echo out; echo err >&2; exit 3", status=3)

        assert (run.output.read_text(), run.errors.read_text()) == ("out\n", "err\n")
        assert run.status == 3
        assert run.wall > 0
        assert run.rss > 0
    assert not directory.exists()


def test_what_a_lab_has_started_ends_with_it() -> None:
    with Lab() as lab:
        process = lab.start(lab.directory(), "sleep", "600")

    assert process.returncode == -signal.SIGKILL


def test_the_lab_stamps_the_lines_of_what_it_watches() -> None:
    with Lab() as lab:
        lines = lab.watch(lab.directory(), "sh", "-c", "echo one; echo two")
        with pytest.raises(FailedError, match="exit status 3"):
            lab.watch(lab.directory(), "sh", "-c", "exit 3")

    assert [line for _, line in lines] == [b"one\n", b"two\n"]
    assert lines[0][0] <= lines[1][0]


def test_the_lab_has_programs_run_as_people_run_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "INVOKE_PEGASUS_TIMEOUT"):
        monkeypatch.setenv(name, "1")
    with Lab() as lab:
        run = lab.run(lab.directory(), "env")

        names = {line.partition("=")[0] for line in run.output.read_text().splitlines()}
    assert {name for name in names if name.startswith(("PYTHON", "INVOKE"))} == {"PYTHONPATH"}
