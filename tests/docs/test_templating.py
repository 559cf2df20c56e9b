"""docs/templating.md shows what happens: its examples are rendered, and its tables complete."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from markdown_tables import code, tables, values
from peeking import peek

from pegasus.errors import TemplateError
from pegasus.files import hosts
from pegasus.files.queuefile import QueueFile
from pegasus.handlebars.blocks import BLOCKS
from pegasus.helpers import registry
from pegasus.helpers.builtin import HELPERS
from pegasus.template import render

TEXT = (Path(__file__).parents[2] / "docs" / "templating.md").read_text()
MANUAL, DIFFERENCES = TEXT.split("\n## Differences", 1)

EXAMPLES = [row for table in tables(MANUAL) for row in table]
LONG_EXAMPLES = re.findall(
    r"^```handlebars\n(.*?)^```\n\nprints\n\n```text\n(.*?)^```", MANUAL, re.M | re.S
)


def fenced(language: str, first_line: str) -> str:
    """Return the block of code that begins with a line."""
    found = re.search(rf"^```{language}\n({re.escape(first_line)}\n.*?)^```", TEXT, re.M | re.S)
    assert found
    return found[1]


@pytest.fixture
def params() -> dict[str, Any]:
    text = fenced("yaml", "# the parameters of the examples")
    loaded: dict[str, Any] = yaml.load(text, yaml.BaseLoader)
    return loaded


@pytest.fixture(autouse=True)
def _machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the variable, the file and the helpers of the examples."""
    (tmp_path / "commit.txt").write_text("4f2a91c\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("USER", "ada")
    monkeypatch.delenv("NOT_SET", raising=False)
    monkeypatch.setattr(registry, "REGISTRY", registry.Registry())
    exec(fenced("python", "import hashlib"), {"__name__": "tasks"})


@pytest.mark.parametrize(("tag", "printed"), EXAMPLES)
def test_an_example_prints_what_stands_beside_it(
    tag: str, printed: str, params: dict[str, Any]
) -> None:
    if printed == "error":
        with pytest.raises(TemplateError):
            render(code(tag), params)
    else:
        assert render(code(tag), params) == code(printed)


@pytest.mark.parametrize(("template", "printed"), LONG_EXAMPLES)
def test_a_long_example_prints_what_stands_below_it(
    template: str, printed: str, params: dict[str, Any]
) -> None:
    assert render(template.removesuffix("\n"), params).rstrip("\n") == printed.rstrip("\n")


def test_there_are_long_examples() -> None:
    assert len(LONG_EXAMPLES) == 2


@pytest.mark.parametrize("name", [*HELPERS, *BLOCKS])
def test_every_helper_and_block_has_an_example(name: str) -> None:
    tags = [code(row[0]) for row in EXAMPLES] + [template for template, _ in LONG_EXAMPLES]
    called = rf"(\{{\{{~?|\(|#){name}[ }}]"
    assert any(re.search(called, tag) for tag in tags)


def test_every_format_is_named() -> None:
    from pegasus.helpers.formats import FORMATS

    line = re.search(r"^`format=` is .*", MANUAL, re.M)
    assert line
    assert set(FORMATS) == set(values(line[0])) - {"format="}


def test_the_tutorial(tmp_path: Path) -> None:
    hosts_text, queue_text = fenced("yaml", "# hosts.yaml").split("# queue.yaml\n")
    (tmp_path / "hosts.yaml").write_text(hosts_text)
    (tmp_path / "queue.yaml").write_text(queue_text)
    node = hosts.load(tmp_path / "hosts.yaml")[0]
    queue = QueueFile(tmp_path / "queue.yaml", tmp_path / "consumed.yaml")
    with queue.lock.hold("a test"):
        commands = [render(job.template, job.variables(node)) for job in peek(queue, 10)]
    printed = re.search(r"^runs `(.*?)`, and the same with\n`(.*?)`", MANUAL, re.M)
    assert printed
    first, rate = printed.groups()
    assert commands == [first, first.replace("0.10", rate)]


def test_what_is_said_of_escaping_is_what_the_differences_say() -> None:
    assert "&#x27;" in DIFFERENCES
    assert render("{{x}}", {"x": "a & 'b'"}) == "a & 'b'"
