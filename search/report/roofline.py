"""Kernels of one network against what the GPU's arithmetic and memory allow."""

from __future__ import annotations

import math

import plotly.graph_objects as go

from latency import DeviceProfile, KernelEstimate, LatencyEstimate

from .kernels import moved_bytes
from .plane import log_axis, padded_log
from .style import BLUE, GRAY, empty, escape, style

FLOP_PER_MAC = 2


def roofline(estimate: LatencyEstimate, profile: DeviceProfile) -> go.Figure:
    """Predicted GMAC/s of each kernel over its MACs per byte, both axes logarithmic.

    Roofs, where the profile's `hardware` states them: the peak of fp16 arithmetic, and DRAM
    bandwidth times intensity (Williams, Waterman and Patterson, CACM 2009). A kernel without
    arithmetic has no place here. One may lie above the slope: its data stayed in a cache.
    """
    working = [item for item in estimate.kernels if item.kernel.padded_macs and moved_bytes(item)]
    if not working:
        return empty("No kernel with arithmetic.")
    places = [_place(item) for item in working]
    x_range = padded_log([x for x, _ in places])
    roofs = _roofs(profile, x_range)
    highest = [y for _, y in places] + [y for roof in roofs for y in roof.y]
    y_range = padded_log(highest)
    longest_ms = max(item.ms for item in working)
    figure = go.Figure(
        [
            *roofs,
            go.Scatter(
                x=[x for x, _ in places], y=[y for _, y in places], mode="markers",
                name="kernel, its area by its share of the time",
                marker={
                    "color": BLUE, "opacity": 0.75,
                    "size": [6 + 18 * math.sqrt(item.ms / longest_ms) for item in working],
                },
                hovertext=[_hover(*of) for of in zip(working, places, strict=True)],
                hoverinfo="text",
            ),
        ]
    )  # fmt: skip
    style(figure, height=420)
    figure.update_xaxes(title_text="MAC per byte read and written", **log_axis(x_range))
    figure.update_yaxes(title_text="predicted GMAC/s", **log_axis(y_range))
    if not roofs:
        figure.add_annotation(
            text="no peak is published for this GPU", xref="paper", yref="paper", x=1, y=0,
            xanchor="right", yanchor="bottom", showarrow=False, font={"color": GRAY},
        )  # fmt: skip
    return figure


def _roofs(profile: DeviceProfile, x_range: tuple[float, float]) -> list[go.Scatter]:
    roofs = []
    peak, bandwidth = (
        profile.hardware.get(name) for name in ("fp16_tflops_theoretical", "dram_gbyte_per_s")
    )
    if isinstance(peak, float | int):
        gmac_per_s = 1000 * peak / FLOP_PER_MAC
        name = f"fp16 peak, {gmac_per_s:,.0f} GMAC/s"
        roofs.append(_line(x_range, (gmac_per_s, gmac_per_s), name, "dash"))
    if isinstance(bandwidth, float | int):
        name = f"DRAM, {bandwidth:g} GB/s"
        roofs.append(_line(x_range, (bandwidth * x_range[0], bandwidth * x_range[1]), name, "dot"))
    return roofs


def _line(xs: tuple[float, float], ys: tuple[float, float], name: str, dash: str) -> go.Scatter:
    return go.Scatter(
        x=xs, y=ys, mode="lines", name=name, hoverinfo="skip",
        line={"dash": dash, "color": GRAY, "width": 1.5},
    )  # fmt: skip


def _place(item: KernelEstimate) -> tuple[float, float]:
    """MAC per byte, and GMAC/s."""
    return item.kernel.padded_macs / moved_bytes(item), item.kernel.padded_macs / item.ms / 1e6


def _hover(item: KernelEstimate, place: tuple[float, float]) -> str:
    return (
        f"<b>{escape(item.kernel.kind)}</b>: {escape(' + '.join(item.kernel.chain))}<br>"
        f"{item.ms:.3f} ms<br>{place[0]:.3g} MAC per byte, {place[1]:,.0f} GMAC/s"
    )
