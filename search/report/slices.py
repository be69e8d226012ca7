"""What scores each value of a choice came with: a box for every value, choice by choice."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from search.study.results import StudyResults
from spaces.architecture import Value

from .choices import importances, value_name, varied_choices
from .style import BLUE, empty, escape, style

COLUMNS, SHOWN = 3, 12
"""Choices in a row, and in all: the most important where that is known."""


def slices(results: StudyResults) -> go.Figure:
    """Quartiles and range of log2 of the score of the complete trials, by value of each choice.

    Boxes are made here, of numbers and not of trials: the figure does not grow with the study.
    """
    varied = {choice.name: choice for choice in varied_choices(results)}
    if not varied:
        return empty("Comparing choices needs two complete trials that differ.")
    names = list(dict.fromkeys([*importances(results), *varied]))[:SHOWN]
    rows = math.ceil(len(names) / COLUMNS)
    figure = make_subplots(
        rows=rows, cols=COLUMNS, shared_yaxes="all",
        subplot_titles=[escape(name.replace("_", " ")) for name in names],
        vertical_spacing=min(0.12, 0.4 / rows), horizontal_spacing=0.03,
    )  # fmt: skip
    known = [
        (t.architecture.choices, t.log2_score or 0.0) for t in results.complete if t.architecture
    ]
    for place, name in enumerate(names):
        box = _boxes(known, name, varied[name].values)
        figure.add_trace(box, row=place // COLUMNS + 1, col=place % COLUMNS + 1)
    style(figure, height=60 + 200 * rows, showlegend=False)
    figure.update_layout(margin={"t": 40})
    figure.update_xaxes(type="category", tickfont={"size": 11})
    figure.update_yaxes(title_text="log2 of the score", col=1)
    return figure


def _boxes(
    known: Sequence[tuple[Mapping[str, Value], float]], name: str, values: Sequence[Value]
) -> go.Box:
    """Of the scores beside the choices that came with them."""
    scores: dict[Value, list[float]] = defaultdict(list)
    for chosen, score in known:
        if name in chosen:
            scores[chosen[name]].append(score)
    seen = [value for value in values if value in scores]
    quantiles = np.array([np.quantile(scores[value], (0, 0.25, 0.5, 0.75, 1)) for value in seen])
    lowest, q1, median, q3, highest = quantiles.T.tolist()
    return go.Box(
        x=[value_name(value) for value in seen], lowerfence=lowest, q1=q1, median=median, q3=q3,
        upperfence=highest, marker={"color": BLUE}, line={"width": 1.5}, fillcolor="rgba(0,0,0,0)",
        hoverinfo="y", name=escape(name),
    )  # fmt: skip
