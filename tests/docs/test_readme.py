"""The README does what it says: its commands, its examples, its tables."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
import yaml
from invoke import Config
from peeking import peek

from pegasus import Settings
from pegasus.files import hosts
from pegasus.files.queuefile import QueueFile
from pegasus.template import render

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.M | re.S)


def section(title: str) -> str:
    return re.split(r"^##+ ", README.split(f"# {title}\n", 1)[1], maxsplit=1, flags=re.M)[0]


def test_there_are_two_commands_one_for_the_demo_and_one_for_the_tests() -> None:
    first, second = (block.strip() for block in blocks("sh"))
    assert "\n" not in first
    assert first.endswith("&& inv demo")
    assert "\n" not in second
    assert second.endswith("&& inv test")


def test_ci_runs_the_test_command_as_it_stands_here() -> None:
    assert blocks("sh")[1].strip() in (ROOT / ".ci" / "run").read_text()


def test_every_setting_is_in_the_table_and_in_the_example_configuration() -> None:
    example = Settings.from_config(Config(yaml.safe_load((ROOT / "invoke.yaml").read_text())))
    assert example == Settings()
    for setting in fields(Settings):
        if setting.metadata.get("only_in_code"):
            continue
        option = setting.name.replace("_", "-")
        assert re.search(rf"^\| `{setting.name}` \| (`--(no-)?{option}`|–)", README, re.M)
        assert re.search(rf"^  {setting.name}: ", (ROOT / "invoke.yaml").read_text(), re.M)


def commands(directory: Path, title: str, hosts_text: str = "- node-1\n") -> list[str]:
    """Return what the example under a title would run, were each job run on the first node."""
    text = section(title)
    written = dict(re.findall(r"^# (\w+\.yaml)\n(.*?)^```", text, re.M | re.S))
    (directory / "hosts.yaml").write_text(written.get("hosts.yaml", hosts_text))
    (directory / "queue.yaml").write_text(written["queue.yaml"])
    nodes = hosts.load(directory / "hosts.yaml")
    queue = QueueFile(directory / "queue.yaml", directory / "consumed.yaml")
    with queue.lock.hold("a test"):
        jobs = peek(queue, 100)
        assert queue.take(100) == jobs
    return [render(job.template, job.variables(nodes[0])) for job in jobs]


def test_queue_mode(tmp_path: Path) -> None:
    conda = ". /opt/miniconda3/etc/profile.d/conda.sh; "
    assert commands(tmp_path, "Queue mode: get a bag of jobs done") == [
        f"{conda}python train.py --bs {bs}" for bs in (8, 16, 32, 64)
    ]


def test_broadcast_mode(tmp_path: Path) -> None:
    assert len(commands(tmp_path, "Broadcast mode: set up nodes")) == 3


DOCKER = [f"docker exec gpu0 python train.py --bs {bs}" for bs in (8, 16, 32, 64)]


def test_split_nodes(tmp_path: Path) -> None:
    assert commands(tmp_path, "Split nodes with parameters") == DOCKER
    assert [node.label for node in hosts.load(tmp_path / "hosts.yaml")] == [
        f"{name} (container={gpu})" for name in ("node-1", "node-2") for gpu in ("gpu0", "gpu1")
    ]


def test_parametrized_commands(tmp_path: Path) -> None:
    node = "- hostname: node-1\n  container: gpu0\n"
    assert commands(tmp_path, "Parametrize commands", node) == DOCKER


def test_quiz(tmp_path: Path) -> None:
    loop = "for i in $(seq {} {}); do echo $i; sleep 1; done"
    assert commands(tmp_path, "Quiz") == [
        "echo hi from node-1",
        *(loop.format(low, high) for low in (1, 2) for high in (3, 4)),
        *["echo bye from node-1"] * 4,
    ]


def test_handlebars(tmp_path: Path) -> None:
    printed = section("Handlebars").split("runs\n")[1].split("```")[1]
    expected = [line[2:] for line in printed.splitlines() if line.startswith("- ")]
    assert commands(tmp_path, "Handlebars") == expected
    assert len(expected) == 3


def test_the_backslash_keeps_braces() -> None:
    shown = re.search(r"`(docker ps.*?)`", README)
    assert shown
    assert render(shown[1], {}) == "docker ps --format '{{.Names}}'"


@pytest.mark.parametrize("name", ["ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE"])
def test_what_is_linked_is_there(name: str) -> None:
    assert (ROOT / name).stat().st_size > 500
