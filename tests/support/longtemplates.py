"""Templates of any length, of kinds that are slow where one reads them without care.

`SHAPES` has functions of a length in characters; `MANY_TAGS` of a number of tags.
"""

from __future__ import annotations

from collections.abc import Callable

#: What the templates need.
PARAMS = {"x": "v", "l": ["a", "b"]}

Shape = Callable[[int], str]


def repeated(unit: str, before: str = "", after: str = "") -> Shape:
    """Return a function that repeats `unit` until the length is reached."""
    return lambda length: before + unit * (length // len(unit)) + after


SHAPES: dict[str, Shape] = {
    "spaces": repeated(" ", after="{{trim x}}"),
    "spaces beside tildes": lambda length: " " * length + "{{~trim x~}}" + " " * length,
    "spaces in a block": repeated(" ", "{{#if x}}", "{{/if}}"),
    "spaces in a tag": repeated(" ", "{{", "trim x}}"),
    "spaces in an open tag": repeated(" ", "{{"),
    "spaces in an open tag behind a name": lambda length: "{{x" + " " * length + "}",
    "spaces on both sides in an open tag": lambda n: "{{" + " " * n + "x" + " " * n + "}",
    "spaces behind #": repeated(" ", "{{#"),
    "spaces behind ^": repeated(" ", "{{^"),
    "spaces behind ~": repeated(" ", "{{~"),
    "spaces behind &": repeated(" ", "{{&"),
    "spaces behind else": repeated(" ", "{{#if x}}{{else"),
    "spaces behind as": repeated(" ", "{{#each l as", "}}{{/each}}"),
    "spaces behind as |": repeated(" ", "{{#each l as |", "}}{{/each}}"),
    "spaces behind four braces": repeated(" ", "{{{{"),
    "spaces in a raw block's end": repeated(" ", "{{{{raw}}}}{{{{"),
    "spaces in raw blocks' ends": repeated("{{{{" + " " * 100, "{{{{raw}}}}"),
    "spaces between arguments": repeated(" ", "{{first_non_empty x", "x}}"),
    "spaces in tags that don't end": repeated("{{" + " " * 100),
    "lines": repeated("\n", after="{{! c }}"),
    "lines of blanks": repeated(" \t\n", "{{! c }}", "{{! c }}"),
    "lines of Windows": repeated("\r\n", "{{! c }}", "{{! c }}"),
    "lines in front of a mistake": repeated("\n", after="{{nosuch x}}"),
    "lines of text": repeated("a b\n", after="{{trim x}}"),
    "single braces": repeated("{ ", after="{{trim x}}"),
    "closing braces": repeated("}", "{{trim x}}"),
    "braces": repeated("{"),
    "pairs of braces": repeated("{{ "),
    "threes of braces": repeated("{{{ "),
    "fours of braces": repeated("{{{{ "),
    "raw blocks that don't end": repeated("{{{{raw}}}}"),
    "braces in a raw block": repeated("{{{{ ", "{{{{raw}}}}", "{{{{/raw}}}}"),
    "braces in a raw block that doesn't end": repeated("{", "{{{{raw}}}}"),
    "backslashes": repeated("\\", after="{{trim x}}"),
    "backslashes in a string": repeated("\\\\", '{{trim "', '"}}'),
    "escapes in a string": repeated("\\n", "{{trim '", "'}}"),
    "a string that doesn't end": repeated("\\n", '{{trim "'),
    "quotes": repeated('"', "{{trim "),
    "quotes of both kinds": repeated("'\"", "{{trim "),
    "a long name": repeated("a", "{{", "}}"),
    "a long name that doesn't end": repeated("a", "{{", "}"),
    "a long name in letters beyond ASCII": repeated("é", "{{", "}}"),
    "a long name in brackets": repeated("a", "{{[", "]}}"),
    "a name in brackets that doesn't end": repeated("a", "{{["),
    "brackets": repeated("[", "{{"),
    "brackets that end": repeated("[]", "{{", "}}"),
    "names in names": repeated("a.", "{{", "a}}"),
    "names in names that don't end": repeated("a.", "{{"),
    "names in brackets in names": repeated("[a].", "{{", "a}}"),
    "steps up": repeated("../", "{{", "x}}"),
    "dots": repeated(".", "{{", "}}"),
    "digits": repeated("1", "{{trim ", "}}"),
    "digits behind a point": repeated("1", "{{trim 1.", "}}"),
    "digits of an exponent": repeated("1", "{{trim 1e", "}}"),
    "parentheses": repeated("(", "{{"),
    "parentheses with names": repeated("(trim ", "{{trim "),
    "objects in objects": repeated('{"a":', "{{trim "),
    "lists in an object": repeated("[", '{{trim {"a":'),
    "a long list": repeated("1,", '{{len {"a":[', "1]}}}"),
    "comments that don't end": repeated("{{!-- "),
    "a long comment": repeated("{{!-- ", after="--}}"),
    "dashes in a comment": repeated("-", "{{!", "}}"),
    "ends in a comment": repeated("--} }", "{{!--", "--}}"),
    "names of a block's values": repeated("a ", "{{#each l as |", "|}}{{/each}}"),
    "names of values that don't end": repeated("a ", "{{#each l as |", "}}{{/each}}"),
    "names of values again and again": repeated("as |", "{{#each l ", "}}{{/each}}"),
}

MANY_TAGS: dict[str, Shape] = {
    "names": lambda tags: "{{x}} " * tags + "{{{x}}}",
    "names and a mistake": lambda tags: "{{x}} " * tags + "{{ ",
    "helpers": lambda tags: "{{trim x}} " * tags,
    "arguments": lambda tags: "{{first_non_empty " + "x " * tags + "}}",
    "strings": lambda tags: "{{first_non_empty " + '"a" ' * tags + "}}",
    "calls as arguments": lambda tags: "{{first_non_empty " + "(trim x) " * tags + "}}",
    "arguments with keys": lambda n: "{{log x " + " ".join(f"k{i}=x" for i in range(n)) + "}}",
    "blocks": lambda tags: "{{#if x}}a{{/if}}\n" * tags,
    "blocks on lines": lambda tags: "{{#each l}}\n a {{this}}\n{{/each}}\n" * tags,
    "blocks that don't end": lambda tags: "{{#if x}}" * tags,
    "else": lambda tags: "{{#if x}}" + "{{else}}" * tags,
    "else if": lambda tags: "{{#if x}}" + "{{else if x}}" * tags + "{{/if}}",
    "ends": lambda tags: "{{/if}}" * tags,
    "comments": lambda tags: "{{! c }} " * tags,
    "comments on lines": lambda tags: "{{!-- c --}} \n" * tags,
    "raw blocks": lambda tags: "{{{{raw}}}}{{x}}{{{{/raw}}}}" * tags,
    "escaped braces": lambda tags: r"\{{" * tags,
    "backslashes": lambda tags: r"\\\{{x}}" * tags,
    "tildes": lambda tags: ("{{~x~}}" + " " * 200) * tags,
}
