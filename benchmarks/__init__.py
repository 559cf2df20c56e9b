"""How fast pegasus is, measured beside what else could be used. docs/performance.md tells more.

Each experiment is a module of this package with a `TITLE` and a function `measure(lab)`, which
yields rows. The other modules are what experiments are made of:

    measuring.py   rows, verdicts, deeds done in turn
    lab.py         the SSH server, projects, and the program as its users start it
    comparing.py   rows that say how many times as fast one is
    running.py     what a program that runs has used and written
    slow_link.py   a host far away
    original.py    jaywonchung's pegasus, where it is installed
    peers/         what pegasus is compared with, each a program that does the same work
    machine.py     what is to be known of the machine
    results.py     rows as JSON, as lines and as the table in docs/performance.md
    __main__.py    the command line, for `inv bench`
"""

from __future__ import annotations

import sys
from pathlib import Path

#: The project's directory.
ROOT = Path(__file__).parents[1]

# Servers, browsers and journals that never were are those of the tests.
if str(ROOT / "tests" / "support") not in sys.path:
    sys.path.append(str(ROOT / "tests" / "support"))

#: The experiments that are run where none is named, in this order.
EXPERIMENTS: tuple[str, ...] = (
    "queue",
    "broadcast",
    "connecting",
    "in_turn",
    "link",
    "daemon",
    "taking",
    "draining",
    "bursting",
    "output",
    "starting",
    "idle_nodes",
)

#: Those with nothing beside them to compare with; they are run when they are named.
MORE: tuple[str, ...] = ("templates", "report")
