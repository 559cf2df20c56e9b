"""The task that is about the nodes alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from invoke import Context, Exit, task

from pegasus.settings import Settings
from pegasus.tasks.look import leaving_quietly
from pegasus.tasks.options import StrPath, filled
from pegasus.tasks.task import PegasusTask, help_for, reported

if TYPE_CHECKING:
    from pegasus.model import Node
    from pegasus.modes.ping import Ping


class PingFailed(Exit):
    """A ping that did not reach all nodes. As an `invoke.Exit` it sets the exit status, to 4.

    Attributes:
        pings: what came of each node: a list of `pegasus.modes.ping.Ping`.
    """

    def __init__(self, pings: Sequence[Ping]) -> None:
        super().__init__(code=4)
        self.pings = pings


@task(
    klass=PegasusTask,
    auto_shortflags=False,
    help=help_for(
        "hosts_file",
        "queue_file",
        "ssh_config",
        "limit",
        "exclude",
        ping="connect to each node, and show time, user and SSH server, or what is wrong",
        json_="write one JSON document",
    ),
)
def hosts(
    c: Context,
    ping: bool = False,
    json_: bool = False,
    hosts_file: StrPath | None = None,
    queue_file: StrPath | None = None,
    ssh_config: StrPath | None = None,
    limit: str | None = None,
    exclude: str | None = None,
) -> list[Node]:
    """Show the nodes that hosts.yaml lists, or those of --limit; with --ping, who answers.

    A ping connects to all nodes at once, as a run does, and runs nothing but `true`. When one
    can't be reached, the exit status is 4. Returns the nodes.
    """
    with reported(), leaving_quietly():
        from pegasus.errands import hosts as errands

        settings = Settings.from_config(
            c.config,
            hosts_file=hosts_file,
            queue_file=queue_file,
            ssh_config=ssh_config,
            limit=filled("limit", limit),
            exclude=exclude,
        )
        if not ping or c.config.run.dry:
            return errands.hosts(settings, as_json=json_)
        pings = errands.ping(settings, as_json=json_)
        if any(one.error for one in pings):
            raise PingFailed(pings)
        return [one.node for one in pings]
