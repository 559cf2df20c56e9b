"""What is added at the end of a queue file, or put back there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from signal import SIGKILL
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from peeking import peek
from queuefiles import MANY, PARSERS, items_of, jobs_of, queue
from test_canonical import JOBS, NAME, TEXT, readable
from test_queuefile_properties import Chunk, files, scalars
from test_queuetext import CASES

from pegasus.errors import QueueFileError
from pegasus.files.additions import Addition
from pegasus.files.queuefile import QueueFile
from pegasus.model import Job, Place

PLACE = Place("the command", 1, 1)
NEW = [Addition.of("b", None, PLACE)]


def entry(command: str, **params: Any) -> Addition:
    return Addition.of(command, params, PLACE)


def content(file: QueueFile) -> str:
    return file.path.read_bytes().decode()


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "- b\n"),
        ("\n", "\n- b\n"),
        ("# c", "# c\n- b\n"),
        ("# c\r\n---\r\n...\r\n", "# c\r\n---\r\n- b\r\n"),
        ("%YAML 1.1\n---\n", "%YAML 1.1\n---\n- b\n"),
        ("--- [] # c\n", "---  # c\n- b\n"),
        ("- a\n", "- a\n- b\n"),
        ("- a", "- a\n- b\n"),
        ("- a # c", "- a # c\n- b\n"),
        ("  - a\n", "  - a\n  - b\n"),
        ("- a\n\n# end", "- a\n\n# end\n- b\n"),
        ("- a\n      # deep\n\n", "- a\n      # deep\n\n- b\n"),
        ("- a\r\n- c\r\n", "- a\r\n- c\r\n- b\r\n"),
        ("\ufeff- a\n", "\ufeff- a\n- b\n"),
        ("---\n- a\n...\n", "---\n- a\n- b\n...\n"),
        ("- a\n# c\n...", "- a\n# c\n- b\n..."),
        ("- a\n... # c\n# d\n", "- a\n- b\n... # c\n# d\n"),
        ("&x\n- a\n", "&x\n- a\n- b\n"),
        ("- &x a\n- *x", "- &x a\n- *x\n- b\n"),
        ("- |\n  a\n", "- |\n  a\n- b\n"),
        ("- |+\n  a\n\n\n", "- |+\n  a\n\n\n- b\n"),
        ("- |9\n          a\n         b\n", "- |9\n          a\n         b\n- b\n"),
        ("- |\n  a\n# c", "- |\n  a\n# c\n- b\n"),
        ("- command: a\n  x: [1, 2]\n", "- command: a\n  x: [1, 2]\n- b\n"),
        ("- command: a\n- x: [1, 2]\n", "- command: a\n- x: [1, 2]\n- b\n"),
        ("[a]", "[a, 'b']"),
        ("[ a ]\n", "[ a, 'b' ]\n"),
        ("[a, ] # c\n", "[a, 'b', ] # c\n"),
        ("[a,]", "[a, 'b',]"),
        ("[\n  a,\n  c # d\n]\n", "[\n  a,\n  c, # d\n  'b'\n]\n"),
        ("[\n  a,\n  c, # d\n]\n", "[\n  a,\n  c, # d\n  'b',\n]\n"),
        ("[a,\r\n c\r\n]\r\n", "[a,\r\n c,\r\n 'b'\r\n]\r\n"),
        ("[a\n]", "[a,\n  'b'\n]"),
        ("[a # d\n, ]", "[a # d\n, 'b', ]"),
        ("[{command: a, x: [1]}]", "[{command: a, x: [1]}, 'b']"),
    ],
)
def test_where_an_entry_is_added(before: str, after: str, parser: object) -> None:
    with queue(before, parser) as file:
        file.add(NEW)
        assert content(file) == after
        assert jobs_of(items_of(after)) == [*jobs_of(items_of(before)), Job("b")]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("- |\n  a", "- |-\n  a\n- b\n"),
        ("- >\n  a\n  c", "- >-\n  a\n  c\n- b\n"),
        ("- |+ # c\n  a", "- |- # c\n  a\n- b\n"),
        ("- |2+\n   a", "- |2-\n   a\n- b\n"),
        ("- |+2\n   a", "- |-2\n   a\n- b\n"),
        ("- |-\n  a", "- |-\n  a\n- b\n"),
        ("- |\n  a\n    ", "- |-\n  a\n    \n- b\n"),
        ("- |+\n  a\n  ", "- |+\n  a\n- b\n"),
        ("- |+\n  a\n\n  ", "- |+\n  a\n\n- b\n"),
        ("- command: a\n  x: |", "- command: a\n  x: |-\n- b\n"),
        ("- command: a\n  x:\n  - |\n    1", "- command: a\n  x:\n  - |-\n    1\n- b\n"),
        (
            "- command: a\n  options:\n    cancel: |\n      x",
            "- command: a\n  options:\n    cancel: |-\n      x\n- b\n",
        ),
        ("- &x |\n  a\n- *x", "- &x |\n  a\n- *x\n- b\n"),
    ],
)
def test_a_literal_text_without_a_last_newline_means_what_it_meant(before: str, after: str) -> None:
    with queue(before) as file:
        file.add(NEW)
        assert content(file) == after
        assert jobs_of(items_of(after)) == [*jobs_of(items_of(before)), Job("b")]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_jobs_that_are_put_back_at_the_end_come_last(case: dict[str, Any]) -> None:
    back = [Job("one\ntwo", (("x", "' # '"),), id=1), Job("b", id=2)]
    before = jobs_of(items_of(case["before"]))
    with queue(case["before"]) as file:
        file.put_back(back, at_end=True)
        assert jobs_of(items_of(content(file))) == [*before, *back]
        taken = {job.id: job for job in file.take(1000)}
        assert [taken[1], taken[2]] == back


@pytest.mark.parametrize("at_head", [False, True])
@pytest.mark.parametrize(
    ("new", "written"),
    [
        (entry("python x"), "- python x\n"),
        (entry("one\ntwo\n"), "- |\n  one\n  two\n"),
        (entry("{{ x }}", x="1"), "- command:\n  - '{{ x }}'\n  x:\n  - '1'\n"),
        (
            entry("e {{x}}", x=["1", "a: b"], z="é"),
            "- command:\n  - e {{x}}\n  x:\n  - '1'\n  - 'a: b'\n  z:\n  - 'é'\n",
        ),
    ],
)
def test_how_an_entry_is_written(new: Addition, written: str, at_head: bool) -> None:
    with queue("- a\n") as file:
        file.add([new], at_head=at_head)
        assert content(file) == (written + "- a\n" if at_head else "- a\n" + written)


def test_entries_of_several_lines_keep_the_lines_of_a_windows_file() -> None:
    with queue("  - a\r\n") as file:
        file.add([entry("one\n\n two", x=["1", "2"])])
        assert content(file) == (
            "  - a\r\n  - command:\r\n    - |-\r\n      one\r\n\r\n       two\r\n"
            "    x:\r\n    - '1'\r\n    - '2'\r\n"
        )


@pytest.mark.parametrize("at_head", [False, True])
@pytest.mark.parametrize(
    "wrong", ["- [a]\n", "- a\n  b: c\n", "a: b\n", "- a\n---\n- b\n", "- {x: 1}"]
)
def test_a_wrong_file_is_refused_and_stays(wrong: str, at_head: bool) -> None:
    with queue(wrong) as file:
        with pytest.raises(QueueFileError, match=r"queue\.yaml:"):
            file.add(NEW, at_head=at_head)
        with pytest.raises(QueueFileError, match=r"queue\.yaml:"):
            file.put_back([Job("b", id=1)], at_end=not at_head)
        assert content(file) == wrong


def test_a_missing_file_is_made_for_its_owner_alone() -> None:
    with queue("") as file:
        file.path.unlink()
        file.add(NEW)
        assert content(file) == "- b\n"
        assert file.path.stat().st_mode & 0o777 == 0o600


def test_what_an_editor_saves_meanwhile_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    with queue("- a\n") as file:
        assert_unchanged = file._content.assert_unchanged

        def save() -> None:
            if "edited" not in content(file):
                file.path.write_bytes(b"- edited\n")
            assert_unchanged()

        monkeypatch.setattr(file._content, "assert_unchanged", save)
        file.add(NEW)
        assert content(file) == "- edited\n- b\n"
        assert [path.name for path in file.path.parent.iterdir() if path.is_file()] == [
            "queue.yaml"
        ]


KILLED = """
import os, signal, sys
from pathlib import Path
from pegasus.files.additions import Addition
from pegasus.files.queuefile import QueueFile
from pegasus.model import Place
file = QueueFile(Path(sys.argv[1]), Path(sys.argv[1]).with_name("consumed.yaml"))
file._content.assert_unchanged = lambda: os.kill(os.getpid(), signal.SIGKILL)
with file.lock.hold("test"):
    file.add([Addition.of("b", None, Place("", 1, 1))])
"""


def test_what_a_killed_program_left_of_an_addition_is_swept_away(tmp_path: Path) -> None:
    path = tmp_path / "queue.yaml"
    path.write_text("- a\n")
    assert subprocess.run([sys.executable, "-c", KILLED, path], check=False).returncode == -SIGKILL
    assert len([one for one in tmp_path.iterdir() if one.is_file()]) == 2
    file = QueueFile(path, tmp_path / "consumed.yaml")
    with file.lock.hold("test"):
        file.settle()
    assert [one.name for one in tmp_path.iterdir() if one.is_file()] == ["queue.yaml"]
    assert path.read_text() == "- a\n"


@st.composite
def in_brackets(draw: st.DrawFn) -> list[Chunk]:
    """A queue file in brackets, in one line or several."""
    item = st.one_of(
        scalars(in_flow=True).filter(lambda text: bool(items_of(f"[{text}]")[0].strip())),
        st.sampled_from(["{command: a, x: [1, 2]}", '{command: "a", options: {retries: 1}}']),
    )
    items = draw(st.lists(item, min_size=1, max_size=3))
    joint = draw(st.sampled_from([",", ", ", " ,  ", ",\n  ", ", # c\n", " # c\n , "]))
    head = draw(st.sampled_from(["", "--- ", "# h\n", "---\n"]))
    last = draw(
        st.sampled_from(["", ",", " ", ", ", "\n", ",\n", " # c\n", ", # c\n  ", "\n# d\n"])
    )
    tail = draw(st.sampled_from(["", "\n", " # e\n", "\n...\n"]))
    opening = draw(st.sampled_from(["[", "[ ", "[\n  ", "[ # o\n"]))
    return [Chunk(head + opening + joint.join(items) + last + "]" + tail)]


#: What may follow the last entry.
TAIL = st.sampled_from(["", "", "...\n", "... # c\n\n", "# c", "  ", "\n  "])
ADDITIONS = st.lists(
    st.builds(
        lambda command, params: (command, params),
        TEXT.filter(lambda text: bool(text.strip()) and "\0" not in text),
        st.dictionaries(
            NAME.filter(lambda n: bool(n) and not set("\n\0") & set(n) and n != "hostname"),
            st.lists(TEXT.filter(lambda text: "\0" not in text), min_size=1, max_size=3),
            max_size=2,
        ),
    ),
    min_size=1,
    max_size=3,
)


def is_real(job: Job) -> bool:
    """Whether a file can hold a job: it was taken from one."""
    return bool(job.template.strip()) and readable(job)


REAL_JOBS = JOBS.filter(lambda jobs: all(map(is_real, jobs)))


@pytest.mark.parametrize("parser", PARSERS)
@given(
    chunks=st.one_of(files(), in_brackets(), st.just([Chunk("# c\n[]")])),
    newline=st.sampled_from(["\n", "\n", "\r\n"]),
    bom=st.sampled_from(["", "", "\ufeff"]),
    tail=TAIL,
    added=st.lists(st.one_of(ADDITIONS, REAL_JOBS), min_size=1, max_size=3),
)
@example([Chunk("- |+\n  a\n")], "\n", "", "\n  ", [[("b", {})]])
@MANY
def test_what_is_added_comes_last_and_every_byte_stays(
    parser: object,
    chunks: list[Chunk],
    newline: str,
    bom: str,
    tail: str,
    added: list[list[Any]],
) -> None:
    text = "".join(chunk.text for chunk in chunks)
    if text.endswith("\n") and not text.endswith("...\n"):
        text += tail
    text = bom + text.replace("\n", newline)
    expected = jobs_of(items_of(text))
    with queue(text, parser) as file:
        for new in added:
            add(file, new)
            expected += [job for one in new for job in meant(one)]
            after = content(file)
            assert jobs_of(items_of(after)) == expected
            assert peek(file, 10**6) == expected
            if not text.endswith("[]"):
                assert is_kept(text, after)


def meant(one: Any) -> list[Job]:
    if isinstance(one, Job):
        return [one]
    command, params = one
    return jobs_of([{"command": command, **params}])


def add(file: QueueFile, new: list[Any]) -> None:
    if isinstance(new[0], Job):
        file.put_back(new, at_end=True)
    else:
        file.add([Addition.of(command, params, PLACE) for command, params in new])


def is_kept(before: str, after: str) -> bool:
    """Whether all of a text is in another, in its order; but for its last spaces and a `+`."""
    left = iter(after)
    return all(c in left for c in before.rstrip(" ").replace("|+", "|"))
