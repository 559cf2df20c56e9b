"""What a run does about the requests of other shells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from pegasus.control import protocol
from pegasus.errors import PegasusError
from pegasus.model import Attempt, Node

Request = Mapping[str, Any]


class Run(Protocol):
    """What others may ask of a run, from any thread."""

    def drain(self) -> None: ...
    def cancel(self) -> None: ...
    def cancel_job(self, number: int, /) -> bool: ...
    def running(self) -> Iterable[Attempt]: ...

    def pause(self) -> bool:
        """Take no more jobs for now; return whether it was not so already."""

    def resume(self) -> bool:
        """Take jobs again; return whether it was not so already."""

    def drain_nodes(self, expression: str, /) -> list[Node]:
        """Give no more jobs to some nodes; return those of which it was not so already.

        Raises:
            PegasusError: the expression is for no node of the run.
        """

    def undrain_nodes(self, expression: str, /) -> list[Node]:
        """Give jobs to some nodes again; see `drain_nodes`."""


def obey(run: Run, request: Request) -> Mapping[str, object]:
    """Have a run do what a request says; return what is to be told of it.

    Raises:
        ValueError: it is nothing that can be done.
    """
    deed = _DEEDS.get(str(request.get("do")))
    if deed is None:
        raise ValueError(f"{protocol.UNKNOWN}one of: {', '.join(_DEEDS)}")
    return deed(run, request)


def _drain(run: Run, _: Request) -> Mapping[str, object]:
    run.drain()
    return {}


def _cancel(run: Run, _: Request) -> Mapping[str, object]:
    run.cancel()
    return {}


def _cancel_job(run: Run, request: Request) -> Mapping[str, object]:
    job = request.get("job")
    if type(job) is not int or not run.cancel_job(job):
        raise ValueError(protocol.NO_SUCH_JOB)
    return {}


def _pause(run: Run, _: Request) -> Mapping[str, object]:
    return {"changed": run.pause()}


def _resume(run: Run, _: Request) -> Mapping[str, object]:
    return {"changed": run.resume()}


def _drain_nodes(run: Run, request: Request) -> Mapping[str, object]:
    return _of_nodes(run.drain_nodes, request)


def _undrain_nodes(run: Run, request: Request) -> Mapping[str, object]:
    return _of_nodes(run.undrain_nodes, request)


def _of_nodes(deed: Callable[[str], list[Node]], request: Request) -> Mapping[str, object]:
    expression = request.get("nodes")
    if not isinstance(expression, str) or not expression.strip():
        raise ValueError("nodes must say which")
    try:
        return {"nodes": [node.label for node in deed(expression)]}
    except PegasusError as error:
        return {"ok": False, "error": protocol.NO_SUCH_NODE, "why": str(error)}


_DEEDS: Mapping[str, Callable[[Run, Request], Mapping[str, object]]] = {
    "drain": _drain,
    "cancel": _cancel,
    "cancel job": _cancel_job,
    "pause": _pause,
    "resume": _resume,
    "drain nodes": _drain_nodes,
    "undrain nodes": _undrain_nodes,
}
