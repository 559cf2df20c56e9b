"""YAML as its version 1.2 has it, on PyYAML: `yes` and `032` are texts, `1e3` is a number.

That is what pegasus 1.4 reads and writes. Of YAML 1.1, PyYAML's own, `<<` is left out too.
"""

from __future__ import annotations

import re
from typing import Any

import yaml
from yaml.constructor import ConstructorError

from pegasus.handlebars import runtime

_PREFIX = "tag:yaml.org,2002:"
_BOOL = re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z")
_NULL = re.compile(r"(?:~|null|Null|NULL|)\Z")
_INT = re.compile(r"[+-]?(?:0|[1-9][0-9]*|0x[0-9a-fA-F]+|0o[0-7]+|0b[01]+)\Z")
_FLOAT = re.compile(
    r"[+-]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][+-]?[0-9]+)?\Z"
    r"|[+-]?\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z"
)
_OTHER_BREAKS = re.compile("[\x85\u2028\u2029]")
_RESOLVERS = [
    (f"{_PREFIX}bool", _BOOL),
    (f"{_PREFIX}null", _NULL),
    (f"{_PREFIX}int", _INT),
    (f"{_PREFIX}float", _FLOAT),
]


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers = {None: _RESOLVERS}  # noqa: RUF012 - PyYAML's way

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """Return an object; keys are text, so that 1 and true are two."""
        return {
            _key(self.construct_object(key, deep=True)): self.construct_object(value, deep=True)
            for key, value in node.value
        }


class _Dumper(yaml.SafeDumper):
    yaml_implicit_resolvers = {None: _RESOLVERS}  # noqa: RUF012 - PyYAML's way

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def check_simple_key(self) -> bool:
        """Whether a key may stand on the line of its value: "" may, too."""
        is_simple: bool = super().check_simple_key()
        return is_simple or getattr(self.event, "value", None) == ""


def read(text: str) -> object:
    """Return the value of a YAML document.

    Raises:
        ValueError: it isn't one.
    """
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise ValueError(f"the text is not YAML: {error.problem}{place}") from None
    except yaml.YAMLError as error:
        raise ValueError(f"the text is not YAML: {str(error).splitlines()[0]}") from None


def write(value: object) -> str:
    """Return a value as YAML, of as many lines as it needs, however long."""
    text: str = yaml.dump(
        value,
        Dumper=_Dumper,
        allow_unicode=True,
        default_flow_style=False,
        sort_keys=True,
        width=float("inf"),
    )
    return text.removesuffix("...\n")


def _construct_int(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    written = loader.construct_scalar(node)
    return int(written, 0) if _INT.match(written) else _wrong(node, "a whole number")


def _construct_float(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> float:
    written = loader.construct_scalar(node)
    return (
        float(re.sub(r"\.(?=[iIn])", "", written))
        if _FLOAT.match(written)
        else _wrong(node, "a number")
    )


def _construct_text(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> str:
    text: str = loader.construct_scalar(node)
    return text


def _key(key: object) -> str:
    return "null" if key is None else runtime.text(key)


def _wrong(node: yaml.ScalarNode, wanted: str) -> Any:
    raise ConstructorError(None, None, f"{node.value!r} is not {wanted}", node.start_mark)


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    if _OTHER_BREAKS.search(text):  # PyYAML would fold them
        style = '"'
    return dumper.represent_scalar(f"{_PREFIX}str", text, style)


def _represent_float(dumper: yaml.SafeDumper, number: float) -> yaml.ScalarNode:
    return dumper.represent_scalar(f"{_PREFIX}float", runtime.text(number))


_Loader.add_constructor(f"{_PREFIX}int", _construct_int)
_Loader.add_constructor(f"{_PREFIX}float", _construct_float)
_Loader.add_constructor(f"{_PREFIX}binary", _construct_text)
_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(float, _represent_float)
