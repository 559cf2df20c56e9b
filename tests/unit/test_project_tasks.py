"""The project's own tasks: what `inv test` does about a machine that lacks something."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from invoke import Exit, MockContext, Result


@pytest.fixture
def project_tasks() -> ModuleType:
    spec = importlib.util.spec_from_file_location("own", Path(__file__).parents[2] / "tasks.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def lack(monkeypatch: pytest.MonkeyPatch, tasks: ModuleType, missing: set[str], uid: int) -> None:
    monkeypatch.setattr(
        tasks.shutil, "which", lambda name, path=None: None if name in missing else f"/{name}"
    )
    monkeypatch.setattr(tasks.os, "geteuid", lambda: uid)


def test_what_is_missing_is_installed_by_root(
    monkeypatch: pytest.MonkeyPatch, project_tasks: ModuleType
) -> None:
    lack(monkeypatch, project_tasks, {"sshd", "busybox"}, uid=0)
    c = MockContext(run=Result(), repeat=True)
    project_tasks.test(c)
    commands = [call.args[0] for call in c.run.call_args_list]
    assert commands[:2] == [
        "apt-get update -q",
        "apt-get install -y -q openssh-server busybox",
    ]


@pytest.mark.parametrize(("missing", "uid"), [({"sshd"}, 1000), ({"sshd", "apt-get"}, 0)])
def test_where_that_can_not_be_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, project_tasks: ModuleType, missing: set[str], uid: int
) -> None:
    lack(monkeypatch, project_tasks, missing, uid)
    with pytest.raises(Exit) as caught:
        project_tasks.test(MockContext())
    assert caught.value.code == 1
    assert caught.value.message
    assert "\n" not in caught.value.message
    assert "apt-get install -y openssh-server" in caught.value.message


def test_nothing_is_installed_where_all_is_there(
    monkeypatch: pytest.MonkeyPatch, project_tasks: ModuleType
) -> None:
    lack(monkeypatch, project_tasks, set(), uid=1000)
    c = MockContext(run=Result(), repeat=True)
    project_tasks.test(c)
    commands = [call.args[0] for call in c.run.call_args_list]
    assert commands
    assert not [command for command in commands if "apt-get" in command]
