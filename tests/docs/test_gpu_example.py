"""examples/gpu: it runs as it is written, on any machine, and no GPU is given to two jobs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from markdown_tables import values
from peeking import peek
from project import Project, wait_until

from pegasus.files import hosts
from pegasus.files.queuefile import QueueFile

EXAMPLE = Path(__file__).parents[2] / "examples" / "gpu"
GPUS = range(8)


@pytest.fixture
def example(project: Project) -> Project:
    """A copy of the folder, as its README has one made."""
    kept = shutil.ignore_patterns(".pegasus", "consumed.yaml", "gpus")
    shutil.copytree(EXAMPLE, project.directory, ignore=kept, dirs_exist_ok=True)
    return project


def run_script(project: Project, gpus: str | None, *more: str) -> subprocess.Popen[str]:
    env = {name: value for name, value in os.environ.items() if "VISIBLE_DEVICES" not in name}
    return subprocess.Popen(
        [sys.executable, "train.py", *more],
        cwd=project.directory,
        env=env if gpus is None else {**env, "CUDA_VISIBLE_DEVICES": gpus},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_all_jobs_run_and_none_finds_its_gpus_taken(example: Project) -> None:
    ran = example.run("queue")
    assert ran.wait() == 0, ran.out + ran.err
    assert "all 9 commands succeeded" in ran.err
    assert example.left is None
    found = re.findall(r"(\w+) model, CUDA_VISIBLE_DEVICES=([\d,]+)$", ran.out, re.M)
    sizes = Counter((model, len({*gpus.split(",")})) for model, gpus in found)
    assert sizes == {("large", 4): 1, ("huge", 8): 1, ("medium", 2): 2, ("small", 1): 4}
    # That each has been locked shows that the script has looked.
    locks = {path.stem.rpartition("-")[2] for path in (example.directory / "gpus").iterdir()}
    assert locks == {str(gpu) for gpu in GPUS}
    assert most_at_a_time(ran.out) > 1


def most_at_a_time(out: str) -> int:
    """Return how many jobs ran at a time, by the frames of a run; no slot may be in two of them."""
    frames = re.findall(r"=== (run|done) .*=== \(job (\d+), (?:no slot|slots? ([\d,]+))\)", out)
    held: dict[str, list[str]] = {}
    most = 0
    for word, job, slots in frames:
        if word == "done":
            del held[job]
        else:
            held[job] = slots.split(",") if slots else []
        taken = [slot for one in held.values() for slot in one]
        assert len(taken) == len({*taken}), f"twice: {held}"
        most = max(most, len(held))
    assert not held
    return most


def test_the_script_fails_where_a_gpu_is_in_use(example: Project) -> None:
    with run_script(example, "0,1", "--epochs", "1000000") as first:
        try:
            assert first.stdout
            assert first.stdout.readline() == "small model, CUDA_VISIBLE_DEVICES=0,1\n"
            second = run_script(example, "1,2", "--epochs", "0")
            assert second.communicate()[1] == "GPU 1 is in use by another training\n"
            assert second.returncode == 1
            third = run_script(example, "2,3", "--epochs", "0")
            assert third.wait() == 0
        finally:
            first.kill()
    wait_until(lambda: run_script(example, "1", "--epochs", "0").wait() == 0, "the GPU")


def test_the_script_wants_to_be_told_its_gpus(example: Project) -> None:
    alone = run_script(example, None)
    assert "neither CUDA_VISIBLE_DEVICES nor ROCR_VISIBLE_DEVICES is set" in alone.communicate()[1]
    assert alone.returncode == 1


def test_the_hosts_file_has_the_real_one_in_its_comment(example: Project) -> None:
    text = example.read("hosts.yaml")
    (node,) = hosts.load(example.directory / "hosts.yaml")
    assert node.host.is_local
    assert node.has_gpus
    assert node.slots == tuple(GPUS)
    comment = text.split("# Your own nodes", 1)[1].splitlines()[1:]
    example.hosts("".join(f"{line[2:]}\n" for line in comment))
    nodes = hosts.load(example.directory / "hosts.yaml")
    assert [one.host.text for one in nodes] == [f"gpu-{number}" for number in range(1, 5)]
    assert {one.slots for one in nodes} == {None}


def test_the_readme_names_what_is_there(example: Project) -> None:
    text = example.read("README.md")
    named = {one for one in values(text) if re.fullmatch(r"[a-z]+\.(py|yaml)", one)}
    assert named == {"hosts.yaml", "queue.yaml", "train.py"}
    (link,) = re.findall(r"\]\((.*?)\)", text)
    assert (EXAMPLE / link).resolve().is_file()
    jobs = peek(
        QueueFile(example.directory / "queue.yaml", example.directory / "consumed.yaml"), 99
    )
    sizes = {1 if job.slots is None else job.slots for job in jobs}
    assert sizes == {0, 1, 2, 4, 8}
    assert "Jobs that want 1, 2, 4 or 8 GPUs, and one that wants none" in text
    (shell,) = re.findall(r"```sh\n(.*?)```", text, re.S)
    assert shell.startswith("cp -r examples/gpu ")
