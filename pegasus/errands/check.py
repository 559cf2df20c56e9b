"""Check both files, and show what is wrong or what would be run."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from pegasus.checking import Checked, check_files
from pegasus.helpers.registry import REGISTRY
from pegasus.hooks.checks import check as check_hooks
from pegasus.inputs import check_names, chosen, defaults, open_queue, ssh_config
from pegasus.settings import Settings
from pegasus.terminal.errands.checked import problems_text, show
from pegasus.terminal.printer import Printer
from pegasus.terminal.screen import Screen


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
        SettingsError: it can't be known which files are meant, or a hook can't be run.
        StorageError: stdout can't be written to.
    """
    REGISTRY.use(settings.helpers)
    check_names(settings)
    ssh_config(settings)
    choose = partial(chosen, settings)
    found = check_files(
        Path(settings.hosts_file), open_queue(settings, []), choose, settings.allocation
    )
    check_hooks(settings, found.nodes, found.entries)
    commands = (found.on_each if on_each else found.in_turn)(defaults(settings))
    unfit, total = found.unfit(on_each=on_each), found.total(on_each=on_each)
    show(found, commands, total, show_all=show_all, as_json=as_json, unfit=unfit)
    if not (found.ok or as_json):
        Printer(Screen()).say(problems_text(found))
    return found
