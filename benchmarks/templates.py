"""What templates cost: to read one, to fill one, and how that grows with a template's length.

The line is that of the README, which calls a helper. Reading it is measured with templates that
differ by a number, since a template is read once; filling it, with one that was read before.
Growth is the time of 2n and 4n characters, or tags, as a multiple of the time of n. All times are
of the processor.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from longtemplates import MANY_TAGS, PARAMS, SHAPES, Shape

from benchmarks.lab import Lab
from benchmarks.measuring import Row, Verdict, at_most, median
from pegasus.errors import TemplateError
from pegasus.template import render

TITLE = "templates"

#: For the README's line: milliseconds to read, microseconds to fill.
MOST_TO_READ, MOST_TO_FILL = 10.0, 50.0

#: How much longer four times the length may take; what grows with the square takes 16 times.
MOST_GROWTH = 10.0

#: n, of long templates and of those with many tags.
LENGTH, TAGS = 25_000, 100

#: Shorter times say nothing about growth, in seconds.
LEAST = 0.005

LINE = (
    "python main.py --model-path {{ model }} "
    '--output-path {{ replace model "/" "--" }}.json'  # one line in the README
)
MODEL = {"model": "facebook/opt-13b"}


def measure(lab: Lab) -> Iterator[Row]:
    """Read, fill and lengthen templates."""
    first = _timed(lambda: render("{{trim model}}", MODEL)) * 1e3
    yield Row("the first one, with the import", "", f"{first:.0f} ms", Verdict.MEASURED)
    read = median(_read(number) for number in range(100)) * 1e3
    verdict = at_most(read, MOST_TO_READ)
    yield Row("to read the README's line", f"≤ {MOST_TO_READ:g} ms", f"{read:.1f} ms", verdict)
    fill = min(_fill() for _ in range(lab.times)) * 1e6
    verdict = at_most(fill, MOST_TO_FILL)
    yield Row("to fill it", f"≤ {MOST_TO_FILL:g} µs", f"{fill:.1f} µs", verdict)
    yield _growth()


def _growth() -> Row:
    seconds = {
        **{name: _grow(shape, LENGTH) for name, shape in SHAPES.items()},
        **{f"tags: {name}": _grow(shape, TAGS) for name, shape in MANY_TAGS.items()},
    }
    growth = {
        name: times[2] / max(times[0], LEAST / 4)
        for name, times in seconds.items()
        if times[2] > LEAST
    }
    steepest = max(growth, key=lambda name: growth[name])
    return Row(
        "four times as long, the steepest",
        f"≤ {MOST_GROWTH:g} ×",
        f"{growth[steepest]:.1f} × ({steepest})",
        at_most(growth[steepest], MOST_GROWTH),
        {"seconds_of_n_2n_4n": seconds},
    )


def _timed(work: Callable[[], object]) -> float:
    """Return the processor time that `work` takes, in seconds."""
    start = time.process_time()
    work()
    return time.process_time() - start


def _read(number: int) -> float:
    """Return how long the README's line takes when it is new, with a number behind it."""
    return _timed(lambda: render(f"{LINE} {number}", MODEL))


def _fill() -> float:
    """Return how long the README's line takes when it was read before."""
    render(LINE, MODEL)
    repeat = range(2_000)
    return _timed(lambda: [render(LINE, MODEL) for _ in repeat]) / len(repeat)


def _grow(shape: Shape, length: int) -> list[float]:
    """Return how long a template of n, 2n and 4n characters or tags takes when it is new."""
    return [round(min(_new(shape(length * times)) for _ in range(3)), 5) for times in (1, 2, 4)]


def _new(template: str) -> float:
    """Return how long a template takes when it is new, be it refused or not."""
    from pegasus.handlebars.compiler import compile_template

    def work() -> None:
        with suppress(TemplateError):
            render(template, PARAMS)

    compile_template.clear()
    gc.collect()
    return _timed(work)
