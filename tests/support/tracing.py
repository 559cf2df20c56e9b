"""A process that is killed right after the Nth system call that it makes, whichever that is.

The kernel stops it at each one, as it does for a debugger.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

from forks import Child, Ended, fork

_TRACEME, _SYSCALL, _SETOPTIONS = 0, 24, 0x4200
#: Mark the stops at system calls, and kill the process with its tracer.
_OPTIONS = 1 | 0x100000
_STOPPED = signal.SIGTRAP | 0x80


def is_possible() -> bool:
    """Whether processes can be traced here; some containers forbid it."""
    if sys.platform != "linux":
        return False
    pid = fork()
    if not pid:
        os._exit(_ptrace(_TRACEME, 0) < 0)
    return os.waitpid(pid, 0)[1] == 0


def trace_me() -> None:
    """Have this process be traced by its parent from here on."""
    if _ptrace(_TRACEME, 0) < 0:
        raise OSError(ctypes.get_errno(), "ptrace")
    os.kill(os.getpid(), signal.SIGSTOP)


def kill_after(number: int, work: Callable[[Callable[[object], None]], object]) -> Ended | None:
    """Do `work`, which calls `trace_me`, up to the `number`th system call from then on.

    Returns None if it does not make so many.
    """
    child = Child(work)
    _, status = os.waitpid(child.pid, 0)
    assert os.WIFSTOPPED(status), "it does not stop"
    _ptrace(_SETOPTIONS, child.pid, _OPTIONS)
    for _ in range(2 * number):  # It stops before each call and after it.
        _ptrace(_SYSCALL, child.pid)
        _, status = os.waitpid(child.pid, 0)
        if not os.WIFSTOPPED(status):
            os.close(child.pipe)
            return None
        assert os.WSTOPSIG(status) == _STOPPED, f"signal {os.WSTOPSIG(status)}"
    os.kill(child.pid, signal.SIGKILL)
    return child.wait()


def _ptrace(request: int, pid: int, data: int = 0) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    libc.ptrace.restype = ctypes.c_long
    return int(libc.ptrace(request, pid, None, data))
