"""The plane of PSNR over run time (log): axes, lines of equal score, Pareto fronts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from .style import GRAY, log_ticks

Range = tuple[float, float]
"""(lowest, highest) on an axis, in its unit."""


def iso_score_levels(log2_c: float, x_range: Range, y_range: Range, lines: int = 6) -> list[int]:
    """Whole log2 scores, evenly spaced, whose lines cross the box; about `lines` of them."""
    lowest = 2 * y_range[0] - math.log2(x_range[1]) - log2_c
    highest = 2 * y_range[1] - math.log2(x_range[0]) - log2_c
    step = max(1, math.ceil((highest - lowest) / (lines + 1)))
    first = math.ceil(lowest / step) * step
    return list(range(first, math.floor(highest) + 1, step))


def add_iso_scores(figure: go.Figure, log2_c: float, x_range: Range, y_range: Range) -> None:
    """Dotted lines of equal score: straight where the run time is logarithmic."""
    xs: list[float | None] = []
    ys: list[float | None] = []
    for level in iso_score_levels(log2_c, x_range, y_range):
        ends = [(level + log2_c + math.log2(x)) / 2 for x in x_range]
        xs += [*x_range, None]
        ys += [*ends, None]
        # Each line leaves the box at its right or its top edge.
        top = ends[1] > y_range[1]
        right = 2.0 ** (2 * y_range[1] - level - log2_c) if top else x_range[1]
        near_left = top and right < x_range[0] * (x_range[1] / x_range[0]) ** 0.1
        near_bottom = ends[1] < y_range[0] + 0.05 * (y_range[1] - y_range[0])
        if near_left or near_bottom:
            continue  # The label would not fit into the corner.
        figure.add_annotation(
            x=math.log10(right), y=min(ends[1], y_range[1]), text=_power_of_two(level),
            xref="x", yref="y", showarrow=False, xanchor="right", yanchor="top",
            font={"size": 10, "color": GRAY},
        )  # fmt: skip
    figure.add_trace(
        go.Scatter(
            x=xs, y=ys, mode="lines", hoverinfo="skip", name="equal score",
            line={"dash": "dot", "width": 1, "color": GRAY},
        )
    )  # fmt: skip


def _power_of_two(exponent: int) -> str:
    return f"{2**exponent:,}" if 0 <= exponent < 40 else f"{2.0**exponent:.3g}"


def front_line(front: Sequence[tuple[float, float]], colour: str) -> go.Scatter:
    """The staircase under which everything is dominated; `front` as (ms, dB), fastest first."""
    return go.Scatter(
        x=[x for x, _ in front],
        y=[y for _, y in front],
        mode="lines",
        line={"shape": "hv", "color": colour, "width": 2},
        hoverinfo="skip",
        name="Pareto front",
    )


def runtime_axis(figure: go.Figure, x_range: Range, title: str, **where: int) -> None:
    """All x axes logarithmic over `x_range` in ms; the title on the one at `where` (row, col)."""
    figure.update_xaxes(**log_axis(x_range))
    figure.update_xaxes(title_text=title, **where)


def log_axis(values: Range) -> dict[str, Any]:
    """Settings of a logarithmic axis over `values`, with few ticks."""
    ticks = log_ticks(*values)
    return {
        "type": "log",
        "range": [math.log10(value) for value in values],
        "tickvals": ticks,
        "ticktext": [f"{tick:g}" for tick in ticks],
    }


def padded_log(values: Sequence[float]) -> Range:
    """A range around positive `values` for a logarithmic axis."""
    span = max(values) / min(values)
    # Half a decade at least, which always holds two ticks.
    margin = max(1.15, span**0.06, (10**0.5 / span) ** 0.5)
    return min(values) / margin, max(values) * margin


def padded(values: Sequence[float]) -> Range:
    """A range around `values`."""
    margin = max(0.25, 0.1 * (max(values) - min(values)))
    return min(values) - margin, max(values) + margin
