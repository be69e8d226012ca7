"""The panel of the published table, beside a study's own."""

from __future__ import annotations

import math
from collections.abc import Sequence

import plotly.graph_objects as go

from search.tasks import Task
from spaces.zoo.published import PublishedRow

from .plane import Range, add_iso_scores, front_line, padded, padded_log, runtime_axis
from .rows import published, published_front, published_log2_score
from .style import GRAY, ORANGE, PURPLE, VERMILLION, empty, escape, score_text, style

FEW = 6
"""Rows up to which every one has its label."""


def published_pareto(task: Task) -> go.Figure:
    """The challenge's table: measured run times, the challenge's own data."""
    rows = published(task)
    if not rows:
        return empty(f"No published table for task {task.name}.")
    front = published_front(rows)
    # Labels of many would overlap; the table beside and the hover have the others.
    labelled = rows if len(rows) <= FEW else front
    x_range = padded_log([_gpu_ms(r) for r in rows])
    y_range = padded([_psnr_db(r) for r in rows])
    figure = style(go.Figure(), height=600)
    add_iso_scores(figure, task.log2_c, x_range, y_range)
    figure.add_trace(front_line([(_gpu_ms(r), _psnr_db(r)) for r in front], GRAY))
    for kind, colour, symbol in (
        ("entry", VERMILLION, "circle"),
        ("baseline", PURPLE, "diamond"),
        ("fixed after the challenge", ORANGE, "square"),
    ):
        of_kind = [r for r in rows if r.kind == kind]
        if of_kind:
            trace = _published_trace(of_kind, labelled, task, kind, colour, symbol, x_range)
            figure.add_trace(trace)
    figure.update_yaxes(title_text="PSNR, dB", range=y_range)
    runtime_axis(figure, x_range, "measured run time, ms")
    return figure


def _published_trace(
    rows: Sequence[PublishedRow],
    labelled: Sequence[PublishedRow],
    task: Task,
    kind: str,
    colour: str,
    symbol: str,
    x_range: Range,
) -> go.Scatter:
    return go.Scatter(
        x=[_gpu_ms(r) for r in rows],
        y=[_psnr_db(r) for r in rows],
        mode="markers+text",
        text=[escape(r.team) if r in labelled else "" for r in rows],
        textposition=[_label_side(_gpu_ms(r), x_range) for r in rows],
        textfont={"size": 11},
        marker={"symbol": symbol, "size": 9, "color": colour},
        hovertext=[
            f"<b>{escape(r.team)}</b> ({kind})<br>{r.psnr_db:.2f} dB, {r.gpu_ms:.4g} ms measured"
            f"<br>score {score_text(published_log2_score(r, task))}"
            for r in rows
        ],
        hoverinfo="text",
        name=kind,
    )


def _label_side(gpu_ms: float, x_range: Range) -> str:
    """Above a point, where a front leaves room; but never across the edge of the plot."""
    low, high = x_range
    place = math.log(gpu_ms / low) / math.log(high / low)
    if place < 0.1:
        return "bottom right"
    return "top left" if place > 0.9 else "top center"


def _gpu_ms(row: PublishedRow) -> float:
    assert row.gpu_ms is not None
    return row.gpu_ms


def _psnr_db(row: PublishedRow) -> float:
    assert row.psnr_db is not None
    return row.psnr_db
