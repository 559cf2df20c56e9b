"""Jobs written down: any reader of YAML gets back what was written."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from queuefiles import MANY, SECONDS, items_of, jobs_of, options_of

from pegasus.errors import QueueFileError
from pegasus.files.canonical import Writer, flow, key, quoted, scalar
from pegasus.files.entries import QUEUE, Entry, read
from pegasus.files.source import Source
from pegasus.journal.records import decode, encode, job_fields, job_of, option_fields, text_of
from pegasus.model import Job, Options

LOADERS = [yaml.SafeLoader, *filter(None, [getattr(yaml, "CSafeLoader", None)])]
AMBIGUOUS = re.split(
    r"\s+",
    "true No ON ~ null .inf nan Infinity 8 032 1_000 0x1F 0o17 1e3 1e-3 +1 -1 - 12:30 12:30:45 "
    "<< = y N 2024-01-01",
)
TEXT = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=12),
    st.text("ab1 \n\t:#-'\"{}[]&*!|>%@`\\,?=~<._\r\x85\u2028\xa0\ufeff\x7f\x01\0", max_size=8),
    st.sampled_from(AMBIGUOUS),
)
NAME = TEXT.filter(lambda name: len(name) < 100 and name not in ("command", "options", "slots"))
VARIABLE = st.from_regex("[A-Za-z_][A-Za-z0-9_]{0,5}", fullmatch=True) | st.sampled_from(
    ["on", "NO", "y", "NULL", "_"]
)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "cancel": TEXT.filter(str.strip),
        "timeout": st.sampled_from([*SECONDS]),
        "retries": st.sampled_from(["0", "2", "032"]),
        "allocation": st.sampled_from(["first_fit", "buddy"]),
        "on": st.sampled_from(["a100-*", "n-[1-3],gpu=x", "'@failed'", "!b"]),
        "env": st.dictionaries(VARIABLE, TEXT, min_size=1, max_size=3),
        "cwd": TEXT.filter(str.strip),
    },
).flatmap(lambda found: st.permutations([*found.items()]).map(dict))
JOBS = st.lists(
    st.builds(
        lambda template, params, options, slots: Job(
            template, tuple(params.items()), options_of(options) if options else Options(), slots
        ),
        TEXT,
        st.dictionaries(NAME, TEXT),
        OPTIONS,
        st.sampled_from([None, 0, 1, 2, 4]),
    ),
    min_size=1,
    max_size=3,
)


def plain(jobs: list[Job]) -> list[dict[str, object]]:
    return [
        {
            "command": [job.template],
            **{name: [value] for name, value in job.params},
            **({"slots": [job.slots]} if job.slots is not None else {}),
            **({"options": option_fields(job.options)} if job.options.written else {}),
        }
        for job in jobs
    ]


def test_the_canonical_form() -> None:
    job = Job("python train.py --bs {{ bs }}", (("bs", "8"), ("opt", "adam")))
    assert Writer().entries([job]) == [
        "- command:\n  - python train.py --bs {{ bs }}\n  bs:\n  - '8'\n  opt:\n  - adam\n"
    ]


def test_options_stand_below_the_parameters() -> None:
    options = options_of({"cancel": "docker exec {{c}} pkill x", "timeout": "2h", "retries": "2"})
    job = Job("python train.py", (("bs", "8"),), options)
    assert Writer().entries([job]) == [
        "- command:\n  - python train.py\n  bs:\n  - '8'\n"
        "  options:\n    cancel: docker exec {{c}} pkill x\n    timeout: 2h\n    retries: '2'\n"
    ]
    assert flow(job) == (
        "{command: ['python train.py'], bs: ['8'], "
        "options: {cancel: 'docker exec {{c}} pkill x', timeout: '2h', retries: '2'}}"
    )


def test_an_option_of_several_lines_is_a_literal_block() -> None:
    job = Job("a", options=options_of({"cancel": "b\n\nc", "timeout": "90s"}))
    (text,) = Writer(indent=2).entries([job])
    assert text == (
        "  - command:\n    - a\n    options:\n      cancel: |-\n        b\n\n        c\n"
        "      timeout: 90s\n"
    )


def test_jobs_with_other_options_are_written_with_theirs() -> None:
    jobs = [Job("a", options=options_of({"retries": str(number)})) for number in (1, 2, 1)]
    text = "".join(Writer().entries([*jobs, Job("a")]))
    assert jobs_of(items_of(text)) == [*jobs, Job("a")]


def test_a_command_of_several_lines_is_a_literal_block() -> None:
    (text,) = Writer(indent=2, newline="\r\n").entries([Job("a\n\n\tb # c\n")])
    assert text == "  - command:\r\n    - |\r\n      a\r\n\r\n      \tb # c\r\n"


def test_the_last_two_lines_are_the_last_job_of_one_line() -> None:
    text = "".join(Writer().entries([Job("a"), Job("echo " + "long words " * 100 + "'\t")]))
    tail = "".join(text.splitlines(keepends=True)[-2:])
    assert jobs_of(items_of(tail)) == [Job("echo " + "long words " * 100 + "'\t")]


@pytest.mark.parametrize("loader", LOADERS)
@given(JOBS, st.integers(0, 4), st.sampled_from(["\n", "\r\n"]), st.booleans())
@MANY
def test_every_text_comes_back(
    loader: type[yaml.SafeLoader], jobs: list[Job], indent: int, newline: str, literal: bool
) -> None:
    block = "".join(Writer(indent, newline, literal).entries(jobs))
    assert yaml.load(block, loader) == plain(jobs)
    in_brackets = "[" + ", ".join(flow(job) for job in jobs) + "]"
    assert "\n" not in in_brackets
    assert yaml.load(in_brackets, loader) == plain(jobs)


@given(JOBS, st.booleans())
@MANY
def test_a_reader_and_the_journal_give_back_the_same_job(
    jobs: list[Job], in_brackets: bool
) -> None:
    jobs = [job for job in jobs if job.template.strip() and readable(job)]
    text = "".join(Writer().entries(jobs))
    if in_brackets:
        text = f"[{', '.join(map(flow, jobs))}]"
    entries = read(Source(text.encode(), "f", QueueFileError), QUEUE)
    found = [job for entry in entries for job in made(entry)]
    assert found == jobs
    for job in jobs:
        fields = decode(encode(job_fields(job)))
        assert fields is not None
        assert text_of(job_of(fields)) == text_of(job)


def made(entry: Entry) -> Iterator[Job]:
    """The jobs of an entry."""
    for head, params in entry.expand():
        yield Job(head.value, params, entry.options, entry.slots)


def readable(job: Job) -> bool:
    """Whether there is no text in it that a reader refuses."""
    texts = [job.template, job.options.cancel or "", job.options.cwd or ""]
    texts += [text for pair in (*job.params, *job.options.env) for text in pair]
    names = [name for name, _ in job.params]
    is_plain = not any("\0" in text for text in texts)
    are_names = all(name and "\n" not in name and name != "slot_count" for name in names)
    return is_plain and are_names


def test_slots_and_variables_have_their_form() -> None:
    found = options_of({"env": {"A": "1", "on": "x y"}, "cwd": "/data", "on": "a-*"})
    job = Job("a", (("x", "1"),), found, 2)
    assert Writer(indent=2).entries([job]) == [
        "  - command:\n    - a\n    x:\n    - '1'\n    slots:\n    - 2\n    options:\n"
        "      env:\n        A: '1'\n        'on': x y\n      cwd: /data\n      'on': a-*\n"
    ]
    assert flow(job) == (
        "{command: ['a'], x: ['1'], slots: [2], "
        "options: {env: {A: '1', 'on': 'x y'}, cwd: '/data', 'on': 'a-*'}}"
    )


def test_a_variable_of_several_lines_is_a_literal_block() -> None:
    (text,) = Writer().entries([Job("a", options=options_of({"env": {"A": "b\nc"}}))])
    assert text == "- command:\n  - a\n  options:\n    env:\n      A: |-\n        b\n        c\n"


@pytest.mark.parametrize("text", [*AMBIGUOUS, "", " a", "a ", "a: b", "a #", "a:", "# a", "@"])
def test_what_a_reader_might_take_for_something_else_is_quoted(text: str) -> None:
    assert scalar(text) == quoted(text) == f"'{text}'"


@pytest.mark.parametrize("text", ["python a.py", "./a b", "/bin/x", "a:b", "a#b", "echo '{{ x }}'"])
def test_commands_stay_as_they_are_where_they_can(text: str) -> None:
    assert scalar(text) == text


@pytest.mark.parametrize("name", ["a,b", "a]", "a: b", "8", "no", "é"])
def test_odd_names_are_quoted(name: str) -> None:
    assert key(name) == f"'{name}'"


@pytest.mark.parametrize(
    "text",
    ["a\n\n", "\na", "\n", "a\n ", " a\nb", "\ta\nb", "a \nb", "a\n  \nb", "a\r\nb", "a\x0bb\nc"],
)
def test_what_no_literal_block_can_hold_is_in_quotes(text: str) -> None:
    (written,) = Writer().entries([Job(text)])
    assert written.startswith('- command:\n  - "')
    assert jobs_of(items_of(written)) == [Job(text)]


def test_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(QueueFileError, match="can't be written"):
        Writer().entries([Job("a\udc80")])
