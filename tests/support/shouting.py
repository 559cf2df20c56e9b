"""Sixteen nodes that print at once, as a program: `shouting.py LINES [bottom]`.

Each line says which node it is of and its number; every tenth goes to stderr. With `bottom`, a
line at the bottom is drawn anew all the while.
"""

from __future__ import annotations

import sys
import threading

from pegasus.events import Output, RunStarted, Stream
from pegasus.model import Attempt, Host, Job, Node
from pegasus.terminal.printer import Printer
from pegasus.terminal.screen import Screen

NODES = 16


def line(node: int, number: int) -> str:
    """Return what a node prints: every fourth line is longer than a terminal is wide."""
    return f"{node:02} {number:06} " + "#" * (150 if number % 4 == 3 else 20) + "."


def main(lines: int, has_bottom: bool) -> None:
    screen = Screen()
    printer = Printer(screen)
    nodes = [Node(number, Host(f"node-{number:02}", "")) for number in range(NODES)]
    printer(RunStarted("run", "queue", 1, "host", "user", {}, tuple(nodes)))
    threads = [threading.Thread(target=shout, args=(printer, node, lines)) for node in nodes]
    done = threading.Event()
    if has_bottom:
        screen.bottom = lambda width: "=" * width
        threading.Thread(target=redraw, args=(screen, done)).start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    screen.bottom = None
    screen.redraw()


def redraw(screen: Screen, done: threading.Event) -> None:
    while not done.wait(0.001):
        screen.redraw()


def shout(printer: Printer, node: Node, lines: int) -> None:
    attempt = Attempt(1, Job("x", id=node.index + 1), node, "x")
    for first in range(0, lines, 10):
        text = "".join(f"{line(node.index, first + n)}\n" for n in range(9)).encode()
        # A chunk ends in the middle of a line, as chunks do.
        for part in (text[:37], text[37:]):
            printer(Output(attempt, Stream.STDOUT, part))
        last = f"{line(node.index, first + 9)}\n".encode()
        printer(Output(attempt, Stream.STDERR, last))


if __name__ == "__main__":
    main(int(sys.argv[1]), "bottom" in sys.argv[2:])
