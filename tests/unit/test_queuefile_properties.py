"""Random queue files and random use of them, held against a simple model."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st
from peeking import peek
from queuefiles import MANY, PARSERS, SECONDS, consumed, items_of, jobs_of, queue

from pegasus.files.queuefile import QueueFile
from pegasus.model import Job


@dataclass
class Chunk:
    """A part of a file: an entry with its jobs, or a gap; `kept` is what stays of an entry."""

    text: str
    items: int = 0
    kept: str = ""
    ends_open: bool = False


WORD = st.text("abz09_/=$.é漢", min_size=1, max_size=6).map(lambda s: "w" + s)
VALUE = st.sampled_from(
    ["8", "032", "1e-3", "yes", "~", "a b", "x/y", "", "'", "#", ": ", "\n", "- q"]
)


@st.composite
def scalars(draw: st.DrawFn, in_flow: bool = False) -> str:
    kind = draw(st.sampled_from(["plain", "plain", "single", "double"]))
    if kind == "plain":
        return draw(st.one_of(WORD, st.sampled_from(["8", "032", "1e-3", "yes", "~", "a b c"])))
    text = draw(st.one_of(VALUE, WORD))
    if kind == "single":
        return "'" + text.replace("\n", " ").replace("'", "''") + "'"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def command(spelling: str) -> bool:
    return bool(yaml.load(spelling, yaml.BaseLoader).strip())


COMMAND = scalars().filter(command)
TRAILER = st.sampled_from(["", "", "  # trailing", " ", " # '["])


@st.composite
def block_scalars(draw: st.DrawFn, margin: str) -> str:
    """A literal or folded text, from behind its dash or colon on, without the last newline."""
    header = draw(st.sampled_from(["|", "|-", ">", ">-", "|+"])) + draw(
        st.sampled_from(["", " # c"])
    )
    lines = draw(
        st.lists(st.sampled_from(["echo a", "# no comment", "", "  deep", "- b"]), max_size=3)
    )
    body = [margin + line if line else "" for line in ["first", *lines]]
    while not body[-1]:
        body.pop()
    return "\n".join([header, *body])


@st.composite
def inner_comments(draw: st.DrawFn, margin: str, dash: str) -> tuple[str, str]:
    """Comment lines inside of an entry, and what is to stay of them."""
    found = draw(st.lists(st.sampled_from(["# own", "#", "# - x: 'y"]), max_size=2))
    if draw(st.booleans()):
        found = []
    return "".join(f"{margin}{c}\n" for c in found), "".join(f"{dash}{c}\n" for c in found)


@st.composite
def values(draw: st.DrawFn, margin: str, texts: st.SearchStrategy[str]) -> str:
    """The value of a key, from behind its colon on."""
    kind = draw(st.sampled_from(["scalar", "flow", "block", "literal"]))
    if kind == "scalar":
        return " " + draw(texts) + draw(TRAILER)
    if kind == "literal":
        return " " + draw(block_scalars(margin + "  "))
    found = draw(st.lists(texts, min_size=1, max_size=3))
    if kind == "flow":
        return (
            " ["
            + draw(st.sampled_from([", ", ",\n" + margin + "   "])).join(found)
            + "]"
            + draw(TRAILER)
        )
    inner = margin + draw(st.sampled_from(["", "  "]))
    return draw(TRAILER) + "".join(f"\n{inner}- {text}{draw(TRAILER)}" for text in found)


def spelled(name: str, in_flow: bool = False) -> st.SearchStrategy[str]:
    """The spelling of a text that a key may have."""
    if name == "timeout":
        return st.sampled_from([*SECONDS, *(f"'{text}'" for text in SECONDS)])
    if name in CHOICES:
        return st.sampled_from(CHOICES[name])
    if name == "env":
        return variables()
    is_filled = name in ("command", "cancel", "cwd")
    return COMMAND if is_filled else scalars(in_flow=in_flow)


@st.composite
def variables(draw: st.DrawFn) -> str:
    """The value of `env`, in braces."""
    names = draw(st.lists(st.sampled_from(VARIABLES), min_size=1, max_size=2, unique=True))
    return "{" + ", ".join([f"{name}: {draw(scalars(in_flow=True))}" for name in names]) + "}"


CHOICES = {
    "retries": ["0", "'2'", '"10"'],
    "allocation": ["buddy", "'first_fit'"],
    "on": ["a100-*", "'n-[1-3],m'", '"gpu=x"'],
    "slots": ["0", "1", "'2'", "4"],
}
VARIABLES = ["A", "'on'", "_B2"]
OPTION_NAMES = st.permutations(
    ["cancel", "timeout", "retries", "allocation", "on", "env", "cwd"]
).flatmap(lambda names: st.integers(1, 4).map(lambda count: names[:count]))


@st.composite
def options_in_flow(draw: st.DrawFn, names: list[str]) -> str:
    return "{" + ", ".join([f"{n}: {draw(spelled(n, in_flow=True))}" for n in names]) + "}"


@st.composite
def options(draw: st.DrawFn, margin: str, dash: str) -> tuple[str, str]:
    """What `options` has as value, from behind the colon on, and what is to stay of it."""
    names = draw(OPTION_NAMES)
    if draw(st.booleans()):
        return " " + draw(options_in_flow(names)) + draw(TRAILER), ""
    inner = margin + draw(st.sampled_from([" ", "  "]))
    text, kept = draw(TRAILER), ""
    for name in names:
        comment, stays = draw(inner_comments(margin, dash))
        value = draw(spelled(name)) + draw(TRAILER)
        if name in ("cancel", "cwd") and draw(st.booleans()):
            value = draw(block_scalars(inner + " "))
        if name == "env" and draw(st.booleans()):
            value, more = draw(variables_below(inner + "  ", dash))
            stays += more
        text += f"\n{comment}{inner}{name}: {value}"
        kept += stays
    return text, kept


@st.composite
def variables_below(draw: st.DrawFn, margin: str, dash: str) -> tuple[str, str]:
    """The value of `env` on lines of its own, and what is to stay of it."""
    text, kept = draw(TRAILER), ""
    for name in draw(st.lists(st.sampled_from(VARIABLES), min_size=1, max_size=2, unique=True)):
        comment, stays = draw(inner_comments(margin, dash))
        is_long = draw(st.booleans())
        value = draw(block_scalars(margin + " ")) if is_long else draw(scalars()) + draw(TRAILER)
        text += f"\n{comment}{margin}{name}: {value}"
        kept += stays
    return text, kept


@st.composite
def slots(draw: st.DrawFn, margin: str) -> str:
    """The value of `slots`: a number, or a list of it."""
    number = draw(spelled("slots"))
    written = draw(st.sampled_from([f" {number}", f" [{number}]", f"\n{margin}- {number}"]))
    return written + draw(TRAILER)


@st.composite
def mappings(draw: st.DrawFn, dash: str, names: list[str]) -> Chunk:
    """One item that is a mapping, in block or flow style."""
    if draw(st.integers(0, 4)) == 0:
        fields = [
            (n, draw(OPTION_NAMES.flatmap(options_in_flow) if n == "options" else spelled(n, True)))
            for n in names
        ]
        comment, kept = draw(inner_comments(dash + "   ", dash))
        joint = f",\n{comment}{dash}   " if comment else ", "
        text = joint.join(
            f"{n}: [{v}]" if n != "options" and draw(st.booleans()) else f"{n}: {v}"
            for n, v in fields
        )
        return Chunk(f"{dash}- {{{text}}}\n", 1, kept * (len(names) - 1))
    space = draw(st.sampled_from([" ", "   "]))
    margin = dash + " " + space
    text, kept = f"{dash}-{space}", ""
    for number, name in enumerate(names):
        comment, stays = (
            draw(inner_comments(draw(st.sampled_from([margin, dash])), dash))
            if number
            else ("", "")
        )
        if name == "options":
            value, more = draw(options(margin, dash))
        elif name == "slots":
            value, more = draw(slots(margin)), ""
        else:
            value, more = draw(values(margin, spelled(name))), ""
        text += comment + (margin if number else "") + f"{name}:{value}\n"
        kept += stays + more
    return Chunk(text, 1, kept, ends_open="\n" in value and ("|" in value or ">" in value))


@st.composite
def entries(draw: st.DrawFn, dash: str) -> Chunk:
    kind = draw(st.sampled_from(["text", "literal", "mapping", "mapping", "below"]))
    if kind == "text":
        return Chunk(f"{dash}- {draw(COMMAND)}{draw(TRAILER)}\n", 1)
    if kind == "literal":
        return Chunk(f"{dash}- {draw(block_scalars(dash + '  '))}\n", 1, ends_open=True)
    others = draw(
        st.sampled_from(
            [[], ["x"], ["x", "y"], ["options"], ["x", "options"], ["slots"], ["slots", "options"]]
        )
    )
    names = draw(st.permutations(["command", *others]))
    chunk = draw(mappings(dash, names))
    if kind == "below":
        comment, kept = draw(inner_comments(dash, dash))
        more = [["z"]] if "options" in names else [["z"], ["options"], ["z", "options"]]
        more += [] if "slots" in names else [["slots"], ["z", "slots"]]
        below = draw(mappings(dash, draw(st.sampled_from(more))))
        assume(isinstance(items_of(below.text)[0].get("z", []), list))
        return Chunk(
            chunk.text + comment + below.text, 2, chunk.kept + kept + below.kept, below.ends_open
        )
    return chunk


@st.composite
def files(draw: st.DrawFn) -> list[Chunk]:
    """A queue file in block style, cut into its entries and what is between them."""
    dash = draw(st.sampled_from(["", "", "  "]))
    head = draw(st.sampled_from(["", "# head\n\n", "---\n", "%YAML 1.1\n# c\n---  # d\n", "\n"]))
    chunks = [Chunk(head)]
    for _ in range(draw(st.integers(1, 4))):
        chunks.append(draw(entries(dash)))
        gaps = ["", "\n", f"{dash}# gap\n", f"\n{dash}# gap\n\n"]
        if "|+" in chunks[-1].text:
            gaps = ["", f"{dash}# gap\n"]  # Blank lines would be part of it.
        elif not chunks[-1].ends_open:
            gaps += [f"{dash}      # deep\n", "        \n", "\n     # x\n"]
        chunks.append(Chunk(draw(st.sampled_from(gaps))))
    if not chunks[-1].text and draw(st.booleans()):
        chunks[-2].text = chunks[-2].text.removesuffix("\n")
    return chunks


class Model:
    """What the file must be: text as it was, then jobs that were put in, then the rest."""

    def __init__(self, chunks: list[Chunk], newline: str, bom: str) -> None:
        text = "".join(chunk.text for chunk in chunks)
        items = items_of(text)
        assume(len(items) == sum(chunk.items for chunk in chunks))
        self.lead, self.put = bom, list[Job]()
        self.rest: list[tuple[str, list[Job], str]] = []
        at = 0
        for chunk in chunks:
            jobs = jobs_of(items[at : at + chunk.items]) if chunk.items else []
            at += chunk.items
            self.rest.append(
                (chunk.text.replace("\n", newline), jobs, chunk.kept.replace("\n", newline))
            )

    def skip(self) -> None:
        while self.rest and not self.rest[0][1]:
            self.lead += self.rest.pop(0)[0]

    def jobs(self) -> list[Job]:
        return [*self.put, *(job for _, jobs, _ in self.rest for job in jobs)]

    def take(self, count: int) -> list[Job]:
        taken: list[Job] = []
        while len(taken) < count:
            if not self.put:
                self.skip()
                if not self.rest:
                    break
                _, self.put, kept = self.rest.pop(0)
                self.put = [*self.put]
                self.lead += kept
            taken.append(self.put.pop(0))
        return taken

    def put_back(self, jobs: list[Job]) -> None:
        if not self.put:
            self.skip()
        self.put = [*jobs, *self.put]

    def check(self, text: str) -> None:
        tail = "".join(text for text, _, _ in self.rest)
        if not self.jobs():
            assert text.removesuffix("\n").removesuffix("\r") == (self.lead + tail).removesuffix(
                "\n"
            ).removesuffix("\r")
        assert text.startswith(self.lead)
        assert text.endswith(tail)
        middle = text[len(self.lead) : len(text) - len(tail)]
        assert jobs_of(items_of(middle)) == self.put
        assert jobs_of(items_of(text)) == self.jobs()


STEPS = st.lists(
    st.one_of(st.integers(1, 5), st.sampled_from(["put back", "append", "other"])), max_size=9
)


@pytest.mark.parametrize("parser", PARSERS)
@given(
    chunks=files(),
    newline=st.sampled_from(["\n", "\n", "\r\n"]),
    bom=st.sampled_from(["", "", "\ufeff"]),
    steps=STEPS,
)
@MANY
def test_jobs_come_in_order_and_what_is_not_taken_stays(
    parser: object, chunks: list[Chunk], newline: str, bom: str, steps: list[object]
) -> None:
    model = Model(chunks, newline, bom)
    text = bom + "".join(text for text, _, _ in model.rest)
    with queue(text, parser) as file:
        other = QueueFile(file.path, file.path.parent / "consumed.yaml")
        taken: list[Job] = []
        for step in [*steps, 1, 2, 1, 1000]:
            apply(step, model, file, other, taken)
            model.check(file.path.read_bytes().decode())
            assert consumed(file) == taken
        assert not model.jobs()
        file.path.write_bytes(file.path.read_bytes() + b"- cmd\n")
        assert file.take(2) == [Job("cmd")]


def apply(step: object, model: Model, file: QueueFile, other: QueueFile, taken: list[Job]) -> None:
    if isinstance(step, int):
        assert peek(file, step) == model.jobs()[:step]
        expected = model.take(step)
        assert file.take(step) == expected
        taken += expected
    elif step == "other":
        expected = model.take(1)
        assert other.take(1) == expected
        taken += expected
    elif step == "put back":
        back = taken[-2:]
        model.put_back(back)
        file.put_back(back)
        taken[-2:] = []
    elif file.path.read_bytes().endswith(b"\n") and (not model.jobs() or not is_indented(file)):
        file.path.write_bytes(file.path.read_bytes() + b"- appended\n")
        if not model.jobs():
            model.lead += "".join(text for text, _, _ in model.rest)
            model.rest = []
        model.rest.append(("- appended\n", [Job("appended")], ""))


def is_indented(file: QueueFile) -> bool:
    """Whether a dash at the begin of a line would not continue the list."""
    text = "\n" + file.path.read_bytes().decode("utf-8-sig")
    return "\n  - " in text and "\n- " not in text
