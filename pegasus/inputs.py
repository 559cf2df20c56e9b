"""What a task works on, as the settings name it: the files, checked, and the nodes."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable, Sequence
from functools import cache, partial
from itertools import combinations
from pathlib import Path

from pegasus import storage
from pegasus.checking import check_files
from pegasus.control.lease import is_alive
from pegasus.errors import HostsFileError, PegasusError, SettingsError
from pegasus.files import hosts
from pegasus.files.queuefile import QueueFile
from pegasus.journal.failed import last_run
from pegasus.journal.history import History
from pegasus.lint import Linter
from pegasus.locking import FileLock
from pegasus.model import Node, Options, printable
from pegasus.selection import LastRun, choose
from pegasus.settings import Settings
from pegasus.ssh.base import Connect


def runs_folder(lock: FileLock) -> Path:
    """Return where the runs of a queue file have their records."""
    return lock.folder / "runs"


def history_of(lock: FileLock) -> History:
    """Return what the journal of a queue file tells, to be caught up with."""
    return History(lock.folder, partial(is_alive, runs_folder(lock)))


def defaults(settings: Settings) -> Options:
    """Return what holds for a job where neither it nor its node says anything."""
    return Options(timeout=settings.timeout or None, retries=settings.retries)


def check_names(settings: Settings) -> None:
    """Refuse one file for two things."""
    named = {"hosts_file": settings.hosts_file, "queue_file": settings.queue_file}
    named["consumed_file"] = str(settings.consumed_path)
    for (one, path), (other, same) in combinations(named.items(), 2):
        if os.path.realpath(path) == os.path.realpath(same):
            raise SettingsError(f"{one} and {other} are the same file, {path}; name another one")


def check_consumed(settings: Settings) -> None:
    """Refuse a file that can't be written."""
    path = str(settings.consumed_path)
    folder = os.path.dirname(os.path.realpath(path))
    if os.path.exists(path) and not os.path.isfile(path):
        raise SettingsError(f"consumed_file: {path} is not an ordinary file; name another one")
    if not os.access(path if os.path.exists(path) else folder, os.W_OK):
        raise SettingsError(f"consumed_file: {path} can't be written; name another one")


def open_queue(settings: Settings, nodes: Iterable[Node], run: str = "") -> QueueFile:
    """Return the queue file; `run` is the id of the run that is to take from it."""
    lint = Linter(nodes, settings.allocation)
    return QueueFile(Path(settings.queue_file), settings.consumed_path, lint=lint, run=run)


class Choice:
    """Which nodes of hosts.yaml a run is for, as `limit` and `exclude` say. One thread uses it.

    hosts.yaml may change while a run is on. `@failed` stays what it is for when it is asked first,
    and a term stays right that was: it may name a node that is not in the file any more.

    Attributes:
        path: hosts.yaml.
        seen: its signature when this was made, which is before it is read.
    """

    def __init__(self, settings: Settings) -> None:
        self.path = Path(settings.hosts_file)
        self.seen = storage.signature(self.path)
        self._settings = settings
        self._last_run = cache(partial(_last_run, settings))
        self._first: Sequence[Node] = ()

    def __call__(self, nodes: Sequence[Node]) -> list[Node]:
        """Return those of the nodes that the run is for, in their order.

        Raises:
            SettingsError: an expression is wrong, or no node is left; the first time also, a term
                is for no node.
        """
        settings = self._settings
        there = [*nodes, *self._first]
        self._first = self._first or nodes
        found = {*choose(there, settings.limit, settings.exclude, self._last_run)}
        chosen = [node for node in nodes if node in found]
        if nodes and not chosen:
            named = (("limit", settings.limit), ("exclude", settings.exclude))
            said = " and ".join(f"{name} `{printable(text)}`" for name, text in named if text)
            raise SettingsError(f"{said} leaves none of the nodes in {settings.hosts_file}")
        return chosen


def load_nodes(settings: Settings, choice: Choice | None = None) -> list[Node]:
    """Return the nodes that a run is for; if there are none, say with it what else is wrong."""
    path = Path(settings.hosts_file)
    try:
        nodes = hosts.load(path)
    except PegasusError:
        check_files(path, open_queue(settings, []), allocation=settings.allocation).require()
        raise
    return (choice or Choice(settings))(nodes)


def chosen(settings: Settings, nodes: Sequence[Node]) -> list[Node]:
    """Return those of the nodes that `limit` and `exclude` choose.

    Raises:
        SettingsError: one of them is wrong, or no node is left.
    """
    return Choice(settings)(nodes)


def _last_run(settings: Settings) -> LastRun:
    history = history_of(open_queue(settings, []).lock)
    history.catch_up()
    return last_run(history)


def nodes_if_any(settings: Settings) -> list[Node]:
    """Return the nodes to check templates against; the queue may be edited without any."""
    try:
        return hosts.load(Path(settings.hosts_file))
    except HostsFileError:
        return []


def ssh_config(settings: Settings) -> str | None:
    """Return the file that replaces OpenSSH's own configuration; `none` is OpenSSH's word."""
    path = os.path.expanduser(settings.ssh_config)
    if path and path != "none" and (os.path.isdir(path) or not os.access(path, os.R_OK)):
        raise SettingsError(f"ssh_config: {path} can't be read; name a file that is there")
    return path or None


def connector_of(settings: Settings) -> Connect:
    """Return what makes the connection of a node."""
    from pegasus.ssh.connect import connector

    _raise_descriptor_limit()
    return connector(
        ssh_config=ssh_config(settings),
        kill_grace=settings.kill_grace,
        dead_after=settings.dead_after or None,
        handshakes=settings.handshakes,
        handshakes_per_host=settings.handshakes_per_host,
    )


def _raise_descriptor_limit() -> None:
    """Let this process open as many files as it may: a running command takes half a dozen."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
