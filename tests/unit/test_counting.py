"""How many slots a node has: as it is written, or as nvidia-smi and rocm-smi count its GPUs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pegasus.errors import UnreachableError
from pegasus.model import Ending, Host, Node, Options, Outcome, Slots
from pegasus.modes import counting
from pegasus.modes.counting import COUNT, CUDA, KIND, ROCM, slots_of
from pegasus.ssh.fake import Act, FakeHosts
from pegasus.ssh.local import LocalConnection

HERE = Host("localhost", "localhost")
GPUS = Options(gpus=True)

NVIDIA = """\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-6f3b0d0a-8b1c-4f3e-9d5a-000000000000)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-6f3b0d0a-8b1c-4f3e-9d5a-000000000001)
  MIG 3g.20gb     Device  0: (UUID: MIG-6f3b0d0a-8b1c-4f3e-9d5a-000000000002)
  MIG 1g.5gb      Device  3: (UUID: MIG-6f3b0d0a-8b1c-4f3e-9d5a-000000000003)
GPU 2: NVIDIA A100-SXM4-40GB (UUID: GPU-6f3b0d0a-8b1c-4f3e-9d5a-000000000004)
"""

ROCM_6 = """\


============================ ROCm System Management Interface ============================
=========================================== ID ===========================================
GPU[0]\t\t: Device Name: \t\tAMD Instinct MI250X
GPU[0]\t\t: Device ID: \t\t0x740c
GPU[0]\t\t: GUID: \t\t\t12345
GPU[1]\t\t: Device Name: \t\tAMD Instinct MI250X
GPU[1]\t\t: Device ID: \t\t0x740c
GPU[10]\t\t: Device ID: \t\t0x740c
==========================================================================================
================================== End of ROCm SMI Log ===================================
"""

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a tool on the PATH that writes `text` and ends with `status`."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")

    def install(name: str, text: str, status: int = 0, wants: str = "") -> None:
        said = tmp_path / f"{name}.said"
        said.write_text(text)
        check = f'[ "$*" = "{wants}" ] || exit 99; ' if wants else ""
        path = directory / name
        path.write_text(f"#!/bin/sh\n{check}cat {said}; exit {status}\n")
        path.chmod(0o700)

    return install


def here(slots: tuple[int, ...] | None = None, options: Options = Options()) -> LocalConnection:  # noqa: B008
    return LocalConnection(Node(0, HERE, (), options, slots), kill_grace=0.2)


def problem(connection: LocalConnection) -> str:
    with pytest.raises(UnreachableError) as caught:
        slots_of(connection)
    assert caught.value.step == "slots"
    return caught.value.problem


@pytest.mark.parametrize("indices", [(0,), (0, 1, 3), tuple(range(8))])
def test_slots_that_are_given_are_not_asked_for(indices: tuple[int, ...]) -> None:
    hosts = FakeHosts()
    node = Node(0, Host("a", "a"), slots=indices)
    assert slots_of(hosts.connect(node)) == Slots(indices, "")
    assert hosts.ran == []


def test_gpus_are_counted_by_nvidia_smi_without_the_parts_of_each(install: Install) -> None:
    install("nvidia-smi", NVIDIA, wants="-L")
    assert slots_of(here()) == Slots((0, 1, 2), CUDA)


def test_or_else_by_rocm_smi(install: Install) -> None:
    install("rocm-smi", ROCM_6, wants="--showid")
    assert slots_of(here()) == Slots((0, 1, 2), ROCM)


def test_a_tool_that_fails_does_not_hide_the_other(install: Install) -> None:
    install("nvidia-smi", "NVIDIA-SMI has failed.\n", 9)
    install("rocm-smi", "card0,0x740f\ncard1,0x740f\n")
    assert slots_of(here()) == Slots((0, 1), ROCM)


def test_of_both_nvidia_s_counts(install: Install) -> None:
    install("nvidia-smi", NVIDIA)
    install("rocm-smi", ROCM_6)
    assert slots_of(here()) == Slots((0, 1, 2), CUDA)


def test_gpus_that_are_broken_are_not_counted(install: Install) -> None:
    lost = "Unable to determine the device handle for gpu 0000:02:00.0: GPU is lost.\n"
    install("nvidia-smi", "GPU 0: X (UUID: a)\n" + lost + "GPU 2: X (UUID: c)\n", 15)
    assert slots_of(here()) == Slots((0, 1), CUDA)


def test_without_a_tool_it_is_said_what_to_do() -> None:
    assert problem(here()) == (
        "there is neither nvidia-smi nor rocm-smi to count GPUs; "
        "hosts.yaml may say instead how many there are: `slots: 8`"
    )


def test_a_tool_that_fails_says_why_in_its_own_words(install: Install) -> None:
    said = "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\nMore.\n"
    install("nvidia-smi", "\n" + said, 9)
    assert problem(here()).startswith(f"nvidia-smi fails with status 9: {said.splitlines()[0]};")


def test_one_that_finds_none_says_so(install: Install) -> None:
    install("nvidia-smi", "No devices were found\n")
    install("rocm-smi", "====== ROCm ======\nERROR:root:Driver not initialized\x1b[2J\n")
    found = problem(here())
    assert found.startswith(
        "nvidia-smi finds no GPU: No devices were found; "
        "rocm-smi finds no GPU: ERROR:root:Driver not initialized\\x1b[2J; "
    )


def test_one_that_says_nothing_is_named_all_the_same(install: Install) -> None:
    install("nvidia-smi", "", 3)
    assert problem(here()).startswith("nvidia-smi fails with status 3; ")


def test_a_tool_that_hangs_is_ended(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("nvidia-smi", "")
    path = Path(os.environ["PATH"].split(":")[0]) / "nvidia-smi"
    path.write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(counting, "PATIENCE", 0.3)
    assert problem(here()).startswith("the GPUs could not be looked for: no answer within 0.3 s; ")


@pytest.mark.parametrize(
    ("tools", "variable"),
    [
        (("nvidia-smi",), CUDA),
        (("rocm-smi",), ROCM),
        (("nvidia-smi", "rocm-smi"), CUDA),
        ((), CUDA),
    ],
)
def test_of_gpus_whose_numbers_are_given_only_the_kind_is_asked_for(
    install: Install, tools: tuple[str, ...], variable: str
) -> None:
    if "nvidia-smi" not in tools and Path("/dev/nvidiactl").exists():
        pytest.skip("this host has GPUs of its own")
    for tool in tools:
        install(tool, "it is not run", 9)
    assert slots_of(here((1, 2), GPUS)) == Slots((1, 2), variable)


def fake(ending: Ending, command: str = COUNT) -> FakeHosts:
    return FakeHosts({command: Act(ending=ending)})


@pytest.mark.parametrize("slots", [None, (0, 1)])
def test_a_connection_that_breaks_meanwhile_is_an_error(slots: tuple[int, ...] | None) -> None:
    hosts = fake(Ending(Outcome.LOST, detail="gone"), COUNT if slots is None else KIND)
    with pytest.raises(UnreachableError, match=r"slots: .*lost: gone"):
        slots_of(hosts.connect(Node(0, Host("a", "a"), (), GPUS, slots)))


def test_a_session_that_can_t_be_had_is_an_error_of_its_own_step() -> None:
    hosts = FakeHosts({COUNT: Act.never_starts("no sessions here")})
    with pytest.raises(UnreachableError, match="session: no sessions here"):
        slots_of(hosts.connect(Node(0, Host("a", "a"), slots=None)))


def test_a_shell_that_fails_says_how() -> None:
    with pytest.raises(UnreachableError, match=r"slots: .*exit status: 127"):
        slots_of(fake(Ending.exited(127)).connect(Node(0, Host("a", "a"), slots=None)))


def test_a_scripted_host_can_have_gpus() -> None:
    hosts = FakeHosts({COUNT: Act.prints("GPU 0: X\nGPU 1: X\n\npegasus: nvidia-smi 0\n")})
    assert slots_of(hosts.connect(Node(0, Host("a", "a"), slots=None))) == Slots((0, 1), CUDA)
