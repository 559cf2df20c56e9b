"""Jobs in canonical form: what stands in consumed.yaml, and where a grid has been taken apart.

::

    - command:
      - python train.py --bs {{ bs }}
      bs:
      - '8'
      slots:
      - 2
      options:
        timeout: 2h

The command and each parameter have a list of one element and lines are never folded, so that
`tail -n 2 consumed.yaml` is the last job again, if that has nothing but a command of one line.
What a reader of YAML 1.1 or 1.2 might take for anything but a text is quoted: pegasus 1.4 reads
lists of strings and nothing else. Only the number of slots is one. An entry that is added may have
several values to a parameter, and is its command alone where there is nothing else to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import product

import yaml

from pegasus.errors import QueueFileError
from pegasus.files.tree import OPTIONS, SLOTS
from pegasus.model import Job, Written

#: The values of each parameter.
Grid = Sequence[tuple[str, Sequence[str]]]

#: Begins like a word or a path, and has nothing in it that means something to YAML; or a duration.
_PLAIN = re.compile(r"(?!.*(?:: | #|[: ]\Z))(?:\./|[A-Za-z_/])[\x20-\x7e]*|[0-9]+[smhdw]")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
#: Words that some reader takes for a truth value or nothing, or for a number.
_WORDS = re.compile("true|false|yes|no|on|off|y|n|null|nan|inf|infinity", re.IGNORECASE)
_PRINTABLE = "\x21-\x7e\xa1-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff"
_ONE_LINE = re.compile(f"[ \xa0{_PRINTABLE}]*")
#: A line of a literal block; space at its end could be neither seen nor kept by an editor.
_BLOCK_LINE = re.compile(f"(?:[ \t\xa0{_PRINTABLE}]*[{_PRINTABLE}])?")


def scalar(text: str) -> str:
    """Return a text on one line, quoted where it must be."""
    if _PLAIN.fullmatch(text) and not _WORDS.fullmatch(text):
        return text
    return quoted(text)


def key(name: str) -> str:
    """Return the name of a parameter, quoted where it must be, in brackets too."""
    return scalar(name) if _NAME.fullmatch(name) else quoted(name)


def quoted(text: str) -> str:
    """Return a text on one line, in quotes.

    Raises:
        QueueFileError: it is no Unicode text.
    """
    if _ONE_LINE.fullmatch(text):
        return "'" + text.replace("'", "''") + "'"
    try:
        text.encode()
    except UnicodeEncodeError:
        raise QueueFileError(f"{text!a} can't be written as UTF-8") from None
    written: str = yaml.dump(
        text, Dumper=yaml.SafeDumper, default_style='"', width=float("inf"), allow_unicode=True
    )
    return written.removesuffix("\n")


def flow(job: Job) -> str:
    """Return a job in canonical form on one line, as an entry of a list in brackets."""
    params = [(name, (text,)) for name, text in job.params]
    return _flow(job.template, params, job.slots, job.options.written)


def flow_entry(command: str, params: Grid, slots: int | None = None, options: Written = ()) -> str:
    """Return an entry on one line, for a list in brackets; see `Writer.entry`."""
    is_alone = not params and slots is None and not options
    return quoted(command) if is_alone else _flow(command, params, slots, options)


def flow_jobs(
    commands: Sequence[str], params: Grid, slots: int | None = None, options: Written = ()
) -> Iterator[str]:
    """Yield the jobs of a grid, each as `flow` returns it; see `Writer.jobs`."""
    rest = _flow_rest(slots, options)
    fields = [
        [_flow_field(name, text) for text in texts]
        for name, texts in (("command", commands), *params)
    ]
    for chosen in product(*fields):
        yield "{" + ", ".join([*chosen, *rest]) + "}"


def _flow(command: str, params: Grid, slots: int | None, options: Written) -> str:
    fields = (("command", (command,)), *params)
    written = [_flow_field(name, *texts) for name, texts in fields]
    return "{" + ", ".join([*written, *_flow_rest(slots, options)]) + "}"


def _flow_field(name: str, *texts: str) -> str:
    return f"{key(name)}: [{', '.join(map(quoted, texts))}]"


def _flow_rest(slots: int | None, options: Written) -> list[str]:
    """Return what comes behind the parameters."""
    written = [] if slots is None else [f"{SLOTS}: [{slots}]"]
    return written + ([f"{OPTIONS}: {_flow_options(options)}"] if options else [])


def _flow_options(options: Written) -> str:
    inner = (
        f"{key(name)}: {quoted(value) if isinstance(value, str) else _flow_options(value)}"
        for name, value in options
    )
    return "{" + ", ".join(inner) + "}"


class Writer:
    """Writes jobs in canonical form, fast where they have texts in common.

    Args:
        indent: the column of the dashes.
        newline: what ends a line.
        literal: whether commands of several lines are written as such, or else in quotes.
    """

    def __init__(self, indent: int = 0, newline: str = "\n", literal: bool = True) -> None:
        self._margin = " " * indent
        self._newline = newline
        self._literal = literal
        self._written: dict[tuple[str, str], str] = {}
        self._options_written: dict[Written, str] = {}

    def entries(self, jobs: Iterable[Job]) -> list[str]:
        """Return each job as an entry of a queue file, with the newline at its end."""
        return [self.job(job) for job in jobs]

    def entry(
        self, command: str, params: Grid, slots: int | None = None, options: Written = ()
    ) -> str:
        """Return an entry: a command alone, or with what else there is to say."""
        if not params and slots is None and not options:
            value = self._value(command, self._margin + "  ")
            return f"{self._margin}- {value}{self._newline}"
        fields = (("command", (command,)), *params)
        text = "".join(self._field(name, *texts) for name, texts in fields)
        return self._dashed(text + self._rest(slots, options))

    def jobs(
        self, commands: Sequence[str], params: Grid, slots: int | None = None, options: Written = ()
    ) -> Iterator[str]:
        """Yield the jobs of a grid, each as `job` returns it, in the order of `grid.expand`.

        There may be very many: each text is written once, and no Job is made.
        """
        rest = self._rest(slots, options)
        first = [self._dashed(field) for field in self._fields("command", commands)]
        others = [self._fields(name, texts) for name, texts in params]
        for fields in product(first, *others):
            yield "".join(fields) + rest

    def _dashed(self, fields: str) -> str:
        """Return fields as an entry, with a dash in place of the first one's margin."""
        return f"{self._margin}- {fields[len(self._margin) + 2 :]}"

    def job(self, job: Job) -> str:
        """Return a job as such an entry."""
        fields = (("command", job.template), *job.params)
        text = "".join([self._written.get(field) or self._noted(field) for field in fields])
        return self._dashed(text + self._rest(job.slots, job.options.written))

    def _noted(self, field: tuple[str, str]) -> str:
        """Return a field, and keep it for the jobs that have the same."""
        written = self._written[field] = self._field(*field)
        return written

    def _field(self, name: str, *texts: str) -> str:
        margin = self._margin + "  "
        lines = [f"{margin}- {self._value(text, margin + '  ')}" for text in texts]
        return self._newline.join([f"{margin}{key(name)}:", *lines, ""])

    def _fields(self, name: str, texts: Sequence[str]) -> list[str]:
        """Return a field for each text."""
        margin, end = self._margin + "  ", self._newline
        above, deeper = f"{margin}{key(name)}:{end}{margin}- ", margin + "  "
        return [above + self._value(text, deeper) + end for text in texts]

    def _rest(self, slots: int | None, options: Written) -> str:
        """Return what stands below the parameters."""
        text = ""
        if slots is not None:
            text = (
                f"{self._margin}  {SLOTS}:{self._newline}{self._margin}  - {slots}{self._newline}"
            )
        if options:
            text += self._options_written.get(options) or self._options(options)
        return text

    def _options(self, options: Written) -> str:
        lines = [f"{self._margin}  {OPTIONS}:", *self._lines(options, self._margin + "    "), ""]
        written = self._options_written[options] = self._newline.join(lines)
        return written

    def _lines(self, options: Written, margin: str) -> Iterator[str]:
        for name, value in options:
            if isinstance(value, str):
                yield f"{margin}{key(name)}: {self._value(value, margin + '  ')}"
            else:
                yield f"{margin}{key(name)}:"
                yield from self._lines(value, margin + "  ")

    def _value(self, text: str, margin: str) -> str:
        """Return a text as the value of a key; `margin` is for its lines where it has several."""
        return self._block(text, margin) if self._literal and _fits_block(text) else scalar(text)

    def _block(self, text: str, margin: str) -> str:
        header = "|" if text.endswith("\n") else "|-"
        lines = text.removesuffix("\n").split("\n")
        return self._newline.join([header, *(margin + line if line else "" for line in lines)])


def _fits_block(text: str) -> bool:
    """Whether a text has several lines that a literal block gives back as they are."""
    if "\n" not in text:
        return False
    lines = text.removesuffix("\n").split("\n")
    if not lines[0] or not lines[-1] or lines[0][0] in " \t\xa0":
        return False
    return all(_BLOCK_LINE.fullmatch(line) for line in lines)
