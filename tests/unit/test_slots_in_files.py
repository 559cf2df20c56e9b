"""The reserved key `slots` in both files, and what old files get that had a parameter so called."""

from __future__ import annotations

from pathlib import Path

import pytest
from queuefiles import PARSERS, consumed, queue

from pegasus.errors import HostsFileError, PlacedError, QueueFileError
from pegasus.files import hosts, reader
from pegasus.files.entries import HOSTS, QUEUE, Entry, Kind, read
from pegasus.files.source import Source
from pegasus.model import Job, Need, Node


@pytest.fixture(autouse=True, params=PARSERS)
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "LOADER", request.param)


def entries(text: str, kind: Kind = QUEUE) -> list[Entry]:
    return [*read(Source(text.encode(), "f.yaml", kind.error), kind)]


def failure(text: str, kind: Kind = QUEUE) -> PlacedError:
    with pytest.raises(kind.error) as caught:
        entries(text, kind)
    return caught.value


def nodes(tmp_path: Path, text: str) -> list[Node]:
    (tmp_path / "hosts.yaml").write_text(text)
    return hosts.load(tmp_path / "hosts.yaml")


@pytest.mark.parametrize(
    ("value", "indices"),
    [
        ("1", (0,)),
        ("8", tuple(range(8))),
        ("'3'", (0, 1, 2)),
        ("4096", tuple(range(4096))),
        ("[0, 1, 3]", (0, 1, 3)),
        ("[3, 0, 1]", (0, 1, 3)),
        ("[8, 1]", (1, 8)),
        ("[0]", (0,)),
        ("[5]", (5,)),
        ("\n    - '7'\n    - 2", (2, 7)),
        ("gpus", None),
    ],
)
def test_a_node_has_a_number_of_slots_or_those_that_are_listed_or_its_gpus(
    tmp_path: Path, value: str, indices: tuple[int, ...] | None
) -> None:
    found = nodes(tmp_path, f"- hostname: n-[1-2]\n  slots: {value}\n  x: [a, b]\n- other\n")
    assert [node.slots for node in found] == [indices] * 4 + [(0,)]
    assert [node.label for node in found[:2]] == ["n-1 (x=a)", "n-1 (x=b)"]
    assert [node.has_gpus for node in found] == [indices is None] * 4 + [False]


@pytest.mark.parametrize(
    ("value", "slots"),
    [("2", 2), ("[2]", 2), ("\n  - '4'", 4), ("0", 0), ("[0]", 0), ("4096", 4096), ("1", 1)],
)
def test_a_job_needs_a_number_of_slots(value: str, slots: int) -> None:
    first, second = entries(f"- command: a\n  slots: {value}\n  x: [1, 2]\n- b\n")
    assert (first.slots, first.need, list(first.params)) == (slots, Need(slots), ["x"])
    assert first.size == 2
    assert (second.slots, second.need) == (None, Need(1))


@pytest.mark.parametrize(
    ("value", "column", "says"),
    [
        ("0", 10, "a node has 1 slot or more"),
        ("4097", 10, "a node has 4,096 slots at most"),
        ("two", 10, "a number, a list of numbers such as [0, 1, 3], or `gpus`, and not 'two'"),
        ("gpu", 10, "or `gpus`, and not 'gpu'"),
        ("-1", 10, "and not '-1'"),
        ("1.5", 10, "and not '1.5'"),
        ("²", 10, "and not '²'"),
        ("''", 10, "and not ''"),
        ("[0, 4096]", 14, "slots have numbers from 0 to 4095, and so none is 4096"),
        ("[0, 1, 01]", 17, "slot 1 stands here twice"),
        ("[gpus]", 11, "'gpus' is none; write `slots: gpus`"),
        ("[0-3]", 11, "as in [0, 1, 3]; '0-3' is none"),
        ("['0,1', '2,3']", 11, "as in [0, 1, 3]; '0,1' is none"),
        ("[a, b]", 11, "'a' is none"),
        ("{a: b}", 10, "nested too deep"),
        ("[]", 10, "an empty list"),
    ],
)
def test_what_is_wrong_with_the_slots_of_a_node_is_said(value: str, column: int, says: str) -> None:
    error = failure(f"- hostname: n\n  slots: {value}\n", HOSTS)
    assert str(error).startswith(f"f.yaml:2:{column}: ")
    assert says in error.problem


@pytest.mark.parametrize(
    ("value", "column", "says"),
    [
        ("[1, 2, 4]", 11, "how many slots each job of the entry needs: one number"),
        ("['0,1', '2,3']", 11, "one number"),
        ("4097", 10, "a node has 4,096 slots at most"),
        ("two", 10, "how many slots a job needs: 0, 1, 2 or more, and not 'two'"),
        ("[-1]", 11, "and not '-1'"),
        ("'{{ n }}'", 10, "and not '{{ n }}'"),
        ("gpus", 10, "`slots: gpus` is for hosts.yaml"),
        ("99999999999", 10, "and not '99999999999'"),
    ],
)
def test_what_is_wrong_with_the_slots_of_a_job_is_said(value: str, column: int, says: str) -> None:
    for text in ("- command: a\n  slots: {}\n", "- a\n- slots: {}\n"):
        error = failure(text.format(value))
        assert str(error).startswith(f"f.yaml:2:{column}: ")
        assert says in error.problem


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("- hostname: n\n  slots: ['0,1', '2,3']\n", HOSTS, "gpu_ids"),
        ("- hostname: n\n  slots: fast\n", HOSTS, "gpu_ids"),
        ("- hostname: n\n  slots: [1, 1]\n", HOSTS, "gpu_ids"),
        ("- hostname: n\n  slots: [5000, 5001]\n", HOSTS, "gpu_ids"),
        ("- hostname: n\n  slots: 5000\n", HOSTS, "gpu_ids"),
        ("- command: a {{ slots }}\n  slots: [1, 2, 4]\n", QUEUE, "gpu_count"),
        ("- command: a {{ slots }}\n  slots: '0,1'\n", QUEUE, "gpu_count"),
    ],
)
def test_who_had_a_parameter_called_slots_is_told_what_to_do(
    text: str, kind: Kind, name: str
) -> None:
    problem = failure(text, kind).problem
    assert problem.endswith(
        "if it is a parameter of yours, call it something else, such as "
        f"`{name}` here and {{{{ {name} }}}} in templates"
    )


@pytest.mark.parametrize("kind", [HOSTS, QUEUE], ids=["hosts", "queue"])
@pytest.mark.parametrize("value", ["2", "[1, 2]", "x"])
def test_no_parameter_is_called_slot_count(kind: Kind, value: str) -> None:
    error = failure(f"- {kind.key}: a\n  slot_count: {value}\n", kind)
    assert str(error).startswith("f.yaml:2:3: templates have the number of a job's slots under")
    assert "call the parameter something else" in error.problem


def test_a_host_name_is_not_filled_with_slots(tmp_path: Path) -> None:
    with pytest.raises(HostsFileError, match=r"no parameter `slots`: .* such as `gpu_ids`"):
        nodes(tmp_path, "- {hostname: 'n{{ slots }}', slots: [1, 2]}\n")


def test_slots_may_stand_below_the_command() -> None:
    (entry,) = entries("- run\n- slots: [2]\n- x: [1, 2]\n  options: {timeout: 2h}\n")
    assert (entry.slots, list(entry.params), entry.options.timeout) == (2, ["x"], 7200)
    assert entry.slots_source
    assert str(entry.slots_place) == "f.yaml:2:11"


@pytest.mark.parametrize("slots", ["0", "1", "2", "[2]"])
def test_slots_come_once_over_all_that_belongs_to_an_entry(slots: str) -> None:
    error = failure(f"- {{command: a, slots: {slots}}}\n- slots: 2\n")
    assert str(error).startswith("f.yaml:2:3: `slots` has values in the entry above already")
    assert "in the entry above already" in failure("- a\n- slots: 2\n- slots: 2\n").problem


def test_slots_alone_are_no_entry() -> None:
    assert failure("- slots: 2\n").problem.startswith("there is no `command` beside `slots`")
    assert failure("- a\n- slots: 2\n", HOSTS).problem.startswith("there is no `hostname` beside")


def test_aliases_stand_for_slots() -> None:
    text = "- {command: a, slots: &s 2, x: &l [4]}\n- {command: b, slots: *s }\n"
    found = entries(text + "- {command: c, slots: *l }\n")
    assert [entry.slots for entry in found] == [2, 2, 4]


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("- {command: a, slots: 3, options: {allocation: buddy}}\n", 23),
        ("- {command: a, slots: [12], options: {allocation: buddy}}\n", 24),
        ("- {command: a, options: {allocation: buddy}}\n- slots: 3\n", 10),
        ("- {command: a, slots: 3}\n- options: {allocation: buddy}\n", 23),
    ],
)
def test_a_size_that_buddy_never_gives_is_refused(text: str, column: int) -> None:
    error = failure(text)
    assert error.place
    assert error.place.column == column
    assert "`allocation: buddy` gives 1, 2, 4, 8, … slots, and never" in error.problem
    assert "write 2 or 4, or `allocation: first_fit`" in error.problem or "12" in text


@pytest.mark.parametrize("slots", [0, 1, 2, 4, 8, 1024])
def test_powers_of_two_and_none_are_sizes_for_buddy(slots: int) -> None:
    (entry,) = entries(f"- {{command: a, slots: {slots}, options: {{allocation: buddy}}}}\n")
    assert entry.need == Need(slots, "", "buddy")


def test_what_is_said_of_gpus_must_not_contradict_itself() -> None:
    text = "- {{hostname: n, slots: {}, options: {{gpus: {}}}}}\n"
    assert "`slots: gpus` says that" in failure(text.format("gpus", "false"), HOSTS).problem
    for slots, gpus in [("gpus", "true"), ("8", "false"), ("[0]", "true")]:
        assert entries(text.format(slots, gpus), HOSTS)


def test_a_job_keeps_its_slots_where_an_entry_is_taken_apart() -> None:
    options = "\n  options: {env: {K: v}, on: 'a-*'}"
    with queue(f"- command: run\n  x: [1, 2, 3]\n  slots: [2]{options}\n- last\n") as file:
        (first,) = file.take(1)
        assert (first.slots, first.need) == (2, Need(2, "a-*"))
        assert file.path.read_text().startswith(
            "- command:\n  - run\n  x:\n  - '2'\n  slots:\n  - 2\n"
            "  options:\n    env:\n      K: v\n    'on': a-*\n"
        )
        rest = file.take(9)
        assert [job.need for job in rest] == [first.need, first.need, Need()]
        assert [job.options for job in rest[:2]] == [first.options] * 2
        assert consumed(file) == [first, *rest]


def test_a_job_with_other_slots_is_another_job() -> None:
    with queue("- a\n- {command: a, slots: 1}\n- {command: a, slots: 2}\n") as file:
        first, second, third = file.take(3)
        file.put_back([third])
        file.put_back([second])
        assert [(job.id, job.slots) for job in file.take(2)] == [(2, 1), (3, 2)]
        file.path.write_text("- {command: a, slots: 1}\n- a\n")
        file.put_back([first], at_end=True)
        assert [job.id for job in file.take(9)] == [4, 1, 5]


def test_a_wrong_number_leaves_the_file_alone() -> None:
    with queue("- a\n- {command: b, slots: [1, 2]}\n") as file:
        with pytest.raises(QueueFileError, match=":2:24: `slots` is how many"):
            file.take(1)
        assert consumed(file) == []


def test_jobs_that_only_say_one_are_not_those_that_say_nothing() -> None:
    assert Job("a", slots=1) != Job("a")
    assert Job("a", slots=1).need == Job("a").need
