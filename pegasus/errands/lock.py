"""Open the editor on the queue file, under its lock."""

from __future__ import annotations

from pegasus.checking import check_queue
from pegasus.events import LockAwaited
from pegasus.helpers.registry import REGISTRY
from pegasus.inputs import nodes_if_any, open_queue
from pegasus.modes.lock import edit, editor_command
from pegasus.settings import Settings
from pegasus.terminal.errands.prompt import ask, is_interactive
from pegasus.terminal.printer import Printer
from pegasus.terminal.screen import Screen


def lock(settings: Settings, *, dry: bool = False) -> None:
    """Open the editor on the queue file, under its lock.

    Args:
        settings: which file, and which editor.
        dry: only say so.

    Raises:
        PegasusError: the editor failed, or what it left was refused and there was nobody to ask.
    """
    editor = editor_command(settings.editor)
    printer = Printer(Screen())
    if dry:
        printer.say(f"this would lock {settings.queue_file} and open {editor[0]} on it")
        return
    REGISTRY.use(settings.helpers)
    nodes = nodes_if_any(settings)
    queue_file = open_queue(settings, nodes)

    def check() -> None:
        check_queue(nodes, queue_file, settings.allocation).require()

    with queue_file.lock.hold("inv lock", lambda holder: printer(LockAwaited(str(holder)))):
        asker = ask if is_interactive() else None
        rejected = edit(queue_file.path, editor, check, asker)
    if rejected:
        printer.say(f"restored what was there; the refused text is in {rejected}")
