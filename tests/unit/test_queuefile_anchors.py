"""Random queue files with anchors and aliases, and in brackets: what they mean stays."""

from __future__ import annotations

import re

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st
from peeking import peek
from queuefiles import MANY, PARSERS, consumed, items_of, jobs_of, queue

from pegasus.files.queuefile import QueueFile
from pegasus.model import Job

ANYWHERE = st.frozensets(st.integers(0, 9), min_size=1, max_size=3)
STEPS = st.lists(st.one_of(st.integers(1, 5), ANYWHERE, st.just("put back")), max_size=9)
NAME = st.sampled_from(["a", "b"])
TEXT = st.sampled_from(["w", "'q r'", '"\\t"', "032", "'it''s'", "'a, [b]'", "'# no'"])


@st.composite
def texts(draw: st.DrawFn) -> str:
    """A text, perhaps with an anchor, or an alias."""
    kind = draw(st.sampled_from(["", "", "&", "*"]))
    if kind == "*":
        return f"*{draw(NAME)} "
    return f"&{draw(NAME)} {draw(TEXT)}" if kind else draw(TEXT)


@st.composite
def values(draw: st.DrawFn) -> str:
    """A text, a list of texts, or an alias of either."""
    if draw(st.booleans()):
        return draw(texts())
    anchor = draw(st.sampled_from(["", "&a ", "&b "]))
    return f"{anchor}[{', '.join(draw(st.lists(texts(), min_size=1, max_size=3)))}]"


@st.composite
def entries(draw: st.DrawFn) -> str:
    """An entry in flow style, perhaps with an anchor."""
    if draw(st.booleans()):
        return draw(texts())
    anchor = draw(st.sampled_from(["", "&a ", "&b "]))
    others = draw(st.sampled_from([[], ["x"], ["x", "y"], ["options"], ["x", "options"]]))
    names = draw(st.permutations(["command", *others]))
    comma = draw(st.sampled_from([", ", ",  # note\n    # own\n    "]))
    fields = [f"{n}: {draw(options() if n == 'options' else values())}" for n in names]
    return f"{anchor}{{{comma.join(fields)}}}"


@st.composite
def options(draw: st.DrawFn) -> str:
    """A mapping of options, perhaps with anchors and aliases in it, or an alias of one."""
    if draw(st.booleans()):
        return "*o "
    timeout = draw(st.sampled_from(["2h", "&t 90s", "*t "]))
    anchor = draw(st.sampled_from(["", "&o ", "&o "]))
    return f"{anchor}{{cancel: {draw(texts())}, timeout: {timeout}}}"


def block(found: list[str]) -> str:
    return "".join(f"- {entry}  # trailing\n# own\n" for entry in found)


def in_brackets(found: list[str], comma: str, end: str) -> str:
    return "# own\n---\n[ # note\n" + comma.join(found) + end


FILES = st.one_of(
    st.lists(entries(), min_size=1, max_size=4).map(block),
    st.builds(
        in_brackets,
        st.lists(entries(), min_size=1, max_size=4),
        st.sampled_from([", ", ",", " ,  # note\n  ", " # note\n # own\n , ", "\n,\n"]),
        st.sampled_from(["]", " ,] # end\n", "\n# own\n]\n", "\n]\n...\n# own\n... # x\n"]),
    ),
)


@pytest.mark.parametrize("parser", PARSERS)
@given(text=FILES, steps=STEPS)
@MANY
def test_jobs_and_comments_stay_the_same(parser: object, text: str, steps: list[object]) -> None:
    jobs = meaning(text)
    comments = re.findall("^ *(# own)$", text, re.MULTILINE)
    with queue(text, parser) as file:
        taken: list[Job] = []
        for step in [*steps, 1, 2, 1, 1000]:
            apply(step, file, jobs, taken)
            text = file.path.read_bytes().decode()
            assert jobs_of(items_of(text)) == jobs
            assert consumed(file) == taken
            assert re.findall("^ *(# own)$", text, re.MULTILINE) == comments
        file.path.write_bytes(file.path.read_bytes() + b"- cmd\n")
        assert file.take(2) == [Job("cmd")]


def meaning(text: str) -> list[Job]:
    """The jobs of a file; files that are wrong are of no use here."""
    try:
        items = items_of(text)
        jobs = jobs_of(items)
    except (yaml.YAMLError, IndexError, TypeError, KeyError):
        assume(False)
    assume(all(isinstance(text, str) for job in jobs for _, text in job.options.written))
    assume(all(job.options.cancel is None or job.options.cancel.strip() for job in jobs))
    flat = [
        value
        for item in items
        for name, value in (item.items() if isinstance(item, dict) else [("", [item])])
        if not (name == "options" and isinstance(value, dict))
    ]
    nested = [v for f in flat if isinstance(f, list) for v in f if not isinstance(v, str)]
    assume(not nested and not any(isinstance(f, dict) for f in flat))
    assume(all(isinstance(job.template, str) and job.template.strip() for job in jobs))
    return jobs


def apply(step: object, file: QueueFile, jobs: list[Job], taken: list[Job]) -> None:
    if isinstance(step, frozenset):
        positions = sorted(position for position in step if position < len(jobs))
        found = [jobs[position] for position in positions]
        file.look()
        assert file.jobs_at(sorted(step)) == found
        assert file.take(positions, found) == found
        taken += found
        jobs[:] = [job for position, job in enumerate(jobs) if position not in step]
    elif isinstance(step, int):
        assert peek(file, step) == jobs[:step]
        assert file.take(step) == jobs[:step]
        taken += jobs[:step]
        del jobs[:step]
    else:
        back = taken[-2:]
        file.put_back(back)
        jobs[:0] = back
        taken[-2:] = []
