"""Run experiments: `python -m benchmarks [NAME ...]`."""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from benchmarks import EXPERIMENTS, MORE, ROOT, machine, results
from benchmarks.lab import Lab
from benchmarks.measuring import Row, Verdict, not_run

#: What can be named.
KNOWN = (*EXPERIMENTS, *MORE)

#: The last run of all experiments, and the page that shows it.
RESULTS = ROOT / "benchmarks" / "results.json"
PAGE = ROOT / "docs" / "performance.md"


def main() -> int:
    """Do what the command line says; return 1 where a target was missed."""
    options = _parser().parse_args()
    if options.list:
        for name in KNOWN:
            print(f"{name:14}{_title(name)}")
        return 0
    if options.publish:
        results.publish(results.read(RESULTS), PAGE)
        return 0
    unknown = [name for name in options.names if name not in KNOWN]
    if unknown:
        print(f"no experiment: {', '.join(unknown)}; there are {', '.join(KNOWN)}")
        return 2
    return _run(options.names or EXPERIMENTS, options.times, _target_of(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="inv bench", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="an experiment; default: the whole table"
    )
    parser.add_argument("--list", action="store_true", help="say which experiments there are")
    parser.add_argument("--times", type=int, default=5, help="repetitions (default: 5)")
    parser.add_argument(
        "--json",
        type=Path,
        help="where the JSON goes (default: benchmarks/results.json, when all are run)",
    )
    parser.add_argument(
        "--publish",
        action="store_true",
        help="run nothing; put the table of benchmarks/results.json into docs/performance.md",
    )
    return parser


def _target_of(options: argparse.Namespace) -> Path | None:
    path: Path | None = options.json
    return path if path or options.names else RESULTS


def _run(names: tuple[str, ...], times: int, target: Path | None) -> int:
    began, begin = datetime.now().astimezone(), time.monotonic()
    with Lab(times) as lab:
        outcomes = [_experiment(name, lab) for name in names]
        notes = lab.notes
    seconds = round(time.monotonic() - begin, 1)
    print(f"\n{seconds:.0f} s in all", *notes, sep="\n")
    if target:
        facts = {
            "machine": machine.facts(),
            "notes": notes,
            "repetitions": times,
            "began": began.isoformat(timespec="seconds"),
            "seconds": seconds,
        }
        results.write(target, results.document(outcomes, **facts))
        print(f"JSON: {target}")
    return int(any(row.verdict is Verdict.MISSED for one in outcomes for row in one.rows))


def _experiment(name: str, lab: Lab) -> results.Outcome:
    title, load = _title(name), machine.load()
    print(f"\n{name}: {title}", flush=True)
    begin, rows = time.monotonic(), []
    for row in _rows(name, lab):
        print(f"  {results.line(row)}", flush=True)
        rows.append(row)
    return results.Outcome(name, title, round(time.monotonic() - begin, 1), load, tuple(rows))


def _rows(name: str, lab: Lab) -> Iterator[Row]:
    """Yield what an experiment measures; one that fails must not take the others with it."""
    try:
        yield from importlib.import_module(f"benchmarks.{name}").measure(lab)
    except Exception as error:
        traceback.print_exc()
        first = str(error).partition("\n")[0]
        yield not_run("the rest", "", f"{type(error).__name__}: {first}")


def _title(name: str) -> str:
    return str(importlib.import_module(f"benchmarks.{name}").TITLE)


if __name__ == "__main__":
    # Whoever ends this ends the server as well, and what runs.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.exit(main())
