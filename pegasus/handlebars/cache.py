"""What was made from a text, kept for when the text comes again: within bounds."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

Made = TypeVar("Made")


class Cache(Generic[Made]):
    """Calls `make` with a text, or returns what it made of it before. Any thread may call it.

    What was used least recently goes first. The last text is kept however long it is.

    Args:
        most: how many texts are kept.
        most_characters: how long they may be together.
    """

    def __init__(self, make: Callable[[str], Made], most: int, most_characters: int) -> None:
        self.make = make
        self.most = most
        self.most_characters = most_characters
        self.characters = 0
        self._kept: OrderedDict[str, Made] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def __call__(self, text: str) -> Made:
        with self._lock:
            if text in self._kept:
                self._kept.move_to_end(text)
                return self._kept[text]
        made = self.make(text)  # without the lock: others need not wait for it
        with self._lock:
            return self._keep(text, made)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._kept.clear()
            self.characters = 0

    def _keep(self, text: str, made: Made) -> Made:
        if text in self._kept:  # another thread was faster
            return self._kept[text]
        self._kept[text] = made
        self.characters += len(text)
        while len(self._kept) > 1 and self._is_too_much():
            oldest, _ = self._kept.popitem(last=False)
            self.characters -= len(oldest)
        return made

    def _is_too_much(self) -> bool:
        return len(self._kept) > self.most or self.characters > self.most_characters
