"""Makes the pictures in docs/images: what pegasus shows in a real terminal, on a real sshd.

    python docs/captures.py

wants what the tests want. Each picture is what a terminal emulator has on its screen at a moment,
drawn by rich as SVG.
"""

from __future__ import annotations

import io
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import groupby
from pathlib import Path

import pexpect
import pyte
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import MONOKAI
from rich.text import Text

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests" / "support"))

from sshd import Sshd  # noqa: E402

COLUMNS = 100

#: What the jobs run in the place of a training: it takes a while, and may fail.
TRAIN = """\
#!/bin/sh
# train --model NAME --bs N
for epoch in 1 2 3; do
  sleep 0.$(($$ % 4 + 4))
  echo "epoch $epoch: loss $((4 - epoch)).$(( ($$ * 37 + epoch * 11) % 90 + 10 ))"
done
case "$*" in
  *opt-66b*--bs\\ 64*) echo "CUDA error: out of memory" >&2; exit 1 ;;
esac
"""

QUEUE = """\
- command: train --model {{ model }} --bs {{ bs }}
  model: [opt-13b, opt-30b, opt-66b]
  bs: [8, 16, 32, 64]
"""

BROADCAST = """\
- setup {{ hostname }}
- test {{ hostname }} != node-8
"""

#: What the machines print while they are set up; one of them is not like the others.
SETUP = """\
#!/bin/sh
echo 'Reading package lists...'
echo 'python3-numpy is already the newest version (1:1.24.2).'
test $1 != node-6 || echo '2 not upgraded: linux-image-amd64 is held back'
"""


class Terminal:
    """A command in a terminal, and what that shows."""

    def __init__(self, directory: Path, command: str, env: dict[str, str], rows: int) -> None:
        self.screen = pyte.Screen(COLUMNS, rows)
        self._stream = pyte.ByteStream(self.screen)
        self._child = pexpect.spawn(
            "/bin/sh",
            ["-c", command],
            cwd=str(directory),
            env={**os.environ, **env, "TERM": "xterm-256color"},
            dimensions=(rows, COLUMNS),
            timeout=60,
        )

    def read_until(self, condition: Callable[[], bool]) -> None:
        """Read on until the screen is as wanted, or the command has ended."""
        deadline = time.monotonic() + 60
        while not condition() and self._read():
            if time.monotonic() > deadline:
                raise TimeoutError("\n".join(self.screen.display))

    def read_to_end(self) -> None:
        while self._read():
            pass

    def _read(self) -> bool:
        try:
            self._stream.feed(self._child.read_nonblocking(65536, timeout=0.05))
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        return True

    def shows(self, text: str) -> bool:
        return any(text in line for line in self.screen.display)


def picture(screen: pyte.Screen, name: str, title: str, command: str) -> None:
    """Write what a screen shows below a prompt as docs/images/NAME.svg."""
    lines = [Text.assemble(("$ ", "bold green"), command)]
    for row in range(screen.lines):
        lines.append(styled(screen, row))
    while lines and not lines[-1].plain.strip():
        lines.pop()
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), color_system="256")
    for line in lines:
        console.print(line, no_wrap=True, crop=True, highlight=False)
    svg = console.export_svg(title=title, theme=MONOKAI, unique_id=f"pegasus-{name}")
    # Fonts from elsewhere are not wanted: what reads this has some of its own.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    (HERE / "images" / f"{name}.svg").write_text(svg)


def styled(screen: pyte.Screen, row: int) -> Text:
    """Return a row, with a piece for each stretch of the same style."""
    cells = [screen.buffer[row][column] for column in range(screen.columns)]
    text = Text()
    for look, run in groupby(cells, lambda cell: (cell.fg, cell.bold, cell.reverse)):
        style = Style(color=colour(look[0]), bold=look[1], reverse=look[2])
        text.append("".join(cell.data for cell in run), style)
    text.rstrip()
    return text


def colour(name: str) -> str | None:
    if name == "default":
        return None
    if len(name) == 6 and all(letter in "0123456789abcdef" for letter in name):
        return f"#{name}"
    name = {"brown": "yellow"}.get(name, name)
    return name.replace("bright", "bright_")


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        (directory / "bin").mkdir()
        for name, text in (("train", TRAIN), ("setup", SETUP)):
            program = directory / "bin" / name
            program.write_text(text)
            program.chmod(0o755)
        home = directory / "server"
        home.mkdir()
        server = Sshd(home, f"SetEnv PATH={directory}/bin:/usr/bin:/bin SHLVL=2")
        server.start()
        try:
            capture(directory, {"INVOKE_PEGASUS_SSH_CONFIG": server.ssh_config})
        finally:
            server.stop()


def capture(directory: Path, env: dict[str, str]) -> None:
    def write(name: str, text: str) -> None:
        (directory / name).write_text(text)

    write("tasks.py", "from pegasus.tasks import ns\n")
    inv = f"{sys.executable} -m invoke"
    write("hosts.yaml", "- node-[1-4]\n")
    write("queue.yaml", QUEUE)
    running = Terminal(directory, f"{inv} queue", env, 26)
    running.read_until(lambda: running.shows("(job 9)") and running.shows("ETA"))
    picture(running.screen, "queue", "inv queue", "inv queue")
    status = Terminal(directory, f"{inv} status", env, 26)
    status.read_to_end()
    picture(status.screen, "status", "inv status", "inv status")
    running.read_to_end()
    picture(running.screen, "summary", "inv queue", "inv queue")
    write("hosts.yaml", "- node-[1-8]\n")
    write("queue.yaml", BROADCAST)
    broadcast = Terminal(directory, f"{inv} broadcast --diff", env, 40)
    broadcast.read_to_end()
    picture(broadcast.screen, "broadcast", "inv broadcast", "inv broadcast --diff")


if __name__ == "__main__":
    main()
