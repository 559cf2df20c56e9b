"""Imports go one way, and each third-party library sits behind its own rooms."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import pegasus

ROOT = Path(pegasus.__file__).parent

#: From the ground up: a module imports only what stands before it, or in its own row.
STOREYS = [
    ["model", "grid", "durations"],
    ["errors", "nodesets"],
    ["events"],
    ["settings", "conversion", "handlebars", "helpers", "template", "patterns", "selection"],
    ["slots"],
    ["storage"],
    ["locking"],
    ["journal"],
    ["files"],
    ["filling", "lint"],
    ["plan"],
    ["checking"],
    ["ssh"],
    ["result", "statuses", "statistics", "measures", "estimate", "tally", "capacity"],
    ["modes", "interrupts", "control"],
    ["terminal"],
    ["report"],
    ["inputs", "hooks", "queue", "registration", "roster"],
    ["supervision"],
    ["runs", "errands"],
    ["tasks", "demo"],
    ["cli"],
]

#: The same within the largest room.
SSH_STOREYS = [
    ["base", "plain", "unchanged"],
    ["openssh"],
    ["hostkeys", "wire"],
    ["login"],
    ["running"],
    ["trunk"],
    ["trunks"],
    ["connection", "local", "group", "fake"],
    ["connect"],
]

#: Which rooms may import which library.
LIBRARIES = {
    "fabric": {"ssh"},
    "paramiko": {"ssh"},
    "cryptography": {"ssh"},
    "invoke": {"tasks", "demo", "cli"},
    "yaml": {"files", "helpers"},
    "fasteners": {"locking", "ssh"},
    "pybars": {"handlebars"},
    "pymeta": {"handlebars"},
    "inflection": {"helpers"},
    "jmespath": {"helpers"},
    "tomli": {"helpers"},
    "tomllib": {"helpers"},  # Python's own from 3.11 on
    "pytimeparse": {"durations"},
    "rich": {"terminal"},
    "ClusterShell": {"nodesets"},
    "plotly": {"report"},
    "typing_extensions": {"tasks"},  # for type checkers alone; nothing imports it
}

#: The rooms that write to the terminal.
PRINTERS = {"terminal"}


def modules() -> list[Path]:
    return [path for path in sorted(ROOT.rglob("*.py")) if path != ROOT / "__init__.py"]


def room(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").parts[0]


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imports(path: Path) -> Iterator[str]:
    """Yield the full names of what a module imports, anywhere in it."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if is_module(inner) else f"{node.module}"


def is_module(name: str) -> bool:
    path = ROOT.parent.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def ours(path: Path) -> set[str]:
    """Return the rooms that a module imports from."""
    names = {name.split(".")[1] for name in imports(path) if name.startswith("pegasus.")}
    return {name for name in names if (ROOT / name).is_dir() or (ROOT / f"{name}.py").exists()}


def storey(name: str, storeys: list[list[str]] = STOREYS) -> int:
    return next(number for number, names in enumerate(storeys) if name in names)


def test_every_room_stands_on_a_storey() -> None:
    assert {room(path) for path in modules()} == {name for names in STOREYS for name in names}


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path: Path) -> None:
    here = room(path)
    assert {name for name in ours(path) if storey(name) > storey(here)} == set()


@pytest.mark.parametrize(
    "path", sorted((ROOT / "ssh").rglob("[!_]*.py")), ids=lambda path: path.stem
)
def test_imports_go_one_way_within_ssh(path: Path) -> None:
    parts = (name.split(".") for name in imports(path) if name.startswith("pegasus.ssh."))
    here = storey(path.relative_to(ROOT / "ssh").with_suffix("").parts[0], SSH_STOREYS)
    assert {part[2] for part in parts if storey(part[2], SSH_STOREYS) > here} == set()


def test_no_module_is_imported_in_a_circle() -> None:
    graph = {module_name(path): set(imports(path)) for path in modules()}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail, name))
        if name in done or name not in graph:
            return
        for target in graph[name]:
            visit(target, (*trail, name))
        done.add(name)

    for name in graph:
        visit(name, ())


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_each_library_has_its_rooms(path: Path) -> None:
    roots = {name.split(".")[0] for name in imports(path)}
    foreign = roots - set(sys.stdlib_module_names) - {"pegasus", "__future__"}
    assert foreign <= set(LIBRARIES), "a new dependency: say in ARCHITECTURE.md why it is there"
    assert {name for name in foreign if room(path) not in LIBRARIES[name]} == set()


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_terminal_prints(path: Path) -> None:
    if room(path) in PRINTERS:
        return
    for node in ast.walk(tree(path)):
        assert not (isinstance(node, ast.Name) and node.id == "print"), f"line {node.lineno}"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert (node.value.id, node.attr) not in {("sys", "stdout"), ("sys", "stderr")}


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("pegasus", {"invoke", "yaml", "paramiko", "fabric", "pybars", "fasteners", "rich"}),
        ("pegasus.tasks", {"paramiko", "fabric", "pybars", "pymeta", "fasteners", "rich"}),
        ("pegasus.cli", {"paramiko", "fabric", "pybars", "pymeta", "fasteners", "rich"}),
        ("pegasus.template", {"pybars", "pymeta", "inflection", "yaml", "jmespath", "tomllib"}),
        ("pegasus.ssh.fake", {"paramiko", "fabric", "invoke"}),
    ],
)
def test_importing_is_cheap(module: str, forbidden: set[str]) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert forbidden & set(loaded.stdout.split()) == set()
