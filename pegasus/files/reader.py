"""Reads YAML as hosts.yaml and queue.yaml use it: a list of texts and of mappings, flat ones but
for what is in `options`.

Items are read one by one from the parser's events, so that the head of a long file costs no more
than that of a short one. Scalars keep the text that was written (`032`, `1e-3`, `yes`, `~`):
nothing is taken for a number or a date. The parser is libyaml's where PyYAML has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from pegasus.errors import PlacedError
from pegasus.files.source import BREAKS, GAP, Source
from pegasus.files.tree import OPTIONS, Alias, Field, Fields, Item, Layout, Span, Texts, Value
from pegasus.model import Text

#: What reads YAML; both give the same events and marks.
LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)

_GAP = re.compile(GAP)
_PROPERTIES = re.compile(rf"(?:(?:!<[^>]*>|[&!][^ \t{BREAKS},\[\]{{}}]*){GAP})+")
_KEEPS_BLANKS = re.compile(r"[|>]\d?\+")
_LAST_BREAK = re.compile(rf"(?:\r\n|[{BREAKS}])\Z")
_NOT_TEXT = re.compile("[\0\ud800-\udfff]")
#: YAML takes no more than 1,024 characters, escapes counted, for a key.
_LONGEST_KEY = 100
_NESTED_LIST = "a list inside the list; an entry is a text or a mapping"
_NESTED_VALUE = "is nested too deep; a value is a text or a list of texts"
_STANDARD_TAG = "tag:yaml.org,2002:"


class Reader:
    """Reads the items of a YAML text, as far as it is asked to.

    Attributes:
        source: what is read.
        layout: how the list is written.
        aliases: those met so far.
    """

    def __init__(self, source: Source) -> None:
        self.layout = Layout()
        self.aliases: list[Alias] = []
        self.source = source
        self._text = source.text
        self._loader: Any = None
        self._anchors: dict[str, tuple[int, Value]] = {}
        self._unfinished: set[str] = set()
        self._leaves: list[Span] = []
        self._has_anchor = False
        self._end = 0

    def __iter__(self) -> Iterator[Item]:
        """Yield the items.

        Raises:
            PlacedError: of the kind that the source names: this is no YAML, or not a list of
                texts and flat mappings.
        """
        self._next()  # The stream's start.
        if isinstance(self._next(), yaml.StreamEndEvent):
            return
        root = self._next()
        if isinstance(root, yaml.SequenceStartEvent):
            yield from self._items(root)
        elif not isinstance(root, yaml.ScalarEvent) or root.value or root.style:
            raise self._failure("this is not a list; begin each entry with `- `", root)
        self._finish()

    def _finish(self) -> None:
        end = self._next()
        if end.explicit:
            self.layout.document_end = Span(_start(end), _stop(end))
        after = self._next()
        if not isinstance(after, yaml.StreamEndEvent):
            raise self._failure("a second document begins here; a file holds one list", after)

    def _items(self, root: Any) -> Iterator[Item]:
        self._note(root)
        self._end = self._begin(root)
        self.layout.is_flow = bool(root.flow_style)
        if root.flow_style:
            self.layout.brackets = (self._end,)
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            yield self._item(event)
        if root.flow_style:
            self.layout.brackets += (_start(event),)

    def _item(self, event: Any) -> Item:
        self._leaves, self._has_anchor = [], False
        dash = _GAP.match(self._text, self._end)
        assert dash is not None  # It matches nothing, too.  # noqa: S101
        start = _start(event) if self.layout.is_flow else dash.end()
        begin = self._begin(event)
        content = self._content(event)
        span = Span(start, self._end)
        return Item(span, self.source.place(begin), content, tuple(self._leaves), self._has_anchor)

    def _content(self, event: Any) -> Text | Fields:
        if isinstance(event, yaml.SequenceStartEvent):
            raise self._failure(_NESTED_LIST, event)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(event)
        value = self._scalar(event)
        if isinstance(value, Text) or isinstance(value[0], Field):
            return value
        raise self._failure(_NESTED_LIST, event)

    def _mapping(self, event: Any, owner: Text | None = None, depth: int = 0) -> Fields:
        """Return an item that is a mapping or, from depth 1 on, the one that a key has as value."""
        self._note(event)
        fields: dict[str, Field] = {}
        while not isinstance(key := self._next(), yaml.MappingEndEvent):
            name = self._key(key)
            if name.value in fields:
                problem = f"`{name}` stands here twice; YAML would drop one in silence"
                raise self._failure(problem, key)
            fields[name.value] = Field(name, self._value(self._next(), name, depth))
        if event.flow_style:
            self._end = max(self._end, _stop(key))
        if not fields:
            problem = "an empty entry; fill it in or remove it"
            if owner:
                problem = f"`{owner}` is an empty mapping; give it a value or remove it"
            raise self._failure(problem, event)
        self._define(event, tuple(fields.values()))
        return tuple(fields.values())

    def _key(self, event: Any) -> Text:
        name = self._scalar(event) if isinstance(event, (yaml.ScalarEvent, yaml.AliasEvent)) else ()
        if not isinstance(name, Text) or not name.value:
            raise self._failure("a key must be a text", event)
        if len(name.value) > _LONGEST_KEY or "\n" in name.value:
            raise self._failure("a key must be a short text on one line", event)
        if name.raw == "<<":
            problem = "merge keys (`<<`) are not supported; write the parameters out"
            raise self._failure(problem, event)
        return name

    def _value(self, event: Any, name: Text, depth: int) -> Value:
        if isinstance(event, yaml.SequenceStartEvent):
            return self._list(event, name)
        may_be_mapping = depth == 1 or (depth == 0 and name.value == OPTIONS)
        if isinstance(event, yaml.MappingStartEvent):
            if may_be_mapping:
                return self._mapping(event, name, depth + 1)
            raise self._failure(f"`{name}` {_NESTED_VALUE}", event)
        value = self._scalar(event)
        if isinstance(value, Text):
            return self._filled(value, name, event)
        if isinstance(value[0], Field) and not may_be_mapping:
            raise self._failure(f"`{name}` {_NESTED_VALUE}", event)
        return value

    def _list(self, event: Any, name: Text) -> Texts:
        self._note(event)
        texts: list[Text] = []
        while not isinstance(item := self._next(), yaml.SequenceEndEvent):
            value = None
            if isinstance(item, (yaml.ScalarEvent, yaml.AliasEvent)):
                value = self._scalar(item)
            if not isinstance(value, Text):
                raise self._failure(f"`{name}` {_NESTED_VALUE}", item)
            texts.append(self._filled(value, name, item))
        if event.flow_style:
            self._end = _stop(item)
        if not texts:
            raise self._failure(f"`{name}` is an empty list; give it a value or remove it", event)
        self._define(event, tuple(texts))
        return tuple(texts)

    def _filled(self, text: Text, name: Text, event: Any) -> Text:
        if text.raw:
            return text
        raise self._failure(f"`{name}` has no value here; write '' for an empty text", event)

    def _scalar(self, event: Any) -> Value:
        """Return the text of a scalar, or what an alias stands for."""
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        # A list may be very long, and mostly has nothing but plain texts.
        is_plain = not (event.style or event.anchor or event.tag)
        return self._plain(event) if is_plain else self._other_text(event)

    def _plain(self, event: Any) -> Text:
        """Return a scalar that is not quoted and has neither anchor nor tag."""
        start, end = event.start_mark.index, event.end_mark.index
        self._leaf(start, end)
        return Text(event.value, self.source.place(start), self._text[start:end])

    def _other_text(self, event: Any) -> Text:
        """Return any scalar."""
        self._note(event)
        start, end = self._begin(event), _stop(event)
        raw = self._text[start:end]
        if event.style in ("|", ">"):
            # The parser counts the blank lines that follow; they belong to it only where kept.
            raw = (
                _LAST_BREAK.sub("", raw) if _KEEPS_BLANKS.match(raw) else raw.rstrip(" \t" + BREAKS)
            )
        if event.style == '"' and _NOT_TEXT.search(event.value):
            raise self._failure("NUL and lone surrogates can't be part of a text", event)
        self._leaf(start, start + len(raw))
        text = Text(event.value, self.source.place(start), raw)
        self._define(event, text)
        return text

    def _alias(self, event: Any) -> Value:
        self.layout.is_plain = False
        name = event.anchor
        if name in self._unfinished:
            raise self._failure(f"the alias *{name} stands inside of what it stands for", event)
        if name not in self._anchors:
            problem = f"there is no anchor &{name} above; put the text in quotes if it is none"
            raise self._failure(problem, event)
        source, value = self._anchors[name]
        span = Span(_start(event), _stop(event))
        self._leaf(*span)
        self.aliases.append(Alias(span, source, value))
        return value

    def _leaf(self, start: int, end: int) -> None:
        self._leaves.append(Span(start, end))
        self._end = end

    def _note(self, event: Any) -> None:
        """Look at a node's anchor and tag."""
        if event.anchor:
            self._unfinished.add(event.anchor)
            self._has_anchor = True
        if event.tag and event.tag != "!" and not event.tag.startswith(_STANDARD_TAG):
            problem = f"{event.tag} is a tag to YAML; put the text in quotes if it is none"
            raise self._failure(problem, event)
        if event.anchor or event.tag:
            self.layout.is_plain = False

    def _define(self, event: Any, value: Value) -> None:
        if not event.anchor:
            return
        self._unfinished.discard(event.anchor)
        known = self._anchors.get(event.anchor)
        if not known or known[0] < _start(event):  # Else it was set again inside of this node.
            self._anchors[event.anchor] = (_start(event), value)

    def _begin(self, event: Any) -> int:
        """Return where a node begins, behind its anchor and tag."""
        start = _start(event)
        if getattr(event, "tag", None) or (event.anchor and not isinstance(event, yaml.AliasEvent)):
            found = _PROPERTIES.match(self._text, start)
            return found.end() if found else start
        return start

    def _failure(self, problem: str, event: Any) -> PlacedError:
        at = _start(event)
        if "{{" in self._text[max(at - 1, 0) : at + 2]:
            problem = "a text that begins with `{{` needs quotes"
        return self.source.failure(problem, at)

    def _next(self) -> Any:
        try:
            self._loader = self._loader or LOADER(self.source.stream())
            return self._loader.get_event()
        except yaml.reader.ReaderError as error:
            raise self.source.not_printable() or self.source.failure(str(error), 0) from None
        except yaml.MarkedYAMLError as error:
            raise self._not_yaml(error) from None
        except (
            ValueError,
            OverflowError,
        ):  # From the pure parser, of an escape such as \UFFFFFFFF.
            problem = "this is not YAML: an escape that stands for no character"
            raise self.source.failure(problem, self._end) from None

    def _not_yaml(self, error: yaml.MarkedYAMLError) -> PlacedError:
        mark = error.problem_mark or error.context_mark
        if error.context_mark and mark and not self._text[mark.index :].strip():
            mark = error.context_mark  # Something is never closed: say where it was opened.
        at = mark.index if mark else 0
        line = self._text[self._text.rfind("\n", 0, at) + 1 : at + 1]
        if "\t" in line and not line.strip(" \t-"):
            return self.source.failure("a tab; YAML is indented with spaces only", at)
        if "<document start>" in (error.problem or ""):
            return self.source.failure("the list has ended above; a file holds one list", at)
        problem = ", ".join(part for part in (error.context, error.problem) if part)
        hint = "a text with `: ` or ` #` in it, or a special character in front, needs quotes"
        return self.source.failure(f"this is not YAML: {problem} ({hint})", at)


def _start(event: Any) -> int:
    return int(event.start_mark.index)


def _stop(event: Any) -> int:
    return int(event.end_mark.index)
