"""docs/slots.md: its files are read, and its tables and drawings are true."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
import yaml
from invoke import Config
from markdown_tables import code, tables, values
from peeking import peek
from project import Project

from pegasus import durations, roster
from pegasus.errors import PlacedError
from pegasus.files import hosts, options, slots
from pegasus.files.queuefile import QueueFile
from pegasus.model import Job, Node, Options, Slots
from pegasus.modes import counting, feed
from pegasus.plan import plan
from pegasus.settings import Settings
from pegasus.slots.allocation import ALIGNED, CONTIGUOUS, SCATTERED, allocate

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "slots.md").read_text()
README = (ROOT / "README.md").read_text()
WRITTEN, TAGS, VARIABLES, DEFAULTS, OPTIONS, COMMANDS, FORMERLY = tables(TEXT)


def files(name: str) -> list[str]:
    return re.findall(rf"^```yaml\n# {name}\n(.*?)^```", TEXT, re.M | re.S)


def pairs() -> list[tuple[str, str]]:
    """Return each queue.yaml of the page, with the hosts.yaml in front of it; and the README's."""
    found, nodes = [], ""
    in_short = README.split("\n### Slots: sharing GPUs\n")[1].split("\n### ")[0]
    for name, text in re.findall(
        r"^```yaml\n# (\w+)\.yaml\n(.*?)^```", TEXT + in_short, re.M | re.S
    ):
        if name == "hosts":
            nodes = text
        elif name == "queue":
            found.append((nodes, text))
    return found


# The files


def test_every_block_of_yaml_is_one_of_the_files() -> None:
    names = re.findall(r"^```yaml\n(.*)\n", TEXT, re.M)
    assert {*names} == {"# hosts.yaml", "# queue.yaml", "# invoke.yaml"}


@pytest.mark.parametrize(("nodes", "queue"), pairs())
def test_each_queue_can_be_run_on_the_nodes_in_front_of_it(
    project: Project, nodes: str, queue: str
) -> None:
    project.hosts(nodes)
    project.queue(queue)
    ran = project.run("check")
    assert ran.wait() == 0, ran.err
    assert "no node" not in ran.err
    commands = [line for line in ran.out.splitlines() if "] # " not in line]
    jobs = re.search(r", (\d+) jobs?$", commands[0])
    assert jobs
    assert len(commands) - 1 == int(jobs[1])


def test_the_options_of_the_example_hold_as_they_are_told(project: Project) -> None:
    ((nodes, queue),) = [pair for pair in pairs() if "WANDB_NAME" in pair[1]]
    project.hosts(nodes)
    project.queue(queue)
    shown = project.run("check").out
    assert "[a100-1 (memory=80)] # slots 0,1,2,3, cwd ~/project/runs/llama-7b, env " in shown
    assert "env WANDB_NAME=llama-7b on 4 GPUs," in shown
    assert "DATA=/mnt/fast/a100-1" in shown


def test_the_nodes_of_the_examples_have_the_slots_that_their_comments_tell(tmp_path: Path) -> None:
    path = tmp_path / "hosts.yaml"
    path.write_text(files("hosts.yaml")[2])
    nodes = hosts.load(path)
    assert [node.slots for node in nodes[:5]] == [None] * 4 + [(0, 1, 3)]
    assert [len(node.slots or ()) for node in nodes[5:]] == [64] * 8 + [1]
    assert [node.has_gpus for node in nodes] == [True] * 5 + [False] * 9


def test_the_example_in_the_repository_has_the_queue_of_the_tutorial() -> None:
    assert (ROOT / "examples/gpu/queue.yaml").read_text() == files("queue.yaml")[0]


def test_defaults_are_those_of_the_settings() -> None:
    told = {code(name): code(value) for name, value in DEFAULTS}
    (example,) = files("invoke.yaml")
    assert yaml.load(example, yaml.BaseLoader) == {"pegasus": told}
    assert Settings.from_config(Config(yaml.safe_load(example))) == Settings()
    of_slots = {"allocation", "backfill_patience", "zero_slot_jobs"}
    assert {*told} == of_slots & {item.name for item in fields(Settings)}
    assert durations.parse(told["backfill_patience"]) == Settings().backfill_patience


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (Settings().zero_slot_jobs, "at most {} on a node at a time"),
        (Settings().backfill_patience / 60, "`backfill_patience` ({:g} minutes)"),
        (counting.PATIENCE, "within {:g} seconds"),
        (slots.MOST - 1, "from 0 to {}"),
        (1 / feed.POLL, "looked at {:g} times a second"),
        (roster.SETTLING, "the same for {:g} seconds"),
    ],
)
def test_numbers_are_those_of_the_code(number: object, said: str) -> None:
    assert said.format(number) in " ".join(TEXT.split())


def test_links_lead_to_headings() -> None:
    for page, heading in re.findall(r"\]\(([^)#]*)#([^)]+)\)", TEXT):
        text = (ROOT / "docs" / (page or "slots.md")).resolve().read_text()
        found = re.findall(r"^#+ (.*)", text, re.M)
        assert heading in [re.sub(r"[^\w -]", "", one).lower().replace(" ", "-") for one in found]


# Tables and drawings


@pytest.mark.parametrize(("written", "has"), WRITTEN, ids=[row[0] for row in WRITTEN])
def test_a_node_has_these_slots(tmp_path: Path, written: str, has: str) -> None:
    path = tmp_path / "hosts.yaml"
    path.write_text("- hostname: n\n" + "".join(f"  {line}\n" for line in values(written)))
    (node,) = hosts.load(path)
    assert (None if node.slots is None else str(Slots(node.slots))) == (
        values(has)[0] if values(has) else None
    )


@pytest.mark.parametrize(("variable", "make"), [("CUDA", "NVIDIA"), ("ROCR", "AMD")])
def test_a_job_finds_what_the_tables_tell(tmp_path: Path, variable: str, make: str) -> None:
    path = tmp_path / "hosts.yaml"
    path.write_text("- {hostname: n, slots: gpus}\n")
    (node,) = hosts.load(path)
    gpus = Slots((0, 1), f"{variable}_VISIBLE_DEVICES")
    template = " and ".join(code(row[0]) for row in TAGS)
    found = plan(Job(template, slots=2), node, Options(), gpus)
    assert found.command == " and ".join(values(row[1])[0] for row in TAGS)
    told = [row for row in VARIABLES if row[1] == "everywhere" or row[1].endswith(make)]
    told += [row for row in VARIABLES if row[1] == "with it" and make == "NVIDIA"]
    meant = {code(row[0]): values(row[2])[0] for row in told}
    shown = {name: "0,1" if value == "{{ slots }}" else value for name, value in meant.items()}
    assert dict(found.surroundings.env) == shown
    assert dict(plan(Job("x"), Node(0, node.host), Options()).surroundings.env) == {
        "PEGASUS_SLOTS": "0"
    }


def test_each_option_of_slots_is_described() -> None:
    both = {*options.OF_NODES} & {*options.OF_JOBS}
    where = dict.fromkeys(options.OF_NODES, "hosts.yaml") | dict.fromkeys(
        options.OF_JOBS, "queue.yaml"
    )
    where |= dict.fromkeys(both, "both")
    told = {code(row[0]): row[1] for row in OPTIONS}
    elsewhere = {"cancel", "timeout", "retries"}
    assert told == {name: file for name, file in where.items() if name not in elsewhere}
    assert elsewhere <= {one for table in tables(README) for row in table for one in values(row[0])}


def drawings() -> list[tuple[str, int, str, str]]:
    (text,) = re.findall(r"^```text\n(.*?)^```", TEXT, re.M | re.S)
    drawn = re.findall(r"^(\w+), (\d) slots +((?:[.xo] ){7}[.xo]) +(.*)$", text, re.M)
    assert len(drawn) == len(text.splitlines()) - 1
    return [(policy, int(size), slots_drawn, why) for policy, size, slots_drawn, why in drawn]


@pytest.mark.parametrize(("policy", "size", "drawn", "why"), drawings())
def test_a_job_gets_the_slots_that_are_drawn(policy: str, size: int, drawn: str, why: str) -> None:
    marks = drawn.split()
    free = {index for index, mark in enumerate(marks) if mark != "x"}
    given = tuple(index for index, mark in enumerate(marks) if mark == "o")
    block = allocate(free, size, policy)
    assert (block.indices if block else ()) == given
    meant = {"not aligned": CONTIGUOUS, "any": SCATTERED, "aligned": ALIGNED}
    grades = [grade for words, grade in meant.items() if words in why]
    assert grades[:1] == ([block.grade] if block else [])
    assert bool(block) != ("wait" in why)


def test_what_counts_is_the_numbers() -> None:
    told = re.search(r"with `slots: (\[.*?\])`, the block for two slots is `(.*?)`", TEXT)
    assert told
    block = allocate(yaml.safe_load(told[1]), 2, "first_fit")
    assert block
    assert block == (ALIGNED, block.indices)
    assert str(Slots(block.indices)) == told[2]


@pytest.mark.parametrize(("file", "written", "now"), FORMERLY, ids=[row[1] for row in FORMERLY])
def test_what_was_a_parameter_is_read_in_this_way_or_refused(
    tmp_path: Path, file: str, written: str, now: str
) -> None:
    path = tmp_path / file
    head = "hostname: gpu-1" if file == "hosts.yaml" else "command: run {{ slots }}"
    path.write_text(f"- {head}\n  {code(written)}\n")

    def load() -> list[Node] | list[Job]:
        if file == "hosts.yaml":
            return hosts.load(path)
        return peek(QueueFile(path, tmp_path / "consumed.yaml"), 10)

    if now == "error":
        with pytest.raises(PlacedError, match=r"call (it|the parameter) something else") as caught:
            load()
        assert caught.value.place
        assert caught.value.place.line == 2
        return
    (one,) = load()
    number = one.slots if isinstance(one, Job) else len(one.slots or ())
    assert number == 4
    assert "four slots" in now
    assert isinstance(one, Job) or one.label == "gpu-1"


def test_each_command_is_one() -> None:
    for row in COMMANDS:
        assert re.match(r"inv (drain|undrain|pause|resume)\b", code(row[0]))
