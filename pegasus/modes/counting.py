"""The slots of a node, once it is connected: those it is written with, or its GPUs, counted."""

from __future__ import annotations

import re

from pegasus.errors import NeverStartedError, UnreachableError
from pegasus.events import Stream
from pegasus.model import Ending, Node, Outcome, Slots
from pegasus.ssh.base import Cancellation, Connection
from pegasus.ssh.plain import plain

#: How long a tool may take to say what it finds, in seconds. NVIDIA's may load its driver first,
#: which takes some seconds a GPU; one that hangs must not take the node along.
PATIENCE = 60.0

#: How much of what the tools say is listened to, in bytes.
_HEARD = 100_000

#: Which variables tell programs which GPUs are theirs.
CUDA, ROCM = "CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"

# Where the tools are, on hosts whose shells have a shorter PATH when nobody logs in.
_HEAD = (
    "PATH=$PATH:/usr/local/bin:/usr/bin:/bin:/opt/bin:/opt/rocm/bin:/usr/local/cuda/bin:"
    "/usr/local/nvidia/bin:/usr/lib/wsl/lib:/run/current-system/sw/bin; export PATH; "
    "has() { command -v $1 >/dev/null 2>&1; }; "
)

#: Counts GPUs: for each tool that is there, what it says, and then its name and status.
COUNT = _HEAD + (
    'ask() { has $1 || return; "$@" 2>&1; set -- $1 $?; echo; echo "pegasus: $1 $2"; }; '
    "ask nvidia-smi -L; ask rocm-smi --showid; :"
)

#: Says of which kind the GPUs are, without asking them.
KIND = _HEAD + (
    "if has nvidia-smi || [ -e /dev/nvidiactl ]; then echo nvidia; "
    "elif has rocm-smi || [ -e /dev/kfd ]; then echo rocm; fi"
)

# The tools, the variables of their GPUs, and how these look in what they say. NVIDIA's has a line
# for each, and lines with blanks before them for its parts; ROCm's has several lines for each.
_TOOLS = {
    "nvidia-smi": (CUDA, re.compile(r"^GPU (\d+): ", re.MULTILINE)),
    "rocm-smi": (ROCM, re.compile(r"^(?:GPU\[|card)(\d+)\b", re.MULTILINE)),
}

_ANSWER = re.compile(r"(.*?)^pegasus: (nvidia-smi|rocm-smi) (\d+)$", re.DOTALL | re.MULTILINE)

_ADVICE = "hosts.yaml may say instead how many there are: `slots: 8`"


def slots_of(connection: Connection) -> Slots:
    """Return what the node of an open connection has.

    Raises:
        UnreachableError: its GPUs can't be counted, or there are none; the step is `slots`, or
            that of the connection, where this has failed.
    """
    node = connection.node
    if node.slots is None:
        return _count(connection)
    return Slots(node.slots, _variable(connection) if node.has_gpus else "")


def _count(connection: Connection) -> Slots:
    node = connection.node
    ending, heard = _run(connection, COUNT)
    if not ending.succeeded:
        why = f"no answer within {PATIENCE:g} s" if ending.outcome is Outcome.TIMED_OUT else ending
        raise _failure(node, f"the GPUs could not be looked for: {why}")
    complaints = []
    for said, tool, status in _ANSWER.findall(heard):
        variable, gpu = _TOOLS[tool]
        count = len(set(gpu.findall(said)))
        if count:
            # Not their numbers: programs count on without those that are broken.
            return Slots(tuple(range(count)), variable)
        complaints.append(_complaint(tool, said, int(status)))
    if not complaints:
        complaints = ["there is neither nvidia-smi nor rocm-smi to count GPUs"]
    raise _failure(node, "; ".join(complaints))


def _variable(connection: Connection) -> str:
    """Return the variable for GPUs of which the numbers are known."""
    heard = _run(connection, KIND)[1]
    return ROCM if heard.split() == ["rocm"] else CUDA  # HIP's programs read CUDA's variable, too


def _run(connection: Connection, command: str) -> tuple[Ending, str]:
    """Run a command; return how it ended and what it wrote."""
    heard = bytearray()

    def listen(stream: Stream, data: bytes) -> None:
        if stream is Stream.STDOUT:
            heard.extend(data[: _HEARD - len(heard)])

    try:
        ending = connection.attempt(command, listen, Cancellation(), PATIENCE)
    except NeverStartedError as error:
        raise UnreachableError(error.node, error.step, error.problem) from error
    if ending.outcome in (Outcome.LOST, Outcome.CANCELLED):
        raise _failure(connection.node, f"the GPUs could not be looked for: {ending}")
    return ending, heard.decode(errors="replace")


def _complaint(tool: str, said: str, status: int) -> str:
    """Return what a tool says that counts no GPU. ROCm's has status 0 without a driver, too."""
    lines = (plain(line) for line in said.splitlines())
    first = next((line for line in lines if line and not line.startswith("=")), "")
    how = f"{tool} fails with status {status}" if status else f"{tool} finds no GPU"
    return f"{how}: {first}" if first else how


def _failure(node: Node, problem: str) -> UnreachableError:
    return UnreachableError(node, "slots", f"{problem}; {_ADVICE}")
