"""Jobs that share the GPUs of a node: this machine, and nodes on a real sshd."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from project import Project
from sshd import Sshd

MakeSshd = Callable[..., Sshd]

#: Holds each GPU that it was given by making a directory, which two can't do at the same time.
JOB = """\
#!/bin/sh
# usage: job.sh DIRECTORY SIZE
IFS=,
set -- "$1" "$2" $CUDA_VISIBLE_DEVICES
locks=$1 size=$2
shift 2
echo "gpus=$CUDA_VISIBLE_DEVICES slots=$PEGASUS_SLOTS"
[ $# = $size ] || { echo "wrong number"; exit 8; }
for gpu; do mkdir "$locks/$gpu" || { echo "overlap on $gpu"; exit 9; }; done
sleep 0.0$((size % 5))
for gpu; do rmdir "$locks/$gpu"; done
"""

QUEUE = """\
- command: sh {directory}/job.sh {directory}/{{{{ locks }}}} {{{{ slot_count }}}} {{{{ n }}}}
  slots: {size}
  n: [{numbers}]
"""

#: Jobs of one slot that end when all of them have begun.
TOGETHER = """\
- command: |
    touch {directory}/{{{{ n }}}}
    until [ $(ls {directory} | wc -l) = {count} ]; do sleep 0.05; done
  n: {numbers}
"""


@pytest.fixture
def shared(project: Project) -> Project:
    project.write("job.sh", JOB)
    return project


def fill(project: Project, sizes: dict[int, int]) -> None:
    """Queue so many jobs of each size."""
    project.queue(
        "".join(
            QUEUE.format(
                directory=project.directory,
                size=size,
                numbers=", ".join(map(str, range(jobs))),
            )
            for size, jobs in sizes.items()
        )
    )


def check(project: Project, out: str, sizes: dict[int, int]) -> None:
    assert "overlap" not in out
    assert project.left is None
    gpus = re.findall(r"gpus=([\d,]*) slots=([\d,]*)$", out, re.M)
    assert all(given == slots for given, slots in gpus)
    assert Counter(len(given.split(",")) if given else 0 for given, _ in gpus) == sizes


def lock_folder(project: Project, name: str) -> Path:
    folder = project.directory / name
    folder.mkdir()
    return folder


@pytest.mark.parametrize("allocation", ["first_fit", "buddy"])
def test_jobs_of_all_sizes_share_this_machine(shared: Project, allocation: str) -> None:
    lock_folder(shared, "here")
    shared.hosts("- {hostname: localhost, locks: here, slots: 8, options: {gpus: true}}\n")
    sizes = {8: 2, 1: 20, 4: 6, 2: 10}
    fill(shared, sizes)
    running = shared.run("queue", env={"INVOKE_PEGASUS_ALLOCATION": allocation})
    assert running.wait() == 0, running.out + running.err
    check(shared, running.out, sizes)


def test_jobs_share_nodes_over_ssh_and_few_connections(
    shared: Project, make_sshd: MakeSshd
) -> None:
    sshd: Sshd = make_sshd()  # MaxSessions is 10, as OpenSSH has it.
    for name in ("one", "two", "here"):
        lock_folder(shared, name)
    shared.hosts(
        "- {hostname: node-1, locks: one, slots: 8, options: {gpus: true}}\n"
        "- {hostname: node-2, locks: two, slots: [0, 1, 3, 4, 5, 6, 7, 9], options: {gpus: true}}\n"
        "- {hostname: localhost, locks: here, slots: 8, options: {gpus: true}}\n"
    )
    sizes = {4: 12, 1: 60, 2: 20, 3: 8, 8: 6}
    fill(shared, sizes)
    running = shared.run("queue", env={"INVOKE_PEGASUS_SSH_CONFIG": sshd.ssh_config})
    assert running.wait() == 0, running.out + running.err
    check(shared, running.out, sizes)
    labels = Counter(re.findall(r"^\[(\S+).*gpus=", running.out, re.M))
    assert {*labels} == {"node-1", "node-2", "localhost"}
    # Eight jobs at a time are fewer than the ten sessions of a connection.
    assert sshd.log.read_text().count("Accepted publickey") == 2


def test_a_node_with_more_slots_than_sessions_gets_a_second_connection(
    shared: Project, make_sshd: MakeSshd
) -> None:
    sshd: Sshd = make_sshd()
    lock_folder(shared, "one")
    shared.hosts("- {hostname: node-1, locks: one, slots: 16, options: {gpus: true}}\n")
    sizes = {1: 48, 16: 1}
    fill(shared, sizes)
    together = TOGETHER.format(
        directory=lock_folder(shared, "together"), count=16, numbers=[*range(16)]
    )
    shared.queue(together + shared.read("queue.yaml"))
    running = shared.run("queue", env={"INVOKE_PEGASUS_SSH_CONFIG": sshd.ssh_config})
    assert running.wait() == 0, running.out + running.err
    check(shared, running.out, sizes)
    # A session that has ended may keep its place for a moment, so it may be one more.
    assert sshd.log.read_text().count("Accepted publickey") in (2, 3)


def test_gpus_are_counted_as_the_node_connects(shared: Project, make_sshd: MakeSshd) -> None:
    tools = lock_folder(shared, "tools")
    smi = tools / "nvidia-smi"
    smi.write_text('#!/bin/sh\nfor n in 0 1 2 3; do echo "GPU $n: Tesla (UUID: GPU-$n)"; done\n')
    smi.chmod(0o755)
    sshd: Sshd = make_sshd(f"SetEnv PATH={tools}:/usr/local/bin:/usr/bin:/bin\n")
    lock_folder(shared, "one")
    shared.hosts("- {hostname: node-1, locks: one, slots: gpus}\n")
    sizes = {1: 4, 4: 2}
    fill(shared, {**sizes, 8: 1})
    running = shared.run("queue", env={"INVOKE_PEGASUS_SSH_CONFIG": sshd.ssh_config})
    assert running.wait() == 1
    assert "needs 8 slots, and no node has more than 4" in running.err + running.out
    assert "overlap" not in running.out
    assert len(re.findall(r"gpus=[\d,]+ slots", running.out)) == 6
    assert len(shared.left) == 1


def test_a_node_whose_gpus_can_not_be_counted_is_not_used(project: Project) -> None:
    project.hosts("- {hostname: localhost, slots: gpus}\n")
    project.queue("- echo hi\n")
    running = project.run("queue", env={"PATH": "/nonexistent:/usr/bin:/bin"})
    assert running.wait() == 4
    assert "nvidia-smi" in running.err
    assert "slots: " in running.err
    assert project.left == ["echo hi"]
