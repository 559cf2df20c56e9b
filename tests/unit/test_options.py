"""The reserved key `options` of an entry, in both files."""

from __future__ import annotations

import pytest
from peeking import peek
from queuefiles import PARSERS, consumed, items_of, jobs_of, options_of, queue

from pegasus.errors import PlacedError, QueueFileError
from pegasus.files import reader
from pegasus.files.entries import HOSTS, QUEUE, Entry, Kind, read
from pegasus.files.source import Source
from pegasus.model import Job, Options

CANCEL = "docker exec {{container}} pkill -f train.py"
ALL = Options(CANCEL, 7200.0, 2, written=(("cancel", CANCEL), ("timeout", "2h"), ("retries", "2")))


@pytest.fixture(autouse=True, params=PARSERS)
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "LOADER", request.param)


def entries(text: str, kind: Kind = QUEUE) -> list[Entry]:
    return [*read(Source(text.encode(), "f.yaml", kind.error), kind)]


def options(text: str, kind: Kind = QUEUE) -> list[Options]:
    return [entry.options for entry in entries(text, kind)]


def failure(text: str, kind: Kind = QUEUE) -> PlacedError:
    with pytest.raises(kind.error) as caught:
        entries(text, kind)
    return caught.value


@pytest.mark.parametrize("kind", [HOSTS, QUEUE], ids=["hosts", "queue"])
@pytest.mark.parametrize(
    "written",
    [
        f'options: {{cancel: "{CANCEL}", timeout: 2h, retries: 2}}',
        f"options:\n    cancel: {CANCEL}\n    timeout: 2h  # long\n    # own\n    retries: '2'",
        f"options:\n    cancel: |-\n      {CANCEL}\n    timeout: '2h'\n    retries: 2",
    ],
)
def test_options_are_a_mapping_in_any_style(written: str, kind: Kind) -> None:
    (entry,) = entries(f"- {kind.key}: a\n  x: [1, 2]\n  {written}\n", kind)
    assert entry.options == ALL
    assert list(entry.params) == ["x"]
    assert entry.size == 2


def test_an_option_that_is_not_there_is_left_open() -> None:
    (found,) = options("- {command: a, options: {timeout: 0}}\n")
    assert (found.cancel, found.timeout, found.retries) == (None, 0, None)
    assert found.source("cancel") is None
    assert options("- a\n- command: b\n") == [Options(), Options()]


def test_a_cancel_template_knows_its_place() -> None:
    (found,) = options("- command: a\n  options:\n    retries: 1\n    cancel: 'b'\n")
    source = found.source("cancel")
    assert source
    assert (str(source.place), source.raw) == ("f.yaml:4:13", "'b'")


@pytest.mark.parametrize("value", ["a", "[a, b]", "'{timeout: 2h}'", "\n  - a", "&o a"])
def test_options_that_are_no_mapping_are_a_parameter(value: str) -> None:
    (entry,) = entries(f"- command: x {{{{options}}}}\n  options: {value}\n")
    assert entry.options == Options()
    assert entry.params["options"]


def test_aliases_stand_for_options_and_what_is_in_them() -> None:
    text = (
        "- command: &c a\n  options: &o\n    cancel: *c\n    timeout: &t 2h\n"
        "- {command: b, options: *o }\n"
        "- command: c\n  options: {timeout: *t , cancel: b}\n"
        "- &e {command: d, options: *o }\n"
        "- *e\n"
    )
    first = options_of({"cancel": "a", "timeout": "2h"})
    other = options_of({"timeout": "2h", "cancel": "b"})
    assert options(text) == [first, first, other, first, first]


def test_an_alias_of_options_is_no_parameter() -> None:
    anchor = "- {command: a, options: &o {timeout: 2h}}\n"
    assert "nested too deep" in failure(anchor + "- {command: b, x: *o }\n").problem
    assert "nested too deep" in failure(anchor + "- {command: b, x: [*o ]}\n").problem
    problem = failure(anchor + "- {command: b, options: {timeout: *o }}\n").problem
    assert "`timeout`: it has one value" in problem


def test_an_alias_of_an_entry_is_no_options() -> None:
    error = failure("- &e {command: a}\n- {command: b, options: *e }\n")
    assert str(error).startswith("f.yaml:1:7: `command` is not an option; there are: cancel")


def test_options_may_stand_below_the_command() -> None:
    (entry,) = entries("- run {{ x }}\n- options: {timeout: 2h}\n- x: [1, 2]\n")
    assert (entry.options.timeout, list(entry.params), entry.size) == (7200, ["x"], 2)
    (entry,) = entries("- command: a\n  options: {retries: 1}\n- x: [1, 2]\n")
    assert (entry.options.retries, entry.size) == (1, 2)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("{timeout: 2h}", "{retries: 1}"),
        ("{timeout: 2h}", "[a]"),
        ("[a]", "{timeout: 2h}"),
        ("a", "b"),
    ],
)
def test_options_may_not_come_twice_over_both(first: str, second: str) -> None:
    error = failure(f"- {{command: a, options: {first}}}\n- options: {second}\n")
    assert str(error).startswith("f.yaml:2:3: `options` has values in the entry above already")


def test_options_below_a_host_do_not_belong_to_it() -> None:
    assert str(failure("- h\n- options: {retries: 1}\n", HOSTS)).startswith("f.yaml:2:3: there is")


def test_braces_without_end_are_refused_in_a_moment() -> None:
    assert failure("- command: a\n  options: " + "{cancel: " * 5000).place is not None


def test_every_job_of_an_entry_has_its_options() -> None:
    text = (
        "- command: [a, b]\n  x: [1, 2]\n  # own\n  options:\n    timeout: 2h\n    # why\n"
        f"    cancel: {CANCEL}\n- c\n"
    )
    found = options_of({"timeout": "2h", "cancel": CANCEL})
    jobs = [Job(c, (("x", x),), found) for c in "ab" for x in "12"]
    with queue(text) as file:
        assert file.take(1) == jobs[:1]
        assert (
            file.path.read_text()
            == "# own\n# why\n"
            + "".join(
                f"- command:\n  - {job.template}\n  x:\n  - '{job.params[0][1]}'\n"
                f"  options:\n    timeout: 2h\n    cancel: {CANCEL}\n"
                for job in jobs[1:]
            )
            + "- c\n"
        )
        assert file.take(9) == [*jobs[1:], Job("c")]
        assert consumed(file) == [*jobs, Job("c")]


def test_a_list_in_brackets_is_taken_apart_with_options() -> None:
    with queue("[{command: a, x: [1, 2, 3], options: {timeout: 2h, cancel: 'b, c'}}, d]") as file:
        file.take(1)
        fields = "command: ['a'], x: ['{}'], options: {{timeout: '2h', cancel: 'b, c'}}"
        assert file.path.read_text() == (f"[{{{fields.format(2)}}}, {{{fields.format(3)}}}, d]")


@pytest.mark.parametrize("text", ["- z\n", "[z]", "", "  - z\n"])
def test_what_is_put_back_has_its_options_and_is_not_consumed(text: str) -> None:
    found = options_of({"cancel": "one\ntwo: '", "timeout": "1:30", "retries": "0"})
    with queue("- a\n- command: a\n  options: " + "{retries: 2}\n") as file:
        file.take(2)
        back = [Job("a", (("x", "1"),), found), Job("a", options=options_of({"retries": "2"}))]
        file.path.write_text(text)
        file.put_back(back)
        assert peek(file, 9) == [*back, *jobs_of(items_of(text))]
        assert consumed(file) == [Job("a")]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "- {command: a, options: &o {timeout: 2h, cancel: &c 'it''s'}}\n"
            "- command: b\n  options: *o  # same\n- {command: c, options: {cancel: *c }}\n",
            "- command: b\n  options: {timeout: '2h', cancel: 'it''s'}  # same\n"
            "- {command: c, options: {cancel: 'it''s' }}\n",
        ),
        (
            "- &e {command: a, options: {timeout: 2h}}\n- *e\n",
            "- {command: 'a', options: {timeout: '2h'}}\n",
        ),
        (
            "- command: a\n  options: &o\n    timeout: 2h\n- command: b\n  options: *o\n",
            "- command: b\n  options: {timeout: '2h'}\n",
        ),
        (
            "- command: a\n  t: &t 2h\n- b\n- options: {timeout: *t }\n",
            "- b\n- options: {timeout: '2h' }\n",
        ),
    ],
)
def test_aliases_into_options_are_written_out_when_their_anchor_leaves(
    before: str, after: str
) -> None:
    with queue(before) as file:
        file.take(1)
        assert file.path.read_text() == after


def test_wrong_options_leave_the_file_alone() -> None:
    with queue("- a\n- {command: b, options: {timeout: never}}\n") as file:
        with pytest.raises(QueueFileError, match=":2:35: `timeout`: 'never' is not a duration"):
            file.take(1)
        assert consumed(file) == []
