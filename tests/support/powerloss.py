"""A disk that loses power: what may be on it afterwards, by the rules of POSIX.

Only what `fsync` was called for is sure. Of what was written to a file since then, there may be
nothing, the first part, all of it, or zeros in its place. What was made, renamed and removed in a
folder may be there or not, each on its own, whatever became of the contents, until the folder
itself is synced. A rename is never seen half-done.
"""

from __future__ import annotations

import copy
import itertools
import os
import random
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from queuestate import consumed_path
from syscalls import HINTS, Call, Hook, pass_over


@dataclass(frozen=True)
class Done:
    """A call that has succeeded.

    Attributes:
        name: of the function of `os`, or `told`.
        paths: what it was about.
        args: the others of its arguments; data are bytes.
        value: what it returned, or for `told`, what was told.
        inode: of the file that was opened, else 0.
    """

    name: str
    paths: tuple[str, ...]
    args: tuple[Any, ...]
    value: Any
    inode: int = 0

    def __str__(self) -> str:
        return f"{self.name} {' -> '.join(map(os.path.basename, self.paths))}"


class Recorder:
    """A hook that notes what was done, by way of another hook."""

    def __init__(self, through: Hook = pass_over) -> None:
        self.done: list[Done] = []
        self._through = through

    def __call__(self, call: Call, make: Callable[[], Any]) -> Any:
        value = self._through(call, make)
        inode = os.fstat(value).st_ino if call.name == "open" else 0
        rest = call.args[len(call.paths) :] if not isinstance(call.args[0], int) else call.args
        args = tuple(bytes(one) if isinstance(one, memoryview) else one for one in rest)
        self.done.append(Done(call.name, call.paths, args, value, inode))
        return value

    def tell(self, value: object) -> None:
        self.done.append(Done("told", (), (), value))


@dataclass
class _File:
    """A file: what is surely on the disk, and the contents that it has had since."""

    number: int  # By which the system knew it.
    sure: bytes = b""
    since: list[bytes] = field(default_factory=list)

    @property
    def now(self) -> bytes:
        return self.since[-1] if self.since else self.sure

    def variants(self) -> list[bytes]:
        """Return what may be in it, from the most to the least."""
        found = [self.now, self.sure, *self.since]
        for before, after in itertools.pairwise([self.sure, *self.since]):
            if after.startswith(before):
                found.append(after[: (len(before) + len(after) + 1) // 2])
        if len(self.now) > len(self.sure):
            found.append(self.sure + bytes(len(self.now) - len(self.sure)))
            if len(self.since) > 1 and self.now.startswith(self.since[-2]):
                last = self.now[len(self.since[-2]) :]
                found.append(self.sure + bytes(len(self.since[-2]) - len(self.sure)) + last)
        return list(dict.fromkeys(found))


@dataclass
class _Folder:
    """A folder: what is surely in it, and what has changed since, each of which may be there."""

    sure: dict[str, _File | _Folder] = field(default_factory=dict)
    since: list[dict[str, _File | _Folder | None]] = field(default_factory=list)

    @property
    def now(self) -> dict[str, _File | _Folder]:
        return self.with_changes([True] * len(self.since))

    def with_changes(self, chosen: list[bool]) -> dict[str, _File | _Folder]:
        names: dict[str, _File | _Folder | None] = dict(self.sure)
        for change, is_there in zip(self.since, chosen, strict=True):
            if is_there:
                names.update(change)
        return {name: node for name, node in names.items() if node is not None}


#: What is on the disk: the contents of files and None for folders, by their relative paths, and
#: the number of the inode that consumed.yaml had.
Image = tuple[tuple[tuple[str, bytes | None], ...], int]


class Disk:
    """A folder on a disk, from when all of it was sure."""

    def __init__(self, folder: Path) -> None:
        self._top = str(folder)
        self._root = _load(folder)
        self._open: dict[int, list[Any]] = {}  # Node, position, whether it appends.

    def do(self, done: Done) -> None:
        """Do what was done."""
        step = getattr(self, f"_do_{done.name}", None)
        if step:
            step(done)

    def image(self) -> Image:
        """Return what is there as long as the power is."""
        return self._image({}, set())

    def after_kill(self) -> Disk:
        """Return a disk like this one, on which nobody has a file open."""
        other = copy.deepcopy(self)
        other._open.clear()
        return other

    def images(self, chance: random.Random) -> Iterator[tuple[str, Image]]:
        """Yield what may be there after a power loss, and how that came."""
        files = [node for node in self._nodes() if isinstance(node, _File) and node.since]
        folders = [node for node in self._nodes() if isinstance(node, _Folder) and node.since]
        changes = [(id(one), index) for one in folders for index in range(len(one.since))]
        old = {id(file): file.sure for file in files}
        contents = [(file, data) for file in files for data in file.variants()]
        image = self._image
        yield "all is there", image({}, set())
        yield "nothing is there", image(old, set(changes))
        yield "only names are there", image(old, set())
        yield "only contents are there", image({}, set(changes))
        for one in changes:
            yield "one name is missing", image({}, {one})
            yield "one name is there", image({}, set(changes) - {one})
        for file, data in contents:
            yield "one content is not all there", image({id(file): data}, set())
        for _ in range(20 if changes or contents else 0):
            chosen = {id(file): chance.choice(file.variants()) for file in files}
            missing = {one for one in changes if chance.random() < 0.5}
            yield "some is there", image(chosen, missing)

    def _nodes(self) -> Iterator[_File | _Folder]:
        """Yield all there are, or may be."""
        waiting: list[_File | _Folder] = [self._root]
        seen: set[int] = set()
        while waiting:
            node = waiting.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            yield node
            if isinstance(node, _Folder):
                for names in (node.sure, *node.since):
                    waiting += [one for one in names.values() if one is not None]

    def _image(self, contents: Mapping[int, bytes], missing: set[tuple[int, int]]) -> Image:
        found: dict[str, bytes | None] = {}
        number = 0

        def walk(folder: _Folder, prefix: str) -> None:
            nonlocal number
            chosen = [(id(folder), index) not in missing for index in range(len(folder.since))]
            for name, node in folder.with_changes(chosen).items():
                if name in HINTS:
                    continue
                if isinstance(node, _Folder):
                    found[prefix + name] = None
                    walk(node, f"{prefix}{name}/")
                else:
                    found[prefix + name] = contents.get(id(node), node.now)
                    if name == "consumed.yaml":
                        number = node.number

        walk(self._root, "")
        return tuple(sorted(found.items())), number

    # What each call does.

    def _find(self, path: str) -> tuple[_Folder, str]:
        """Return the folder that something is in, and its name there."""
        folder = self._root
        *parents, name = os.path.relpath(path, self._top).split(os.sep)
        for parent in parents:
            inner = folder.now[parent]
            assert isinstance(inner, _Folder)
            folder = inner
        return folder, name

    def _node(self, path: str) -> _File | _Folder:
        if path == self._top:
            return self._root
        folder, name = self._find(path)
        return folder.now[name]

    def _do_open(self, done: Done) -> None:
        path, flags = done.paths[0], done.args[0]
        if path == self._top:
            self._open[done.value] = [self._root, 0, False]
            return
        folder, name = self._find(path)
        if name not in folder.now:
            folder.since.append({name: _File(done.inode)})
        node = folder.now[name]
        if flags & os.O_TRUNC and isinstance(node, _File) and node.now:
            node.since.append(b"")
        self._open[done.value] = [node, 0, bool(flags & os.O_APPEND)]

    def _do_write(self, done: Done) -> None:
        entry = self._open[done.args[0]]
        node, position, appends = entry
        data = done.args[1][: done.value]
        position = len(node.now) if appends else position
        node.since.append(_written(node.now, position, data))
        entry[1] = position + len(data)

    def _do_pwrite(self, done: Done) -> None:
        node = self._open[done.args[0]][0]
        node.since.append(_written(node.now, done.args[2], done.args[1]))

    def _do_ftruncate(self, done: Done) -> None:
        node = self._open[done.args[0]][0]
        node.since.append(node.now[: done.args[1]])

    def _do_truncate(self, done: Done) -> None:
        node = self._node(done.paths[0])
        assert isinstance(node, _File)
        node.since.append(node.now[: done.args[0]])

    def _do_fsync(self, done: Done) -> None:
        node = self._open[done.args[0]][0]
        node.sure, node.since = node.now, []

    _do_fdatasync = _do_fsync

    def _do_close(self, done: Done) -> None:
        self._open.pop(done.args[0], None)

    def _do_replace(self, done: Done) -> None:
        (folder, old), (other, new) = map(self._find, done.paths)
        assert folder is other, "renamed to another folder"
        folder.since.append({old: None, new: folder.now[old]})

    _do_rename = _do_replace

    def _do_unlink(self, done: Done) -> None:
        folder, name = self._find(done.paths[0])
        folder.since.append({name: None})

    _do_remove = _do_unlink

    def _do_mkdir(self, done: Done) -> None:
        folder, name = self._find(done.paths[0])
        folder.since.append({name: _Folder()})


def put(image: Image, folder: Path) -> None:
    """Have a folder hold this and nothing else; the journal knows consumed.yaml again."""
    files, number = image
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, data in files:
        path = folder / name
        if data is None:
            path.mkdir()
        else:
            path.write_bytes(data)
    journal, consumed = folder / ".pegasus/queue.yaml/journal.jsonl", consumed_path(folder)
    if journal.exists() and consumed.exists():
        now = str(consumed.stat().st_ino).encode()
        old = re.compile(rb'(?<="inode": )\d+')
        data = old.sub(lambda found: now if int(found[0]) == number else b"1", journal.read_bytes())
        journal.write_bytes(data)


def _load(folder: Path) -> _Folder:
    names: dict[str, _File | _Folder] = {}
    for entry in os.scandir(folder):
        path = Path(entry.path)
        names[entry.name] = (
            _load(path) if entry.is_dir() else _File(entry.inode(), path.read_bytes())
        )
    return _Folder(names)


def _written(before: bytes, position: int, data: bytes) -> bytes:
    before = before.ljust(position, b"\0")
    return before[:position] + data + before[position + len(data) :]
