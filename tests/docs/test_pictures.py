"""The pictures in the documentation: they are there, show what they say, and load nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PICTURE = re.compile(r"!\[([^]]*)\]\(([^)]+)\)")

#: What must stand on each drawn screen.
SHOWN = {
    "queue": ["inv queue", "=== run", "done", "ETA"],
    "summary": ["1 of 12 commands failed", "CUDA error: out of memory", "to retry: inv retry"],
    "broadcast": ["inv broadcast --diff", "node-[1-5,7-8] (7):", "+++ node-6"],
    "status": ["inv status", "is on", " running,", "4 nodes", "train --model"],
}


def words(svg: str) -> str:
    text = re.sub(r"<[^>]*>", "", re.sub(r"</text>", "\n", svg.partition("</style>")[2]))
    return text.replace("&#160;", " ").replace("&lt;", "<").replace("&gt;", ">")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_picture_of_a_page_is_there_and_is_described(page: Path) -> None:
    for description, path in PICTURE.findall(page.read_text()):
        assert (page.parent / path).is_file(), path
        assert len(description) > 20, path


def test_every_picture_is_on_a_page() -> None:
    shown = {Path(path).name for page in PAGES for _, path in PICTURE.findall(page.read_text())}
    assert shown == {path.name for path in IMAGES.iterdir()}


@pytest.mark.parametrize("name", SHOWN)
def test_a_drawn_screen_shows_what_it_is_for_and_loads_nothing(name: str) -> None:
    svg = (IMAGES / f"{name}.svg").read_text()
    found = words(svg)
    for text in SHOWN[name]:
        assert text in found
    assert not re.search(r"(href|src|url)\W{1,3}\s*https?:", svg)


def test_the_first_screen_of_the_readme_shows_what_a_run_looks_like() -> None:
    first = (ROOT / "README.md").read_text().splitlines()[:24]
    assert any("docs/images/queue.svg" in line for line in first)
