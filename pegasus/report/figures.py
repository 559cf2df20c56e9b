"""The charts of a report, as plotly has them.

Plotly takes texts for markup. So nothing that a user wrote gets into a chart but the labels of
axes, which are `literal`; what the mouse points at is told by the page itself.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from pegasus.model import printable
from pegasus.report.account import Account, Row
from pegasus.report.lanes import Lanes, Stretch
from pegasus.report.outcomes import LOOKS, Look
from pegasus.report.spread import Box, Choice
from pegasus.report.utilisation import curve

#: How many means the curve of busy nodes is made of.
STEPS = 1000
#: How much of a label is shown, in characters.
LABEL = 26
#: The least width of an attempt, as a share of the run: about a pixel.
LEAST = 1 / 1000
#: The heights of a lane, by how many lanes there are at most; and of all of them at most.
_ROW_HEIGHTS = ((12, 30), (32, 22), (100, 15), (400, 10))
_LEAST_ROW, _MOST_HEIGHT = 6, 8000
#: Below this height, not every row has room for its label.
_LABELLED = 13
#: The height of the curve, and of what stands around both charts.
_CURVE, _AROUND = 110, 110
#: What lies between two lanes, as a share of one.
_BETWEEN = 0.15
#: Behind the lanes of a node, on light and on dark.
_BACKGROUND = "rgba(128, 138, 150, 0.12)"
#: From how many times the least width on an attempt has a gap around it.
_APART = 5
_LEGEND = {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"}

#: Units of durations, with their milliseconds, and from how many on they are used.
_UNITS = (("days", 86_400_000), ("hours", 3_600_000), ("minutes", 60_000), ("seconds", 1000))


class _Placed(NamedTuple):
    """An attempt: its place among the rows, and where a bar of it is drawn."""

    place: int
    row: Row
    stretch: Stretch


def literal(text: str, longest: int = LABEL) -> str:
    """Return a text that plotly shows as it is, cut in its middle where it is too long."""
    text = printable(text)
    if len(text) > longest:
        text = f"{text[: longest - longest // 3 - 1]}…{text[-(longest // 3) :]}"
    return html.escape(text, quote=False)


def timeline(account: Account) -> go.Figure:
    """Return how many slots were busy, over what each node did, on one axis of time."""
    lanes = Lanes(account)
    height = _rows_height(max(1, math.ceil(lanes.height)))
    share = _CURVE / (_CURVE + height)
    figure = make_subplots(
        rows=2,
        cols=1,
        shared_xaxes=True,
        row_heights=[share, 1 - share],
        vertical_spacing=30 / (_CURVE + height + 30),
    )
    if account.wall:
        figure.add_trace(_curve(account), row=1, col=1)
    figure.add_traces([*_bars(account, lanes)], rows=2, cols=1)
    figure.update_layout(
        template="none",
        height=_CURVE + height + _AROUND,
        barmode="overlay",
        hovermode="closest",
        margin={"l": 8, "r": 12, "t": 36, "b": 44},
        legend=_LEGEND,
        shapes=[*_backgrounds(lanes)],
    )
    figure.update_xaxes(type="date", range=_range(account), showgrid=True)
    figure.update_yaxes(row=1, col=1, title=_busy(account), rangemode="tozero", fixedrange=True)
    figure.update_yaxes(_node_axis(account, lanes, height), row=2, col=1)
    return figure


def _busy(account: Account) -> str:
    return "busy slots" if account.has_slots else "busy nodes"


def _rows_height(rows: int) -> int:
    row = next((height for most, height in _ROW_HEIGHTS if rows <= most), _LEAST_ROW)
    return min(max(rows, 2) * row, _MOST_HEIGHT)


def _range(account: Account) -> list[int]:
    margin = max(account.wall // 200, 1)
    return [account.begin - margin, account.end + margin]


def _curve(account: Account) -> go.Scatter:
    spans = [span for node in account.nodes for span in node.spans]
    busy = curve(spans, account.begin, account.end, STEPS)
    step = account.wall / STEPS
    return go.Scatter(
        x0=account.begin + step / 2,
        dx=step,
        y=busy,
        mode="lines",
        line={"shape": "hvh", "width": 1.2, "color": LOOKS["running"].colour},
        fill="tozeroy",
        name=_busy(account),
        showlegend=False,
        hovertemplate="%{y:.1f} busy<extra></extra>",
    )


def _bars(account: Account, lanes: Lanes) -> list[go.Bar]:
    """Return a trace for each state, whose bars are attempts.

    An attempt whose slots are not side by side has several bars.
    """
    found: dict[str, list[_Placed]] = {}
    for place, row in enumerate(account.rows):
        if row.began is not None and row.node is not None:
            placed = (_Placed(place, row, stretch) for stretch in lanes.of(place))
            found.setdefault(row.state, []).extend(placed)
    least = account.wall * LEAST
    states = [(state, look) for state, look in LOOKS.items() if state in found]
    return [_bar(state, look, found[state], least) for state, look in states]


def _bar(state: str, look: Look, placed: Sequence[_Placed], least: float) -> go.Bar:
    gaps = [0.5 if one.row.duration > _APART * least else 0 for one in placed]
    widths = [one.stretch.lanes - _BETWEEN for one in placed]
    return go.Bar(
        orientation="h",
        # Else it depends on which nodes there are with this state.
        width=widths[0] if len({*widths}) == 1 else widths,
        name=state,
        showlegend=True,
        base=[one.row.span[0] for one in placed],
        x=[round(max(one.row.duration, least, 1)) for one in placed],
        y=[one.stretch.middle for one in placed],
        customdata=[one.place for one in placed],
        hoverinfo="none",
        marker={"color": look.colour, "line": {"width": gaps}, "pattern": _pattern(look)},
    )


def _pattern(look: Look) -> dict[str, Any]:
    white = {"fgcolor": "#fff", "fgopacity": 0.6}
    return {"shape": look.pattern, "fillmode": "overlay", "size": 5, "solidity": 0.25, **white}


def _backgrounds(lanes: Lanes) -> Iterator[dict[str, Any]]:
    """Yield what shows which lanes are the slots of one node, where it has several lanes."""
    for band in lanes.bands:
        if band.lanes > 1:
            edges = {"y0": band.top - 0.5, "y1": band.top + band.own - 0.5}
            across = {"xref": "paper", "x0": 0, "x1": 1, "yref": "y2", **edges}
            yield {**across, "layer": "below", "line": {"width": 0}, "fillcolor": _BACKGROUND}


def _node_axis(account: Account, lanes: Lanes, height: float) -> dict[str, Any]:
    every = max(1, round(_LABELLED * max(len(account.nodes), 1) / height))
    places = range(0, len(account.nodes), every)
    return {
        "tickmode": "array",
        "tickvals": [lanes.bands[place].middle for place in places],
        "ticktext": [literal(account.nodes[place].node.label) + " " for place in places],
        "range": [max(lanes.height, 1) - 0.4, -0.6],
        "automargin": True,
        "showgrid": False,
        "zeroline": False,
    }


def spread(account: Account, choice: Choice) -> go.Figure:
    """Return how durations spread over the values of what was chosen."""
    name, unit = _unit(choice)
    figure = go.Figure(layout={"template": "none"})
    succeeded = [group.succeeded for group in choice.groups]
    failed = [group.failed for group in choice.groups]
    for state, label, boxes in (
        ("succeeded", "succeeded", succeeded),
        ("failed", "failed, signalled or timed out", failed),
    ):
        placed = [(place, box) for place, box in enumerate(boxes) if box]
        if placed:
            figure.add_trace(_boxes(account, label, LOOKS[state].colour, placed, unit))
    if len(figure.data) > 1:
        # What failed at once says little of how long things take.
        figure.data[1].visible = "legendonly"
    figure.update_layout(
        height=420,
        boxmode="group",
        hovermode="closest",
        margin={"l": 64, "r": 12, "t": 36, "b": 36},
        legend=_LEGEND,
    )
    labels = [literal(group.label) for group in choice.groups]
    axis = {"tickmode": "array", "tickvals": [*range(len(labels))], "ticktext": labels}
    figure.update_xaxes(axis, range=[-0.6, len(labels) - 0.4], automargin=True)
    figure.update_xaxes(showgrid=False, zeroline=False)
    figure.update_yaxes(title=name, rangemode="tozero", hoverformat=".4~g")
    return figure


def _unit(choice: Choice) -> tuple[str, int]:
    """Return the unit in which the longest of the durations is a number that is read easily."""
    boxes = [box for group in choice.groups for box in (group.succeeded, group.failed) if box]
    longest = max(box.high for box in boxes)
    return next((one for one in _UNITS if longest >= 2 * one[1]), _UNITS[-1])


def _boxes(
    account: Account, label: str, colour: str, boxes: Sequence[tuple[int, Box]], unit: int
) -> go.Box:
    def scaled(values: Sequence[float]) -> list[float]:
        return [round(value / unit, 6) for value in values]

    return go.Box(
        name=label,
        x=[place for place, _ in boxes],
        lowerfence=scaled([box.low for _, box in boxes]),
        q1=scaled([box.first for _, box in boxes]),
        median=scaled([box.median for _, box in boxes]),
        q3=scaled([box.third for _, box in boxes]),
        upperfence=scaled([box.high for _, box in boxes]),
        y=[scaled([account.rows[one].duration for one in box.points]) for _, box in boxes],
        customdata=[list(box.points) for _, box in boxes],
        boxpoints="all",
        pointpos=0,
        jitter=0.4,
        marker={"color": colour, "size": 5, "opacity": 0.7},
        line={"width": 1.5},
        hoverinfo="y",
    )
