"""The run's end: a socket on which it hears what other shells ask for."""

from __future__ import annotations

import contextlib
import selectors
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from pegasus.control import protocol
from pegasus.control.liveness import sweep
from pegasus.control.obeying import Run, obey
from pegasus.control.record import PREFIX, SOCKET, Record
from pegasus.model import Attempt

#: For how many seconds a request is waited for.
PATIENCE = 5.0
#: How many clients are heard at a time; more wait.
CLIENTS = 16
#: For how long nobody is heard when there are no more files or threads to be had, in seconds.
BREATH = 0.1
#: For how long the end of a run waits until an answer has left, in seconds.
FAREWELL = 1.0
#: How much of a command is told, in characters.
SHOWN = 200


class Control:
    """Lets other shells find a run and tell it something, within a `with` block.

    A run that can't have this goes on without it. Clients are heard in threads of their own, so
    that none of them, whatever it sends or does not send, stands in the way of the run.

    Args:
        folder: where the records of runs are, `.pegasus/<queue file name>/runs`.
        record: what others are to know of the run.
        run: who is told.
        warn: called with a message for people when nobody will be heard.
    """

    def __init__(self, folder: Path, record: Record, run: Run, warn: Callable[[str], None]) -> None:
        self._folder = folder
        self._run = run
        self._warn = warn
        self._record = record
        self._bell: socket.socket | None = None
        self._slots = threading.BoundedSemaphore(CLIENTS)
        self._answering = 0
        self._answered = threading.Condition()

    def __enter__(self) -> Control:
        try:
            self._begin()
        except (OSError, RuntimeError) as error:
            self._record.remove(self._folder)
            reason = getattr(error, "strerror", None) or error
            self._warn(f"inv stop will not find this run: {reason}")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bell is None:
            return
        self._record.remove(self._folder)
        self._bell.close()
        with self._answered:
            self._answered.wait_for(lambda: not self._answering, FAREWELL)

    def _begin(self) -> None:
        # Neither more folders than these, nor any that others may read.
        for folder in (*reversed(self._folder.parents[:2]), self._folder):
            folder.mkdir(mode=0o700, exist_ok=True)
        sweep(self._folder)
        listener, place = _listen(self._folder / self._record.socket)
        if place.parent != self._folder:
            self._record = replace(self._record, socket=str(place))
        try:
            # Last, so that whoever finds the record finds somebody who listens.
            self._record.write(self._folder)
            self._bell, bell = socket.socketpair()
        except OSError:
            listener.close()
            raise
        threading.Thread(target=self._attend, args=(listener, bell), daemon=True).start()

    # Threads of their own, from here on.

    def _attend(self, listener: socket.socket, bell: socket.socket) -> None:
        """Hear clients until the other end of `bell` is closed."""
        with listener, bell, selectors.DefaultSelector() as selector:
            selector.register(listener, selectors.EVENT_READ)
            selector.register(bell, selectors.EVENT_READ)
            while all(key.fileobj is listener for key, _ in selector.select()):
                self._accept(listener)

    def _accept(self, listener: socket.socket) -> None:
        self._slots.acquire()
        try:
            client, _ = listener.accept()
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()
        except (OSError, RuntimeError):  # There are no more files or threads to be had.
            self._slots.release()
            time.sleep(BREATH)

    def _serve(self, client: socket.socket) -> None:
        try:
            # A client that breaks off is no concern of ours.
            with client, contextlib.suppress(OSError):
                request = protocol.read_line(client, protocol.LIMIT, PATIENCE)
                if request:
                    self._reply(client, request)
        finally:
            self._slots.release()

    def _reply(self, client: socket.socket, request: bytes) -> None:
        """Do what is asked for and say so. The end of the run, which may follow, waits for it."""
        with self._answered:
            self._answering += 1
        try:
            answer = self._answer(request)
            client.settimeout(PATIENCE)
            client.sendall(protocol.encode(answer))
        finally:
            with self._answered:
                self._answering -= 1
                self._answered.notify_all()

    def _answer(self, request: bytes) -> dict[str, object]:
        answer: dict[str, object] = {
            "version": protocol.VERSION,
            "run": self._record.id,
            "ok": True,
        }
        running = [_describe(attempt) for attempt in self._run.running()]
        try:
            answer |= self._obey(protocol.decode(request))
        except ValueError as error:
            answer.update(ok=False, error=str(error))
        except Exception as error:  # A mistake of ours must not print a traceback into the run.
            answer.update(ok=False, error=f"internal error: {error!r}")
        return {**answer, "running": running}

    def _obey(self, request: dict[str, Any]) -> Mapping[str, object]:
        """Do what a request says; return what is to be told of it.

        Raises:
            ValueError: it is not one, or nothing that can be done.
        """
        if request.get("version") != protocol.VERSION:
            raise ValueError(f"this run speaks version {protocol.VERSION}")
        if request.get("run") != self._record.id:
            raise ValueError("this is another run")
        return obey(self._run, request)


def _describe(attempt: Attempt) -> dict[str, object]:
    first, *more = attempt.command[: SHOWN + 1].split("\n")
    is_cut = bool(more) or len(first) > SHOWN
    command = first[:SHOWN] + (" …" if is_cut else "")
    return {"job": attempt.job.id, "node": attempt.node.label, "command": command}


def _listen(beside: Path) -> tuple[socket.socket, Path]:
    """Return a socket that listens, and where: at `beside`, or in a temporary folder.

    Raises:
        OSError: it can't be had anywhere.
    """
    with contextlib.suppress(OSError):
        return _bind(beside), beside
    # What TMPDIR names may be as deep.
    for root in (None, "/tmp"):  # noqa: S108 - mkdtemp makes a folder that is ours alone
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=root))
        try:
            return _bind(folder / SOCKET), folder / SOCKET
        except OSError as error:
            folder.rmdir()
            failure = error
    raise failure


def _bind(place: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(str(place))
        place.chmod(0o600)
        listener.listen(CLIENTS)
        listener.setblocking(False)
        with socket.socket(socket.AF_UNIX) as probe:
            # There are file systems that have sockets to bind to, and none to connect to.
            probe.connect(str(place))
    except OSError:
        listener.close()
        with contextlib.suppress(OSError):
            place.unlink()
        raise
    return listener
