"""Helpers that look at the machine on which pegasus runs, not at the node."""

from __future__ import annotations

import os
from pathlib import Path

from pegasus.helpers.arguments import of_text


@of_text
def env_var(name: str) -> str:
    """The value of an environment variable, or "" if it isn't set."""
    value = os.environ.get(name, "")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"the environment variable {name} is not UTF-8") from None
    return value


@of_text
def canonicalize(path: str) -> str:
    """The absolute path of something that is there, without links, or "" if it isn't."""
    if not path:
        return ""
    try:
        return os.path.realpath(path, strict=True)
    except (OSError, ValueError):
        return ""


@of_text
def read_to_str(path: str) -> str:
    """The text of a file, or "" if it isn't there."""
    file = Path(path)
    if not path or not file.exists():
        return ""
    if not file.is_file():  # reading from a pipe or a device might not end
        raise ValueError(f"{path} is not a file")
    try:
        return file.read_bytes().decode()
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8") from None
    except OSError as error:
        raise ValueError(f"{path} can't be read: {error.strerror}") from None
