"""YAML text to entries: what they hold, where it stands, and what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from queuefiles import PARSERS

from pegasus.errors import HostsFileError, PlacedError, QueueFileError
from pegasus.files import reader
from pegasus.files.entries import HOSTS, QUEUE, Entry, Kind, read
from pegasus.files.source import Source

CASES = Path(__file__).parents[1] / "cases"
WRONG = yaml.safe_load((CASES / "wrong.yaml").read_text())


@pytest.fixture(autouse=True, params=PARSERS)
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "LOADER", request.param)


def entries(text: str | bytes, kind: Kind = QUEUE) -> list[Entry]:
    data = text if isinstance(text, bytes) else text.encode()
    return [*read(Source(data, "f.yaml", kind.error), kind)]


def failure(text: str | bytes, kind: Kind = QUEUE) -> PlacedError:
    with pytest.raises(kind.error) as caught:
        entries(text, kind)
    return caught.value


def shown(entry: Entry) -> dict[str, list[str]]:
    params = {name: [str(text) for text in texts] for name, texts in entry.params.items()}
    return {"heads": [str(text) for text in entry.heads], **params}


@pytest.mark.parametrize("kind", [HOSTS, QUEUE], ids=["hosts", "queue"])
@pytest.mark.parametrize("case", WRONG, ids=[case["text"] for case in WRONG])
def test_what_is_wrong_is_said_with_its_place(case: dict[str, Any], kind: Kind) -> None:
    error = failure(case["text"].replace("KEY", kind.key), kind)
    line, column = case["at"].split(":")
    column = sum(len(kind.key) if part == "KEY" else int(part) for part in column.split("+"))
    assert str(error).startswith(f"f.yaml:{line}:{column}: ")
    assert case["says"].replace("KEY", kind.key) in error.problem


def test_each_file_has_its_own_error() -> None:
    assert isinstance(failure("a: b", HOSTS), HostsFileError)
    assert isinstance(failure("a: b", QUEUE), QueueFileError)


def test_text_that_is_not_utf8_is_refused_with_its_place() -> None:
    assert str(failure(b"- a\n- b\xff\n")).startswith("f.yaml:2:4: this is not UTF-8")


def test_a_control_character_is_refused_with_its_place() -> None:
    error = failure("- a\n- b\x01c\n")
    assert str(error).startswith("f.yaml:2:4: U+0001 is not allowed")


def test_a_lone_surrogate_is_refused() -> None:
    assert failure('- "\\ud800"\n').place is not None


def test_an_escape_beyond_unicode_is_refused() -> None:
    assert failure('- "\\UFFFFFFFF"\n').place is not None


@pytest.mark.parametrize(
    "text", ["", "\n# c\n", "---\n", "[]", "--- []\n", "&x\n", "\ufeff", "# c"]
)
def test_nothing_is_no_entry(text: str) -> None:
    assert entries(text) == []


def test_scalars_keep_the_text_that_was_written() -> None:
    spelled = ["032", "1e-3", "yes", "~", "2024-01-01", "0x1F", "0.10", "'a'", '"\\t"']
    (entry,) = entries(f"- command: e\n  x: [{', '.join(spelled)}]\n")
    assert shown(entry)["x"] == [*spelled[:-2], "a", "\t"]


def test_an_entry_is_a_text_or_a_mapping() -> None:
    first, second = entries("- echo {{ x }} # c\n- x: 1\n  command: [a, b]\n  y: [2, '']\n")
    assert shown(first) == {"heads": ["echo {{ x }}"]}
    assert shown(second) == {"heads": ["a", "b"], "x": ["1"], "y": ["2", ""]}
    assert (first.size, second.size) == (1, 4)


def test_standard_tags_change_nothing() -> None:
    (entry,) = entries("- !!map {command: !!str 8, x: !!seq [! a, !!int 032]}\n")
    assert shown(entry) == {"heads": ["8"], "x": ["a", "032"]}


def test_aliases_stand_for_texts_lists_and_entries() -> None:
    text = "- &e {command: &c a, x: &l [*c , 1]}\n- *e\n- {command: *c , x: *l , *c : *c }\n- *c\n"
    assert [shown(entry) for entry in entries(text)] == [
        {"heads": ["a"], "x": ["a", "1"]},
        {"heads": ["a"], "x": ["a", "1"]},
        {"heads": ["a"], "x": ["a", "1"], "a": ["a"]},
        {"heads": ["a"]},
    ]


def test_an_alias_of_a_list_is_no_entry_and_no_value_in_a_list() -> None:
    text = "- {command: a, x: &l [1]}\n"
    assert "a list inside" in failure(text + "- *l\n").problem
    assert "nested" in failure(text + "- {command: a, x: [*l ]}\n").problem
    assert "nested" in failure("- &e {command: a}\n- {command: b, x: *e }\n").problem


def test_texts_know_their_places_and_spelling() -> None:
    first, second = entries(
        "\ufeff# é\r\n- 'a b'\r\n- x: &n [\"y\"]\r\n  command: |\r\n    z\r\n\r\n"
    )
    (quoted,) = first.heads
    assert (str(quoted.place), quoted.raw) == ("f.yaml:2:3", "'a b'")
    assert (str(second.params["x"][0].place), second.params["x"][0].raw) == ("f.yaml:3:10", '"y"')
    assert (str(second.heads[0].place), second.heads[0].raw) == ("f.yaml:4:12", "|\r\n    z")
    assert str(second.heads[0].locate(1, 1)) == "f.yaml:5:5"
    assert str(second.place) == "f.yaml:3:3"


def test_lines_are_counted_as_editors_do() -> None:
    entry = entries("- 'a\u2028b\x85c'\n- command: d\n")[1]
    assert str(entry.heads[0].place) == "f.yaml:2:12"


def test_parameters_below_a_command_belong_to_it() -> None:
    (entry,) = entries("- run {{ x }}\n\n# c\n- x: [1, 2]\n- y: 3\n  z: [4, 5]\n")
    assert shown(entry) == {"heads": ["run {{ x }}"], "x": ["1", "2"], "y": ["3"], "z": ["4", "5"]}


def test_parameters_that_no_command_uses_belong_to_it_when_they_are_a_list() -> None:
    (entry,) = entries("- run\n- x: [1, 2]\n")
    assert entry.size == 2


@pytest.mark.parametrize("key", ["comand", "Command", "commands", "commnad"])
def test_a_slip_in_the_key_loses_no_command(key: str) -> None:
    error = failure(f"- command: a\n- {key}: b\n")
    assert str(error).startswith(f"f.yaml:2:3: `{key}` would be a parameter of the entry above")
    assert "did you mean `command`?" in str(error)


def test_parameters_below_a_host_do_not_belong_to_it() -> None:
    assert str(failure("- h\n- x: [1]\n", HOSTS)).startswith("f.yaml:2:3: there is no `hostname`")


@pytest.mark.parametrize("text", ['- curl -H "A: b" u\n', '- echo "a": [b, c]\n'])
def test_a_command_that_yaml_takes_for_a_mapping_is_not_swallowed(text: str) -> None:
    assert failure(f"- first {{{{ y }}}}\n{text}").place is not None


def test_a_parameter_may_not_come_twice_over_both() -> None:
    error = failure("- {command: 'a {{x}}', x: 1}\n- x: [2]\n")
    assert str(error).startswith("f.yaml:2:3: `x` has values in the entry above already")


def test_a_product_over_the_limit_is_refused_when_it_comes_from_below() -> None:
    many = ", ".join("1" * 1000)
    error = failure(f"- {{command: 'a', x: [{many}]}}\n- y: [{many}]\n")
    assert str(error).startswith("f.yaml:1:3: this makes 1,000,000 jobs; 100,000 are the most")


def test_a_product_of_astronomic_size_is_refused() -> None:
    rows = "".join(f"  x{n}: [{', '.join('1' * 100)}]\n" for n in range(4000))
    assert "over 10^18" in failure(f"- command: a\n{rows}").problem


def test_the_head_is_read_without_the_rest() -> None:
    found = read(
        Source(b"- a\n- b\n" + b"- c\n" * 100_000 + b"- [wrong]", "f", QueueFileError), QUEUE
    )
    assert isinstance(found, Iterator)
    assert [str(next(found).heads[0]) for _ in range(2)] == ["a", "b"]


def test_the_examples_of_the_original_mean_what_they_did() -> None:
    quiz = (
        "- echo hi from {{ hostname }}\n"
        "- command:\n"
        "    - for i in $(seq {{ low }} {{ high }}); do echo $i; sleep {{ laziness }}; done\n"
        "    - echo bye from {{ hostname }}\n"
        "  low:\n    - 1\n    - 2\n  high:\n    - 3\n    - 4\n"
    )
    assert sum(entry.size for entry in entries(quiz)) == 1 + 2 * 2 * 2
    replace = (
        "- command:\n"
        "  - python main.py --model-path {{ model }} "
        '--output-path {{ replace model "/" "--" }}.json\n'
        "- model:\n  - facebook/opt-13b\n  - facebook/opt-30b\n  - facebook/opt-66b\n"
    )
    (entry,) = entries(replace)
    assert [dict(params)["model"] for _, params in entry.expand()] == [
        "facebook/opt-13b",
        "facebook/opt-30b",
        "facebook/opt-66b",
    ]


class CountingText(str):
    """A text that counts how much of it is searched for line ends."""

    searched = 0

    def count(self, *args: Any) -> int:
        CountingText.searched += abs(args[2] - args[1])
        return super().count(*args)


def test_places_cost_no_more_in_a_long_file() -> None:
    text = "- command: &c a\n  x: [1, *c ]\n  options: {retries: 2}\n- b\n" * 300
    source = Source(text.encode(), "f", QueueFileError)
    source.text = CountingText(text)
    CountingText.searched = 0
    found = [*read(source, QUEUE)]
    assert str(found[-1].place) == "f:1200:3"
    assert str(found[-2].params["x"][0].place) == "f:1198:7"
    assert CountingText.searched < 4 * len(text)
