"""Which nodes a run has while hosts.yaml changes: what was added, removed, or is back.

The file may be in the middle of being written, or wrong. A change is looked at when the file has
settled, and taken over as a whole or not at all.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from pegasus import storage
from pegasus.errors import PegasusError, PlacedError, ProblemsError, StorageError
from pegasus.events import HostsMended, HostsRefused, Sink
from pegasus.files import hosts
from pegasus.files.entries import Entry
from pegasus.files.queuefile import QueueFile
from pegasus.inputs import Choice
from pegasus.lint import Linter
from pegasus.model import Node
from pegasus.nodesets import fold
from pegasus.storage import Signature

#: For how long the file must stay the same before it is taken for whole, in seconds: whoever
#: writes it may do so in pieces.
SETTLING = 0.25
#: A file that never stays the same is read after so many seconds all the same.
RESTLESS = 2.0
#: How often it is tried again what can't be taken over, in seconds.
RETRY = 1.0

#: How many characters of the names of nodes stand in a message.
_SHOWN = 200

#: Makes what checks the queue file for some nodes.
MakeLinter = Callable[[Iterable[Node]], Linter]


class Change(NamedTuple):
    """What has become of the nodes of a run.

    Attributes:
        added: nodes that it has not had before.
        removed: nodes that are not in hosts.yaml any more.
        returned: nodes that were removed, and are there again as they were.
    """

    added: tuple[Node, ...] = ()
    removed: tuple[Node, ...] = ()
    returned: tuple[Node, ...] = ()


class Roster:
    """The nodes of a run, kept up with hosts.yaml. One thread at a time uses it.

    Args:
        choice: names hosts.yaml, and says which of its nodes the run is for.
        nodes: those that the run has begun with.
        queue: the queue file, whose commands new nodes must be able to run.
        emit: where HostsRefused and HostsMended go.
        linter: makes what checks the queue file for nodes.
        relint: called with it when the nodes have changed.
    """

    def __init__(
        self,
        choice: Choice,
        nodes: Sequence[Node],
        queue: QueueFile,
        emit: Sink,
        *,
        linter: MakeLinter,
        relint: Callable[[Linter], object],
    ) -> None:
        self._path = choice.path
        self._choose = choice
        self._queue = queue
        self._emit = emit
        self._linter = linter
        self._relint = relint
        self._watch = _Watch(choice.path, choice.seen)
        self._nodes = [*nodes]
        self._removed: list[Node] = []
        self._next = max((node.index for node in nodes), default=-1) + 1
        self._refused = ""
        self._is_passing = False
        self._retry_at = 0.0
        self._queue_seen: Signature | None = None

    def look(self) -> Change | None:
        """Return what has changed since it was last asked, or None. It never raises.

        While the file is the same it costs next to nothing, and may be asked all the time.
        """
        try:
            return self._look()
        except PegasusError as error:
            self._refuse(error)
        except Exception as error:  # A helper of the user's, or a mistake of ours.
            self._refuse(PegasusError(f"{self._path}: internal error: {error!r}"))
        return None

    def _look(self) -> Change | None:
        if not (self._watch.has_changed() or self._is_worth_another_try()):
            return None
        self._queue_seen = self._queue.signature()
        nodes = self._read()
        if nodes is None:
            return None
        change = self._compare(self._choose(nodes))
        self._check(change.added)
        if self._refused:
            self._refused = ""
            self._emit(HostsMended())
        return self._accept(change) if any(change) else None

    def _is_worth_another_try(self) -> bool:
        """Whether what was refused may be right by now, though the file is the same."""
        if not self._refused or time.monotonic() < self._retry_at:
            return False
        return self._is_passing or self._queue.changed_since(self._queue_seen)

    def _read(self) -> list[Node] | None:
        """Return the nodes in the file; None where somebody is writing it after all."""
        errors: list[PegasusError] = []
        nodes: list[Node] = []
        try:
            nodes = hosts.load(self._path, refuse=errors.append)
        except PegasusError as error:
            errors.append(error)
        if not self._watch.is_read():
            return None
        _raise(errors)
        return nodes

    def _compare(self, there: Sequence[Node]) -> Change:
        wanted = Counter(map(_written, there))

        def take(nodes: Iterable[Node]) -> list[Node]:
            """Return those of the nodes that are wanted, each as often as that."""
            taken = []
            for node in nodes:
                if wanted[_written(node)] > 0:
                    wanted[_written(node)] -= 1
                    taken.append(node)
            return taken

        kept, returned, added = take(self._nodes), take(self._removed), take(there)
        return Change(
            tuple(replace(node, index=self._next + n) for n, node in enumerate(added)),
            tuple(node for node in self._nodes if node not in {*kept}),
            tuple(returned),
        )

    def _check(self, added: Sequence[Node]) -> None:
        """Check the queue file for new nodes, unless it was checked for others of their kind.

        Raises:
            PegasusError: some of them could not run what is queued.
        """
        known = {*map(_kind, self._nodes)}
        new = [node for node in added if self._is_bound() or _kind(node) not in known]
        if not new:
            return
        linter, before = self._linter(new), self._linter(self._nodes)
        problems: dict[str, PegasusError] = {}
        # What is wrong for all nodes is said of the queue, and no node's fault.
        with suppress(PegasusError):
            for alike in self._queue.alike(_pass_over):
                for error in _new_problems(next(iter(alike)), linter, before):
                    problems.setdefault(str(error), _of_nodes(error, new))
        _raise([*problems.values()])

    def _is_bound(self) -> bool:
        """Whether jobs of the queue may be bound to nodes, of which kind tells nothing."""
        outlook = self._queue.outlook
        return outlook is None or any(need.on for need in outlook.needs)

    def _accept(self, change: Change) -> Change:
        gone, back = {*change.removed}, {*change.returned}
        kept = [node for node in self._nodes if node not in gone]
        self._nodes = [*kept, *change.returned, *change.added]
        self._removed = [node for node in self._removed if node not in back]
        self._removed += change.removed
        self._next += len(change.added)
        self._relint(self._linter(self._nodes))
        return change

    def _refuse(self, error: PegasusError) -> None:
        # Nothing in the files tells when a disk can be read again.
        self._is_passing = isinstance(error, StorageError)
        self._retry_at = time.monotonic() + RETRY
        if str(error) != self._refused:
            self._refused = str(error)
            self._emit(HostsRefused(error))


class _Watch:
    """Tells when a file has changed, and nobody is still writing it.

    Args:
        path: the file.
        seen: its signature when it was read.
    """

    def __init__(self, path: Path, seen: Signature | None) -> None:
        self._path = path
        self._seen = seen
        self._last, self._since = seen, 0.0  # What was found last, and since when it is so.
        self._unread_since: float | None = None

    def has_changed(self) -> bool:
        """Return whether it is another one than was read, and has settled.

        Raises:
            StorageError: it can't be looked at.
        """
        signature, now = storage.signature(self._path), time.monotonic()
        if signature != self._last:
            self._last, self._since = signature, now
        if signature == self._seen:
            self._unread_since = None
        elif self._unread_since is None:
            self._unread_since = now
        has_settled = now - self._since >= SETTLING
        return self._unread_since is not None and (has_settled or self._is_restless(now))

    def is_read(self) -> bool:
        """Note that it was read just now, unless it has changed meanwhile; return whether so.

        Raises:
            StorageError: it can't be looked at.
        """
        if not self._is_restless(time.monotonic()) and storage.signature(self._path) != self._last:
            return False
        self._seen, self._unread_since = self._last, None
        return True

    def _is_restless(self, now: float) -> bool:
        return self._unread_since is not None and now - self._unread_since >= RESTLESS


def _written(node: Node) -> Hashable:
    """Return what a node is known by: how it is written, in whatever order."""
    return node.host.text, frozenset(node.params), node.slots, replace(node.options, written=())


def _kind(node: Node) -> Hashable:
    """Return what a check of the queue file depends on, of a node."""
    names = frozenset(name for name, _ in node.params)
    return names, replace(node.options, written=(), timeout=None, retries=None)


def _new_problems(entry: Entry, linter: Linter, before: Linter) -> Iterator[PegasusError]:
    """Yield what is wrong with an entry for new nodes, and was not before."""
    problems = [*linter.problems(entry)]
    known = {str(error) for error in before.problems(entry)} if problems else set()
    return (error for error in problems if str(error) not in known)


def _of_nodes(error: PegasusError, nodes: Sequence[Node]) -> PegasusError:
    """Return an error that says which nodes it is about."""
    if not isinstance(error, PlacedError):
        return error
    names = fold(nodes)
    shown = names if len(names) <= _SHOWN else f"{names[:_SHOWN]}…"
    return type(error)(f"for {shown}, new in hosts.yaml: {error.problem}", error.place)


def _pass_over(_: PlacedError) -> None:
    """Do nothing: who takes jobs says what is wrong with an entry."""


def _raise(errors: Sequence[PegasusError]) -> None:
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise ProblemsError(errors)
