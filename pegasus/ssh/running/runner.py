"""Runners for Invoke and Fabric that stream: no polling, no threads, nothing kept in memory.

`StreamingRunner` replaces what Invoke's Runner does between the start of a command and its
end. Its subclasses say how a command is started: `RemoteRunner` on another host, and
`LocalRunner` (in `local`) on this one.
"""

from __future__ import annotations

from typing import Any

from fabric.runners import Remote
from invoke.runners import Result, Runner
from paramiko import Channel, ChannelException, SSHException

from pegasus.model import NO_SURROUNDINGS, Ending, Surroundings
from pegasus.ssh.base import Cancellation, OnAnnounced, OnOutput, nobody
from pegasus.ssh.plain import plain
from pegasus.ssh.running import watchdog
from pegasus.ssh.running.process import RemoteProcess
from pegasus.ssh.running.session import ANSWER, Answer
from pegasus.ssh.running.stream import Follower, Process

#: What these runners understand beyond Invoke's own options, with their defaults. Invoke
#: accepts what its configuration declares under `run`, and nothing else.
OPTIONS: dict[str, Any] = {
    "on_output": None,
    "cancellation": None,
    "grace": 10.0,
    "longest": None,
    "on_announced": nobody,
    "surroundings": NO_SURROUNDINGS,
}

#: What Paramiko says when it has no channel to give, and no reason.
_NO_REASON = "Unable to open channel."

#: Invoke's own options for a command that has neither terminal nor input, and may fail.
_QUIETLY: dict[str, Any] = {"hide": True, "warn": True, "in_stream": False, "pty": False}


class NotStartedError(Exception):
    """The command certainly did not begin; the message says why."""


class RefusedError(NotStartedError):
    """The server gives no session over this connection, which is as good as it was."""


def options(
    on_output: OnOutput,
    cancellation: Cancellation,
    grace: float,
    timeout: float | None,
    on_announced: OnAnnounced,
    surroundings: Surroundings,
) -> dict[str, Any]:
    """Return the keyword arguments with which `run` streams a command.

    Invoke's own `timeout` is not what we mean: it needs a thread, and knows one outcome.
    """
    ours = {"on_output": on_output, "cancellation": cancellation, "grace": grace}
    ours |= {"longest": timeout, "on_announced": on_announced, "surroundings": surroundings}
    return {**_QUIETLY, **ours}


class StreamingRunner(Runner):
    """What all streaming runners share. `run` takes what `options` returns.

    Its Result has an `ending` that says how the command ended; stdout and stderr are empty,
    since all output went to `on_output`.
    """

    running: Process
    ending: Ending

    def create_io_threads(self) -> tuple[dict[Any, Any], list[str], list[str]]:
        """Create none: `wait` reads."""
        return {}, [], []

    def wait(self) -> None:
        """Follow the command to its end."""
        names = ("on_output", "cancellation", "grace", "longest", "on_announced")
        self.ending = Follower(self.running, *(self.opts[name] for name in names)).run()

    def send_interrupt(self, interrupt: KeyboardInterrupt) -> None:
        """Raise: a command has no terminal that could take a Ctrl-C."""
        raise interrupt

    def returncode(self) -> int | None:
        """Return the exit status, or None where there is none."""
        return self.ending.exit_status

    def generate_result(self, **kwargs: Any) -> Result:
        """Return Invoke's or Fabric's result with the ending added."""
        result = super().generate_result(**kwargs)
        result.ending = self.ending  # type: ignore[attr-defined]
        return result


class RemoteRunner(StreamingRunner, Remote):  # type: ignore[misc]
    """Runs a command on another host, over a channel of the context's connection."""

    def start(self, command: str, shell: str, env: dict[str, Any]) -> None:
        """Open a channel, run the watchdog there and tell it the command.

        Raises:
            RefusedError: the server gives no channel.
            NotStartedError: one of these failed. An unfinished command is never run.
        """
        try:
            self.channel = self._open_channel()
            self.channel.event = Answer(self.opts["cancellation"])
            self.running = RemoteProcess(self.channel)
            self.channel.exec_command(watchdog.exec_request(self.opts["grace"]))
            self._tell(command)
        except NotStartedError:
            raise
        except Exception as error:  # what Paramiko stumbled over, too
            raise NotStartedError(_explain(error)) from error

    def _open_channel(self) -> Channel:
        try:
            return self.context.create_session()
        except ChannelException as error:
            raise RefusedError(_refused(error.text)) from error
        except SSHException as error:
            # Of two that are refused at the same time, Paramiko tells only one the reason.
            if str(error) != _NO_REASON or not self.context.is_connected:
                raise
            raise RefusedError(_refused("Connect failed")) from error

    def _tell(self, command: str) -> None:
        self.channel.settimeout(ANSWER)
        try:
            self.channel.sendall(watchdog.leash(command, self.opts["surroundings"]))
        except TimeoutError as error:
            raise TimeoutError(f"the server did not take the command for {ANSWER:g} s") from error
        except OSError:
            # Something else than the watchdog ran and has ended; how it did is still to come.
            if not self.running.ended or not self.channel.get_transport().is_active():
                raise

    def stop(self) -> None:
        """Close the channel. Fabric's own would also reset a handler of the program's."""
        Runner.stop(self)
        if hasattr(self, "running"):
            self.running.dispose()


def _refused(reason: str) -> str:
    return f"the server refuses a session ({reason}); see MaxSessions in its sshd_config"


def _explain(error: Exception) -> str:
    """Return why a session could not be had."""
    said = plain(str(error))
    if said.startswith("Timeout opening"):
        return "the server does not open a session; has it too much to do?"
    return said or "the connection was lost"
