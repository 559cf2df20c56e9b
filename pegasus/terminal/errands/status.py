"""How things stand in a queue: as text, once or again and again, or as one JSON document.

docs/status.md describes the document. Its `version` grows when a reader of the old one would be
misled; fields may be added without.
"""

from __future__ import annotations

import io
import json
import signal
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from pegasus.errors import PegasusError
from pegasus.journal.jobs import KINDS
from pegasus.journal.nodes import NodeHistory, RunHistory
from pegasus.journal.records import now
from pegasus.journal.standing import Execution, Standing, Trouble
from pegasus.terminal.drawing import console, drawn
from pegasus.terminal.lines.colours import is_terminal
from pegasus.terminal.screen import is_read, was_read, write

if TYPE_CHECKING:
    from rich.console import Console

VERSION = 1


def show(standing: Standing, *, as_json: bool = False) -> None:
    """Write to stdout how things stand.

    Raises:
        StorageError: stdout can't be written to.
    """
    _write([json.dumps(document(standing))] if as_json else text(standing))


def watch(standings: Iterable[Standing]) -> None:
    """Show each of them: in the place of the one before on a terminal that can do that.

    Elsewhere, one that is the very same as before is passed over. Ends when nobody can see it.

    Raises:
        StorageError: stdout can't be written to.
    """
    screen = console()
    if is_terminal(sys.stdout) and screen.is_interactive:
        _redraw(screen, standings)
        return
    before: Standing | None = None
    for standing in standings:
        if standing is not before:
            _write([*([""] if before else []), *text(standing)])
        if not is_read(sys.stdout):
            return
        before = standing


def text(standing: Standing) -> list[str]:
    """Return lines for people, as wide as stdout has them."""
    from pegasus.terminal.errands.overview import overview

    at = datetime.now().astimezone()
    return drawn(lambda width: overview(standing, at, width))


def document(standing: Standing) -> dict[str, Any]:
    """Return the JSON document."""
    return {
        "version": VERSION,
        "at": now(),
        "queue_file": standing.queue.file,
        "queued": standing.queue.jobs,
        "queue_problem": standing.queue.problem or None,
        "runs": [_run(run, standing) for run in standing.runs],
        "counts": {kind: standing.counts[kind] for kind in ("taken", "running", *KINDS)},
        "running": [_running(one) for one in standing.running],
        "troubles": _troubles(standing.troubles),
        "earlier": _troubles(standing.earlier),
    }


def _run(run: RunHistory, standing: Standing) -> dict[str, Any]:
    busy = standing.on(run)
    return {
        "run": run.id,
        "mode": run.mode or None,
        "state": "on" if run.is_on else "died" if run.ended is None else "ended",
        "pid": run.pid or None,
        "host": run.host or None,
        "user": run.user or None,
        "started": run.started or None,
        "ended": run.ended,
        "exit_status": run.exit_status,
        "interrupted": run.interrupted,
        "paused": run.is_paused,
        "nodes": [_node(run.nodes[index], busy.get(index, ())) for index in sorted(run.nodes)],
        "unfit": [asdict(unfit) for unfit in run.unfit],
    }


def _node(node: NodeHistory, executions: Sequence[Execution]) -> dict[str, Any]:
    ids = [execution.job.id for execution in executions]
    return {
        "node": node.label,
        "index": node.index,
        "host": node.host or None,
        "params": node.params,
        "state": node.state.value,
        "problem": node.problem or None,
        "job": ids[0] if ids else None,
        "jobs": ids,
        "slots": None if node.slots is None else [*node.slots],
        "drained": node.is_drained,
        "removed": node.is_removed,
        "added": node.is_added,
    }


def _running(one: Execution) -> dict[str, Any]:
    attempt = one.attempt
    return {
        "job": one.job.id,
        "attempt": attempt.number,
        "run": attempt.run,
        "node": attempt.node,
        "index": attempt.index,
        "command": attempt.command,
        "slots": [*attempt.slots],
        "pid": attempt.pid,
        "started": attempt.started,
    }


def _troubles(troubles: Sequence[Trouble]) -> list[dict[str, Any]]:
    return [_trouble(trouble) for trouble in troubles]


def _trouble(trouble: Trouble) -> dict[str, Any]:
    attempt = trouble.attempt
    return {
        "job": trouble.job.id,
        "kind": trouble.kind,
        "state": trouble.state.value,
        "why": trouble.why,
        "run": trouble.job.run,
        "attempt": attempt.number if attempt else None,
        "node": attempt.node if attempt else None,
        "index": attempt.index if attempt else None,
        "command": trouble.command,
        "exit_status": attempt.exit_status if attempt else None,
        "exit_signal": attempt.exit_signal if attempt else None,
        "started": attempt.started if attempt else None,
        "ended": attempt.ended if attempt else None,
        "others": trouble.others,
    }


def _redraw(screen: Console, standings: Iterable[Standing]) -> None:
    from rich.live import Live

    from pegasus.terminal.errands.overview import overview

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with (
            _leaving_in_order(),
            Live(console=screen, auto_refresh=False, redirect_stdout=False) as live,
        ):
            for standing in standings:
                at = datetime.now().astimezone()
                live.update(overview(standing, at, screen.width), refresh=True)
    except OSError as error:
        if isinstance(error, PegasusError):
            raise
        # The terminal is gone, and with it who was watching.


class _Terminated(BaseException):
    """SIGTERM has come."""


@contextmanager
def _leaving_in_order() -> Iterator[None]:
    """Have SIGTERM end what is within, which shows the cursor again, and then the process."""
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    except _Terminated:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise _Terminated


def _write(lines: Sequence[str]) -> None:
    """Write lines to stdout, if there is somebody who reads it."""
    was_read(write(sys.stdout, lines))
