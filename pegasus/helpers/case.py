"""Helpers for case and number: `Hello foo-bars` as `hello_foo_bars`, `HelloFooBars`, `bar`.

`inflection` splits words at capitals; everything but letters and digits separates them too.
"""

from __future__ import annotations

import re

from pegasus.helpers.arguments import of_text


@of_text
def to_lower_case(text: str) -> str:
    """`Hello foo-bars` → `hello foo-bars`"""
    return text.lower()


@of_text
def to_upper_case(text: str) -> str:
    """`Hello foo-bars` → `HELLO FOO-BARS`"""
    return text.upper()


# Capitals behind a digit belong to it, as in `8B`, unless they begin a word, as in `8Bit`.
_UNIT = re.compile(r"(?<=[0-9])[A-Z]+(?![a-z])")


def _words(text: str) -> list[str]:
    import inflection

    joined = _UNIT.sub(lambda found: found.group().lower(), text)
    return [each for each in re.split(r"[\W_]+", inflection.underscore(joined)) if each]


def _capitalized(word: str) -> str:
    return word[:1].upper() + word[1:]


@of_text
def to_snake_case(text: str) -> str:
    """`Hello foo-bars` → `hello_foo_bars`"""
    return "_".join(_words(text))


@of_text
def to_screaming_snake_case(text: str) -> str:
    """`Hello foo-bars` → `HELLO_FOO_BARS`"""
    return "_".join(_words(text)).upper()


@of_text
def to_kebab_case(text: str) -> str:
    """`Hello foo-bars` → `hello-foo-bars`"""
    return "-".join(_words(text))


@of_text
def to_train_case(text: str) -> str:
    """`Hello foo-bars` → `Hello-Foo-Bars`"""
    return "-".join(map(_capitalized, _words(text)))


@of_text
def to_title_case(text: str) -> str:
    """`Hello foo-bars` → `Hello Foo Bars`"""
    return " ".join(map(_capitalized, _words(text)))


@of_text
def to_sentence_case(text: str) -> str:
    """`Hello foo-bars` → `Hello foo bars`"""
    return _capitalized(" ".join(_words(text)))


@of_text
def to_pascal_case(text: str) -> str:
    """`Hello foo-bars` → `HelloFooBars`"""
    return "".join(map(_capitalized, _words(text)))


@of_text
def to_camel_case(text: str) -> str:
    """`Hello foo-bars` → `helloFooBars`"""
    words = _words(text)
    return "".join([*words[:1], *map(_capitalized, words[1:])])


@of_text
def to_class_case(text: str) -> str:
    """`Hello foo-bars` → `HelloFooBar`"""
    import inflection

    words = _words(text)
    last = [inflection.singularize(each) for each in words[-1:]]
    return "".join(map(_capitalized, [*words[:-1], *last]))


@of_text
def to_table_case(text: str) -> str:
    """`Hello foo-bar` → `hello_foo_bars`"""
    import inflection

    words = _words(text)
    return "_".join([*words[:-1], *(inflection.pluralize(each) for each in words[-1:])])


def _last_word(text: str) -> str:
    words = re.findall(r"\w+", text)
    return words[-1] if words else ""


@of_text
def to_plural(text: str) -> str:
    """`Hello foo-bars` → `bars`, `mouse` → `mice`, `my-node` → `my-nodes`

    As in pegasus 1.4, text gets an `s`; but where the last word has another plural, or is one,
    the result is that word alone.
    """
    import inflection

    word = _last_word(text)
    plural: str = inflection.pluralize(word)
    return f"{text}s" if text and plural == f"{word}s" else plural


@of_text
def to_singular(text: str) -> str:
    """`Hello foo-bars` → `bar`, `mice` → `mouse`, `my-node` → `my-node`

    As in pegasus 1.4, where the last word has another singular, the result is that word alone.
    """
    import inflection

    word = _last_word(text)
    singular: str = inflection.singularize(word)
    return text if singular == word else singular
