"""What was gathered in a round of a broadcast, and how it is shown: what is the same, once."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pegasus.events import Stream
from pegasus.journal.logs import SUFFIXES, log_path
from pegasus.model import Attempt, Ending, printable
from pegasus.settings import Settings
from pegasus.terminal.lines.sequences import harmless
from pegasus.terminal.lines.splitter import LINE_END
from pegasus.terminal.outputs import Live
from pegasus.terminal.rounds.differing import Reference
from pegasus.terminal.rounds.folding import folded, grouped
from pegasus.terminal.rounds.spooling import Captured, Spool
from pegasus.terminal.screen import OURS, Screen

#: Stands above each output, as those have it in mind who know clush -b and dshbak.
RULE = "-" * 15


class Gathered:
    """An attempt and its output.

    Attributes:
        ending: how it has ended, or None.
        problem: why it never started, or "".
        counts: whether no other attempt of its job on its node has made it good.
        attempt_of_node: counts the attempts of the job on this node.
    """

    def __init__(self, attempt: Attempt, attempt_of_node: int, spool: Spool) -> None:
        self.attempt = attempt
        self.attempt_of_node = attempt_of_node
        self.ending: Ending | None = None
        self.problem = ""
        self.counts = True
        self._lock = threading.Lock()  # Guards what follows.
        self._outputs = {stream: Captured(spool) for stream in Stream}
        self._is_closed = False

    def add(self, stream: Stream, data: bytes) -> bool:
        """Keep output, and return whether it could be: it is not any more once this is closed.

        Raises:
            OSError: there is no room for more. This was kept nevertheless.
        """
        with self._lock:
            if not self._is_closed:
                self._outputs[stream].add(data)
            return not self._is_closed

    def close(self) -> Iterable[tuple[Stream, Captured]]:
        """Take no more; return what there is."""
        with self._lock:
            self._is_closed = True
        return self._outputs.items()

    def output(self, stream: Stream) -> Captured:
        return self._outputs[stream]

    @property
    def succeeded(self) -> bool:
        return self.ending is not None and self.ending.succeeded

    @property
    def is_silent(self) -> bool:
        """Whether it was run to its end, and has written nothing."""
        is_run = self.ending is not None and self.ending.exit_status is not None
        return is_run and not any(output.size for output in self._outputs.values())

    @property
    def remark(self) -> str:
        """What is to be said beside the name of its node."""
        if self.counts:
            return "" if self.ending or self.problem else "unfinished"
        return f"try {self.attempt_of_node}: {printable(str(self.ending))}"


class _Group(NamedTuple):
    """Attempts with the same output on a stream."""

    members: Sequence[Gathered]
    stream: Stream

    @property
    def output(self) -> Captured:
        return self.members[0].output(self.stream)

    @property
    def nodes(self) -> str:
        return folded([one.attempt.node for one in self.members])

    @property
    def head(self) -> str:
        """The line above the output: `node-[1-63] (63):`."""
        more = [self.members[0].remark, "stderr" if self.stream is Stream.STDERR else ""]
        return ", ".join([self.nodes, *filter(None, more)]) + ":"

    @property
    def order(self) -> tuple[object, ...]:
        """What was made good comes first, then what is commonest."""
        first = self.members[0]
        tries = (first.counts, first.attempt_of_node if not first.counts else 0)
        return *tries, -len(self.members), min(one.attempt.node.index for one in self.members)


class Picture:
    """Shows what was gathered.

    Args:
        screen: where.
        settings: of the run.
        folder: where the logs are.
        gathered: the attempts of the round.
    """

    def __init__(
        self, screen: Screen, settings: Settings, folder: Path, gathered: Sequence[Gathered]
    ) -> None:
        self._screen = screen
        self._settings = settings
        self._folder = folder
        self._gathered = gathered

    def commands(self, attempts: Iterable[Attempt]) -> None:
        """Show what is run, in the form of a frame."""
        alike = grouped(((one.command, one.job.id), one.node) for one in attempts)
        for (command, job), nodes in alike.items():
            about = f" (job {job})" if job else ""
            lines = LINE_END.split(f"=== run '{command}' ==={about}")
            self._screen.out([harmless(line) for line in lines], folded(nodes))

    def not_started(self) -> None:
        """Show which attempts did not begin, and why."""
        alike = grouped((one.problem, one.attempt.node) for one in self._gathered if one.problem)
        for problem, nodes in alike.items():
            lines = self._screen.alarming([f"=== not started ({printable(problem)}) ==="])
            self._screen.out(lines, folded(nodes))

    def outputs(self) -> None:
        """Show each output once, with the nodes that have it.

        Raises:
            OSError: what was held can't be read.
        """
        if self._settings.quiet or not self._settings.print_period:
            return
        for stream in Stream:
            self._stream(stream)
        if silent := [one.attempt for one in self._gathered if one.counts and one.is_silent]:
            job = f"job {silent[0].job.id}: " if silent[0].job.id else ""
            nodes = folded([attempt.node for attempt in silent])
            self._screen.err([f"{job}{nodes}: no output"], OURS)

    def _stream(self, stream: Stream) -> None:
        groups = sorted(self._groups(stream), key=lambda group: group.order)
        final = [group for group in groups if group.members[0].counts]
        others = [group for group in groups if not group.members[0].counts]
        # Where most have written nothing, there is nothing that others could differ from.
        if self._settings.diff and final and final[0].output.size:
            for group in [*others, final[0]]:
                self._whole(group)
            self._differences(final[0], final[1:])
        else:
            for group in groups:
                self._whole(group)

    def _groups(self, stream: Stream) -> Iterator[_Group]:
        alike: dict[tuple[str, bytes], list[Gathered]] = {}
        for one in self._gathered:
            alike.setdefault((one.remark, one.output(stream).digest), []).append(one)
        for members in alike.values():
            yield _Group(members, stream)

    def _whole(self, group: _Group) -> None:
        if not group.output.size:
            return
        # As its output would be shown by itself, but for the label.
        live = Live(self._screen, ("", ""), self._settings.print_period)
        with self._screen.alone():
            self._write(group.stream, [RULE, group.head])
            for chunk in group.output.chunks():
                live.feed(group.stream, chunk)
            live.finish()

    def _differences(self, commonest: _Group, others: Iterable[_Group]) -> None:
        reference = Reference(commonest.nodes, commonest.output)
        for group in others:
            if not group.output.size:
                continue
            lines, more = reference.differences(group.nodes, group.output)
            rest = [f"… {more}; {self._log(group)}"] if more else []
            self._write(group.stream, [RULE, group.head, *lines, *rest])

    def _log(self, group: _Group) -> Path:
        first = group.members[0].attempt
        return log_path(self._folder, *first.key, SUFFIXES[group.stream])

    def _write(self, stream: Stream, lines: Sequence[str]) -> None:
        write = self._screen.out if stream is Stream.STDOUT else self._screen.err
        write(lines)
