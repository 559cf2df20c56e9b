"""What it costs to begin: which modules a command imports. Each heavy one takes longer than it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

#: What takes 10 ms and more to import, and is for what few commands do.
HEAVY = {
    *("paramiko", "fabric", "cryptography", "nacl", "bcrypt"),
    *("pybars", "pymeta", "inflection", "jmespath", "pytimeparse"),
    *("rich", "ClusterShell", "plotly", "sqlite3", "email", "http"),
}

_RUN = """
import sys
from invoke.main import program
program.run(["inv", *sys.argv[1:]], exit=False)
print("imported:", *sys.modules)
"""


def project(folder: Path) -> Path:
    (folder / "tasks.py").write_text("from pegasus.tasks import ns\n")
    (folder / "hosts.yaml").write_text("- localhost\n")
    (folder / "queue.yaml").write_text("- echo hello\n")
    return folder


def imported(folder: Path, *words: str, code: str = _RUN) -> set[str]:
    """Return what Python has imported by the end of `inv` with these words."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.rpartition("imported:")[2].split())


@pytest.mark.parametrize(
    "words", [("--list",), ("queue",), ("check",), ("add", "true"), ("pause",), ("logs", "1")]
)
def test_a_command_imports_nothing_heavy_that_it_does_not_use(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    names = imported(project(tmp_path), *words)
    assert "pegasus.tasks" in names
    assert names & HEAVY == set()


def test_status_imports_what_draws_its_table_alone(tmp_path: Path) -> None:
    assert imported(project(tmp_path), "status") & HEAVY <= {"rich"}


def test_what_a_command_uses_is_imported_all_the_same(tmp_path: Path) -> None:
    folder = project(tmp_path)
    (folder / "queue.yaml").write_text("- command: 'echo {{#if x}}yes{{/if}}'\n  x: [1]\n")
    names = imported(folder, "queue")
    assert "pybars" in names
    assert names & {"paramiko", "fabric", "rich", "ClusterShell"} == set()


def test_the_tasks_alone_import_little_beside_invoke(tmp_path: Path) -> None:
    code = "import sys, {}; print('imported:', *sys.modules)"
    invoke = imported(tmp_path, code=code.format("invoke.program, inspect"))
    ours = imported(tmp_path, code=code.format("invoke.program, inspect, pegasus.tasks")) - invoke
    assert {name for name in ours if not name.startswith("pegasus")} == set()
    assert len(ours) <= 16, sorted(ours)


def test_what_the_package_exports_is_there_when_it_is_asked_for(tmp_path: Path) -> None:
    code = "import sys, pegasus; print('imported:', *(getattr(pegasus, name) for name in {}))"
    assert imported(tmp_path, code=code.format("['__version__']")) == {"0.1.0"}
    import pegasus

    exported = {name: getattr(pegasus, name) for name in pegasus.__all__}
    assert {name for name, value in exported.items() if value is None} == set()
    assert {*exported} <= {*dir(pegasus)}
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        pegasus.nothing  # noqa: B018
