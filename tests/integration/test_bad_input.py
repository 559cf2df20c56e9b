"""What is wrong is said with its place; nothing is consumed and no traceback is shown."""

from __future__ import annotations

import pytest
from project import Project

HOSTS = "- localhost\n"
QUEUE = "- echo ran\n"
#: 400 * 400 combinations.
TOO_MANY = f"  a: &x [{', '.join('1' * 400)}]\n  b: *x\n"


@pytest.mark.parametrize("mode", ["queue", "broadcast"])
@pytest.mark.parametrize(
    ("hosts", "place"),
    [
        (None, "hosts.yaml"),
        ("", "hosts.yaml"),
        ("# nobody\n", "hosts.yaml"),
        ("localhost\n", "hosts.yaml:1:1"),
        ("hostname: localhost\n", "hosts.yaml:1:1"),
        ("- localhost\n- gpu: 1\n", "hosts.yaml:2:3"),
        ("- hostname: {a: b}\n", "hosts.yaml:1:13"),
        ("- hostname: [[localhost]]\n", "hosts.yaml:1:14"),
        ("- hostname: localhost\n  gpu: []\n", "hosts.yaml:2:8"),
        ("- hostname: []\n", "hosts.yaml:1:13"),
        ("- hostname: localhost\n  gpu: 1\n  gpu: 2\n", "hosts.yaml:3:3"),
        ("- localhost\n---\n- localhost\n", "hosts.yaml:2:1"),
        ("- hostname: localhost\n\tgpu: 1\n", "hosts.yaml:2:1"),
        ("- hostname: node-{{ n }\n  n: 1\n", "hosts.yaml:1:"),
        ("- hostname: node-{{ m }}\n  n: 1\n", "hosts.yaml:1:"),
        (f"- hostname: localhost\n{TOO_MANY}", "hosts.yaml:"),
        ("- localhost:port\n", "hosts.yaml:1:3"),
        ("- -oProxyCommand=x\n", "hosts.yaml:1:3"),
    ],
)
def test_a_wrong_hosts_file(project: Project, mode: str, hosts: str | None, place: str) -> None:
    if hosts is not None:
        project.hosts(hosts)
    project.queue(QUEUE)
    run = project.run(mode)
    assert run.wait() == 1, run.err
    assert place in run.err
    assert "Traceback" not in run.err
    assert project.read("queue.yaml") == QUEUE
    assert project.consumed == []


@pytest.mark.parametrize("mode", ["queue", "broadcast"])
@pytest.mark.parametrize(
    ("queue", "place"),
    [
        (None, "queue.yaml"),
        ("echo\n", "queue.yaml:1:1"),
        ("command: echo\n", "queue.yaml:1:1"),
        ("- bs: 1\n", "queue.yaml:1:3"),
        ("- echo\n- command: {a: b}\n", "queue.yaml:2:12"),
        ("- [echo]\n", "queue.yaml:1:3"),
        ("- command: echo\n  bs: [[1]]\n", "queue.yaml:2:8"),
        ("- command: echo\n  bs: []\n", "queue.yaml:2:7"),
        ("- command: echo\n  bs: 1\n  bs: 2\n", "queue.yaml:3:3"),
        ("- echo\n--- \n- echo\n", "queue.yaml:2:1"),
        ("- command: echo\n\tbs: 1\n", "queue.yaml:2:1"),
        ("- echo {{ bs\n", "queue.yaml:1:"),
        ("- echo\n- echo {{ bs }}\n", "queue.yaml:2:"),
        ("- command: echo {{ bz }}\n  bs: 1\n", "queue.yaml:1:"),
        (f"- command: echo\n{TOO_MANY}", "160"),
        ("- 'echo\n", "queue.yaml:"),
        ("- echo\n-\n", "queue.yaml:2:"),
    ],
)
def test_a_wrong_queue_file(project: Project, mode: str, queue: str | None, place: str) -> None:
    project.hosts(HOSTS)
    if queue is not None:
        project.queue(queue)
    run = project.run(mode)
    assert run.wait() == 1, run.err
    assert place in run.err
    assert "Traceback" not in run.err
    assert "ran" not in run.out
    assert project.exists("queue.yaml") is (queue is not None)
    if queue is not None:
        assert project.read("queue.yaml") == queue
    assert project.consumed == []


@pytest.mark.parametrize(
    ("arguments", "config", "message"),
    [
        (["queue", "--no-such-option"], "", "--no-such-option"),
        (["queue", "--print-period", "x"], "", "print_period must be a whole number, not 'x'"),
        (["queue"], "pegasus: {daemo: true}", "did you mean daemon?"),
        (["queue"], "pegasus: {daemon: maybe}", "daemon must be true or false, not 'maybe'"),
        (["queue", "--hosts-file", "none.yaml"], "", "none.yaml"),
        (["queue", "--queue-file", "."], "", "is a directory"),
        (["queue", "--consumed-file", "hosts.yaml"], "", "are the same file"),
        (["queue", "--consumed-file", "no/such/file"], "", "can't be written"),
        (["queue", "--consumed-file", "/dev/null"], "", "is not an ordinary file"),
        (["queue", "--ssh-config", "no/such"], "", "ssh_config: no/such can't be read"),
        (["lock", "--editor", "'unclosed"], "", "can't be split into words"),
    ],
)
def test_wrong_usage(project: Project, arguments: list[str], config: str, message: str) -> None:
    project.hosts(HOSTS)
    project.queue(QUEUE)
    if config:
        project.write("invoke.yaml", config)
    run = project.run(*arguments)
    assert run.wait() == 1
    assert message in run.err
    assert "Traceback" not in run.err
    assert project.read("queue.yaml") == QUEUE


def test_all_names_of_the_templates_are_said_with_the_nearest(project: Project) -> None:
    project.hosts("- hostname: localhost\n  container: gpu0\n")
    project.queue("- docker exec {{ contaner }} true\n")
    run = project.run("queue")
    assert run.wait() == 1
    assert "contaner" in run.err
    assert "container" in run.err
