"""What a job comes to on a node: its command, its slots, its variables and its directory."""

from __future__ import annotations

import pytest

from pegasus.errors import HostsFileError, PegasusError, QueueFileError, TemplateError
from pegasus.files.entries import HOSTS, QUEUE, read
from pegasus.files.source import Source
from pegasus.filling import cancel_command
from pegasus.model import ONE_SLOT, Host, Job, Node, Options, Slots
from pegasus.plan import Plan, plan

HOST = Host("kim@node-1", "node-1", "kim")
CUDA = Slots((2, 3), "CUDA_VISIBLE_DEVICES")
NONE = Options()


def job_of(text: str) -> Job:
    """The only job of a queue file."""
    (entry,) = read(Source(text.encode(), "queue.yaml", QueueFileError), QUEUE)
    ((head, params),) = entry.expand()
    return Job(head.value, params, entry.options, entry.slots, source=head)


def node_of(text: str) -> Node:
    """The only node of a hosts file."""
    (entry,) = read(Source(text.encode(), "hosts.yaml", HostsFileError), HOSTS)
    ((_, params),) = entry.expand()
    return Node(0, HOST, params, entry.options, entry.indices)


PLAIN = node_of("- n\n")
GPUS = node_of("- {hostname: n, slots: gpus}\n")


def env(found: Plan) -> dict[str, str]:
    return dict(found.surroundings.env)


def test_a_command_is_filled_with_its_slots() -> None:
    job = job_of(
        "- {command: 'run {{ slots }} of {{ slot_count }} {{#if (eq slot_count \"2\")}}y{{/if}}'}"
    )
    found = plan(job, PLAIN, NONE, Slots((2, 3)))
    assert (found.command, found.slots) == ("run 2,3 of 2 y", Slots((2, 3)))
    assert plan(job, PLAIN, NONE).command == "run 0 of 1 "
    assert plan(job, PLAIN, NONE, Slots()).command == "run  of 0 "


def test_what_cancels_it_has_the_same_slots() -> None:
    job = job_of("- {command: a, options: {cancel: 'kill {{ slots }}'}}")
    assert plan(job, PLAIN, NONE, Slots((4, 5))).cancel == "kill 4,5"
    assert cancel_command(job, PLAIN, Slots((4, 5))) == "kill 4,5"
    assert plan(Job("a"), PLAIN, NONE).cancel is None


@pytest.mark.parametrize(
    ("node", "slots", "expected"),
    [
        (PLAIN, ONE_SLOT, {"PEGASUS_SLOTS": "0"}),
        (PLAIN, Slots((1, 3)), {"PEGASUS_SLOTS": "1,3"}),
        (PLAIN, Slots(), {"PEGASUS_SLOTS": ""}),
        (PLAIN, CUDA, {"PEGASUS_SLOTS": "2,3"}),
        (GPUS, Slots((2,)), {"PEGASUS_SLOTS": "2"}),
        (
            GPUS,
            CUDA,
            {
                "PEGASUS_SLOTS": "2,3",
                "CUDA_VISIBLE_DEVICES": "2,3",
                "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
            },
        ),
        (
            GPUS,
            Slots((2, 3), "ROCR_VISIBLE_DEVICES"),
            {"PEGASUS_SLOTS": "2,3", "ROCR_VISIBLE_DEVICES": "2,3"},
        ),
        (
            GPUS,
            Slots((), "CUDA_VISIBLE_DEVICES"),
            {
                "PEGASUS_SLOTS": "",
                "CUDA_VISIBLE_DEVICES": "",
                "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
            },
        ),
    ],
)
def test_a_job_finds_its_slots_in_its_environment(
    node: Node, slots: Slots, expected: dict[str, str]
) -> None:
    found = plan(Job("a"), node, NONE, slots)
    assert list(found.surroundings.env) == list(expected.items())
    assert found.surroundings.cwd is None


def test_slots_are_gpus_where_the_options_say_so() -> None:
    node = node_of("- {hostname: n, slots: [2, 3], options: {gpus: yes}}\n")
    assert env(plan(Job("a"), node, NONE, CUDA))["CUDA_VISIBLE_DEVICES"] == "2,3"


def test_variables_of_the_node_come_behind_and_those_of_the_job_win() -> None:
    node = node_of(
        "- {hostname: n, slots: gpus, x: node,"
        " options: {env: {A: 'n {{ x }}', B: 'n', CUDA_DEVICE_ORDER: FASTEST_FIRST}, cwd: /n}}\n"
    )
    job = job_of(
        "- {command: a, y: job, options: {env: {C: '{{ y }} {{ slots }}', A: 'j {{ x }}',"
        " CUDA_VISIBLE_DEVICES: '7'}}}\n"
    )
    found = plan(job, node, NONE, CUDA)
    assert env(found) == {
        "PEGASUS_SLOTS": "2,3",
        "CUDA_VISIBLE_DEVICES": "7",
        "CUDA_DEVICE_ORDER": "FASTEST_FIRST",
        "A": "j node",
        "B": "n",
        "C": "job 2,3",
    }
    assert found.surroundings.cwd == "/n"


def test_the_directory_is_a_template_and_the_jobs_own_wins() -> None:
    node = node_of("- {hostname: n, root: /data, options: {cwd: '{{ root }}'}}\n")
    assert plan(Job("a"), node, NONE).surroundings.cwd == "/data"
    job = job_of("- {command: a, run: b, options: {cwd: '{{ root }}/{{ run }}/{{ slots }}'}}\n")
    assert plan(job, node, NONE, Slots((1,))).surroundings.cwd == "/data/b/1"


def test_values_come_out_as_they_are_and_may_be_empty() -> None:
    job = job_of(
        "- {command: a, x: \"it's $HOME `id`\\n\", options: {env: {A: '{{ x }}', B: ''}}}\n"
    )
    assert env(plan(job, PLAIN, NONE))["A"] == "it's $HOME `id`\n"
    assert env(plan(job, PLAIN, NONE))["B"] == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- {command: a, options: {env: {A: 'b {{ x }}'}}}\n", "there is no parameter `x`"),
        ("- command: a\n  options:\n    env:\n      A: |\n        b\n        {{ x }}\n",
         "there is no parameter `x`"),
        ("- {command: a, options: {cwd: '{{ x }}'}}\n", "there is no parameter `x`"),
        ("- {command: a, x: '', options: {cwd: '{{ x }}'}}\n", "`cwd` comes out empty; write '.'"),
        ("- {command: a, x: ' ', options: {cwd: '{{ x }}'}}\n", "`cwd` comes out empty"),
        ("- {command: a, x: '\"\\x00\"', options: {env: {A: '{{ unquote x }}'}}}\n", "`env.A` has"),
        ("- {command: a, x: '\"\\x00\"', options: {cwd: '{{ unquote x }}'}}\n", "`cwd` has a NUL"),
        ("- {command: a, x: '\"\\x00\"', options: {cancel: '{{unquote x}}'}}\n", "`cancel` has"),
        ("- {command: '{{ unquote x }}', x: '\"\\x00\"'}\n", "the command has a NUL character"),
    ],
)  # fmt: skip
def test_what_can_not_be_filled_is_said_where_it_stands(text: str, message: str) -> None:
    with pytest.raises(QueueFileError) as caught:
        plan(job_of(text), PLAIN, NONE)
    assert str(caught.value).startswith(f"queue.yaml:{tag_in(text)}: {message}")


def tag_in(text: str) -> str:
    """Where the only tag stands, as line and column."""
    before = text[: text.index("{{")]
    return f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"


@pytest.mark.parametrize("options", ["env: {A: '{{x}}'}", "cwd: '/a{{x}}'", "cancel: '{{x}}'"])
def test_what_a_node_says_is_wrong_for_a_command(options: str) -> None:
    text = f"- {{hostname: n, options: {{{options}}}}}\n"
    with pytest.raises(HostsFileError) as caught:
        plan(job_of("- b\n"), node_of(text), NONE)
    assert str(caught.value).startswith(
        f"hosts.yaml:{tag_in(text)}: there is no parameter `x`, for the command at queue.yaml:1:3; "
    )


def test_options_that_come_from_no_file_have_no_place() -> None:
    for options in (Options(cwd="{{ z }}"), Options(env=(("A", "{{ z }}"),))):
        with pytest.raises(TemplateError, match="`z`") as caught:
            plan(Job("a", options=options), PLAIN, NONE)
        assert caught.value.__cause__ is not caught.value
        with pytest.raises(PegasusError, match="`z`"):
            plan(Job("a"), Node(0, HOST, (), options), NONE)
