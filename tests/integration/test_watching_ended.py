"""`inv status --watch` leaves the terminal as it was, however it is ended."""

from __future__ import annotations

import signal

import pytest
from project import Project

HIDDEN, SHOWN = "\x1b[?25l", "\x1b[?25h"


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_the_cursor_is_shown_again(project: Project, number: signal.Signals, status: int) -> None:
    project.queue("- echo\n")
    watching = project.start_in_terminal("status", "--watch", env={"TERM": "xterm"})
    watching.wait_for("1 queued")
    assert HIDDEN in watching.out
    watching.signal(number)
    assert watching.wait() == status
    assert watching.out.rindex(SHOWN) > watching.out.rindex(HIDDEN)
    assert "Traceback" not in watching.out
