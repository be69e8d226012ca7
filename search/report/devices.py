"""How far the predictions for a device are from what was measured on it."""

from __future__ import annotations

import plotly.graph_objects as go

from latency import DeviceProfile

from .plane import log_axis, padded_log
from .style import BLUE, FAINT, GRAY, empty, escape, style

FEW = 12
"""Timings up to which every one has its label."""


def predicted_against_measured(profile: DeviceProfile) -> go.Figure:
    """Each timing of the profile's fit: predicted from the others (left out), over measured ms.

    On the line they are equal; the band is the profile's 90 % interval.
    """
    rows = [row for row in profile.fit.rows if row.held_out_ms is not None]
    if not rows:
        return empty("No timing of this profile was held out.")
    measured = [row.measured_ms for row in rows]
    held_out = [row.held_out_ms or row.fitted_ms for row in rows]
    low, high = padded_log([*measured, *held_out])
    factor = profile.fit.interval_factor
    figure = go.Figure(
        [
            go.Scatter(
                x=[low, high, high, low],
                y=[low / factor, high / factor, high * factor, low * factor],
                fill="toself", fillcolor=FAINT, line={"width": 0}, mode="lines", hoverinfo="skip",
                name=f"90 % interval, a factor of {factor:.3g}",
            ),
            go.Scatter(
                x=[low, high], y=[low, high], mode="lines", hoverinfo="skip", name="equal",
                line={"color": GRAY, "dash": "dot", "width": 1.5},
            ),
            go.Scatter(
                x=measured, y=held_out, name="network, predicted from the others",
                mode="markers+text" if len(rows) <= FEW else "markers",
                text=[escape(row.name) for row in rows],
                textposition=[_label_side(ms, low, high) for ms in measured],
                textfont={"size": 11}, marker={"color": BLUE, "size": 8, "opacity": 0.8},
                hovertext=[
                    f"<b>{escape(row.name)}</b><br>{row.measured_ms:.4g} ms measured"
                    f"<br>{predicted:.4g} ms predicted ({predicted / row.measured_ms - 1:+.0%})"
                    for row, predicted in zip(rows, held_out, strict=True)
                ],
                hoverinfo="text",
            ),
        ]
    )  # fmt: skip
    style(figure, height=480)
    figure.update_xaxes(title_text="measured ms", **log_axis((low, high)))
    figure.update_yaxes(title_text="predicted ms", **log_axis((low, high)))
    return figure


def _label_side(ms: float, low: float, high: float) -> str:
    """Below the line, but not across the edge of the plot."""
    return "bottom right" if ms * ms < low * high else "top left"
