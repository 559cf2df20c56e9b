"""Random queue files and random use of them by several hands, held against a simple model."""

from __future__ import annotations

import re
import tempfile
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest import mock

import yaml
from hypothesis import assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from peeking import peek
from queuefiles import MANY, PARSERS, items_of, jobs_of, standing
from test_queuefile_properties import files, scalars

from pegasus.errors import StorageError
from pegasus.files import queuetext
from pegasus.files.additions import Addition
from pegasus.files.commit import Commits
from pegasus.files.consumed import ConsumedFile
from pegasus.files.outlook import Outlook
from pegasus.files.queuefile import QueueFile
from pegasus.files.validation import validate
from pegasus.journal.file import JournalReader
from pegasus.journal.history import History
from pegasus.model import Job, Place
from pegasus.storage import Staged


@dataclass
class Piece:
    """A part of a file as the user wrote it: an entry with its jobs, or what is between two.

    Attributes:
        kept: what stays when an entry is taken: the comments in it.
        behind: in brackets, what is between it and the next.
        anchor: what is defined in it, as what others use of it and what that stands for.
    """

    text: str
    jobs: list[Job] = field(default_factory=list)
    kept: str = ""
    behind: str = ""
    anchor: tuple[str, str] | None = None


@dataclass
class Document:
    """A queue file: `lead`, pieces, and `end`, which is there in brackets only."""

    lead: str
    pieces: list[Piece]
    end: str = ""
    dash: str = ""

    @property
    def in_brackets(self) -> bool:
        return bool(self.end)


def with_newline(document: Document, newline: str) -> Document:
    def mended(text: str) -> str:
        return text.replace("\n", newline)

    pieces = [
        replace(one, text=mended(one.text), kept=mended(one.kept), behind=mended(one.behind))
        for one in document.pieces
    ]
    return replace(document, lead=mended(document.lead), pieces=pieces, end=mended(document.end))


@st.composite
def in_block(draw: st.DrawFn) -> Document:
    """A file as people write it, in every style of block YAML."""
    chunks = draw(files())
    items = items_of("".join(chunk.text for chunk in chunks))
    assume(len(items) == sum(chunk.items for chunk in chunks))
    pieces = []
    for chunk in chunks[1:]:
        own, items = items[: chunk.items], items[chunk.items :]
        pieces.append(Piece(chunk.text, jobs_of(own), chunk.kept))
    dash = next(chunk.text for chunk in chunks if chunk.items).partition("-")[0]
    return Document(chunks[0].text, pieces, dash=dash)


@st.composite
def in_brackets(draw: st.DrawFn) -> Document:
    """A file that is one list in brackets."""
    texts = draw(st.lists(flow_entries(), min_size=1, max_size=4))
    gap = draw(st.sampled_from(["", " ", "\n", "\n  ", "  # c\n  "]))
    lead = draw(st.sampled_from(["", "# head\n", "---\n"])) + "[" + gap
    pieces = [
        Piece(text, jobs_of(items_of(f"[{text}]")), behind=draw(st.sampled_from(BEHIND)))
        for text in texts
    ]
    pieces[-1].behind = ""
    return Document(lead, pieces, draw(st.sampled_from(["]", "]\n", " ]\n# end\n", ",\n]\n"])))


BEHIND = [", ", ",", ",  ", ",\n", ",\n  ", ", # c\n  "]


@st.composite
def flow_entries(draw: st.DrawFn) -> str:
    command = draw(
        scalars(in_flow=True).filter(lambda text: bool(items_of(f"[{text}]")[0].strip()))
    )
    if draw(st.booleans()):
        return command
    values = ", ".join(draw(st.lists(scalars(in_flow=True), min_size=1, max_size=3)))
    return f"{{command: [{command}], x: [{values}]}}"


@st.composite
def with_anchors(draw: st.DrawFn) -> Document:
    """A file in which entries use what others define."""
    pieces: list[Piece] = []
    text = ""
    for number in range(draw(st.integers(2, 5))):
        defined = [piece.anchor for piece in pieces if piece.anchor]
        lists = [one for one in defined if one[1].startswith("[")]
        texts = [one for one in defined if one not in lists]
        kind = draw(st.sampled_from(["text", "list", "plain", "use", "use"]))
        anchor = None
        if kind == "text":
            anchor, own = (f"*a{number}", f"'value {number}'"), f"- &a{number} value {number}\n"
        elif kind == "list":
            anchor = (f"*a{number}", "['1', '2']")
            own = f"- command: plain {number}\n  x: &a{number} [1, '2']\n"
        elif kind == "use" and defined:
            value = draw(st.sampled_from([*lists, ("'v'", "")]))[0] if lists else "v"
            command = draw(st.sampled_from([*texts, ("used", "")]))[0] if texts else "used"
            own = f"- command: {command}\n  x: {value}\n"
        else:
            own = f"- plain {number}  # c\n"
        before = len(jobs_of(items_of(text)))
        text += own
        pieces.append(Piece(own, jobs_of(items_of(text))[before:], anchor=anchor))
        gap = draw(st.sampled_from(["", "\n", "# gap\n"]))
        text += gap
        pieces.append(Piece(gap))
    return Document("", pieces)


WHO = st.integers(0, 1)
VALUES = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5),
    min_size=1,
    max_size=3,
)
DOCUMENTS = st.one_of(in_block(), in_brackets(), with_anchors())


_COMMENT = re.compile("#[^\r\n]*")


#: The comma behind an entry in brackets, and what goes with it.
COMMA = re.compile(r"\A,(?: (?!#))*")


def apart(at: int, jobs: list[Job], wanted: set[int]) -> tuple[int, list[Job]]:
    """Leave out the jobs whose positions are wanted; return the next position, and the others."""
    left = [job for position, job in enumerate(jobs, at) if position not in wanted]
    return at + len(jobs), left


class Model:
    """What the file must hold: `lead`, jobs in front, the user's pieces, and `after` with others.

    How the jobs in front are written is ours, so that only their meaning is checked; all the rest
    is known to the byte, and what is left of an entry between others is what `queuetext` writes.
    """

    def __init__(self, document: Document) -> None:
        self.lead, self.pieces = document.lead, document.pieces
        self.after, self.dash = document.end, document.dash
        self.in_brackets = document.in_brackets
        self.front: list[Job] = []
        self.back: list[Job] = []

    @property
    def written(self) -> str:
        """The pieces as text."""
        return "".join(piece.text + piece.behind for piece in self.pieces)

    @property
    def jobs(self) -> list[Job]:
        return [*self.front, *(job for one in self.pieces for job in one.jobs), *self.back]

    def take(self, count: int) -> list[Job]:
        taken: list[Job] = []
        while len(taken) < count and self.jobs:
            if not self.front:
                self._open()
            taken.append(self.front.pop(0))
        if taken and not (self.front or self.pieces):
            self._skip()  # In brackets, the comma goes too with which `after` began.
        return taken

    def take_at(self, positions: list[int], now: str) -> list[Job]:
        """Take jobs before those at the end, but not all; look whether `now` is right."""
        taken = [self.jobs[position] for position in positions]
        wanted, had_front = {*positions}, bool(self.front)
        at, self.front = apart(0, self.front, wanted)
        patterns: list[str] = []
        pieces, self.pieces = self.pieces, []
        for piece in pieces:
            at, left = apart(at, piece.jobs, wanted)
            if left == piece.jobs:
                patterns.append(re.escape(piece.text))
                self.pieces.append(piece)
            else:
                patterns += self._without(piece, left, now)
        for piece in pieces:
            if piece.anchor and not any(piece is one for one in self.pieces):
                patterns = [self._written_out(piece.anchor, one) for one in patterns]
        front = ".*?" if had_front or self.in_brackets else ""
        self._fill(re.escape(self.lead) + front, patterns, now)
        return taken

    def _without(self, piece: Piece, left: list[Job], now: str) -> list[str]:
        """Have a piece with only these jobs left; return what its text must be like."""
        if left and self.in_brackets:
            self.pieces += [Piece("", [job], behind=", ") for job in left]
            self.pieces[-1].behind = piece.behind
            return [re.escape(one) for one in queuetext.in_flow(left)]
        if left:
            self.pieces += [Piece(""), *(Piece("", [job]) for job in left)]
            return [re.escape(piece.kept), *(self._in_block(job, now) for job in left)]
        if not self.in_brackets:
            self.pieces.append(Piece(""))
            return [re.escape(piece.kept) or r"(?: *#\r?\n)?"]
        if not piece.behind:  # It is the last one, and a comma goes with it.
            self.after = COMMA.sub("", self.after)
        elif self.pieces:
            self.pieces[-1].behind += COMMA.sub("", piece.behind)
        return []

    def _in_block(self, job: Job, now: str) -> str:
        """Return a pattern for a job as we write it: a literal block is not always safe."""
        column = len(self.dash)
        ways = (
            queuetext.in_block([job], column, now, literal=is_safe) for is_safe in (True, False)
        )
        return "(?:" + "|".join(re.escape(text) for (text,) in ways) + ")"

    def _written_out(self, anchor: tuple[str, str], pattern: str) -> str:
        use, meaning = anchor
        return re.sub(re.escape(re.escape(use)) + r"\b", lambda _: re.escape(meaning), pattern)

    def _fill(self, lead: str, patterns: list[str], now: str) -> None:
        """Note what is the text of each piece by now."""
        written = "".join(
            f"({pattern}){re.escape(one.behind)}"
            for pattern, one in zip(patterns, self.pieces, strict=True)
        )
        found = re.fullmatch(f"{lead}{written}{re.escape(self.after)}", now, re.DOTALL)
        assert found
        for piece, text in zip(self.pieces, found.groups(), strict=True):
            piece.text = text

    def put_in_front(self, jobs: list[Job]) -> None:
        if not self.front:
            self._skip()
        self.front = [*jobs, *self.front]

    def put_behind(self, jobs: list[Job], before: str, now: str) -> None:
        """Note jobs at the end of a file that has some; `before` and `now` are its contents."""
        if self.in_brackets and not (self.pieces or self.back):
            self.front += jobs  # Where those end is ours.
            return
        if self.pieces:  # The last one may have a comma, when the one behind it was taken.
            self.pieces[-1].behind, self.after = "", self.pieces[-1].behind + self.after
        same = len(before) - len(self.after)
        assert now[:same] == before[:same]
        after = now[same:]
        if self.in_brackets:
            rest = iter(after)
            assert all(character in rest for character in self.after)
        else:
            assert after.startswith(self.after)
        self.after = after
        self.back += jobs

    def note_empty(self, now: str) -> None:
        """Look what is left of a file without jobs."""
        if self.in_brackets:
            before = self.lead + self.written + self.after
            assert set(_COMMENT.findall(before)) <= set(_COMMENT.findall(now))
            self.lead, self.pieces, self.after, self.in_brackets = now, [], "", False
        rest = self.lead + self.written
        assert now.rstrip("\r\n") == rest.rstrip("\r\n")
        assert len(now) >= len(rest)

    def lose_brackets(self) -> None:
        """Have it that the list, which is empty, is no longer in brackets; all else stays."""
        self.lead = re.sub(r"[][]", "", self.lead + self.after)
        self.after, self.in_brackets = "", False

    def _open(self) -> None:
        """Have a job in front."""
        self._skip()
        if self.front:
            return
        piece = self.pieces.pop(0)
        self.front = [*piece.jobs]
        self.lead += piece.kept
        if piece.anchor:
            use, meaning = piece.anchor
            for other in self.pieces:
                other.text = re.sub(rf"{re.escape(use)}\b", lambda _: meaning, other.text)

    def _skip(self) -> None:
        """Go by what is no entry: jobs are put in front of an entry."""
        while self.pieces and not self.pieces[0].jobs:
            self.lead += self.pieces.pop(0).text
        if not self.pieces:
            self.front, self.back, self.after = self.back, [], ""


class Killed(BaseException):
    """A process is killed here."""


#: In which moment of a take a run is killed: in this function, before it is run or behind it.
KILLS = {
    "killed before": (Commits, "_announce"),
    "killed when it is announced": (Commits, "_announce"),
    "killed when it is recorded": (ConsumedFile, "add"),
    "killed when it is done": (Staged, "put_in_place"),
}


class QueueMachine(RuleBasedStateMachine):
    """Two runs, scripts and an editor on one queue file, in turns."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.stack.enter_context(mock.patch("os.fsync"))
        self.stack.enter_context(mock.patch("pegasus.files.content.SETTLING", 0))
        self.path = self.folder / "queue.yaml"
        self.consumed: list[Job] = []
        self.held: list[Job] = []
        self.requeued: list[Job] = []
        self.last_id = 0
        self.edits = 0

    def teardown(self) -> None:
        self.stack.close()

    @initialize(
        document=DOCUMENTS,
        newline=st.sampled_from(["\n", "\n", "\r\n"]),
        bom=st.sampled_from(["", "", "\ufeff"]),
        parser=st.sampled_from(PARSERS),
    )
    def begin(self, document: Document, newline: str, bom: str, parser: object) -> None:
        self.stack.enter_context(mock.patch("pegasus.files.reader.LOADER", parser))
        self.newline = newline
        self.model = Model(with_newline(document, newline))
        self.model.lead = bom + self.model.lead
        text = self.model.lead + self.model.written + self.model.after
        self.path.write_bytes(text.encode())
        self.files = [self.opened() for _ in range(2)]

    def opened(self) -> QueueFile:
        return QueueFile(self.path, self.folder / "consumed.yaml")

    @property
    def content(self) -> str:
        return self.path.read_bytes().decode()

    # What runs and scripts do.

    @rule(who=WHO, count=st.integers(1, 4), is_expected=st.booleans())
    def take(self, who: int, count: int, is_expected: bool) -> None:
        file = self.files[who]
        with file.lock.hold("test"):
            peeked = peek(file, count)
            assert peeked == self.model.jobs[:count]
            assert file.jobs == len(self.model.jobs)
            taken = file.take(count, peeked if is_expected else None)
            assert file.jobs == len(self.model.jobs) - len(taken)
        expected = self.named(self.model.take(count))
        assert taken == expected
        found = [(job.id, job.attempts) for job in taken]
        assert found == [(job.id, job.attempts) for job in expected]
        self.held += taken
        self.consumed += taken
        if taken and not self.model.jobs:
            self.model.note_empty(self.content)

    @rule(
        who=WHO,
        chosen=st.lists(st.integers(0, 30), min_size=1, max_size=4),
        ending=st.sampled_from(["", "", "", "fails", *KILLS]),
    )
    @precondition(lambda self: self.model.jobs)
    def take_anywhere(self, who: int, chosen: list[int], ending: str) -> None:
        jobs, file = self.model.jobs, self.files[who]
        count = len(jobs) - len(self.model.back)
        positions = sorted({number % max(count, 1) for number in chosen})
        expected = [jobs[position] for position in positions]
        with file.lock.hold("test"):
            self.check_outlook(file.look())
            assert file.jobs_at(positions) == expected
            if ending == "fails":
                full = mock.patch.object(ConsumedFile, "add", side_effect=StorageError("full"))
                with full, suppress(StorageError):
                    file.take(positions, expected)
                return
            if ending in KILLS and not self.is_made_good(file, positions, ending):
                return
            found = None if ending else file.take(positions, expected)
        if positions == [*range(len(positions))]:
            taken = self.named(self.model.take(len(positions)))
        else:
            taken = self.named(self.model.take_at(positions, self.content))
        if found is not None:
            assert found == taken
            assert [(one.id, one.attempts) for one in found] == [
                (one.id, one.attempts) for one in taken
            ]
            assert file.jobs == len(self.model.jobs)
        self.held += taken
        self.consumed += taken
        if not self.model.jobs:
            self.model.note_empty(self.content)

    def check_outlook(self, outlook: Outlook) -> None:
        needs = [need for need, count in outlook for _ in range(count)]
        assert needs == [job.need for job in self.model.jobs]
        assert outlook.jobs == len(self.model.jobs)

    def is_made_good(self, file: QueueFile, positions: list[int], moment: str) -> bool:
        """Have a run killed as it takes jobs; return whether they are taken."""
        owner, name = KILLS[moment]
        real = getattr(owner, name)

        def killed(*args: Any, **more: Any) -> None:
            if moment != "killed before":
                real(*args, **more)
            raise Killed

        with (
            mock.patch.object(owner, name, killed),
            mock.patch.object(Commits, "_abandon"),
            suppress(Killed),
        ):
            file.take(positions)
        self.files = [self.opened() for _ in self.files]
        self.files[0].settle()
        return moment == "killed when it is done"

    def named(self, jobs: list[Job]) -> list[Job]:
        """The jobs with the ids they are to have."""
        named = []
        for job in jobs:
            known = next((one for one in self.requeued if one == job), None)
            if known:
                self.requeued = [one for one in self.requeued if one.id != known.id]
            else:
                self.last_id += 1
                known = replace(job, id=self.last_id, attempts=0)
            named.append(known)
        return named

    @rule(who=WHO, begin=st.integers(0, 9), count=st.integers(1, 3), attempts=st.integers(0, 3))
    @precondition(lambda self: self.held)
    def put_back(self, who: int, begin: int, count: int, attempts: int) -> None:
        self._put_back(who, begin, count, attempts, at_end=False)

    @rule(who=WHO, begin=st.integers(0, 9), count=st.integers(1, 3))
    @precondition(lambda self: self.held and self.has_end)
    def put_back_at_the_end(self, who: int, begin: int, count: int) -> None:
        self._put_back(who, begin, count, 1, at_end=True)

    def _put_back(self, who: int, begin: int, count: int, attempts: int, at_end: bool) -> None:
        begin %= len(self.held)
        jobs = [replace(job, attempts=attempts) for job in self.held[begin : begin + count]]
        del self.held[begin : begin + count]
        for job in jobs:
            del self.consumed[max(at for at, one in enumerate(self.consumed) if one == job)]
        self.requeued = [*jobs, *self.requeued]
        before, file = self.content, self.files[who]
        with file.lock.hold("test"):
            file.put_back(jobs, at_end=at_end)
        self.note_new(jobs, before, at_end)
        self.check_count(file, at_end)

    @rule(who=WHO, values=VALUES)
    def add_at_the_head(self, who: int, values: list[str]) -> None:
        self._add(who, values, at_end=False)

    @rule(who=WHO, values=VALUES)
    @precondition(lambda self: self.has_end)
    def add_at_the_end(self, who: int, values: list[str]) -> None:
        self._add(who, values, at_end=True)

    def _add(self, who: int, values: list[str], at_end: bool) -> None:
        place = Place("a test", 1, 1)
        new = [Addition.of(f"add {value}", {"p": values}, place) for value in values]
        before, file = self.content, self.files[who]
        with file.lock.hold("test"):
            file.add(new, at_head=not at_end)
        jobs = [Job(one.command, (("p", value),)) for one in new for value in values]
        self.note_new(jobs, before, at_end)
        self.check_count(file, at_end)

    def check_count(self, file: QueueFile, at_end: bool) -> None:
        """What is put at the end is put there without a look at the rest."""
        assert file.jobs == (None if at_end else len(self.model.jobs))

    def note_new(self, jobs: list[Job], before: str, at_end: bool) -> None:
        if at_end and self.model.jobs:
            self.model.put_behind(jobs, before, self.content)
            return
        if self.model.in_brackets and not self.model.jobs:
            self.model.lose_brackets()
        self.model.put_in_front(jobs)

    @property
    def has_end(self) -> bool:
        """Whether nothing is missing at the end of the file, which would be put there, too."""
        model = self.model
        return model.in_brackets or not model.jobs or self.content.endswith("\n")

    @rule(who=WHO)
    def open_anew(self, who: int) -> None:
        self.files[who] = self.opened()

    # What an editor does.

    @rule(at=st.integers(0, 9), in_place=st.booleans())
    @precondition(lambda self: self.model.pieces)
    def insert(self, at: int, in_place: bool) -> None:
        at %= len(self.model.pieces) + (not self.model.in_brackets)
        self.edit(at, at, [self.new_piece(", ")], in_place)

    @rule(at=st.integers(0, 9), in_place=st.booleans())
    @precondition(lambda self: self.model.pieces)
    def change(self, at: int, in_place: bool) -> None:
        at %= len(self.model.pieces)
        piece = self.model.pieces[at]
        if piece.jobs:
            self.edit(at, at + 1, [self.new_piece(piece.behind)], in_place)

    @rule(at=st.integers(0, 9), in_place=st.booleans())
    @precondition(lambda self: self.model.pieces)
    def delete(self, at: int, in_place: bool) -> None:
        at %= len(self.model.pieces)
        self.edit(at, at + 1, [], in_place)

    def new_piece(self, behind: str) -> Piece:
        self.edits += 1
        command = f"edited {self.edits}"
        if self.model.in_brackets:
            return Piece(command, [Job(command)], behind=behind)
        return Piece(f"{self.model.dash}- {command}{self.newline}", [Job(command)])

    def edit(self, begin: int, end: int, new: list[Piece], in_place: bool) -> None:
        """Put new pieces in the place of some, unless that would change what others mean."""
        content, model = self.content, self.model
        pieces = model.pieces
        head = content[: len(content) - len(model.written + model.after)]
        model.pieces = [*pieces[:begin], *new, *pieces[end:]]
        edited = head + model.written + model.after
        if not is_meant(edited, model.jobs):
            model.pieces = pieces
            return
        if model.pieces:
            last = model.pieces[-1]
            last.behind, model.after = "", last.behind + model.after
        elif model.in_brackets and not model.jobs:
            model.lead = head  # What stood between jobs that were taken may be left there.
        self.save(edited.encode(), in_place)

    def save(self, data: bytes, in_place: bool) -> None:
        if in_place:
            self.path.write_bytes(data)
        else:
            beside = self.folder / "edited"
            beside.write_bytes(data)
            beside.replace(self.path)

    # What must hold.

    @invariant()
    def the_queue_file_is_as_it_must_be(self) -> None:
        content, model = self.content, self.model
        assert jobs_of(items_of(content)) == model.jobs
        assert content.startswith(model.lead)
        if model.jobs:
            assert content.endswith(model.written + model.after)

    @invariant()
    def what_is_known_is_what_the_file_holds(self) -> None:
        data = self.path.read_bytes()
        for known in (file._known for file in self.files):
            if known and known.data == data:
                fresh = validate(data, str(self.path), lambda _: None, None)
                assert standing(known) == standing(fresh)
                assert known.source.text == fresh.source.text
                assert fresh.is_apart or not known.is_apart

    @invariant()
    def the_other_files_agree(self) -> None:
        record = self.folder / "consumed.yaml"
        found = jobs_of(items_of(record.read_bytes().decode())) if record.exists() else []
        assert found == self.consumed
        own = self.folder / ".pegasus" / "queue.yaml"
        assert taken_by_journal(own) == {
            job.id: (job.template, dict(job.params)) for job in self.held
        }
        history = History(own, lambda _: True)
        history.catch_up()
        assert {job.id for job in history.jobs.values() if not job.taking.is_undone} == {
            job.id for job in self.held
        }
        assert not [*self.folder.glob(".*.next")]


def is_meant(text: str, jobs: list[Job]) -> bool:
    """Whether a text is a queue of these jobs."""
    try:
        return jobs_of(items_of(text)) == jobs
    except (yaml.YAMLError, LookupError, TypeError, AttributeError, ValueError):
        return False


def taken_by_journal(folder: Path) -> dict[int, tuple[str, dict[str, str]]]:
    """The jobs that are taken, as the journal tells it."""
    taken = {}
    lines = [*JournalReader(folder).read()]
    undone = {line["commit"] for line in lines if line["event"] == "undone"}
    for line in lines:
        for job in line["jobs"] if line["commit"] not in undone else ():
            if line["event"] == "jobs_taken":
                assert job["job"] not in taken
                taken[job["job"]] = job["template"], job["params"]
            else:
                del taken[job["job"]]
    return taken


TestQueueFileAndModel = QueueMachine.TestCase
TestQueueFileAndModel.settings = settings(MANY, stateful_step_count=12)
