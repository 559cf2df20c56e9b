"""What the tests of crashes stand on: no call that changes files passes them by."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from forks import result
from queuework import Work, put_back, take
from syscalls import KillAt, Watch

#: What Python itself tells of the calls that it makes. It tells nothing of writes.
TOLD = {
    "open": "open",
    "replace": "os.rename",
    "rename": "os.rename",
    "unlink": "os.remove",
    "remove": "os.remove",
    "mkdir": "os.mkdir",
    "rmdir": "os.rmdir",
    "truncate": "os.truncate",
    "link": "os.link",
    "symlink": "os.symlink",
}

Told = list[tuple[str, str]]


def test_all_that_python_does_to_a_folder_is_watched(folder: Path) -> None:
    changing = os.O_WRONLY | os.O_RDWR | os.O_CREAT
    work = Work("all", [take(2), put_back(1), take(3)], before=[take(1)])

    def go() -> tuple[Told, Told]:
        desk, hook = work.begin(folder), KillAt(None)
        heard: Told = []

        def hear(event: str, args: tuple[Any, ...]) -> None:
            if event not in TOLD.values() or isinstance(args[0], int):
                return
            path = os.fsdecode(args[0])
            if path.startswith(str(folder)) and (event != "open" or args[2] & changing):
                heard.append((event, os.path.basename(path)))

        Watch(folder, hook).start()
        sys.addaudithook(hear)
        for step in work.steps:
            step(desk)
        seen = [(call.name, os.path.basename(call.paths[0])) for call in hook.calls]
        return heard, [(TOLD[name], path) for name, path in seen if name in TOLD]

    heard, seen = result(go)
    assert heard == seen
    assert len(seen) > 20
