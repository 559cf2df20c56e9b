"""The reserved key `slots`: which slots a node has, or how many a job needs.

::

    # hosts.yaml                          # queue.yaml
    - hostname: node-[1-4]                - command: python train.py
      slots: 8                              slots: 2
    - hostname: node-5
      slots: [0, 1, 3]
    - hostname: node-6
      slots: gpus

Once, `slots` was a parameter like any other. What can't be meant in this way is said to be one.
"""

from __future__ import annotations

import re

from pegasus.errors import HostsFileError, QueueFileError
from pegasus.files.tree import Texts
from pegasus.model import Text

#: What templates have the number of slots under; no parameter may be called so.
COUNT = "slot_count"
#: Of a node: that its slots are its GPUs.
GPUS = "gpus"
#: So many slots may a node have; the last one has a number that is less.
MOST = 4096

_WHOLE_NUMBER = re.compile("[0-9]{1,9}")


def of_nodes(texts: Texts, is_list: bool) -> tuple[int, ...] | None:
    """Return the numbers of the slots of nodes, ascending; None for `gpus`.

    Raises:
        HostsFileError: they are none.
    """
    if is_list:
        return _indices(texts)
    (text,) = texts
    if text.value == GPUS:
        return None
    number = _number(text)
    if number is None:
        problem = f"`slots` is a number, a list of numbers such as [0, 1, 3], or `{GPUS}`"
        raise HostsFileError(f"{problem}, and not {text.value!r}{_renamed('gpu_ids')}", text.place)
    if not number:
        problem = "a node has 1 slot or more; 1 is what it has if you leave `slots` out"
        raise HostsFileError(problem, text.place)
    if number > MOST:
        problem = f"a node has {MOST:,} slots at most{_renamed('gpu_ids')}"
        raise HostsFileError(problem, text.place)
    return tuple(range(number))


def _indices(texts: Texts) -> tuple[int, ...]:
    found: set[int] = set()
    for text in texts:
        number = _number(text)
        if number is None:
            problem = f"`slots` lists the numbers of slots, as in [0, 1, 3]; {text.value!r} is none"
            hint = f"; write `slots: {GPUS}`" if text.value == GPUS else _renamed("gpu_ids")
            raise HostsFileError(problem + hint, text.place)
        if number >= MOST:
            problem = f"slots have numbers from 0 to {MOST - 1}, and so none is {number}"
            raise HostsFileError(problem + _renamed("gpu_ids"), text.place)
        if number in found:
            problem = f"slot {number} stands here twice{_renamed('gpu_ids')}"
            raise HostsFileError(problem, text.place)
        found.add(number)
    return tuple(sorted(found))


def of_jobs(texts: Texts) -> int:
    """Return how many slots each job needs.

    Raises:
        QueueFileError: it is no number.
    """
    text = texts[0]
    if len(texts) > 1:
        problem = "`slots` is how many slots each job of the entry needs: one number"
        hint = f"; for jobs of several sizes write several entries{_renamed('gpu_count')}"
        raise QueueFileError(problem + hint, text.place)
    number = _number(text)
    if number is None:
        problem = f"`slots` is how many slots a job needs: 0, 1, 2 or more, and not {text.value!r}"
        elsewhere = f"; `slots: {GPUS}` is for hosts.yaml" if text.value == GPUS else ""
        raise QueueFileError(problem + (elsewhere or _renamed("gpu_count")), text.place)
    if number > MOST:
        raise QueueFileError(f"a node has {MOST:,} slots at most", text.place)
    return number


def count_as_parameter() -> str:
    """Return what to say of a parameter that is called `slot_count`."""
    problem = f"templates have the number of a job's slots under `{COUNT}`"
    return f"{problem}; call the parameter something else, here and in the templates"


def in_host_name(name: str) -> str:
    """Return what to say of a host name that is to be filled with one of the two."""
    problem = f"there is no parameter `{name}`: only a job has slots, once it is given some"
    return f"{problem}{_renamed('gpu_ids')}"


def _renamed(name: str) -> str:
    """Return what to do with a parameter that is called `slots`."""
    both = f"`{name}` here and {{{{ {name} }}}} in templates"
    return f"; if it is a parameter of yours, call it something else, such as {both}"


def _number(text: Text) -> int | None:
    return int(text.value) if _WHOLE_NUMBER.fullmatch(text.value) else None
