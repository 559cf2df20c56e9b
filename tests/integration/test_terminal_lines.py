"""What stands on a real terminal of a run: lines that fit, in colours, whole, and none lost."""

from __future__ import annotations

import re
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import shouting
from emulator import Emulator
from project import Project, wait_until

from pegasus.terminal.lines.wrapping import columns

FAMILY = "👨‍👩‍👧"
LINES = {
    "plain": "the quick brown fox " * 12,
    "short": "short",
    "cjk": "漢字かな交じり文" * 12,
    "emoji": f"{FAMILY} 🇩🇪 👍🏽 ❤️ 🎉 " * 10,
    "combining": "e\u0301a\u0308o\u0302" * 40,
    "colours": "\x1b[31mred\x1b[1mbold\x1b[0mplain\x1b[44mblue" * 10,
}
EVIL = "\x1b[2J\x1b[H\x1b[10Acleared\x1b]0;title\x07 \x1b(0lqk\x1b[?25l\x1b[?1049h\x1b[31mred"
SGR = re.compile(r"\x1b\[[0-9;]*m")
LABEL = "localhost (k=a)"

Start = Callable[..., Emulator]


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[Emulator] = []

    def start(*arguments: str, **more: Any) -> Emulator:
        started.append(Emulator(arguments, **more))
        return started[-1]

    yield start
    for emulator in started:
        emulator.kill()


def printing(project: Project, *lines: str, nodes: str = "[a]") -> None:
    """Have a queue with a job that prints lines."""
    project.hosts(f"- hostname: localhost\n  k: {nodes}\n")
    project.write("lines.txt", "".join(f"{line}\n" for line in lines))
    project.queue("- cat lines.txt\n")


def inv(start: Start, project: Project, *arguments: str, **more: Any) -> Emulator:
    return start("-m", "invoke", *arguments, cwd=project.directory, **more)


def pieces(emulator: Emulator) -> list[str]:
    """Return what stands behind the node's prefix, in each row that has one."""
    prefix = f"[{LABEL}] "
    rows = [line for line in emulator.lines if line.startswith(prefix.strip())]
    return [row[len(prefix) :] for row in rows]


def squeezed(text: str) -> str:
    """Leave out what a screen can't tell: blanks at the end of a row, and what takes no column."""
    return re.sub("[\\s\u200d\ufe0f]", "", unicodedata.normalize("NFC", SGR.sub("", text)))


@pytest.mark.parametrize("width", [40, 80, 200])
def test_lines_are_wrapped_at_the_width_with_the_prefix_on_each_piece(
    project: Project, start: Start, width: int
) -> None:
    printing(project, *LINES.values())
    shown = inv(start, project, "queue", "--no-progress", columns=width)
    assert shown.wait() == 0
    ours = [row for row in shown.lines if not row.startswith("[pegasus]")]
    assert all(row.startswith(f"[{LABEL}]") for row in ours), "\n".join(ours)
    between = squeezed("".join(pieces(shown)))
    for line in LINES.values():
        assert squeezed(line) in between
    longest = max(columns(row) for row in ours)
    assert width - 1 <= longest <= width


def test_a_resize_is_followed(project: Project, start: Start) -> None:
    project.hosts("- hostname: localhost\n  k: [a]\n")
    project.queue("- cat line; until [ -e go ]; do sleep 0.02; done; cat line; echo end\n")
    project.write("line", "0123456789" * 12 + "\n")
    shown = inv(start, project, "queue", "--no-progress", columns=80)
    shown.wait_for(lambda: "0123456789" * 12 in "".join(pieces(shown)))
    before = [piece for piece in pieces(shown) if piece[0].isdigit()]
    assert [len(piece) for piece in before] == [62, 58]
    shown.resize(200)
    project.write("go", "")
    assert shown.wait() == 0
    assert "0123456789" * 12 in pieces(shown)


def test_colours_of_a_job_pass_and_do_not_leak(project: Project, start: Start) -> None:
    printing(project, "\x1b[31;1mred " + "x" * 100, "plain")
    shown = inv(start, project, "queue", "--no-progress", columns=80)
    assert shown.wait() == 0
    at = next(row for row, line in enumerate(shown.screen.display) if "] red" in line)
    column = len(f"[{LABEL}] ")
    for row, colour in ((at, "red"), (at + 1, "red"), (at + 2, "default")):
        cells = shown.screen.buffer[row]
        assert cells[column].fg == colour
        assert cells[0].fg not in ("red", "default")  # the node's own
        assert cells[0].fg == shown.screen.buffer[0][0].fg
    assert shown.lines[at + 2] == f"[{LABEL}] plain"


def test_each_node_has_its_colour_and_the_same_in_each_run(project: Project, start: Start) -> None:
    def colours(term: str = "xterm-256color", **env: str) -> list[str]:
        project.queue("- 'true'\n")
        shown = inv(start, project, "broadcast", columns=200, term=term, env=env)
        assert shown.wait() == 0
        # Each node says that it is there.
        rows = {line.split("]")[0]: row for row, line in enumerate(shown.lines) if "runs" in line}
        return [shown.screen.buffer[rows[label]][0].fg for label in sorted(rows)]

    project.hosts("- hostname: localhost\n  k: [a, b, c, d]\n")
    first = colours()
    assert len(set(first)) == 4
    assert "default" not in first
    assert colours() == first
    assert set(colours(NO_COLOR="1")) == {"default"}
    assert set(colours(term="dumb")) == {"default"}


@pytest.mark.parametrize("width", [40, 200])
@pytest.mark.parametrize("options", [(), ("--group",), ("--quiet",), ("--gather",)])
def test_failures_stand_out(
    project: Project, start: Start, options: tuple[str, ...], width: int
) -> None:
    project.hosts("- hostname: localhost\n  k: [a, b]\n")
    project.queue("- '[ {{ k }} = a ]'\n")
    shown = inv(start, project, "broadcast", *options, columns=width)
    assert shown.wait() == 5

    def red(text: str) -> list[str]:
        """Return the rows that say so, and all of which behind the label is red."""
        return [
            row
            for number, row in enumerate(shown.lines)
            if text in row
            and all(
                shown.screen.buffer[number][column].fg == "red"
                for column in range(row.index("] ") + 2, len(row))
            )
        ]

    assert len(red("done (exit")) == ("--gather" not in options)
    assert red("job 1: localhost (k=b)") if width == 200 else red("job 1:")
    assert red("1 of 2 commands failed:")
    assert not red("exit status: 0")
    assert not red("wall time")
    assert not red("to retry")


def test_nothing_moves_the_cursor_or_clears_the_screen(project: Project, start: Start) -> None:
    printing(project, "first", EVIL, "last")
    shown = inv(start, project, "queue", "--no-progress", columns=80)
    assert shown.wait() == 0
    assert shown.screen.title == ""
    assert pieces(shown)[2:5] == ["first", "cleared lqkred", "last"]
    assert not shown.screen.cursor.hidden


def test_what_is_no_terminal_gets_what_the_job_wrote(project: Project) -> None:
    printing(project, EVIL, *LINES.values())
    run = project.run("queue", env={"COLUMNS": "40", "NO_COLOR": "", "FORCE_COLOR": ""})
    shown = [line for line in run.out.split("\n") if "===" not in line]
    assert shown == [*(f"[{LABEL}] {line}" for line in (EVIL, *LINES.values())), ""]
    project.queue("- cat lines.txt\n")
    forced = project.run("queue", env={"FORCE_COLOR": "1", "NO_COLOR": ""})
    assert f"m[{LABEL}]\x1b[0m short\n" in forced.out


def test_stderr_in_a_file_is_not_fitted_to_the_terminal(project: Project, start: Start) -> None:
    project.hosts("- hostname: localhost\n  k: [a]\n")
    line = "x" * 100
    project.write("line", f"{line}\n")
    project.queue("- cat line; cat line >&2\n")
    shown = start(
        "-c",
        "import os, sys; os.dup2(os.open('err', os.O_WRONLY | os.O_CREAT), 2);"
        "os.execv(sys.executable, [sys.executable, '-m', 'invoke', 'queue'])",
        cwd=project.directory,
        columns=80,
    )
    assert shown.wait() == 0
    assert f"[{LABEL}] {line}\n" in project.read("err")
    assert "\x1b" not in project.read("err")
    assert [piece for piece in pieces(shown) if set(piece) == {"x"}] == ["x" * 62, "x" * 38]


def test_quietly_what_fails_and_the_summary_are_all(project: Project) -> None:
    project.hosts("- localhost\n")
    project.queue("- echo fine\n- echo broken; exit 3\n")
    run = project.run("queue", "--quiet")
    assert run.process.returncode == 5
    assert run.out.splitlines() == [
        "[localhost] === run 'echo broken; exit 3' === (job 2)",
        "[localhost] === done (exit status: 3) === (job 2)",
    ]
    assert "runs here" not in run.err
    assert "failed" in run.err


def test_every_nth_line_or_none(project: Project) -> None:
    printing(project, *map(str, range(1, 10)))
    assert re.findall(r"\] (\d)$", project.run("queue", "--print-period", "4").out, re.M) == [
        "4",
        "8",
    ]
    project.queue("- cat lines.txt\n")
    frames = project.run("queue", "--print-period", "0").out.splitlines()
    assert [line.partition("=== ")[2][:4] for line in frames] == ["run ", "done"]


def test_a_job_that_is_cut_off_shows_what_was_held(project: Project) -> None:
    project.hosts("- localhost\n")
    project.queue("- echo held; touch there; sleep 100\n")
    run = project.start("queue", "--group")
    wait_until(lambda: project.exists("there"), "the job")
    project.run("stop", "--now")
    run.wait()
    assert run.out.splitlines()[:2] == [
        "[localhost] === run 'echo held; touch there; sleep 100' === (job 1)",
        "[localhost] held",
    ]


def test_grouped_output_of_jobs_at_once_does_not_mix(project: Project) -> None:
    project.hosts("- hostname: localhost\n  k: [1, 2, 3, 4]\n")
    project.queue("- for i in 1 2 3 4 5; do echo {{ k }}; sleep 0.05; done\n")
    run = project.run("broadcast", "--group")
    labels = [line.split("]")[0] for line in run.out.splitlines()]
    assert len(labels) == 4 * 7
    assert all(len(set(labels[at : at + 7])) == 1 for at in range(0, len(labels), 7))


BOTTOM = re.compile(rb"\x1b\[\?7l=+\x1b\[\?7h\r\r\x1b\[J")


@pytest.mark.parametrize("width", [40, 80, 200])
def test_100_000_lines_of_16_nodes_come_out_whole(start: Start, width: int) -> None:
    each = 6250
    shown = start(shouting.__file__, str(each), "bottom", columns=width, is_drawn=False)
    assert shown.wait() == 0
    raw, lines = BOTTOM.sub(b"", shown.raw), 0
    joined = joined_pieces(raw.decode())
    for node in range(shouting.NODES):
        found = joined[f"node-{node:02}"]
        lines += len(found)
        out = [line for line in found if not line[3:9].endswith("9")]
        err = [line for line in found if line[3:9].endswith("9")]
        assert out == [shouting.line(node, n) for n in range(each) if n % 10 != 9]
        assert err == [shouting.line(node, n) for n in range(each) if n % 10 == 9]
    assert lines == 100_000
    assert {row.count("[") for row in SGR.sub("", raw.decode()).splitlines()} == {1}


def joined_pieces(text: str) -> dict[str, list[str]]:
    """Return the lines of each node, which end with a dot, put together from their pieces.

    The pieces of a line come one after another, and nothing of another node between them.
    """
    joined: dict[str, list[str]] = {}
    line, last = "", ""
    for row in SGR.sub("", text).splitlines():
        label, _, piece = row.partition("] ")
        assert label[0] == "[", row
        assert not line or label == last, row
        line, last = line + piece, label
        if line.endswith("."):
            joined.setdefault(label[1:], []).append(line)
            line = ""
    assert not line
    return joined


def test_100_000_lines_go_through_a_pipe() -> None:
    done = subprocess.run(
        [sys.executable, shouting.__file__, "6250", "bottom"], capture_output=True, check=True
    )
    assert done.stdout.count(b"\n") == 90_000
    assert done.stderr.count(b"\n") == 10_000
    assert len(set(done.stdout.splitlines())) == 90_000
    assert b"\x1b" not in done.stdout + done.stderr


def test_a_screen_with_a_line_at_the_bottom_keeps_each_row(start: Start) -> None:
    shown = start(shouting.__file__, "40", "bottom", columns=120, rows=1500)
    assert shown.wait() == 0
    joined = joined_pieces("\n".join(shown.lines))
    for node in range(shouting.NODES):
        found = sorted(joined[f"node-{node:02}"])
        assert found == [shouting.line(node, number) for number in range(40)]


@pytest.mark.parametrize("width", [80, 200])
def test_a_run_on_16_nodes_comes_out_whole_above_its_progress(
    project: Project, start: Start, width: int
) -> None:
    project.hosts(f"- hostname: localhost\n  k: [{', '.join(f'n{n:02}' for n in range(16))}]\n")
    project.queue(
        "- 'i=0; while [ $i -lt 50 ]; do echo {{ k }} line $i.; echo {{ k }} error $i. >&2;"
        " i=$((i+1)); done'\n"
    )
    shown = inv(start, project, "broadcast", columns=width, rows=2500)
    assert shown.wait() == 0
    rows = [row for row in shown.lines if re.search(r"\d\.$", row)]
    expected = {
        f"[localhost (k=n{node:02})] n{node:02} {kind} {number}."
        for node in range(16)
        for number in range(50)
        for kind in ("line", "error")
    }
    assert len(rows) == len(expected)
    assert set(rows) == expected
