"""Helpers for paths, of POSIX, as texts: nothing is looked up, as commands run elsewhere."""

from __future__ import annotations

from pegasus.helpers.arguments import of_text


@of_text
def file_name(path: str) -> str:
    """`/hello/bar/foo.tar.gz` → `foo.tar.gz`; "" where none is, as in `/` or `..`"""
    name = _split(path)[1]
    return "" if name in (".", "..") else name


@of_text
def parent(path: str) -> str:
    """`/hello/bar/foo.tar.gz` → `/hello/bar`; "" for a name alone"""
    return _split(path)[0]


@of_text
def extension(path: str) -> str:
    """`/hello/bar/foo.tar.gz` → `gz`; "" where none is, as in `.bashrc`"""
    stem, _, suffix = _split(path)[1].rpartition(".")
    return suffix if stem else ""


def _split(path: str) -> tuple[str, str]:
    """Return a path's directory and its last name."""
    directory, slash, name = _trimmed(path).rpartition("/")
    if not name:
        return "", ""
    return (_trimmed(directory) or "/" if slash else ""), name


def _trimmed(path: str) -> str:
    """Return a path without the `/` and `/.` at its end, which mean nothing."""
    end = len(path)
    while end > 1 and (path[end - 1] == "/" or path[end - 2 : end] == "/."):
        end -= 1
    return path[:end]
