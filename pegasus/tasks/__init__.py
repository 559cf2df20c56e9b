"""The Invoke tasks, and `ns`, the collection to embed.

Everything is configured under one key, `pegasus:`, whose settings are those of
`pegasus.settings`. Each is an option of the tasks that it concerns, too::

    from pegasus.tasks import ns                                # a whole tasks.py
    ns.add_collection(pegasus.tasks, name="cluster")            # inv cluster.queue
    from pegasus.tasks import queue                             # inv queue, among your own

A task that is called from your own returns a `pegasus.RunResult`. When not all went well it
raises `RunFailed`, which carries the result, unless it is told `warn=True`.

Importing this module is cheap: what connects and parses is imported when a task runs.
"""

from __future__ import annotations

from invoke import Collection

from pegasus.tasks.edit import add, lock, retry
from pegasus.tasks.look import CheckFailed, check, logs, status
from pegasus.tasks.nodes import PingFailed, hosts
from pegasus.tasks.reporting import report
from pegasus.tasks.run import RunFailed, broadcast, queue, stop
from pegasus.tasks.steer import drain, pause, resume, undrain

__all__ = [
    "CheckFailed",
    "PingFailed",
    "RunFailed",
    "add",
    "broadcast",
    "check",
    "drain",
    "hosts",
    "lock",
    "logs",
    "ns",
    "pause",
    "queue",
    "report",
    "resume",
    "retry",
    "status",
    "stop",
    "undrain",
]

ns = Collection(
    "pegasus",
    *(queue, broadcast, check, lock),
    *(pause, resume, drain, undrain, stop),
    *(status, logs, add, retry, hosts, report),
)
