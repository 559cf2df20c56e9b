"""What templates cost: to read one, to fill one, and how that grows with a template's length.

The line is that of the README, which calls a helper. Reading it is measured with templates that
differ by a number, since a template is read once; filling it, with one that was read before.
Growth is the time of 2n and 4n characters, or tags, as a multiple of the time of n.

    python benchmarks/templates.py [--length 25000] [--tags 100]
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from longtemplates import MANY_TAGS, PARAMS, SHAPES, Shape  # noqa: E402 - the path comes first

from pegasus.errors import TemplateError  # noqa: E402
from pegasus.template import render  # noqa: E402

#: What the project promises for the README's line: milliseconds to read, microseconds to fill.
MOST_TO_READ, MOST_TO_FILL = 10.0, 50.0

#: How much longer four times the length may take; what grows with the square takes 16 times.
MOST_GROWTH = 10.0

#: Shorter times say nothing about growth, in seconds.
LEAST = 0.005

LINE = (
    "python main.py --model-path {{ model }} "
    '--output-path {{ replace model "/" "--" }}.json'  # one line in the README
)
MODEL = {"model": "facebook/opt-13b"}


def main() -> int:
    """Measure, print JSON and a table; return 1 when a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--length", type=int, default=25_000, help="n, of long templates")
    parser.add_argument("--tags", type=int, default=100, help="n, where there are many tags")
    options = parser.parse_args()
    first = timed(lambda: render("{{trim model}}", MODEL))
    result = {
        "first_ms": round(first * 1e3, 1),
        "read_ms": round(statistics.median(read(number) for number in range(100)) * 1e3, 3),
        "fill_us": round(fill() * 1e6, 2),
        "seconds": {
            **{name: grow(shape, options.length) for name, shape in SHAPES.items()},
            **{f"tags: {name}": grow(shape, options.tags) for name, shape in MANY_TAGS.items()},
        },
    }
    return report(result)


def timed(work: Callable[[], object]) -> float:
    """Return the processor time that `work` takes, in seconds."""
    start = time.process_time()
    work()
    return time.process_time() - start


def read(number: int) -> float:
    """Return how long the README's line takes when it is new, with a number behind it."""
    return timed(lambda: render(f"{LINE} {number}", MODEL))


def fill() -> float:
    """Return how long the README's line takes when it was read before."""
    render(LINE, MODEL)
    repeat = range(2_000)
    return min(timed(lambda: [render(LINE, MODEL) for _ in repeat]) for _ in range(5)) / len(repeat)


def grow(shape: Shape, length: int) -> list[float]:
    """Return how long a template of n, 2n and 4n characters or tags takes when it is new."""
    return [round(min(new(shape(length * times)) for _ in range(3)), 5) for times in (1, 2, 4)]


def new(template: str) -> float:
    """Return how long a template takes when it is new, be it refused or not."""
    from pegasus.handlebars.compiler import compile_template

    def work() -> None:
        with suppress(TemplateError):
            render(template, PARAMS)

    compile_template.clear()
    gc.collect()
    return timed(work)


def report(result: dict[str, object]) -> int:
    """Print the results; return the exit status."""
    seconds: dict[str, list[float]] = result["seconds"]  # type: ignore[assignment]
    steep = {
        name: round(times[2] / times[0], 1)
        for name, times in seconds.items()
        if times[2] > LEAST and times[2] / max(times[0], LEAST / 4) > MOST_GROWTH
    }
    print(json.dumps({**result, "too_steep": steep}, indent=2))
    print(f"\n{'seconds for':42}{'n':>9}{'2n':>9}{'4n':>9}{'2n/n':>7}{'4n/n':>7}")
    for name, times in seconds.items():
        shown = "".join(f"{each:9.4f}" for each in times)
        print(f"{name:42}{shown}{times[1] / times[0]:7.1f}{times[2] / times[0]:7.1f}")
    print(f"\nthe first template, pybars' import included: {result['first_ms']} ms")
    print(f"to read the README's line: {result['read_ms']} ms (promised: {MOST_TO_READ})")
    print(f"to fill it: {result['fill_us']} us (promised: {MOST_TO_FILL})")
    is_slow = result["read_ms"] > MOST_TO_READ or result["fill_us"] > MOST_TO_FILL  # type: ignore[operator]
    return int(is_slow or bool(steep))


if __name__ == "__main__":
    sys.exit(main())
