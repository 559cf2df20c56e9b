"""Show the nodes, and who of them answers."""

from __future__ import annotations

from pathlib import Path

from pegasus.files import hosts as hosts_file
from pegasus.helpers.registry import REGISTRY
from pegasus.inputs import chosen, connector_of
from pegasus.model import Node
from pegasus.modes.ping import Ping
from pegasus.modes.ping import ping as pinged
from pegasus.settings import Settings
from pegasus.terminal.errands import hosts as terminal


def hosts(settings: Settings, *, as_json: bool = False) -> list[Node]:
    """Show the nodes that are chosen, and return them. Nothing is contacted.

    Raises:
        HostsFileError: hosts.yaml is wrong.
        SettingsError: no node is chosen.
        StorageError: a file can't be read, or stdout can't be written to.
    """
    nodes = _nodes(settings)
    terminal.show(nodes, as_json=as_json)
    return nodes


def ping(settings: Settings, *, as_json: bool = False) -> list[Ping]:
    """Connect to all nodes that are chosen at once; show what came of each, and return that.

    Errors are those of `hosts`: a node that does not answer is none.
    """
    nodes = _nodes(settings)
    connect = connector_of(settings)
    answers = pinged([connect(node) for node in nodes])
    pings = sorted(terminal.waited(answers, len(nodes)), key=lambda one: one.node.index)
    terminal.show_pings(pings, as_json=as_json)
    return pings


def _nodes(settings: Settings) -> list[Node]:
    REGISTRY.use(settings.helpers)
    return chosen(settings, hosts_file.load(Path(settings.hosts_file)))
