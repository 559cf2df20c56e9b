"""A piece of a test in a process of its own, which may be killed: forked, since that is quick.

The process has what its parent has imported, and ends without a word to pytest: by the end of its
work, by a signal, or because it hung.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import signal
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

#: After how many seconds a process is taken to hang.
HANGS = 30


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    Attributes:
        killed: whether SIGKILL has ended it.
        trouble: what went wrong in it, with its traceback, or "".
        told: what it has told, in order.
    """

    killed: bool
    trouble: str = ""
    told: list[Any] = field(default_factory=list)


def fork() -> int:
    """Fork; return the process id of the child, and in the child 0."""
    with warnings.catch_warnings():
        # xdist's thread only reads what this process never touches.
        warnings.simplefilter("ignore", DeprecationWarning)
        gc.freeze()  # A collection would have every page copied.
        pid = os.fork()
        gc.unfreeze()
    if not pid:
        gc.disable()
    return pid


class Child:
    """A forked process that does `work`, which is called with a function that tells the parent.

    Attributes:
        pid: of the process.
        pipe: what it tells comes out of this.
    """

    def __init__(self, work: Callable[[Callable[[object], None]], object]) -> None:
        self.pipe, into = os.pipe()
        self.pid = fork()
        if not self.pid:
            os.close(self.pipe)
            _work(work, into)
        os.close(into)

    def wait(self) -> Ended:
        """Wait for its end, and return what it came to."""
        status = 0
        try:
            told = _read_all(self.pipe)
        finally:
            os.close(self.pipe)
            _, status = os.waitpid(self.pid, 0)
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        troubles = [text for is_trouble, text in told if is_trouble]
        if number == signal.SIGALRM:
            troubles.append(f"it hung for {HANGS} s")
        elif number not in (0, signal.SIGKILL):
            troubles.append(f"signal {number} has ended it")
        values = [value for is_trouble, value in told if not is_trouble]
        return Ended(number == signal.SIGKILL, "\n".join(troubles), values)


def run(work: Callable[[Callable[[object], None]], object]) -> Ended:
    """Do `work` in a process of its own."""
    return Child(work).wait()


def result(work: Callable[[], object]) -> Any:
    """Return what `work` returns, done in a process of its own; it has to come to its end."""
    ended = run(lambda tell: tell(work()))
    assert not ended.trouble, ended.trouble
    assert ended.told, "it was killed"
    return ended.told[-1]


@contextlib.contextmanager
def after(*what: object) -> Iterator[None]:
    """Have what fails in a `with` block say after what it did."""
    try:
        yield
    except AssertionError as error:
        raise AssertionError(f"after {', then '.join(map(str, what))}:\n{error}") from error


def _work(work: Callable[[Callable[[object], None]], object], into: int) -> None:
    write = os.write  # As it is now: the test may replace it.

    def tell(value: object, is_trouble: bool = False) -> None:
        data = pickle.dumps((is_trouble, value))
        write(into, len(data).to_bytes(4, "big") + data)

    status = 1
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(HANGS)
        work(tell)
        status = 0
    except BaseException:
        with contextlib.suppress(OSError):
            tell(traceback.format_exc(), True)
    finally:
        os._exit(status)


def _read_all(pipe: int) -> list[tuple[bool, Any]]:
    data = b"".join(iter(lambda: os.read(pipe, 1 << 16), b""))
    told = []
    while len(data) >= 4:
        end = 4 + int.from_bytes(data[:4], "big")
        if len(data) < end:
            break  # It was killed in the middle of telling.
        told.append(pickle.loads(data[4:end]))
        data = data[end:]
    return told
