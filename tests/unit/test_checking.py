"""The check of both files: everything that is wrong, and what would be run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from peeking import peek
from queuefiles import MANY, standing

from pegasus.checking import Checked, check_files, check_queue
from pegasus.errors import PegasusError, ProblemsError, QueueFileError, StorageError
from pegasus.files.entries import QUEUE, Entry, read
from pegasus.files.queuefile import QueueFile
from pegasus.files.source import Source
from pegasus.files.tolerant import TolerantReader
from pegasus.files.validation import validate
from pegasus.lint import MOST, Linter
from pegasus.model import Host, Node, Options
from pegasus.terminal.errands.checked import problems_text, show

Check = Callable[..., Checked]

NONE = Options()
NODE = Node(0, Host("n", "n"))


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Check:
    monkeypatch.chdir(tmp_path)

    def check(queue: str | bytes | None, hosts_text: str | None = "- n\n") -> Checked:
        for name, text in (("hosts.yaml", hosts_text), ("queue.yaml", queue)):
            if text is not None:
                Path(name).write_bytes(text.encode() if isinstance(text, str) else text)
        return check_files(Path("hosts.yaml"), QueueFile(Path("queue.yaml"), Path("consumed.yaml")))

    return check


def places(checked: Checked) -> list[str]:
    """Where the problems are: file, line and column, without `.yaml`."""
    return [str(problem.place or problem.file).replace(".yaml", "") for problem in checked.problems]


def commands(checked: Checked) -> list[str]:
    return [f"{node.label}: {plan.command}" for node, plan in checked.in_turn(NONE)]


@pytest.mark.parametrize(
    ("queue", "found"),
    [
        ("- a\n", []),
        ("", []),
        ("- a {{ x }}\n- b\n- c {{ y }}\n", ["queue:1:5", "queue:3:5"]),
        ("- command: ['a {{ x', b, 'c {{ y }}']\n", ["queue:1:16", "queue:1:29"]),
        ("- [a]\n- []\n- {}\n- b {{ x }}\n", ["queue:1:3", "queue:2:3", "queue:3:3", "queue:4:5"]),
        ("- {command: a, options: {tmeout: 1}}\n- {command: }\n", ["queue:1:26", "queue:2:13"]),
        ("- {command: 'a {{x}}', options: {cancel: 'b {{y}}'}}\n", ["queue:1:16", "queue:1:45"]),
        ("- a\n- x: []\n- y: 1\n- b {{ x }}\n", ["queue:2:6", "queue:4:5"]),
        ('- command: []\n- x: 1\n- curl -H "A: b" u\n', ["queue:1:12", "queue:3:3"]),
        ("- x: 1\n- y: 2\n- a\n", ["queue:1:3"]),
        ('- a\n- curl -H "A: b" u\n- echo "C: d"\n', ["queue:2:3", "queue:3:3"]),
        ("- {command: [&x a, []]}\n- *x\n", ["queue:1:20"]),
        ("- {command: [[], &x a]}\n- *x\n- &x b\n- *x\n", ["queue:1:14", "queue:2:3"]),
        ("- &x {command: [[]]}\n- *x\n", ["queue:1:17", "queue:2:3"]),
        ("- a: b: c\n- d\n", ["queue:1:7"]),
        ("- a {{ x }}\n- []\n- 'b\n", ["queue:1:5", "queue:2:3", "queue:3:3"]),
        ("command: a\n", ["queue:1:1"]),
        ("- a {{ x }}\n---\n- b\n", ["queue:2:1"]),
        ("- a {{ x }}\n- x: []\n- y: 1\n- b {{ x }}\n", ["queue:2:6", "queue:4:5"]),
        ("- a {{ x }}\n- x: [1\n", ["queue:2:6"]),
        ("- a {{ x }}\n- command: []\n", ["queue:1:5", "queue:2:12"]),
        ("- x: 1\n- a: b: c\n", ["queue:1:3", "queue:2:7"]),
        (b"- a\n- b\xff\n", ["queue:2:4"]),
        (None, ["queue"]),
    ],
)
def test_all_that_is_wrong_in_the_queue_is_said_in_its_order(
    check: Check, queue: str | bytes | None, found: list[str]
) -> None:
    assert places(check(queue)) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("- n\n- gpu: 1\n- [x]\n- a b\n", ["hosts:2:3", "hosts:3:3", "hosts:4:3"]),
        ("- hostname: [a b, c, '-d', 'n{{ i }}']\n", ["hosts:1:14", "hosts:1:22", "hosts:1:30"]),
        ("- {hostname: 'n {{ i }}', i: [1, 2, 3]}\n", ["hosts:1:14"]),
        ("- {hostname: a b, options: {cancel: 'x {{#if}'}}\n", ["hosts:1:14", "hosts:1:40"]),
        ("- {hostname: n, options: {cancel: 'x {{ pid }}'}}\n", ["hosts:1:38"]),
        ("- n\n- 'm\n", ["hosts:2:3"]),
        ("", ["hosts"]),
        (None, ["hosts"]),
    ],
)
def test_all_that_is_wrong_with_the_hosts_comes_first(
    check: Check, text: str | None, found: list[str]
) -> None:
    checked = check("- a\n- [b]\n- c {{#if x}}\n", text)
    assert places(checked) == [*found, "queue:2:3", "queue:3:5"]
    assert not checked.ok


def test_what_fails_on_many_nodes_for_many_values_is_one_problem(check: Check) -> None:
    hosts_text = "- {hostname: n, a: [1, 2, 3]}\n- {hostname: n, b: [1, 2, 3]}\n- n\n"
    checked = check("- command: '{{ x }} {{ replace p q r }}'\n  p: [1, 2, 3]\n", hosts_text)
    assert places(checked) == ["queue:1:13", "queue:1:21", "queue:1:21"]
    assert "`x`" in checked.problems[0].text


def test_what_no_command_can_be_filled_with_is_said_once(check: Check) -> None:
    hosts_text = "- {hostname: n, options: {cancel: '{{ ', env: {A: '{{ x }}'}}}\n"
    checked = check("- a\n- b {{ to_upper_case hostname }}\n- {command: c, x: 1}\n", hosts_text)
    assert places(checked) == ["hosts:1:36", "hosts:1:52"]


def test_each_missing_parameter_of_a_template_is_said_with_those_there_are(check: Check) -> None:
    checked = check("- command: a {{ x }} {{ y }} {{ x }}\n  p: 1\n")
    assert [problem.text for problem in checked.problems] == [
        f"there is no parameter `{name}`; there are: p, hostname, slots, slot_count"
        for name in "xy"
    ]


def test_what_a_value_decides_is_not_guessed(check: Check) -> None:
    checked = check("- a {{#if (eq x 'b')}}{{ y }}{{else}}{{ z }}{{/if}}\n- '{{ lt x 5 }}'\n")
    assert places(checked) == ["queue:1:5", "queue:2:4"]


def test_behind_what_is_no_yaml_nothing_is_known(check: Check) -> None:
    (problem,) = check("- a\n- 'b\n- [c]\n").problems
    assert problem.text.endswith("; what comes behind it was not looked at")


@pytest.mark.parametrize(
    "queue",
    ["- &x {command: [[]]}\n- *x\n", "- &x a\n- {command: [[], &x b]}\n- *x\n"],
    ids=["begun", "set again"],
)
def test_what_a_wrong_entry_was_to_define_is_not_guessed(check: Check, queue: str) -> None:
    _, problem = check(queue).problems
    assert problem.text == "the entry above in which &x stands is wrong"


def test_every_job_is_filled_and_not_only_a_sample(check: Check) -> None:
    numbers = ", ".join(map(str, range(MOST + 10)))
    text = f"- command: 'a {{{{#if (eq n \"{MOST + 5}\")}}}}{{{{ gone }}}}{{{{/if}}}}'\n  n: "
    assert places(check(f"{text}[{numbers}]\n")) == ["queue:1:36"]
    assert check(f"{text}[{numbers.replace(str(MOST + 5), 'x')}]\n").ok


def test_every_job_is_filled_for_the_node_that_it_is_shown_on(check: Check) -> None:
    hosts_text = "- {hostname: n, gpu: [0, 1, 2]}\n"
    template = "- \"{{#if (eq gpu '2')}}{{ gone }}{{/if}}\"\n"
    assert places(check(f"- a\n- b\n{template}", hosts_text)) == ["queue:3:24"]
    assert check(f"- a\n{template}", hosts_text).ok


def test_hosts_that_are_all_wrong_are_not_said_to_be_none(check: Check) -> None:
    assert places(check("", "- [n]\n")) == ["hosts:1:3"]


def test_jobs_are_shown_as_if_the_nodes_took_turns(check: Check) -> None:
    checked = check(
        "- a {{ gpu }}\n- {command: 'b {{ x }}', x: [1, 2]}\n", "- {hostname: n, gpu: [0, 1]}\n"
    )
    assert (len(checked.nodes), len(checked.entries), checked.jobs) == (2, 2, 3)
    assert commands(checked) == ["n (gpu=0): a 0", "n (gpu=1): b 1", "n (gpu=0): b 2"]


def test_a_broadcast_shows_each_job_on_each_node(check: Check) -> None:
    checked = check("- a {{ gpu }}\n- b\n", "- {hostname: n, gpu: [0, 1]}\n")
    assert [plan.command for _, plan in checked.on_each(NONE)] == ["a 0", "a 1", "b", "b"]


def test_problems_are_raised_together_and_a_single_one_as_itself(check: Check) -> None:
    check("- a\n").require()
    with pytest.raises(QueueFileError, match=r"^queue\.yaml:1:5: there is no parameter `x`"):
        check("- a {{ x }}\n").require()
    with pytest.raises(ProblemsError) as caught:
        check("- a {{ x }}\n- []\n").require()
    first, *lines = str(caught.value).split("\n")
    assert first == "2 problems:"
    assert [line.split(": ")[0] for line in lines] == ["  queue.yaml:1:5", "  queue.yaml:2:3"]
    assert [type(error) for error in caught.value.errors] == [QueueFileError] * 2


def test_of_very_many_problems_the_first_are_listed(check: Check) -> None:
    with pytest.raises(ProblemsError) as caught:
        check("- []\n" * 50).require()
    lines = str(caught.value).split("\n")
    assert lines[0] == "50 problems:"
    assert len(lines) == 22
    assert lines[-1] == "  … and 30 more (inv check lists them)"


def test_a_file_that_can_not_be_read_is_a_problem(check: Check, tmp_path: Path) -> None:
    (tmp_path / "hosts.yaml").mkdir()
    checked = check("- a\n", None)
    assert [problem.file for problem in checked.problems] == ["hosts.yaml"]
    assert checked.problems[0].text.startswith("can't be read: ")
    with pytest.raises(StorageError):
        checked.require()


def test_nothing_is_locked_or_written(check: Check, tmp_path: Path) -> None:
    queue = QueueFile(tmp_path / "queue.yaml", tmp_path / "consumed.yaml")
    check("- a\n")
    before = sorted(tmp_path.iterdir())
    assert commands(check("- a\n")) == ["n: a"]
    assert sorted(tmp_path.iterdir()) == before
    with queue.lock.hold("test"):
        assert check("- a\n").ok


def test_without_nodes_a_queue_is_only_parsed(check: Check, tmp_path: Path) -> None:
    check("- a {{ x }}\n- b {{#if}}\n")
    queue = QueueFile(tmp_path / "queue.yaml", tmp_path / "consumed.yaml")
    assert [problem.place.line for problem in check_queue([], queue).problems if problem.place] == [
        2
    ]


CHUNKS = st.sampled_from(
    [
        "- a\n",
        "- a {{ x }}\n",
        "- {command: [a, 'b {{ h }}'], h: [1, 2]}\n",
        "- x: [1, 2]\n",
        "- y: 1\n  options: {retries: 1}\n",
        "- options: {retries: x}\n",
        "- &a {command: b, z: &l [1]}\n",
        "- *a\n",
        "- {command: c, z: *l }\n",
        "- {command: [&l d, [e]]}\n",
        "- []\n",
        "- !t f\n",
        '- curl -H "A: b" u\n',
        "- {command: g, g: }\n",
        "- a: b: c\n",
        "- |\n  {{ hostname }}\n",
        "...\n",
    ]
)


def strictly(path: Path) -> tuple[list[object], PegasusError | None]:
    """What a run reads, up to the first thing that is wrong."""
    linter, entries = Linter([NODE]), []
    try:
        for entry in read(Source(path.read_bytes(), str(path), QueueFileError), QUEUE):
            entries.append((entry.heads, entry.params, entry.options))
            linter(entry)
    except PegasusError as error:
        return entries, error
    return entries, None


@MANY
@given(st.lists(CHUNKS, max_size=8).map("".join))
def test_a_check_finds_what_a_run_finds_and_more(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "queue.yaml"
    path.write_text(text)
    checked = check_queue([NODE], QueueFile(path, path.with_name("consumed.yaml")))
    entries, error = strictly(path)
    if error is None:
        assert checked.ok
        assert [(one.heads, one.params, one.options) for one in checked.entries] == entries
    else:
        found = [str(problem.error) for problem in checked.problems]
        assert any(line.startswith(str(error)) for line in found)


def test_reading_on_yields_what_is_right() -> None:
    refused: list[PegasusError] = []
    source = Source(b"- a\n- []\n- x: 1\n- b\n- y: 1\n", "q", QueueFileError)
    found = [
        str(entry.heads[0]) for entry in TolerantReader(source, QUEUE, refused.append).entries()
    ]
    assert (found, len(refused)) == (["a", "b"], 1)


def shown(checked: Checked, capsys: pytest.CaptureFixture[str], **how: bool) -> str:
    how = {"show_all": False, "as_json": False} | how
    show(checked, checked.in_turn(NONE), checked.jobs, **how)
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_people_see_counts_and_the_first_commands(
    check: Check, capsys: pytest.CaptureFixture[str]
) -> None:
    checked = check("- {command: 'a {{ x }}', x: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]}\n")
    first = [f"[n] a {x}" for x in range(1, 13)]
    end = "… and 2 more (inv check --all shows all jobs)"
    assert shown(checked, capsys).splitlines() == ["1 node, 1 entry, 12 jobs", *first[:10], end]
    assert shown(checked, capsys, show_all=True).splitlines()[1:] == first


def test_people_see_options_and_each_line_of_a_command(
    check: Check, capsys: pytest.CaptureFixture[str]
) -> None:
    options = "{timeout: 2m, retries: 3, cancel: 'c {{ x }}'}"
    text = f"- command: |\n    a\n    b\n  x: 1\n  options: {options}\n"
    assert shown(check(text), capsys).splitlines()[1:] == [
        "[n] a", "[n] b", "[n] ", "[n] # timeout 120 s, retries 3, cancel c 1",
    ]  # fmt: skip


def test_while_there_are_problems_no_command_is_shown(
    check: Check, capsys: pytest.CaptureFixture[str]
) -> None:
    checked = check("- a\n- b {{ x }}\n")
    assert (
        shown(checked, capsys) == "1 problem; as far as it can be read: 1 node, 2 entries, 2 jobs\n"
    )
    assert problems_text(checked) == (
        "queue.yaml:2:5: there is no parameter `x`; there are: hostname, slots, slot_count"
    )


def test_json_has_it_all(check: Check, capsys: pytest.CaptureFixture[str]) -> None:
    text = "- {command: 'é {{ x }}', x: [1, 2, 3, 4], options: {timeout: 2m, cancel: c}}\n- b\n"
    document = json.loads(shown(check(text, "- {hostname: n, g: [0, 1]}\n"), capsys, as_json=True))
    last = document["commands"].pop()
    places: dict[str, object] = {"slots": [0], "env": {"PEGASUS_SLOTS": "0"}, "cwd": None}
    options = {"cancel": "c", "timeout": 120.0, "retries": 0, **places}
    assert document == {
        "version": 1, "nodes": 2, "entries": 2, "jobs": 5, "problems": [], "unfit": [],
        "commands": [
            {"node": f"n (g={(x + 1) % 2})", "command": f"é {x}", **options} for x in range(1, 5)
        ],
    }  # fmt: skip
    assert last == {
        "node": "n (g=0)",
        "command": "b",
        "cancel": None,
        "timeout": None,
        "retries": 0,
        **places,
    }


def test_json_has_the_problems(check: Check, capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(shown(check("- b {{ x }}\n- c\n", None), capsys, as_json=True))
    assert document["problems"][0]["file"] == "hosts.yaml"
    document = json.loads(shown(check("- b {{ x }}\n- c\n", ""), capsys, as_json=True))
    (problem,) = document["problems"]
    hint = "there is no host in it; write a list of host names"
    assert problem == {"file": "hosts.yaml", "line": None, "column": None, "problem": hint}
    document = json.loads(shown(check("- b {{ x }}\n- c\n"), capsys, as_json=True))
    (problem,) = document["problems"]
    assert (problem["file"], problem["line"], problem["column"]) == ("queue.yaml", 1, 5)
    assert document["commands"] == []


def test_a_command_that_no_shell_takes_is_a_problem(check: Check) -> None:
    found = check("- command: echo {{unquote x}}\n  x: ['\"\\x00\"', good]\n")
    assert places(found) == ["queue:1:12"]
    assert "NUL" in problems_text(found)


@pytest.mark.parametrize(
    "text",
    [
        "- a {{ h }}\n\n- b\n- x: [1, 2]\n",
        "[a, {command: b, x: 1}]\n",
        "- &x a\n- *x\n",
        "",
        "[]\n",
    ],
)
def test_what_is_all_right_is_read_and_linted_once(tmp_path: Path, text: str) -> None:
    seen: list[Entry] = []
    path = tmp_path / "queue.yaml"
    path.write_text(text)
    queue = QueueFile(path, tmp_path / "consumed.yaml", lint=seen.append)
    with queue.lock.hold("a test"):
        check_queue([Node(0, Host("n", "n"), (("h", "1"),))], queue).require()
        peek(queue, 9)
    assert seen == []
    known, expected = queue._known, validate(text.encode(), str(path), seen.append, None)
    assert known is not None
    assert known.source.text == expected.source.text
    assert known.data == expected.data
    assert standing(known) == standing(expected)
    assert (known.is_plain, known.is_flow) == (expected.is_plain, expected.is_flow)


def test_what_is_wrong_is_not_trusted(tmp_path: Path) -> None:
    path = tmp_path / "queue.yaml"
    path.write_text("- good\n- []\n")
    queue = QueueFile(path, tmp_path / "consumed.yaml")
    with queue.lock.hold("a test"):
        assert not check_queue([NODE], queue).ok
        with pytest.raises(QueueFileError, match="a list inside the list"):
            peek(queue, 1)
