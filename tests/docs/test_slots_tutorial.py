"""docs/slots.md: its tutorial is followed on two nodes, and what it shows is what is printed."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from project import Project, Running, wait_until
from sshd import Sshd

from pegasus.errors import UnreachableError
from pegasus.events import NodeUnreachable
from pegasus.files.addresses import parse_hosts
from pegasus.model import Node
from pegasus.modes.counting import slots_of
from pegasus.registration import renamed
from pegasus.ssh.fake import FakeHosts
from pegasus.terminal.messages import message

TEXT = (Path(__file__).parents[2] / "docs" / "slots.md").read_text()
(HOST,) = parse_hosts("gpu-1", 1)

#: Stands in for `python3 train.py --model NAME`, and trains until it may end.
PYTHON = """\
#!/bin/sh
echo "$3 model, CUDA_VISIBLE_DEVICES=$CUDA_VISIBLE_DEVICES"
until [ -e go ]; do sleep 0.05; done
"""

NVIDIA_SMI = """\
#!/bin/sh
for n in 0 1 2 3 4 5 6 7; do echo "GPU $n: NVIDIA A100-SXM4-80GB (UUID: GPU-$n)"; done
"""

#: What is different each time.
_CHANGING = [
    (r"run [0-9a-f]{8} \(", "run ID ("),
    (r"pid \d+ of \S+ on \S+, since", "PROCESS, since"),
    (r"pid \d+", "PID"),
    (r"\d\d:\d\d:\d\d \(\d+s\)", "WHEN"),
    (r"\b\d+(\.\d+)?[smh]\b( \d+[sm]\b)?", "TIME"),
    (r"\d+%", "SHARE"),
    (r" +", " "),
]


def consoles(part: str) -> list[str]:
    return re.findall(r"^```console\n(.*?)^```", part, re.M | re.S)


def files(name: str) -> list[str]:
    return re.findall(rf"^```yaml\n# {name}\n(.*?)^```", TEXT, re.M | re.S)


def lines(text: str) -> list[str]:
    """Return the lines of an output, without what is different each time."""
    for pattern, put in _CHANGING:
        text = re.sub(pattern, put, text)
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def steps(block: str) -> list[tuple[str, str]]:
    """Return the commands of a block, each with what it prints."""
    parts = re.split(r"^\$ (.*)\n", block, flags=re.M)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def test_the_messages_of_the_other_parts_are_in_these_words() -> None:
    unreachable, notice = consoles(TEXT.split("\n## Tutorial\n")[1].split("\n## ", 1)[1])
    node = Node(0, HOST, slots=None)
    with pytest.raises(UnreachableError) as caught:
        slots_of(FakeHosts().connect(node))
    assert f"[pegasus] {message(NodeUnreachable(node, caught.value))}\n" == unreachable
    before = {"nodes": [{"host": "gpu-1", "params": {"slots": "0"}}]}
    assert f"[pegasus] {renamed(before, [Node(0, HOST, slots=(0, 1))])}\n" == notice


@pytest.fixture
def cluster(project: Project) -> Iterator[dict[str, str]]:
    """Two nodes with 8 GPUs each, as programs see it; they share a home directory."""
    home, programs = project.directory / "home", project.directory / "bin"
    for folder in (home / "project", programs):
        folder.mkdir(parents=True)
    (home / "project" / "train.py").touch()
    for name, text in (("python3", PYTHON), ("nvidia-smi", NVIDIA_SMI)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    (project.directory / "server").mkdir()
    # The first SetEnv line counts, and so it says all.
    extra = f"SetEnv PATH={programs}:/usr/bin:/bin HOME={home} SHLVL=2"
    server = Sshd(project.directory / "server", extra)
    server.start()
    config = Path(server.ssh_config)
    config.write_text(config.read_text().replace("Host node-1", "Host gpu-1 gpu-2 node-1"))
    try:
        yield {"INVOKE_PEGASUS_SSH_CONFIG": server.ssh_config}
    finally:
        (home / "project" / "go").touch()
        server.stop()


def inv(project: Project, command: str) -> str:
    """Return what a command prints, on both streams."""
    shell = f'inv() {{ "{sys.executable}" -m invoke "$@"; }}\n{command} 2>&1'
    ended = subprocess.run(
        ["sh", "-c", shell], cwd=project.directory, capture_output=True, text=True, check=False
    )
    return ended.stdout


def wait_for_lines(running: Running, block: str) -> None:
    """Wait until all of these lines were printed, in whatever order."""
    for line in lines(block):
        wait_until(partial(is_printed, running, line), f"{line!r}")


def is_printed(running: Running, line: str) -> bool:
    return line in lines(running.out + running.err)


def test_the_tutorial(project: Project, cluster: dict[str, str]) -> None:
    nodes, more_nodes = files("hosts.yaml")[:2]
    project.hosts(nodes)
    project.queue(files("queue.yaml")[0])
    (begin, status, more, drain, pause, add, unfit_add, unfit, end) = consoles(
        TEXT.split("\n## Tutorial\n")[1].split("\n## ")[0]
    )
    ((command, printed),) = steps(begin)
    assert command == "inv queue"
    running = project.start("queue", env=cluster)
    wait_for_lines(running, printed)
    running.wait_for("=== (job 4, no slot)", 2)
    for command, printed in steps(status):
        assert lines(inv(project, command)) == lines(printed)
    project.hosts(more_nodes)
    wait_for_lines(running, more)
    for command, printed in [
        step for block in (drain, pause, add, unfit_add) for step in steps(block)
    ]:
        # Jobs that were begun at the same time are told in any order.
        assert sorted(lines(inv(project, command))) == sorted(lines(printed))
    wait_for_lines(running, unfit)
    (project.directory / "home" / "project" / "go").touch()
    assert running.wait() == 1, running.err
    wait_for_lines(running, end)
    assert re.search(r"^\[gpu-2 job \d+\] === run .*--lr 1e-5'", running.out, re.M)
