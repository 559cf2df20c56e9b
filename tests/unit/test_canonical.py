"""Jobs written down: any reader of YAML gets back what was written."""

from __future__ import annotations

import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from queuefiles import MANY, SECONDS, items_of, jobs_of, options_of

from pegasus.errors import QueueFileError
from pegasus.files.canonical import Writer, flow, key, quoted, scalar
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
NAME = TEXT.filter(lambda name: len(name) < 100 and name not in ("command", "options"))
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "cancel": TEXT.filter(str.strip),
        "timeout": st.sampled_from([*SECONDS]),
        "retries": st.sampled_from(["0", "2", "032"]),
    },
).flatmap(lambda found: st.permutations([*found.items()]).map(dict))
JOBS = st.lists(
    st.builds(
        lambda template, params, options: Job(
            template, tuple(params.items()), options_of(options) if options else Options()
        ),
        TEXT,
        st.dictionaries(NAME, TEXT),
        OPTIONS,
    ),
    min_size=1,
    max_size=3,
)


def plain(jobs: list[Job]) -> list[dict[str, object]]:
    return [
        {
            "command": [job.template],
            **{name: [value] for name, value in job.params},
            **({"options": dict(job.options.written)} if job.options.written else {}),
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
