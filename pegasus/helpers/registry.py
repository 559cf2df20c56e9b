"""Which helpers there are: ours, those of `@helper`, and those of the setting `helpers`.

Ours can't be replaced, so that a template means the same everywhere. A helper of the setting
wins over one of `@helper`: the setting belongs to one collection of tasks, while a decorator
counts for the whole process. Helpers given to `render` itself win over all.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, overload

from pegasus.errors import SettingsError

if TYPE_CHECKING:
    from pegasus.helpers.arguments import Helper

Function = TypeVar("Function", bound=Callable[..., object])

_NAME = re.compile(r"[^\W\d][\w-]*")

#: Names that templates read as something else.
_WORDS = frozenset({"as", "else", "false", "null", "this", "true", "undefined"})


class Registry:
    """Helpers by name. Any thread may call its methods; a render sees one state of it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._decorated: dict[str, Callable[..., object]] = {}
        self._configured: dict[str, Callable[..., object]] = {}
        self._known: Mapping[str, Helper] | None = None
        self._mistake: SettingsError | None = None

    def register(self, name: str, function: Callable[..., object]) -> None:
        """Add a helper for all templates of this process.

        A function may be registered again by the module that did so before, as when that
        module is loaded anew.

        Raises:
            SettingsError: no helper can have this name, or another function has it.
        """
        _check(name, function)
        with self._lock:
            other = self._decorated.get(name)
            if other is not None and _origin(other) != _origin(function):
                raise SettingsError(f"there is a helper `{name}` already, {_origin(other)}")
            self._decorated = {**self._decorated, name: function}
            self._known = None

    def postpone(self, mistake: SettingsError) -> None:
        """Have `use` raise a mistake: in the middle of an import it would be a traceback."""
        self._mistake = self._mistake or mistake

    def use(self, configured: Mapping[str, Callable[..., object]]) -> None:
        """Take these as the helpers of the setting, instead of those there were.

        Raises:
            SettingsError: one of them can't be a helper, or one of `@helper` can't.
        """
        if self._mistake is not None:
            raise self._mistake
        for name, function in configured.items():
            _check(name, function)
        with self._lock:
            if self._configured != configured:
                self._configured = dict(configured)
                self._known = None

    def known(self) -> Mapping[str, Helper]:
        """Return every helper by its name."""
        with self._lock:
            if self._known is None:
                from pegasus.helpers.builtin import HELPERS

                own = {**self._decorated, **self._configured}
                self._known = {**HELPERS, **guarded(own)}
            return self._known


def guarded(helpers: Mapping[str, Callable[..., object]]) -> dict[str, Helper]:
    """Return users' helpers with their arguments and results checked."""
    return {name: _guard(function) for name, function in helpers.items()}


def _check(name: object, function: object) -> None:
    from pegasus.handlebars.blocks import BLOCKS
    from pegasus.helpers.builtin import HELPERS

    if not isinstance(name, str) or not _NAME.fullmatch(name) or name in _WORDS:
        hint = 'letters, digits, _ and -, as in @helper("slug")'
        raise SettingsError(f"{name!r} can't be the name of a helper; give it one of {hint}")
    if name in HELPERS or name in BLOCKS:
        raise SettingsError(f"pegasus has a helper `{name}` itself; give yours another name")
    if not callable(function):
        raise SettingsError(f"the helper `{name}` must be a function, not {function!r}")


def _origin(function: Callable[..., object]) -> str:
    module = getattr(function, "__module__", None) or type(function).__module__
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    return f"{module}.{name}"


def _place(function: Callable[..., object]) -> str:
    code = getattr(function, "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else _origin(function)


def _guard(function: Callable[..., object]) -> Helper:
    """Return a helper that hands `function` values of its own, and checks what it returns."""

    @wraps(function)
    def helper(*positional: object, **keyed: object) -> object:
        given = [_copied(value) for value in positional]
        options = {key: _copied(value) for key, value in keyed.items()}
        return _result(function(*given, **options))

    return helper


def _copied(value: object) -> Any:
    """Return a value in Python's own types. What a helper does to it stays its own."""
    if isinstance(value, Mapping):
        return {key: _copied(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_copied(each) for each in value]
    return value


def _result(value: object) -> object:
    """Return what a helper of a user has returned.

    Raises:
        ValueError: it can be neither printed nor handed on.
    """
    if value is None:
        raise ValueError('it returned None; return a text, perhaps ""')
    if isinstance(value, str):
        text = str.__str__(value)
        text.encode()
        return text
    if isinstance(value, (int, float, dict, list)):
        return value
    kind = type(value).__name__
    raise ValueError(f"it returned something of type {kind}; return a text or a number")


REGISTRY = Registry()


@overload
def helper(function: Function, /) -> Function: ...
@overload
def helper(name: str, /) -> Callable[[Function], Function]: ...
@overload
def helper() -> Callable[[Function], Function]: ...


def helper(given: Any = None, /) -> Any:
    """Make a function a helper of all templates, by its own name or by another.

    ::

        @helper
        def slug(text: str) -> str: ...

        @helper("run-name")
        def run_name(model, lr): ...

    The function gets the arguments of the tag: texts (parameters are always text), numbers,
    true and false, null as None, lists and dicts; `key=value` comes as a keyword. It returns a
    text or a number; or True, False, a list or a dict for another helper or block. It is called
    whenever a command is rendered or checked, by any thread, so it should be quick and change
    nothing. What it raises is shown to the user with its name. A name that no helper can have, or
    that another function has, is an error (SettingsError) of the next task that needs helpers.
    """

    def register(function: Function) -> Function:
        name = given if isinstance(given, str) else getattr(function, "__name__", "")
        try:
            REGISTRY.register(name, function)
        except SettingsError as error:
            REGISTRY.postpone(SettingsError(f"{_place(function)}: {error}"))
        return function

    return register(given) if callable(given) else register
