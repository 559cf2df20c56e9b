"""The options that say where a job runs and what it finds there: on, allocation, gpus, env, cwd."""

from __future__ import annotations

from pathlib import Path

import pytest
from peeking import peek
from queuefiles import PARSERS, consumed, options_of, queue

from pegasus.errors import HostsFileError, PlacedError
from pegasus.files import hosts, reader
from pegasus.files.entries import HOSTS, QUEUE, Entry, Kind, read
from pegasus.files.source import Source
from pegasus.model import Job, Options

BOTH = pytest.mark.parametrize("kind", [HOSTS, QUEUE], ids=["hosts", "queue"])


@pytest.fixture(autouse=True, params=PARSERS)
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "LOADER", request.param)


def entries(text: str, kind: Kind = QUEUE) -> list[Entry]:
    return [*read(Source(text.encode(), "f.yaml", kind.error), kind)]


def option(text: str, kind: Kind = QUEUE) -> Options:
    (entry,) = entries(f"- {kind.key}: a\n  options: {text}\n", kind)
    return entry.options


def failure(text: str, kind: Kind = QUEUE) -> PlacedError:
    with pytest.raises(kind.error) as caught:
        option(text, kind)
    return caught.value


@BOTH
@pytest.mark.parametrize(
    "text",
    [
        "{env: {A: '1', B_2: '{{ x }}', C: ''}, cwd: /d}",
        "\n    env:\n      A: 1\n      B_2: '{{ x }}'\n      # why\n      C: ''\n    cwd: /d",
        "\n    env: {A: 1, B_2: '{{ x }}', C: ''}  # all\n    cwd: |-\n      /d",
    ],
)
def test_variables_and_the_directory_in_any_style(text: str, kind: Kind) -> None:
    found = option(text, kind)
    assert found.env == (("A", "1"), ("B_2", "{{ x }}"), ("C", ""))
    assert found.cwd == "/d"
    assert found.written == (("env", found.env), ("cwd", "/d"))


@BOTH
def test_templates_know_their_places(kind: Kind) -> None:
    found = option("\n    env:\n      A: 1\n      B: 'b'\n    cwd: /d\n    cancel: c", kind)
    places = {name: str(text.place) for name, text in found.sources}
    assert places == {
        "env.A": "f.yaml:4:10",
        "env.B": "f.yaml:5:10",
        "cwd": "f.yaml:6:10",
        "cancel": "f.yaml:7:13",
    }


def test_values_of_variables_keep_the_text_that_was_written() -> None:
    found = option("{env: {A: 032, B: yes, C: ~, D: 1e-3}}")
    assert dict(found.env) == {"A": "032", "B": "yes", "C": "~", "D": "1e-3"}


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("yes", True), ("On", True), ("TRUE", True), ("y", True), ("false", False),
     ("No", False), ("off", False), ("'n'", False)],
)  # fmt: skip
def test_gpus_is_a_truth_value_as_people_write_it(text: str, value: bool) -> None:
    assert option(f"{{gpus: {text}}}", HOSTS).gpus is value


@BOTH
@pytest.mark.parametrize("policy", ["first_fit", "buddy"])
def test_allocation_names_a_policy(policy: str, kind: Kind) -> None:
    assert option(f"{{allocation: {policy}}}", kind).allocation == policy


@pytest.mark.parametrize(
    "expression", ["a100-*", "node-[1-3],gpu=a100", "!n-2", '"@failed"', "a&b=c^d"]
)
def test_on_is_an_expression_as_for_limit(expression: str) -> None:
    found = option(f"{{on: '{expression}'}}")
    assert found.on == expression
    assert found.source("on")


@pytest.mark.parametrize(
    ("text", "column", "says"),
    [
        ("{on: ''}", 17, "`on`: it is empty; write which nodes, or remove it: '*' is all"),
        ("{on: ' '}", 17, "it is empty"),
        ("{on: [a, b]}", 18, "write the nodes as one text, joined by commas"),
        ("{on: {a: b}}", 18, "write the nodes as one text"),
        ("{on: 'a,@failed'}", 20, "`on`: @failed changes from run to run; it is for --limit and"),
        ("{on: '@all'}", 18, "@all changes from run to run"),
        ("{on: 'a,,b'}", 19, "`,,` does not join terms"),
        ("{on: 'a&'}", 20, "a term is missing behind `&`"),
        ("{on: 'n-[1-'}", 20, "a bracket is opened and not closed"),
        ("{on: 'n-[3-1]'}", 21, "`on`: "),
        ("{on: 'h (0)'}", 20, "no host is called so"),
        ("{on: '*[0-99999]'}", 18, "this makes 100,000 names with * or ?"),
        ("{gpus: true}", 13, "`gpus` says of a node that its slots are GPUs; write it into hosts"),
        ("{alocation: buddy}", 13, "did you mean `allocation`?"),
        ("{slots: 2}", 13, "`slots` is not an option; it stands beside `options`"),
        ("{nodes: x}", 13, "there are: cancel, timeout, retries, allocation, env, cwd, on"),
    ],
)
def test_what_is_wrong_in_a_queue_is_said_where_it_stands(
    text: str, column: int, says: str
) -> None:
    error = failure(text)
    assert str(error).startswith(f"f.yaml:2:{column}: ")
    assert says in error.problem


@pytest.mark.parametrize(
    ("text", "column", "says"),
    [
        ("{on: a}", 13, "`on` says on which nodes jobs may run; write it into queue.yaml"),
        ("{gpus: 8}", 19, "`gpus`: '8' is neither true nor false; how many there are, `slots`"),
        ("{gpus: maybe}", 19, "neither true nor false"),
        ("{gpus: [true]}", 20, "it has one value"),
        ("{nodes: x}", 13, "there are: cancel, timeout, retries, allocation, env, cwd, gpus"),
    ],
)
def test_what_is_wrong_with_nodes_is_said_where_it_stands(
    text: str, column: int, says: str
) -> None:
    error = failure(text, HOSTS)
    assert str(error).startswith(f"f.yaml:2:{column}: ")
    assert says in error.problem


@BOTH
@pytest.mark.parametrize(
    ("text", "column", "says"),
    [
        ("{allocation: best_fit}", 25, "'best_fit' is no policy; write first_fit or buddy"),
        ("{allocation: ''}", 25, "'' is no policy"),
        ("{cwd: ''}", 18, "`cwd`: it is empty; write the directory that jobs are run in"),
        ("{cwd: ' '}", 18, "it is empty"),
        ("{cwd: [a]}", 19, "it has one value"),
        ("{cwd: {a: b}}", 19, "it has one value"),
        ("{env: a=b}", 18, "`env`: write names and values, such as {OMP_NUM_THREADS: 8}"),
        ("{env: [A, B]}", 19, "write names and values"),
        ("{env: {}}", 18, "`env` is an empty mapping"),
        ("{env: {A: [1]}}", 23, "`env`: A has one value; write no list and no mapping"),
        ("{env: {A: {B: c}}}", 22, "`A` is nested too deep"),
        ("{env: {A: 1, A: 2}}", 25, "`A` stands here twice"),
        ("{env: {<<: {A: 1}}}", 19, "merge keys"),
        ("{env: {1A: x}}", 19, "'1A' is no name of a variable; use letters, digits and _"),
        ("{env: {A-B: x}}", 19, "'A-B' is no name of a variable"),
        ("{env: {'': x}}", 19, "a key must be a text"),
        ("{env: {É: x}}", 19, "is no name of a variable"),
        ("{env: {PEGASUS_SLOTS: '0'}}", 19, "PEGASUS_SLOTS is where each job finds its own slots"),
        ("{env: {_pegasus_x: '0'}}", 19, "no variable can have a name that begins with _pegasus_"),
        ('{env: {A: "a\\0"}}', 22, "NUL"),
        ("{env: {A: {{ x }}}}", 22, "needs quotes"),
    ],
)
def test_what_is_wrong_in_both_files_is_said_where_it_stands(
    text: str, column: int, says: str, kind: Kind
) -> None:
    error = failure(text, kind)
    assert str(error).startswith(f"f.yaml:2:{column}: ")
    assert says in error.problem


def test_a_value_that_is_missing_is_no_empty_one() -> None:
    assert "`cwd` has no value here" in failure("{cwd: }").problem
    assert "`A` has no value here; write ''" in failure("{env: {A: }}").problem


def test_an_error_in_an_expression_with_escapes_is_placed_at_its_begin() -> None:
    assert str(failure('{on: "a\\x26,b"}')).startswith("f.yaml:2:17: ")


def test_aliases_stand_for_options_with_variables_and_for_parts_of_them() -> None:
    text = (
        "- {command: a, options: &o {env: &e {A: &v x}, cwd: *v }}\n"
        "- {command: b, options: *o }\n"
        "- {command: c, options: {env: *e , cwd: x}}\n"
        "- {command: d, options: {env: {A: *v }, cwd: *v }}\n"
    )
    assert [entry.options for entry in entries(text)] == [
        options_of({"env": {"A": "x"}, "cwd": "x"})
    ] * 4


def test_an_alias_brings_no_deeper_mapping_into_the_variables() -> None:
    anchor = "- {command: a, options: &o {env: &e {A: x}}}\n"
    for options in ("{env: *o }", "{env: {A: *e }}"):
        with pytest.raises(PlacedError, match=r"has one value|nested too deep"):
            entries(anchor + f"- {{command: b, options: {options}}}\n")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "- {command: a, options: &o {env: {A: 'it''s', B: &b c}, on: x}}\n"
            "- command: b\n  options: *o  # same\n- {command: c, options: {cwd: *b }}\n",
            "- command: b\n  options: {env: {A: 'it''s', B: 'c'}, 'on': 'x'}  # same\n"
            "- {command: c, options: {cwd: 'c' }}\n",
        ),
        (
            "- command: a\n  options:\n    env: &e\n      A: x\n"
            "- command: b\n  options:\n    env: *e\n",
            "- command: b\n  options:\n    env: {A: 'x'}\n",
        ),
        (
            "- {command: a, slots: &s [2]}\n- {command: b, slots: *s }\n",
            "- {command: b, slots: ['2'] }\n",
        ),
    ],
)
def test_aliases_are_written_out_when_their_anchor_leaves(before: str, after: str) -> None:
    with queue(before) as file:
        file.take(1)
        assert file.path.read_text() == after


def test_an_entry_that_is_partly_taken_and_what_is_put_back_have_the_same_options() -> None:
    found = options_of(
        {"env": {"A": "one\ntwo", "on": "#x"}, "cwd": "/d {{ x }}", "on": "a,b", "retries": "2"}
    )
    text = (
        "- command: run\n  x: [1, 2, 3]\n  options:\n    env: {A: \"one\\ntwo\", 'on': '#x'}\n"
        "    # here\n    cwd: /d {{ x }}\n    on: a,b\n    retries: 2\n"
    )
    with queue(text) as file:
        jobs = [Job("run", (("x", str(x)),), found) for x in (1, 2, 3)]
        assert file.take(2) == jobs[:2] == consumed(file)
        file.put_back(jobs[:1])
        assert peek(file, 9) == [jobs[0], jobs[2]]
        assert file.path.read_text().startswith("# here\n- command:\n")


def test_templates_of_nodes_must_parse_all_of_them(tmp_path: Path) -> None:
    path = tmp_path / "hosts.yaml"
    path.write_text(
        "- hostname: n\n  options:\n    env: {A: '{{ x', B: '{{ y }}'}\n    cwd: '{{#if}}'\n"
    )
    refused: list[PlacedError] = []
    (node,) = hosts.load(path, refuse=refused.append)
    assert [error.place.line for error in refused if error.place] == [3, 4]
    assert all(isinstance(error, HostsFileError) for error in refused)
    assert node.options.env == (("A", "{{ x"), ("B", "{{ y }}"))
