"""What is told after a round of a broadcast: a line for each distinct result."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from pegasus import events
from pegasus.events import RoundEnded, RunStarted
from pegasus.model import Attempt, Ending, Host, Job, Node, Outcome
from pegasus.settings import Settings
from pegasus.terminal.printer import Printer
from pegasus.terminal.rounds.results import LISTED, Rounds, results
from pegasus.terminal.screen import Screen

JOB = Job("make", id=3)


def node(number: int) -> Node:
    name = f"node-{number}"
    return Node(number, Host(name, name))


def ended(*endings: Ending) -> RoundEnded:
    """A round, node by node from node-1 on."""
    pairs = enumerate(endings, start=1)
    return RoundEnded(JOB, tuple((Attempt(n, JOB, node(n), "make"), one) for n, one in pairs))


OK, BAD = Ending.exited(0), Ending.exited(1)


def refused(why: str) -> Ending:
    return Ending(Outcome.UNREACHABLE, detail=why)


def shown(event: RoundEnded, mode: str = "broadcast", **told: Any) -> str:
    err = io.StringIO()
    screen = Screen(io.StringIO(), err)
    settings = Settings(**told)
    rounds = Rounds(screen, Printer(screen, quiet=settings.quiet), settings, Path())
    rounds(RunStarted("r", mode, 7, "here", "me", {}, tuple(node(n) for n in range(1, 4))))
    rounds(event)
    return err.getvalue()


def test_nodes_with_the_same_result_are_one_line_with_success_first() -> None:
    endings = [refused("no route"), *[BAD] * 2, OK, *[BAD] * 59, Ending.exited(2)]
    assert results(ended(*endings)) == [
        "job 3: node-4: exit status: 0",
        "job 3: node-[2-3,5-63] (61): exit status: 1",
        "job 3: node-1: unreachable: no route",
        "job 3: node-64: exit status: 2",
    ]


def test_nodes_that_failed_for_different_reasons_are_told_apart() -> None:
    assert results(ended(refused("no route"), refused("no key"), refused("no route"))) == [
        "job 3: node-[1,3] (2): unreachable: no route",
        "job 3: node-2: unreachable: no key",
    ]


def test_a_thousand_reasons_are_not_a_thousand_lines() -> None:
    endings = [OK, *(refused(f"reason {number}") for number in range(LISTED)), *[BAD] * 2]
    assert results(ended(*endings)) == [
        "job 3: node-1: exit status: 0",
        "job 3: node-[2-21] (20): unreachable",
        "job 3: node-[22-23] (2): exit status: 1",
    ]


def test_what_a_server_says_stays_on_its_line() -> None:
    assert results(ended(refused("a\nb\x1b[2J"))) == [r"job 3: node-1: unreachable: a\nb\x1b[2J"]


def test_results_go_to_stderr_as_our_messages_do() -> None:
    assert shown(ended(OK, OK)) == "[pegasus] job 3: node-[1-2] (2): exit status: 0\n"


def test_of_one_node_its_own_lines_say_it_all() -> None:
    assert shown(ended(BAD)) == ""


def test_a_round_that_began_nowhere_says_nothing() -> None:
    assert shown(RoundEnded(JOB, ())) == ""
    assert shown(RoundEnded(JOB, ()), gather=True) == ""


def test_quiet_shows_rounds_with_failures_only() -> None:
    assert shown(ended(OK, OK), quiet=True) == ""
    assert shown(ended(OK, BAD), quiet=True).count("[pegasus] job 3:") == 2


def test_other_events_go_to_the_printer() -> None:
    out = io.StringIO()
    screen = Screen(out, io.StringIO())
    rounds = Rounds(screen, Printer(screen), Settings(gather=True), Path())
    # In queue mode, gathering is not meant.
    rounds(RunStarted("r", "queue", 7, "here", "me", {}, (node(1),)))
    attempt = Attempt(1, JOB, node(1), "make")
    rounds(events.AttemptStarted(attempt))
    rounds(events.Output(attempt, events.Stream.STDOUT, b"one\n"))
    assert out.getvalue() == "[node-1] === run 'make' === (job 3)\n[node-1] one\n"
