"""Puts the rooms together: settings in, a run, its result out. Works without Invoke too."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable
from itertools import combinations
from pathlib import Path
from typing import Protocol

from pegasus.checking import Checked, check_files, check_queue
from pegasus.control.server import Control
from pegasus.errors import HostsFileError, PegasusError, SettingsError, StopError
from pegasus.events import Event, LockAwaited, Sink
from pegasus.files import hosts
from pegasus.files.queuefile import QueueFile
from pegasus.helpers.registry import REGISTRY
from pegasus.interrupts import Interrupts
from pegasus.interrupts import Mode as Interruptible
from pegasus.lint import Linter
from pegasus.locking import FileLock
from pegasus.model import Attempt, Node, Options
from pegasus.modes.feed import Feed
from pegasus.result import RunResult
from pegasus.settings import Settings
from pegasus.ssh.base import Connect
from pegasus.terminal.printer import Printer
from pegasus.terminal.screen import Screen
from pegasus.terminal.summary import summarize


def queue(settings: Settings, listeners: Iterable[Sink] = ()) -> RunResult:
    """Run each command of the queue once, on the next free node.

    Args:
        settings: what to run, and how.
        listeners: event sinks that hear what happens, beside the terminal.

    Raises:
        PegasusError: the files or templates are wrong; nothing was consumed.
    """
    from pegasus.modes.attempts import Attempts
    from pegasus.modes.queue import QueueMode

    run = _Run(settings, listeners, "queue")
    mode = QueueMode(
        run.feed,
        run.nodes,
        Attempts(_connector(settings), run.emit, run.options),
        run.emit,
        daemon=settings.daemon,
        reconnect_for=settings.reconnect_for,
    )
    return run.supervise(mode)


def broadcast(settings: Settings, listeners: Iterable[Sink] = ()) -> RunResult:
    """Run each command of the queue on every node, one command at a time.

    Arguments and errors are those of `queue`.
    """
    from pegasus.modes.attempts import Attempts
    from pegasus.modes.broadcast import BroadcastMode
    from pegasus.ssh.group import BroadcastGroup

    run = _Run(settings, listeners, "broadcast")
    connect = _connector(settings)
    mode = BroadcastMode(
        run.feed,
        BroadcastGroup.of(connect(node) for node in run.nodes),
        Attempts(connect, run.emit, run.options),
        run.emit,
        daemon=settings.daemon,
        error_aborts=settings.error_aborts,
        skip_unreachable=settings.skip_unreachable,
    )
    return run.supervise(mode)


def check(
    settings: Settings, *, show_all: bool = False, as_json: bool = False, on_each: bool = False
) -> Checked:
    """Check both files, and show what is wrong or what would be run; nothing is changed.

    Args:
        settings: which files, and what holds for jobs that say nothing.
        show_all: show all commands, and not only the first ones.
        as_json: show it as JSON.
        on_each: show each job on each node, as in a broadcast, instead of on one.

    Raises:
        SettingsError: it can't be known which files are meant.
        StorageError: stdout can't be written to.
    """
    from pegasus.terminal.checked import problems_text, show

    REGISTRY.use(settings.helpers)
    _check_names(settings)
    _ssh_config(settings)
    found = check_files(Path(settings.hosts_file), _open_queue(settings, []))
    commands = (found.on_each if on_each else found.in_turn)(_defaults(settings))
    total = found.jobs * (len(found.nodes) if on_each else 1)
    show(found, commands, total, show_all=show_all, as_json=as_json)
    if not (found.ok or as_json):
        Printer(Screen()).say(problems_text(found))
    return found


def lock(settings: Settings, *, dry: bool = False) -> None:
    """Open the editor on the queue file, under its lock.

    Args:
        settings: which file, and which editor.
        dry: only say so.

    Raises:
        PegasusError: the editor failed, or what it left was refused and there was nobody to ask.
    """
    from pegasus.modes.lock import edit, editor_command
    from pegasus.terminal.prompt import ask, is_interactive

    editor = editor_command(settings.editor)
    printer = Printer(Screen())
    if dry:
        printer.say(f"this would lock {settings.queue_file} and open {editor[0]} on it")
        return
    REGISTRY.use(settings.helpers)
    nodes = _nodes_if_any(settings)
    queue_file = _open_queue(settings, nodes)
    with queue_file.lock.hold("inv lock", lambda holder: printer(LockAwaited(str(holder)))):
        asker = ask if is_interactive() else None
        rejected = edit(
            queue_file.path, editor, lambda: check_queue(nodes, queue_file).require(), asker
        )
    if rejected:
        printer.say(f"restored what was there; the refused text is in {rejected}")


def stop(
    settings: Settings, *, now: bool = False, job: int | None = None, dry: bool = False
) -> None:
    """Tell the runs that use the queue file to end, and say what each was told.

    Args:
        settings: which queue file.
        now: cancel what runs, instead of waiting for it.
        job: cancel the job of this id and nothing else, whatever `now` says.
        dry: tell nobody.

    Raises:
        StopError: nobody was told, or some run could not be.
    """
    from pegasus.control.client import tell_all
    from pegasus.terminal.told import describe, excuse

    printer = Printer(Screen())
    if dry:
        printer.say(f"this would tell the runs of {settings.queue_file}; none was told")
        return
    do = "cancel job" if job is not None else "cancel" if now else "drain"
    report = tell_all(_runs_folder(FileLock.of(Path(settings.queue_file))), do, job)
    told = [answer for answer in report.answers if answer.ok]
    for answer in told:
        printer.say(describe(answer, now, job))
    if not told:
        raise StopError(excuse(report, job) or f"no run uses {settings.queue_file}")
    if report.troubles and job is None:
        raise StopError("\n".join(report.troubles))


class _Mode(Interruptible, Protocol):
    def cancel_job(self, number: int, /) -> bool: ...


class _Run:
    """What both modes begin with: checked files, somebody who listens, and who can end it."""

    def __init__(self, settings: Settings, listeners: Iterable[Sink], name: str) -> None:
        self.result = RunResult()
        self.options = _defaults(settings)
        self._name = name
        self._interrupts = Interrupts()
        self._mode: _Mode | None = None
        self._printer = Printer(Screen(), settings.print_period)
        self._sinks: list[Sink] = [self.result, self._printer, *listeners]
        REGISTRY.use(settings.helpers)
        _check_names(settings)
        _check_consumed(settings)
        _raise_descriptor_limit()
        self.nodes = _load_nodes(settings)
        self._queue_file = _open_queue(settings, self.nodes)
        self.feed = Feed(self._queue_file, self.emit, f"inv {name}")

    def emit(self, event: Event) -> None:
        for sink in self._sinks:
            sink(event)

    def supervise(self, mode: _Mode) -> RunResult:
        """Run `mode` until it ends or is told to; say what it came to, and return that."""
        folder = _runs_folder(self._queue_file.lock)
        with Control(folder, self._name, self, self._printer.say):
            self._check_queue()
            self._mode = mode
            with self._interrupts:
                try:
                    self._interrupts.supervise(mode)
                finally:
                    self.result.interrupted = self._interrupts.received
                    self._printer.say("\n".join(summarize(self.result)))
        return self.result

    def _check_queue(self) -> None:
        """Have whatever is wrong said before anything is contacted."""
        lock = self._queue_file.lock
        is_held = lock.acquire(
            f"inv {self._name}",
            lambda holder: self.emit(LockAwaited(str(holder))),
            stop=lambda: self._interrupts.is_pending,
        )
        if is_held:
            try:
                check_queue(self.nodes, self._queue_file).require()
            finally:
                lock.release()

    # What other threads ask for: a run is a `pegasus.control.server.Run`.

    def drain(self) -> None:
        self._interrupts.drain()

    def cancel(self) -> None:
        self._interrupts.cancel()

    def cancel_job(self, number: int, /) -> bool:
        return self._mode is not None and self._mode.cancel_job(number)

    def running(self) -> list[Attempt]:
        # A copy is made at once; to look through what other threads change is not safe.
        return list(self.result.running.copy().values())


def _runs_folder(lock: FileLock) -> Path:
    return lock.folder / "runs"


def _defaults(settings: Settings) -> Options:
    """Return what holds for a job where neither it nor its node says anything."""
    return Options(timeout=settings.timeout or None, retries=settings.retries)


def _check_names(settings: Settings) -> None:
    """Refuse one file for two things."""
    named = {"hosts_file": settings.hosts_file, "queue_file": settings.queue_file}
    named["consumed_file"] = str(settings.consumed_path)
    for (one, path), (other, same) in combinations(named.items(), 2):
        if os.path.realpath(path) == os.path.realpath(same):
            raise SettingsError(f"{one} and {other} are the same file, {path}; name another one")


def _check_consumed(settings: Settings) -> None:
    """Refuse a file that can't be written."""
    path = str(settings.consumed_path)
    folder = os.path.dirname(os.path.realpath(path))
    if os.path.exists(path) and not os.path.isfile(path):
        raise SettingsError(f"consumed_file: {path} is not an ordinary file; name another one")
    if not os.access(path if os.path.exists(path) else folder, os.W_OK):
        raise SettingsError(f"consumed_file: {path} can't be written; name another one")


def _raise_descriptor_limit() -> None:
    """Let this process open as many files as it may: a running command takes half a dozen."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _open_queue(settings: Settings, nodes: Iterable[Node]) -> QueueFile:
    return QueueFile(Path(settings.queue_file), settings.consumed_path, lint=Linter(nodes))


def _load_nodes(settings: Settings) -> list[Node]:
    """Return the nodes; if there are none, say with it what else is wrong."""
    path = Path(settings.hosts_file)
    try:
        return hosts.load(path)
    except PegasusError:
        check_files(path, _open_queue(settings, [])).require()
        raise


def _nodes_if_any(settings: Settings) -> list[Node]:
    """Return the nodes to check templates against; the queue may be edited without any."""
    try:
        return hosts.load(Path(settings.hosts_file))
    except HostsFileError:
        return []


def _connector(settings: Settings) -> Connect:
    from pegasus.ssh.connect import connector

    return connector(
        ssh_config=_ssh_config(settings),
        kill_grace=settings.kill_grace,
        dead_after=settings.dead_after or None,
        handshakes=settings.handshakes,
        handshakes_per_host=settings.handshakes_per_host,
    )


def _ssh_config(settings: Settings) -> str | None:
    """Return the file that replaces OpenSSH's own configuration; `none` is OpenSSH's word."""
    path = os.path.expanduser(settings.ssh_config)
    if path and path != "none" and (os.path.isdir(path) or not os.access(path, os.R_OK)):
        raise SettingsError(f"ssh_config: {path} can't be read; name a file that is there")
    return path or None
