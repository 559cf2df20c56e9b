"""What templates cost: time that grows with their length, memory within bounds, few imports,
and threads that don't get into each other's way."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import FrameType

import pytest
from longtemplates import MANY_TAGS, PARAMS, SHAPES
from project import Project

from pegasus.errors import TemplateError
from pegasus.handlebars.cache import Cache
from pegasus.template import has_only_names, render

LENGTH = 100_000


def rendered(template: str) -> str | None:
    """Render a template as if it were the first time; None if it is refused."""
    from pegasus.handlebars.compiler import compile_template

    compile_template.clear()
    with suppress(TemplateError):
        return render(template, PARAMS)
    return None


def seconds(template: str) -> float:
    start = time.process_time()
    rendered(template)
    return time.process_time() - start


@pytest.fixture(scope="module")
def usual() -> float:
    """How long plain text of that length takes here, with one tag behind it; at least 20 ms."""
    rendered("{{trim x}}")
    return max(0.02, *(seconds("a" * LENGTH + "{{trim x}}") for _ in range(3)))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_long_template_takes_about_as_long_as_plain_text(shape: str, usual: float) -> None:
    """What takes time that grows with the square takes some thousand times as long."""
    assert seconds(SHAPES[shape](LENGTH)) < 50 * usual


def calls(work: Callable[[], object]) -> int:
    """Return how many functions are called, those written in C as well."""
    count = 0

    def note(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    gc.disable()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
        gc.enable()
    return count


@pytest.mark.parametrize("shape", MANY_TAGS)
def test_many_tags_take_steps_in_proportion(shape: str) -> None:
    rendered("{{trim x}}")
    few, many = (MANY_TAGS[shape](tags) for tags in (62, 500))
    assert calls(lambda: rendered(many)) < 10 * calls(lambda: rendered(few))


def test_500_tags_and_100_000_characters_are_within_the_limits() -> None:
    text = "text " * 20_000
    assert rendered("{{trim x}} " * 500 + text) == "v " * 500 + text


@pytest.mark.parametrize(
    "template",
    ["{{ x }}" + " {" * LENGTH, "{{" + " " * LENGTH, "{{" + "x" * LENGTH, "{{x}} " * 20_000],
    ids=lambda template: repr(template[:7]),
)
def test_names_alone_are_found_in_no_time(template: str, usual: float) -> None:
    start = time.process_time()
    has_only_names(template)
    assert time.process_time() - start < 10 * usual


def test_names_of_any_length_and_number_are_compared_in_no_time(usual: float) -> None:
    params = {f"{number}{'a' * 9_000}": "" for number in range(50)}
    params |= {f"name{number}": "" for number in range(100_000)}
    for name in ("b" + "a" * 9_000, "nmae7"):
        start = time.process_time()
        with pytest.raises(TemplateError, match="there is no parameter") as raised:
            render(f"{{{{{name}}}}}", params)
        assert time.process_time() - start < 100 * usual
        assert len(str(raised.value)) < 2_500


# Memory


def test_many_templates_leave_nothing_behind() -> None:
    from pegasus.handlebars.compiler import CACHE_SIZE, compile_template

    render("{{trim x}}", {"x": ""})
    modules = set(sys.modules)
    for index in range(3_000):  # kept or not, a third of them again and again
        number = index % 1_000 if index % 2 else index
        assert render(f"{{{{~x~}}}}{number}", {"x": "v"}) == f"v{number}"
        assert len(compile_template) <= CACHE_SIZE
    assert set(sys.modules) == modules


def test_long_templates_are_kept_within_bounds_and_one_is_always_kept() -> None:
    from pegasus.handlebars.compiler import CACHE_CHARACTERS, compile_template

    length = CACHE_CHARACTERS // 10
    for index in range(20):
        rendered_text = render(f"{{{{~x~}}}}{index:0{length}}", {"x": "v"})
        assert rendered_text == f"v{index:0{length}}"
    assert compile_template.characters <= CACHE_CHARACTERS
    assert 5 < len(compile_template) < 10
    longest = "{{~x~}}" + "a" * 2 * CACHE_CHARACTERS
    program = compile_template(longest)
    assert compile_template(longest) is program
    assert len(compile_template) == 1


def test_a_cache_keeps_what_is_used() -> None:
    made: list[str] = []
    cache = Cache(lambda text: made.append(text) or text, most=2, most_characters=5)  # type: ignore[func-returns-value]
    for text in ("a", "b", "a", "c", "a", "b"):
        assert cache(text) == text
    assert made == ["a", "b", "c", "b"]
    cache("dddd")
    assert (cache("b"), made[-1], cache.characters, len(cache)) == ("b", "dddd", 5, 2)
    cache("eeeeeeee")
    assert (cache.characters, len(cache)) == (8, 1)
    cache.clear()
    assert (cache.characters, len(cache)) == (0, 0)


def test_what_could_not_be_made_is_not_kept() -> None:
    cache = Cache(int, most=2, most_characters=5)
    with pytest.raises(ValueError, match="invalid literal"):
        cache("x")
    assert (len(cache), cache.characters) == (0, 0)


# Threads


@pytest.fixture
def eager_threads() -> Iterator[None]:
    """Let threads take turns all the time, so that what they share is seen to be shared."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def in_threads(work: Callable[[int], None]) -> None:
    """Call `work` in 8 threads at once, each with its number."""
    started = threading.Barrier(8)

    def begin(number: int) -> None:
        started.wait()
        work(number)

    threads = [threading.Thread(target=begin, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.usefixtures("eager_threads")
def test_threads_render_each_its_own_template() -> None:
    wrong: list[str] = []

    def work(number: int) -> None:
        for step in range(200):
            own = f"t{(step + number * 25) % 200}"
            template = f"{own} {{{{#if a}}}}{own}{{{{x}}}}{{{{/if}}}} {{{{replace x 'v' '{own}'}}}}"
            try:
                text = render(template, {"x": f"v{number}", "a": "y"})
            except TemplateError as error:
                text = str(error)
            if text != f"{own} {own}v{number} {own}{number}":
                wrong.append(text)

    in_threads(work)
    assert wrong == []


@pytest.mark.usefixtures("eager_threads")
def test_threads_share_a_cache() -> None:
    wrong: list[str] = []
    cache = Cache(str.upper, most=7, most_characters=30)

    def work(number: int) -> None:
        for step in range(3_000):
            text = f"t{(step * (number + 1)) % 20}"
            if cache(text) != text.upper():
                wrong.append(text)

    in_threads(work)
    assert wrong == []
    assert (len(cache), cache.characters) == (7, sum(map(len, cache._kept)))


# Imports


def test_pybars_is_imported_by_the_first_tag_that_needs_it_and_not_before() -> None:
    code = """
import sys
from pegasus.template import check, render
import pegasus.helpers
render("echo }} {", {}); check("text")
render("{{x}} {{ y }}", {"x": "", "y": ""}); check("{{ x }}")
assert not {"pybars", "pymeta", "inflection"} & set(sys.modules)
render("{{trim x}}", {"x": ""})
assert "pybars" in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("command", "is_needed"), [("echo a", False), ("echo {{x}}", False), ("echo {{trim x}}", True)]
)
def test_a_queue_without_tags_never_imports_pybars(
    project: Project, command: str, is_needed: bool
) -> None:
    project.hosts("- localhost\n")
    project.queue(f"- command:\n  - {command}\n  x: [a]\n")
    done = project.run("queue", env={"PYTHONPROFILEIMPORTTIME": "1"})
    assert done.process.returncode == 0, done.err
    assert "[localhost] a\n" in done.out
    imported = {line.rsplit("|", 1)[1].strip() for line in done.err.splitlines() if "|" in line}
    assert "pegasus.modes.queue" in imported
    assert {"pybars" in imported, "pymeta" in imported} == {is_needed}
