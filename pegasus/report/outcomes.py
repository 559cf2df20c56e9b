"""How attempts end, as they are shown: in which order, colour and pattern.

Colours are told apart by people who see fewer of them, too: the common ones differ in lightness,
and the rare ones have a pattern besides.
"""

from __future__ import annotations

from typing import NamedTuple

from pegasus.journal.jobs import JobState

#: What an attempt is that did not begin; no state of a job, which goes back to the queue.
NEVER_STARTED = "never started"


class Look(NamedTuple):
    """A colour, and a pattern in the words of plotly ("" is none)."""

    colour: str
    pattern: str = ""


#: By the word of the state, in the order of legends.
LOOKS = {
    JobState.SUCCEEDED.value: Look("#5ab4a0"),
    JobState.FAILED.value: Look("#c0392b"),
    JobState.SIGNALLED.value: Look("#9b5fb5", "|"),
    JobState.TIMED_OUT.value: Look("#e08a1e", "/"),
    JobState.LOST.value: Look("#8c6d46", "\\"),
    JobState.UNREACHABLE.value: Look("#6b5a48", "+"),
    JobState.INTERRUPTED.value: Look("#5c6f82", "x"),
    JobState.CANCELLED.value: Look("#94a3b2", "-"),
    JobState.RUNNING.value: Look("#3f7fd1"),
    NEVER_STARTED: Look("#b9b3a6", "."),
    JobState.TAKEN.value: Look("#c9d3dd"),
    JobState.QUEUED.value: Look("#dfe5ea"),
}

#: What has come to an end by itself, and not well.
FAILURES = frozenset(
    state.value for state in (JobState.FAILED, JobState.SIGNALLED, JobState.TIMED_OUT)
)
