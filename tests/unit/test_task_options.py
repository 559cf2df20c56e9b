"""The options of the tasks that run commands: each is a setting, and none is forgotten."""

from __future__ import annotations

from dataclasses import fields

import pytest
from invoke import MockContext

from pegasus.settings import Settings
from pegasus.tasks import broadcast, options, queue

#: Settings that are no option of a run: they are for one machine or network, or another task's.
NOT_OPTIONS = {
    "allocation",
    "backfill_patience",
    "dead_after",
    "editor",
    "handshakes",
    "handshakes_per_host",
    "helpers",
    "keep_logs",
    "kill_grace",
    "reconnect_for",
    "zero_slot_jobs",
}


def test_every_setting_is_an_option_or_deliberately_none() -> None:
    settings = {item.name for item in fields(Settings)}
    assert set(options.BROADCAST) | NOT_OPTIONS == settings
    assert not set(options.BROADCAST) & NOT_OPTIONS


def test_queue_has_all_options_but_those_of_rounds() -> None:
    rounds = {"error_aborts", "skip_unreachable", "gather", "diff"}
    assert set(options.QUEUE) == set(options.BROADCAST) - rounds


def test_a_switch_that_is_on_is_switched_off_by_its_flag_or_by_a_caller() -> None:
    assert options.given(options.QUEUE, {"no_progress": True}) == {"progress": False}
    assert options.given(options.QUEUE, {"no_progress": None}) == {}
    assert options.given(options.QUEUE, {"progress": False}) == {"progress": False}


@pytest.mark.parametrize(
    ("call", "name"), [(queue, "queuefile"), (broadcast, "hosts"), (queue, "gather")]
)
def test_a_misspelt_keyword_is_refused_as_python_does(call: object, name: str) -> None:
    assert callable(call)
    with pytest.raises(TypeError, match=f"unexpected keyword argument '{name}'"):
        call(MockContext(), **{name: "x"})
