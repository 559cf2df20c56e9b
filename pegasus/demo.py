"""`inv demo`: queue mode and broadcast mode on this machine, in a scratch directory."""

from __future__ import annotations

import tempfile
from pathlib import Path

from invoke import Context, task

from pegasus.settings import Settings
from pegasus.tasks.run import checked
from pegasus.tasks.task import reported

_HOSTS = """\
# Four nodes, and all of them are this machine: two names, each split by a parameter.
- hostname: [localhost, 127.0.0.1]
  gpu: [0, 1]
"""

_QUEUE = """\
# 1 + 3 * 2 = 7 commands, each of which runs once, on the next free node.
- echo hello from {{ hostname }}
- command: echo train {{ model }} --bs {{ bs }} --out {{ replace model "/" "--" }}.json
  model: [facebook/opt-13b, facebook/opt-30b, facebook/opt-66b]
  bs: [8, 16]
"""

_BROADCAST = """\
# Two commands, each of which runs on every node before the next one begins.
- echo preparing gpu {{ gpu }} of {{ hostname }}
- echo all nodes are prepared, says {{ hostname }}
"""


@task(auto_shortflags=False)
def demo(_: Context) -> None:
    """Show both modes on this machine, in a scratch directory."""
    with reported():
        _show_both_modes()


def _show_both_modes() -> None:
    from pegasus import runs
    from pegasus.terminal.screen import Screen

    scratch = Path(tempfile.mkdtemp(prefix="pegasus-demo-"))
    settings = Settings(str(scratch / "hosts.yaml"), str(scratch / "queue.yaml"))
    screen = Screen()

    def show(command: str, text: str = "") -> None:
        screen.out(["", f"$ {command}", *text.splitlines()])

    def write(name: str, text: str) -> None:
        (scratch / name).write_text(text)
        show(f"cat {name}", text)

    screen.out([f"A demonstration in {scratch}"])
    write("hosts.yaml", _HOSTS)
    write("queue.yaml", _QUEUE)
    show("inv queue")
    checked(runs.queue(settings))
    write("queue.yaml", _BROADCAST)
    show("inv broadcast")
    checked(runs.broadcast(settings))
    show("cat consumed.yaml", (scratch / "consumed.yaml").read_text())
    screen.out(["", f"Go on there: cd {scratch} && pegasus lock"])
