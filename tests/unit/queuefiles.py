"""What the tests of the queue file share: what a file means, written down without pegasus."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import yaml
from hypothesis import HealthCheck, settings

from pegasus.files.known import Known
from pegasus.files.queuefile import QueueFile
from pegasus.files.queueindex import Standing
from pegasus.model import Job, Need, Options

#: Both of PyYAML's parsers, where it has both.
PARSERS = [yaml.BaseLoader, *filter(None, [getattr(yaml, "CBaseLoader", None)])]

#: The spellings of durations that the tests use, in seconds.
SECONDS = {"0": 0, "90": 90, "90s": 90, "1:30": 90, "1.5h": 5400, "2h": 7200, "1d 2h": 93600}

#: Settings for properties that write files.
MANY = settings(
    max_examples=int(os.environ.get("EXAMPLES", "60")),
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


class _Loader(yaml.BaseLoader):
    """PyYAML's loader, but an anchor may be set again, as YAML has it."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        if event.anchor and not isinstance(event, yaml.AliasEvent):
            self.anchors.pop(event.anchor, None)
        return super().compose_node(parent, index)


def items_of(text: str) -> list[Any]:
    """What YAML makes of a file, by PyYAML itself."""
    return yaml.load(text.removeprefix("\ufeff"), _Loader) or []


def jobs_of(items: list[Any]) -> list[Job]:
    """What the items of a queue file mean."""
    entries: list[dict[str, Any]] = []
    for item in items:
        if isinstance(item, dict) and "command" not in item:
            entries[-1] |= item
        else:
            entries.append(dict(item) if isinstance(item, dict) else {"command": item})
    return [job for entry in entries for job in _product(entry)]


def _product(entry: dict[str, Any]) -> Iterator[Job]:
    entry = {**entry}
    is_option = isinstance(entry.get("options"), dict)
    options = options_of(entry.pop("options")) if is_option else Options()
    given = entry.pop("slots", None)
    slots = None if given is None else int(given[0] if isinstance(given, list) else given)
    axes = {name: found if isinstance(found, list) else [found] for name, found in entry.items()}
    for command in axes.pop("command"):
        for values in itertools.product(*axes.values()):
            yield Job(command, tuple(zip(axes, values, strict=True)), options, slots)


def options_of(found: Mapping[str, Any]) -> Options:
    """What a mapping of options means."""
    return Options(
        found.get("cancel"),
        SECONDS[found["timeout"]] if "timeout" in found else None,
        int(found["retries"]) if "retries" in found else None,
        found.get("allocation"),
        found.get("on"),
        env=tuple(found.get("env", {}).items()),
        cwd=found.get("cwd"),
        written=tuple(
            (name, tuple(value.items()) if isinstance(value, dict) else value)
            for name, value in found.items()
        ),
    )


@contextmanager
def queue(text: str, parser: object = PARSERS[-1]) -> Iterator[QueueFile]:
    """A queue file of its own with this text, locked, read by one of the parsers."""
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch("pegasus.files.reader.LOADER", parser),
        mock.patch("os.fsync"),
    ):
        path = Path(folder) / "queue.yaml"
        path.write_bytes(text.encode())
        file = QueueFile(path, Path(folder) / "consumed.yaml")
        with file.lock.hold("test"):
            yield file


def standing(known: Known) -> list[Standing]:
    """What is known of each entry."""
    index = known.index
    counts = Counter[Need]()
    for need, jobs in index:
        counts[need] += jobs
    assert (index.counts, index.needs) == (counts, tuple(counts))
    found = zip(range(len(index)), index, strict=True)
    return [Standing(index.begin(number), jobs, need) for number, (need, jobs) in found]


def consumed(file: QueueFile) -> list[Job]:
    """The jobs in the consumed file beside a queue file."""
    path = file.path.parent / "consumed.yaml"
    return jobs_of(items_of(path.read_bytes().decode())) if path.exists() else []
