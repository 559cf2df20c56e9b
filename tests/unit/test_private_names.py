"""Every private name of a library that pegasus relies on.

When one of these tests fails, a library has changed: see what the code makes of the name before
setup.cfg allows the new version. What a new line of code relies on belongs into `RELIED_ON`;
there is no harm in doing without it.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import importlib.util
import inspect
import re
import socket
import sys
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import paramiko
import pybars
import pytest
from invoke import Argument
from invoke.context import Context
from invoke.parser.parser import ParseMachine
from paramiko.agent import AgentSSH
from paramiko.transport import ChannelMap
from pybars import _compiler

import pegasus

ROOT = Path(pegasus.__file__).parent

#: The documented names of named tuples.
PUBLIC = {"_asdict", "_replace", "_fields"}

MESSAGE = ["self", "m"]


def _builder() -> _compiler.CodeBuilder:
    builder = _compiler.CodeBuilder()
    builder._reset()
    builder.start()
    return builder


#: Who has the name, the name, and its shape: the parameters of a function, or a type.
RELIED_ON: list[tuple[Any, str, Any]] = [
    (paramiko.Transport, "_channel_handler_table", dict),
    (paramiko.Transport(socket.socketpair()[0]), "_channels", ChannelMap),
    (paramiko.Transport, "_cipher_info", dict),
    (paramiko.Transport, "_kex_info", dict),
    (paramiko.Transport, "_key_info", dict),
    (paramiko.Transport, "_mac_info", dict),
    (paramiko.Transport, "_preferred_pubkeys", tuple),
    (paramiko.Transport, "_next_channel", ["self"]),
    (paramiko.Transport, "_parse_debug", MESSAGE),
    (paramiko.Transport, "_parse_newkeys", MESSAGE),
    (paramiko.Transport, "_parse_request_failure", MESSAGE),
    (paramiko.Transport, "_parse_request_success", MESSAGE),
    (paramiko.Transport, "_send_message", ["self", "data"]),
    (paramiko.Transport, "_send_user_message", ["self", "data"]),
    (paramiko.Channel, "_handle_close", MESSAGE),
    (paramiko.Channel, "_handle_request", MESSAGE),
    (paramiko.Channel, "_request_failed", MESSAGE),
    (paramiko.Channel, "_request_success", MESSAGE),
    (paramiko.Channel, "_set_transport", ["self", "transport"]),
    (paramiko.Channel, "_set_window", ["self", "window_size", "max_packet_size"]),
    (paramiko.SSHConfig, "_lookup", ["self", "hostname", "options", "canonical", "final"]),
    (AgentSSH, "_close", ["self"]),
    (AgentSSH, "_connect", ["self", "conn"]),
    (Context, "_set", ["self", "args", "kwargs"]),
    (Argument("name"), "_value", type(None)),
    (pybars, "_compiler", type(pybars)),
    (pybars.Compiler, "_handlebars", type),
    (_builder(), "_locals", dict),
    (_builder(), "_result", _compiler.strlist),
    (_compiler.CodeBuilder, "_wrap_nested", ["self", "name"]),
]


def modules() -> list[Path]:
    return [path for path in sorted(ROOT.rglob("*.py")) if path != ROOT / "__init__.py"]


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__") and name not in PUBLIC and name != "_"


def library_bases(owner: type) -> list[type]:
    ours = {"pegasus", *sys.stdlib_module_names}
    return [base for base in owner.__mro__ if base.__module__.split(".")[0] not in ours]


@cache
def names_of_library(owner: type) -> set[str]:
    """Return the private names that the libraries' part of a class has or gives its objects."""
    names: set[str] = set()
    for base in library_bases(owner):
        names.update(name for name in vars(base) if is_private(name))
        with contextlib.suppress(OSError, TypeError):  # there is no source of a generated class
            names.update(re.findall(r"\bself\.(_[a-z]\w*)", inspect.getsource(base)))
    return names


def attributes(tree: ast.AST) -> Iterator[ast.Attribute]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            yield node


def is_own_object(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"}


def defined(tree: ast.AST) -> set[str]:
    """Return the names that code gives to something of its own."""
    names = {
        node.attr
        for node in attributes(tree)
        if isinstance(node.ctx, ast.Store) and is_own_object(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "self._set":
            names.update(keyword.arg or "" for keyword in node.keywords)  # Invoke's way
    return {name for name in names if is_private(name)}


def relied_on_by_class(node: ast.ClassDef, owner: type) -> set[str]:
    """Return what a class uses or replaces of the libraries' classes that it is made of."""
    used = {each.attr for each in attributes(node) if is_own_object(each)}
    own = set().union(*(defined(tree) for tree in own_trees(owner)))
    return ((used | defined(node)) & names_of_library(owner)) | (used - own)


def own_trees(owner: type) -> Iterator[ast.AST]:
    for base in owner.__mro__:
        if base.__module__.startswith("pegasus."):
            yield ast.parse(inspect.getsource(base))


def relied_on(path: Path) -> set[str]:
    """Return the private names of libraries that a module of ours relies on."""
    tree = ast.parse(path.read_text())
    names = {node.attr for node in attributes(tree) if not is_own_object(node)} - defined(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names.update(part for part in (node.module or "").split(".") if is_private(part))
    module = importlib.import_module(module_name(path))
    for node in tree.body:
        owner = getattr(module, node.name, None) if isinstance(node, ast.ClassDef) else None
        if isinstance(node, ast.ClassDef) and owner is not None and library_bases(owner):
            names |= relied_on_by_class(node, owner) | inherited(node)
    return names


def inherited(node: ast.ClassDef) -> set[str]:
    """Return the private names that a class calls of the classes it is made of."""
    found = (each for each in attributes(node) if ast.unparse(each.value) == "super()")
    return {each.attr for each in found if is_private(each.attr)}


@pytest.mark.parametrize(
    ("owner", "name", "shape"), RELIED_ON, ids=[name for _, name, _ in RELIED_ON]
)
def test_it_is_there_and_has_the_shape_we_need(owner: Any, name: str, shape: Any) -> None:
    found = getattr(owner, name)
    if isinstance(shape, list):
        assert list(inspect.signature(found).parameters) == shape
    else:
        assert isinstance(found, shape)


def test_nothing_else_is_relied_on() -> None:
    used = {name: path.name for path in modules() for name in relied_on(path)}
    named = {name for _, name, _ in RELIED_ON}
    assert {name: path for name, path in used.items() if name not in named} == {}
    assert named - set(used) == set(), "no longer used: take it off the list"


def test_uses_of_all_kinds_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = tmp_path / "pegasus"
    room.mkdir()
    path = room / "canary_sample.py"
    path.write_text(
        "from pybars._compiler import strlist\n"
        "import paramiko\n"
        "class Sample(paramiko.Transport):\n"
        "    _modulus_pack = None\n"
        "    def __init__(self):\n"
        "        self._own = self._channels\n"
        "        self._x11_handler = self._own\n"
        "    def _unlink_channel(self, chanid):\n"
        "        super()._log(1, '')\n"
        "        self.channel._pipe = chanid._asdict()\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(globals(), "ROOT", room)
    monkeypatch.setitem(sys.modules, "pegasus.canary_sample", _load(path))
    assert relied_on(path) == {
        "_compiler", "_modulus_pack", "_channels", "_x11_handler", "_unlink_channel", "_log",
        "_pipe",
    }  # fmt: skip


def _load(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("pegasus.canary_sample", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where inspect looks for a class's source
    spec.loader.exec_module(module)
    return module


def test_what_has_no_underscore_but_no_documentation_either_is_as_we_need_it() -> None:
    transport = paramiko.Transport(socket.socketpair()[0])
    transport.sock.close()
    channel = paramiko.Channel(0)
    assert isinstance(transport.clear_to_send, threading.Event)
    assert isinstance(transport.clear_to_send_lock, type(threading.Lock()))
    assert transport.packetizer.need_rekey() is False
    for owner, names in {
        transport: ("active", "auth_handler", "sock", "remote_version"),
        transport.packetizer: ("REKEY_BYTES", "set_outbound_cipher", "start_handshake"),
        channel: ("chanid", "closed", "eof_received"),
        channel.in_buffer: ("set_event", "read_ready"),
        channel.in_stderr_buffer: ("set_event", "read_ready"),
    }.items():
        assert [name for name in names if not hasattr(owner, name)] == []
    assert list(inspect.signature(ParseMachine.handle).parameters) == ["self", "token"]
    made = inspect.signature(paramiko.Transport).parameters
    assert "packetizer_class" in made
    assert "transport_factory" in inspect.signature(paramiko.SSHClient.connect).parameters
