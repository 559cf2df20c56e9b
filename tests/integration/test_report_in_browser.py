"""A report as people have it: in a browser, without a network, with mouse and keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from browser import Browser, browsing
from longrun import RUN, LongRun
from project import wait_until
from story import Story

from pegasus.errands.report import report
from pegasus.journal import records
from pegasus.journal.records import job_fields, node_fields
from pegasus.model import Host, Job, Node
from pegasus.settings import Settings

#: Breaks out of whatever takes it for markup, for a script, or for a template of plotly.
NASTY = (
    "<b>bold</b></script><script>pwned=1</script><img src=http://evil.test/x onerror=pwned=1>"
    "%{x} $x$ &lt;"
)

DRAWN = "document.documentElement.dataset.drawn"
BARS = "document.querySelectorAll('#timeline .barlayer .point path')"
#: The middle of an element that is scrolled into sight.
MIDDLE = (
    "(() => {{ const one = {}; one.scrollIntoView({{block: 'center'}});"
    " const r = one.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2] }})()"
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browsing(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.fixture
def opened(browser: Browser) -> Browser:
    """The browser, which has nothing to say of what was before."""
    browser.complaints.clear()
    browser.requests.clear()
    browser.resize(1280, 800)
    return browser


def show(browser: Browser, path: Path) -> None:
    browser.open(path)
    browser.wait_for(DRAWN)


def write(queue_file: Path) -> Path:
    path = report(Settings(queue_file=str(queue_file)))
    assert path
    return path


def texts(browser: Browser, selector: str) -> list[str]:
    found = browser.run(f"[...document.querySelectorAll('{selector}')].map(e => e.textContent)")
    return list(found)


def column(browser: Browser, number: int) -> list[str]:
    """What is in a column of the table."""
    return texts(browser, f"#attempts tbody td:nth-child({number})")


def choose(browser: Browser, selector: str, value: str, event: str) -> None:
    """Choose an option, as with the mouse."""
    browser.run(
        f"(() => {{ const one = document.querySelector('{selector}'); one.value = '{value}';"
        f" one.dispatchEvent(new Event('{event}', {{bubbles: true}})) }})()"
    )


def refused(browser: Browser) -> int:
    """How often the page's policy has refused something."""
    return sum("Content Security Policy" in one for one in browser.complaints)


def nasty(directory: Path) -> Path:
    story = Story(directory)
    nodes = [Node(index, Host(NASTY, NASTY), (("<i>k</i>", f"{index}"),)) for index in range(2)]
    story.tell(
        records.RUN_STARTED,
        mode="queue", pid=7, host=NASTY, user=NASTY, settings={},
        nodes=[*map(node_fields, nodes)],
    )  # fmt: skip
    for number, node in enumerate(nodes, 1):
        job = Job(NASTY, ((NASTY, f"{NASTY}{number}"),), id=number)
        story.tell(records.JOBS_TAKEN, commit=f"{number}", jobs=[job_fields(job)], consumed={})
        where = {"node": node.label, "index": node.index, "repeats": 0}
        story.tell(records.ATTEMPT_STARTED, job=number, attempt=1, **where, command=NASTY)
        ending = {"outcome": "failed", "exit_status": 1, "detail": NASTY}
        story.tell(records.ATTEMPT_ENDED, job=number, attempt=1, **ending)
    story.end()
    return story.queue_file


def test_what_users_wrote_is_shown_and_never_obeyed(opened: Browser, tmp_path: Path) -> None:
    path = write(nasty(tmp_path))
    show(opened, path)
    assert texts(opened, "#attempts code") == [NASTY, NASTY]
    labels = texts(opened, "#timeline .yaxislayer-above text, #timeline .y2tick text")
    assert any(label.startswith("<b>bold</b></scri") for label in labels)
    # Bars, too, tell what they are when the mouse is over them.
    x, y = opened.run(MIDDLE.format(f"{BARS}[0]"))
    opened.point_at(x, y)
    opened.wait_for("!byId('tip').hidden")
    assert texts(opened, "#tip code") == [NASTY]
    # Durations by a parameter that has such values.
    choose(opened, "#by", "0", "change")
    opened.wait_for("document.querySelector('#spread .xtick text')")
    assert texts(opened, "#by option")[0] == NASTY
    assert texts(opened, "#spread .xtick text")[0].startswith("<b>bold</b></scri")
    assert opened.run("typeof pwned") == "undefined"
    assert opened.run("document.querySelectorAll('img, b b, i i').length") == 0
    assert opened.requests == [path.resolve().as_uri()]
    assert opened.complaints == []


def test_the_policy_holds_where_escaping_should_fail(opened: Browser, tmp_path: Path) -> None:
    path = write(nasty(tmp_path))
    show(opened, path)
    opened.run("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=pwned=1>')")
    opened.run(
        "(() => { const one = document.createElement('script'); one.textContent = 'pwned = 1';"
        " document.body.append(one) })()"
    )
    opened.run("fetch('http://evil.test/').catch(() => 0)")
    # The picture, what to do without it, the script, and the fetching.
    wait_until(lambda: opened.run("1") and refused(opened) >= 4, "four refusals")
    assert opened.run("typeof pwned") == "undefined"
    # A picture of a chart may be taken for all that.
    picture = opened.run("Plotly.toImage('timeline', {format: 'png'})")
    assert picture.startswith("data:image/png;base64,")


def test_the_table_is_searched_sorted_and_leafed_through_with_the_keyboard(
    opened: Browser, tmp_path: Path
) -> None:
    show(opened, write(LongRun(tmp_path, 240, 12).write()))
    assert texts(opened, "#found") == ["240 in all"]
    assert column(opened, 1)[:2] == ["1.1", "2.1"]
    opened.run("byId('search').focus()")
    opened.type("model=opt-66b lr=1e-4 bs=64")
    assert texts(opened, "#found") == ["6 of 240"]
    assert set(column(opened, 3)) == {"failedexit status: 1"}
    opened.run("document.querySelector('[data-sort=duration] button').focus()")
    opened.press("Enter")
    lengths = column(opened, 5)
    assert lengths == sorted(lengths, key=lambda one: float(one.removesuffix("s")))
    opened.press("Enter")
    assert column(opened, 5) == lengths[::-1]
    assert opened.run("document.querySelector('[data-sort=duration]').ariaSort") == "descending"
    opened.run("document.querySelector('#clear').focus()")
    opened.press(" ")
    opened.wait_for("byId('found').textContent === '240 in all'")
    opened.run("byId('last').focus()")
    opened.press("Enter")
    assert texts(opened, "#page") == ["page 3 of 3"]
    assert len(column(opened, 1)) == 40
    choose(opened, "[data-param=bs]", '"64"', "input")
    assert texts(opened, "#found") == ["60 of 240"]
    assert opened.complaints == []


def test_an_attempt_that_filters_hide_is_found_on_its_page(opened: Browser, tmp_path: Path) -> None:
    show(opened, write(LongRun(tmp_path, 240, 12).write()))
    last = opened.run("data.rows[239][at.node]")
    choose(opened, "#node", str((last + 1) % 12), "input")
    assert texts(opened, "#found") != ["240 in all"]
    # What the page has put off until later is over, too, when this is.
    opened.run("show(239); setTimeout(() => { window.isLater = true; })")
    opened.wait_for("window.isLater")
    assert texts(opened, "#found") == ["240 in all"]
    assert texts(opened, "#page") == ["page 3 of 3"]
    assert len(texts(opened, "tr.found")) == 1


def test_each_bar_has_the_height_of_a_row(opened: Browser, tmp_path: Path) -> None:
    show(opened, write(LongRun(tmp_path, 60, 12, seed=7).write()))
    heights = opened.run(f"[...{BARS}].map(one => Math.round(one.getBBox().height))")
    assert len(heights) == 60
    assert len({*heights}) == 1


def test_links_lead_to_the_logs(opened: Browser, tmp_path: Path) -> None:
    directory = tmp_path / "50% #1? ü"
    directory.mkdir()
    show(opened, write(LongRun(directory, 3, 2).write()))
    links = opened.run("[...document.querySelectorAll('#attempts a')].map(a => a.href)")
    files = [Path(unquote(urlsplit(link).path)) for link in links]
    assert [file.name for file in files][:2] == ["1.1.out", "2.1.out"]
    assert all(file.read_text().startswith("what job ") for file in files)


def test_ten_thousand_attempts_are_drawn_and_one_is_found(opened: Browser, tmp_path: Path) -> None:
    show(opened, write(LongRun(tmp_path, 10_000, 64).write()))
    assert opened.run(f"{BARS}.length") == 10_000
    longest = f"[...{BARS}].sort((a, b) => b.getBBox().width - a.getBBox().width)[0]"
    x, y = opened.run(MIDDLE.format(longest))
    opened.point_at(x, y)
    opened.wait_for("!byId('tip').hidden")
    (told,) = texts(opened, "#tip b")
    opened.click(x, y)
    opened.wait_for("document.querySelector('tr.found')")
    (found,) = texts(opened, "tr.found td:first-child")
    assert told == f"job {found} · timed out"
    opened.resize(480, 800)
    opened.wait_for("document.querySelector('#timeline .main-svg').clientWidth < 480")
    assert opened.run("document.documentElement.scrollWidth") == 480
    assert opened.run("byId('timeline').clientHeight") > 900
    assert opened.complaints == []


def test_a_run_that_has_done_nothing_has_a_page(opened: Browser, tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.begin(RUN)
    story.end(RUN)
    show(opened, write(story.queue_file))
    assert texts(opened, "#found") == ["0 in all"]
    assert opened.run("byId('spread-part').hidden")
    assert opened.complaints == []


def test_attempts_are_as_thick_as_they_had_slots_and_say_which(
    opened: Browser, tmp_path: Path
) -> None:
    story = Story(tmp_path)
    node = Node(0, Host("gpu-1", "gpu-1"), slots=tuple(range(8)))
    about = {"mode": "queue", "pid": 7, "host": "here", "user": "me", "settings": {}}
    story.tell(records.RUN_STARTED, **about, nodes=[node_fields(node)])
    for number, slots in enumerate(([0, 1, 2, 3], [4], []), 1):
        job = Job("train", slots=len(slots), id=number)
        story.tell(records.JOBS_TAKEN, commit=f"{number}", jobs=[job_fields(job)], consumed={})
        where = {"node": "gpu-1", "index": 0, "repeats": 0, "slots": slots}
        story.tell(records.ATTEMPT_STARTED, job=number, attempt=1, **where, command="train")
    for number in (1, 2, 3):
        ending = {"outcome": "succeeded", "exit_status": 0}
        story.tell(records.ATTEMPT_ENDED, job=number, attempt=1, **ending)
    story.end()
    show(opened, write(story.queue_file))
    bars = f"[...{BARS}].map(e => e.getBoundingClientRect())"
    tops = opened.run(f"{bars}.map(one => one.top)")
    heights = opened.run(f"{bars}.map(one => one.height)")
    assert tops == sorted(tops)
    # Of the lanes, 0.15 is between them.
    assert heights[0] / heights[1] == pytest.approx(3.85 / 0.85, rel=0.05)
    assert heights[1] == pytest.approx(heights[2], rel=0.05)
    assert column(opened, 2) == ["gpu-1slots 0-3", "gpu-1slot 4", "gpu-1no slot"]
    x, y = opened.run(MIDDLE.format(f"{BARS}[0]"))
    opened.point_at(x, y)
    opened.wait_for("!byId('tip').hidden")
    assert "gpu-1 · slots 0-3 · " in "".join(texts(opened, "#tip div"))
    choose(opened, "#search", "slot 4", "input")
    assert column(opened, 2) == ["gpu-1slot 4"]
    assert opened.complaints == []
