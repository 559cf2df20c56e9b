"""What `pegasus --help` shows, as wide as the terminal is."""

from __future__ import annotations

import inspect
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from pegasus.terminal.screen import was_read, write

#: Lines are not longer than this, on whatever terminal: nobody likes to read those.
WIDEST = 100
#: Below this many columns, what something means stands below it.
NARROW = 60

Pairs = Sequence[tuple[str, str]]

ABOUT = """\
Runs the commands in queue.yaml on the nodes in hosts.yaml, over SSH: each command once on the
next free node (queue), or each command on every node in step (broadcast). Both files may hold
parameters, and the queue may be edited while it runs."""

#: The core options that mean something for the tasks here; Invoke has more of them.
CORE: Pairs = (
    ("-R, --dry", "say what would be done, and do nothing: pegasus --dry queue"),
    ("-f FILE, --config=FILE", "read this configuration, too, besides invoke.yaml"),
    ("-h [TASK], --help[=TASK]", "show this, or the options of a task"),
    ("-l, --list", "list the tasks"),
    ("--print-completion-script=SHELL", "print what completes words in bash, zsh or fish"),
    ("-V, --version", "show the version"),
)

EXAMPLES: Pairs = (
    ("pegasus demo", "see both modes on this machine"),
    ("pegasus check", "find mistakes in the files, and see what would be run"),
    ("pegasus queue --retries 2", "run what is queued; what fails, up to twice more"),
    ("pegasus broadcast -e", "run it on all nodes; end after a round with a failure"),
    ("pegasus add 'python train.py --bs {{ bs }}' --param bs=8 --param bs=16", "add two jobs"),
    ("pegasus status --watch", "see what runs, from any shell"),
    ("pegasus drain gpu-3", "give a node no more jobs; pegasus pause: give none to any"),
    ("pegasus logs --failed", "see the last lines of what failed"),
    ("pegasus retry --failed", "put back what failed, to be run again"),
)

STATUSES: Pairs = (
    ("0", "all is well"),
    ("1", "wrong usage, files or settings; nothing was run"),
    ("3", "a command timed out, or was killed by a signal"),
    ("4", "a node could not be reached, or was lost"),
    ("5", "a command failed"),
    ("130, 143, 129", "interrupted by Ctrl-C, SIGTERM or SIGHUP"),
)

MORE = """\
pegasus TASK --help shows the options of a task; docs/commands.md has all of them, and README.md
the files, settings and modes. The tasks are those of inv, too, in a project whose tasks.py has:
from pegasus.tasks import ns"""


def program_help(tasks: Pairs) -> Iterator[str]:
    """Yield the lines of `pegasus --help`; `tasks` are names with what they do."""
    width = columns()
    yield from _paragraph("Usage: pegasus [CORE OPTIONS] TASK [OPTIONS] [TASK ...]", width)
    yield ""
    yield from _paragraph(ABOUT, width)
    for title, pairs in (
        ("Tasks", tasks),
        ("Core options", CORE),
        ("Examples", EXAMPLES),
        ("Exit status, the first that applies in the order 130, 3, 4, 5", STATUSES),
    ):
        yield from ("", *_paragraph(f"{title}:", width))
        yield from _table(pairs, width)
    yield ""
    yield from _paragraph(MORE, width)


def task_help(name: str, doc: str, options: Pairs) -> Iterator[str]:
    """Yield the lines of `pegasus TASK --help`."""
    width = columns()
    usage = f"Usage: pegasus [CORE OPTIONS] {name} {'[OPTIONS] ' if options else ''}[TASK ...]"
    yield from _paragraph(usage, width)
    for paragraph in inspect.cleandoc(doc).split("\n\n"):
        yield from ("", *_paragraph(paragraph, width))
    if options:
        yield from ("", "Options:")
        yield from _table(options, width)


def show(lines: Iterable[str]) -> None:
    """Write lines to stdout.

    Raises:
        StorageError: it can't be written to.
    """
    was_read(write(sys.stdout, lines))


def columns() -> int:
    """Return how wide the terminal is, as far as that is of use."""
    return max(20, min(WIDEST, shutil.get_terminal_size().columns))


def _paragraph(text: str, width: int, indent: str = "") -> list[str]:
    return textwrap.wrap(
        " ".join(text.split()),
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _table(pairs: Pairs, width: int) -> Iterator[str]:
    """Yield names with meanings beside them, or below where there is no room."""
    room = 0 if width < NARROW else width // 2 - 4
    beside = max((len(name) for name, _ in pairs if len(name) <= room), default=0)
    for name, meaning in pairs:
        head = f"  {name}"
        if not meaning:
            yield head
        elif beside and len(name) <= beside:
            first, *rest = _paragraph(meaning, width, " " * (beside + 4)) or [""]
            yield head.ljust(beside + 4) + first.lstrip()
            yield from rest
        else:
            yield from _paragraph(name, width, "  ")
            yield from _paragraph(meaning, width, " " * (beside + 4 if beside else 6))
