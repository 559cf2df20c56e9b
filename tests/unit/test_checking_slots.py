"""What a check says of slots: where jobs would run, with which, and which jobs fit no node."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pegasus.checking import Checked, check_files, check_queue
from pegasus.errors import QueueFileError
from pegasus.files.queuefile import QueueFile
from pegasus.model import Options
from pegasus.terminal.errands.checked import show

Check = Callable[..., Checked]

NONE = Options()
HOSTS = """\
- hostname: big
  slots: 8
- hostname: odd
  slots: [1, 2, 3]
- small
"""


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Check:
    monkeypatch.chdir(tmp_path)

    def check(queue: str, hosts_text: str = HOSTS, allocation: str = "first_fit") -> Checked:
        Path("hosts.yaml").write_text(hosts_text)
        Path("queue.yaml").write_text(queue)
        file = QueueFile(Path("queue.yaml"), Path("consumed.yaml"))
        return check_files(Path("hosts.yaml"), file, allocation=allocation)

    return check


def shown(checked: Checked, capsys: pytest.CaptureFixture[str], **how: bool) -> str:
    found = {"show_all": False, "as_json": False} | how
    unfit = checked.unfit()
    show(checked, checked.in_turn(NONE), checked.total(), unfit=unfit, **found)
    return capsys.readouterr().out


def turns(checked: Checked) -> list[str]:
    return [f"{node.label}: {plan.slots}" for node, plan in checked.in_turn(NONE)]


def test_jobs_are_shown_on_nodes_they_fit_with_what_they_would_get(check: Check) -> None:
    checked = check(
        "- a\n- {command: b, slots: 2}\n- {command: c, slots: 8}\n- {command: d, slots: 2}\n"
        "- {command: e, options: {on: '*m*'}}\n- {command: f, slots: 0}\n"
    )
    assert checked.ok
    assert turns(checked) == ["big: 0", "odd: 2,3", "big: 0,1,2,3,4,5,6,7", "odd: 2,3",
                              "small: 0", "big: "]  # fmt: skip
    assert (checked.unfit(), checked.total()) == ([], 6)


def test_jobs_that_fit_no_node_are_no_problem_but_they_are_said(check: Check) -> None:
    checked = check(
        "- a\n- {command: b, x: [1, 2], slots: 16}\n- {command: c, options: {on: gone}}\n"
        "- {command: d, slots: 16}\n"
    )
    checked.require()
    assert [(one.jobs, str(one.place), one.problem) for one in checked.unfit()] == [
        (3, "queue.yaml:2:3", "this needs 16 slots, and no node has more than 8"),
        (1, "queue.yaml:3:3", "no node matches `on: gone`"),
    ]
    assert turns(checked) == ["big: 0"]
    assert checked.total() == 1


def test_a_broadcast_gives_all_slots_and_asks_for_nothing_but_on(check: Check) -> None:
    checked = check("- {command: a, slots: 16}\n- {command: b, options: {on: 'big,odd'}}\n- "
                    "{command: c, options: {on: gone}}\n")  # fmt: skip
    found = [f"{node.label}: {plan.command} {plan.slots}" for node, plan in checked.on_each(NONE)]
    assert found == [
        "big: a 0,1,2,3,4,5,6,7", "odd: a 1,2,3", "small: a 0",
        "big: b 0,1,2,3,4,5,6,7", "odd: b 1,2,3",
    ]  # fmt: skip
    assert checked.total(on_each=True) == len(found)
    assert [one.problem for one in checked.unfit(on_each=True)] == ["no node matches `on: gone`"]


def test_slots_that_are_yet_to_be_counted_may_be_enough(check: Check) -> None:
    checked = check("- {command: a, slots: 4}\n", "- {hostname: g, slots: gpus}\n")
    assert checked.unfit() == []
    ((_, plan),) = checked.in_turn(NONE)
    assert str(plan.slots) == "0,1,2,3"
    ((_, plan),) = checked.on_each(NONE)
    assert str(plan.slots) == "0"


def test_the_policy_of_the_run_counts(check: Check) -> None:
    text = "- {command: a, slots: 2}\n"
    odd = "- {hostname: n, slots: [1, 2]}\n"
    assert check(text, odd).unfit() == []
    (unfit,) = check(text, odd, "buddy").unfit()
    assert "side by side" in unfit.problem
    (problem,) = check("- {command: a, slots: 3}\n", odd, "buddy").problems
    assert str(problem.place) == "queue.yaml:1:23"
    assert check("- {command: a, slots: 3}\n", odd).ok


def test_the_check_before_a_run_is_for_its_policy(check: Check) -> None:
    nodes = check("- {command: a, slots: 3}\n").nodes
    queue = QueueFile(Path("queue.yaml"), Path("consumed.yaml"))
    with queue.lock.hold("a test"):
        check_queue(nodes, queue).require()
        with pytest.raises(QueueFileError, match="gives 1, 2, 4, 8"):
            check_queue(nodes, queue, "buddy").require()


def test_every_job_is_filled_for_the_node_that_it_fits(check: Check) -> None:
    template = "- \"{{#if (eq hostname 'small')}}{{ gone }}{{/if}}\"\n"
    assert [str(one.place) for one in check(f"- a\n- a\n{template}").problems] == [
        "queue.yaml:3:33"
    ]
    bound = template.replace("- ", "- {command: ").replace("\n", ", options: {on: '!small'}}\n")
    assert check(f"- a\n- a\n{bound}").ok
    assert check(f"- a\n- {{command: a, slots: 2}}\n{template}{template}").problems


def test_a_directory_that_comes_out_empty_is_found_for_each_job(check: Check) -> None:
    values = ", ".join(["v"] * 1200 + ["''"])
    text = f"- command: a\n  x: [{values}]\n  options:\n    cwd: '{{{{ x }}}}'\n"
    assert [str(one.place) for one in check(text).problems] == ["queue.yaml:4:11"]


def test_people_see_slots_variables_and_the_directory(
    check: Check, capsys: pytest.CaptureFixture[str]
) -> None:
    checked = check(
        "- {command: a, slots: 2, options: {timeout: 1m, env: {A: 'x {{ slots }}'}, cwd: /d}}\n"
        "- {command: b, slots: 0}\n- {command: c, slots: 9}\n- d\n"
    )
    assert shown(checked, capsys).splitlines() == [
        "3 nodes, 4 entries, 4 jobs",
        "queue.yaml:3:3: 1 job fits no node: this needs 9 slots, and no node has more than 8",
        "[big] a",
        "[big] # timeout 60 s, slots 0,1, cwd /d, env A=x 0,1",
        "[odd] b",
        "[odd] # slots none",
        "[small] d",
    ]


def test_json_has_slots_variables_and_the_directory(
    check: Check, capsys: pytest.CaptureFixture[str]
) -> None:
    checked = check(
        "- {command: a, slots: 2, options: {env: {A: x}, cwd: /d}}\n"
        "- {command: b, x: [1, 2], slots: 9, options: {on: big}}\n"
    )
    document = json.loads(shown(checked, capsys, as_json=True))
    assert document["version"] == 1
    assert document["commands"] == [
        {
            "node": "big", "command": "a", "cancel": None, "timeout": None, "retries": 0,
            "slots": [0, 1], "env": {"PEGASUS_SLOTS": "0,1", "A": "x"}, "cwd": "/d",
        }
    ]  # fmt: skip
    assert document["unfit"] == [
        {
            "file": "queue.yaml", "line": 2, "column": 3, "jobs": 2, "slots": 9, "on": "big",
            "problem": "this needs 9 slots, and none that matches `on: big` has more than 8",
        }
    ]  # fmt: skip


def test_while_there_are_problems_nothing_is_said_of_what_fits(
    check: Check, capsys: pytest.CaptureFixture[str]
) -> None:
    checked = check("- {command: c, slots: 9}\n- []\n")
    assert json.loads(shown(checked, capsys, as_json=True))["unfit"] == []
    assert "fits" not in shown(checked, capsys)
    assert check("- {command: c, slots: 9}\n", "- []\n").unfit() == []
