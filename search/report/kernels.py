"""Where the predicted run time of one network goes, kernel by kernel."""

from __future__ import annotations

import plotly.graph_objects as go

from latency import KernelEstimate, LatencyEstimate, LatencyOracle, load_profile
from search.networks import candidate
from search.study.results import StudyResults

from .style import BLUE, GRAY, ORANGE, empty, escape, style

SHOWN = 48
"""Bars of a figure; of a longer network the costliest kernels are shown and the rest summed."""


def winner_latency(results: StudyResults) -> go.Figure:
    """The kernels of the study's winner on the study's device."""
    winner = results.winner
    if winner is None:
        return empty("No winner yet.")
    height, width, _ = results.config.task_facts.input_shape
    oracle = LatencyOracle(load_profile(results.config.device))
    return kernel_latency(oracle.predict(candidate(winner).trace(height, width)))


def kernel_latency(estimate: LatencyEstimate) -> go.Figure:
    """Horizontal bars in launch order: fixed cost, kernels, and what falls to the CPU."""
    numbered = list(enumerate(estimate.kernels, start=1))
    costly = sorted(numbered, key=lambda item: -item[1].ms)[:SHOWN]
    kept = {number for number, _ in costly}
    rest = [e for number, e in numbered if number not in kept]
    names = ["fixed cost of a run"]
    times = [estimate.fixed_ms]
    colours = [GRAY]
    hovers = ["paid once a run, whatever the network"]
    for number, item in numbered:
        if number in kept:
            names.append(f"{number}  {_short(item)}")
            times.append(item.ms)
            colours.append(BLUE)
            hovers.append(_hover(item))
    if rest:
        names.append(f"{len(rest)} cheaper kernels")
        times.append(sum(item.ms for item in rest))
        colours.append(BLUE)
        hovers.append("the rest, summed")
    if estimate.fallbacks:
        names.append(f"{len(estimate.fallbacks)} ops on the CPU")
        times.append(estimate.fallback_ms)
        colours.append(ORANGE)
        hovers.append("a rough guess: " + escape(estimate.fallbacks[0].reason))
    figure = go.Figure(
        go.Bar(
            x=times,
            y=names,
            orientation="h",
            marker={"color": colours},
            text=[f"{ms:.2f} ms, {_share(ms / estimate.ms)}" for ms in times],
            textposition="outside",
            cliponaxis=False,
            hovertext=hovers,
            hoverinfo="text",
        )
    )
    style(figure, height=90 + 22 * len(names), xaxis_title="predicted ms", bargap=0.25)
    figure.update_xaxes(range=(0, 1.45 * max(times)))
    figure.update_yaxes(autorange="reversed", tickfont={"size": 11})
    return figure


def _share(share: float) -> str:
    return f"{share:.0%}" if share >= 0.005 else "<1%"


def _short(item: KernelEstimate) -> str:
    """The first op of the chain and what is fused into it."""
    names = item.kernel.chain or (item.kernel.kind,)
    words = [escape(n.lower().removesuffix("_2d").replace("_", " ")) for n in names]
    return words[0] + (f" + {', '.join(words[1:])}" if len(words) > 1 else "")


def _hover(item: KernelEstimate) -> str:
    kernel = item.kernel
    shape = " x ".join(str(size) for size in kernel.output_shape)
    moved = (kernel.read_bytes + kernel.write_bytes + kernel.weight_bytes) / 1e6
    return "<br>".join(
        (
            f"<b>{escape(kernel.kind)}</b>: {escape(' + '.join(kernel.chain))}",
            f"output {shape}",
            f"{kernel.padded_macs / 1e6:,.0f} MMAC, channels padded to four",
            f"{moved:,.1f} MB read and written",
            f"{item.ms:.3f} ms",
        )
    )
