"""Where the predicted run time of one network goes, kernel by kernel and op by op."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from latency import KernelEstimate, LatencyEstimate, LatencyOracle, load_profile
from search.config import StudyConfig
from search.networks import candidate
from search.study.results import StudyResults
from spaces.architecture import Architecture

from .style import GRAY, ORANGE, PALETTE, empty, escape, style

SHOWN = 48
"""Bars of a figure; of a longer network the costliest kernels are shown and the rest summed."""

_FIXED, _CPU, _REST = "fixed cost of a run", "ops on the CPU", "cheaper kernels"
Size = tuple[int, int]
"""Height and width of an image."""


def winner_latency(results: StudyResults) -> go.Figure:
    """The kernels of the study's winner on the study's device."""
    winner = results.winner
    if winner is None:
        return empty("No winner yet.")
    return kernel_latency(network_latency(results.config, winner))


def network_latency(config: StudyConfig, architecture: Architecture) -> LatencyEstimate:
    """The oracle's word on one network at the task's resolution on the study's device."""
    height, width, _ = config.task_facts.input_shape
    oracle = LatencyOracle(load_profile(config.device))
    return oracle.predict(candidate(architecture).trace(height, width))


def kernel_latency(estimate: LatencyEstimate) -> go.Figure:
    """Horizontal bars in launch order, coloured by the size of the image that a kernel writes:
    fixed cost, kernels, and what falls to the CPU."""
    numbered = list(enumerate(estimate.kernels, start=1))
    kept = sorted(sorted(numbered, key=lambda item: -item[1].ms)[:SHOWN], key=lambda item: item[0])
    rows = [_Row(_FIXED, estimate.fixed_ms, "paid once a run, whatever the network", GRAY)]
    colours = _colours(estimate)
    rows += [
        _Row(f"{number}  {_short(item)}", item.ms, _hover(item), colours[_size(item)], _size(item))
        for number, item in kept
    ]
    rest_ms = sum(item.ms for _, item in numbered) - sum(item.ms for _, item in kept)
    if left_out := len(numbered) - len(kept):
        rows.append(_Row(f"{left_out} {_REST}", rest_ms, "the rest, summed", GRAY))
    if estimate.fallbacks:
        reason = "a rough guess: " + escape(estimate.fallbacks[0].reason)
        rows.append(_Row(f"{len(estimate.fallbacks)} {_CPU}", estimate.fallback_ms, reason, ORANGE))
    figure = go.Figure(
        go.Bar(
            x=[row.ms for row in rows],
            y=[row.name for row in rows],
            orientation="h",
            marker={"color": [row.colour for row in rows]},
            text=[f"{row.ms:.2f} ms, {_share(row.ms / estimate.ms)}" for row in rows],
            textposition="outside",
            cliponaxis=False,
            hovertext=[row.hover for row in rows],
            hoverinfo="text",
            showlegend=False,
        )
    )
    for size, colour in colours.items():
        if any(row.size == size for row in rows):
            figure.add_trace(_legend_entry(size, colour))
    style(figure, height=120 + 22 * len(rows), xaxis_title="predicted ms", bargap=0.25)
    figure.update_xaxes(range=(0, 1.45 * max(row.ms for row in rows)))
    figure.update_yaxes(autorange="reversed", tickfont={"size": 11})
    return figure


def latency_by_op(estimates: Sequence[tuple[str, LatencyEstimate]]) -> go.Figure:
    """Stacked bars of one or several named networks: ms by the op at the head of each kernel.

    Of one network a bar is an op, and its parts are the sizes of the images; of several a bar is a
    network, and its parts are ops.
    """
    if len(estimates) == 1:
        return _by_op_and_size(estimates[0][1])
    parts: dict[str, list[float]] = defaultdict(lambda: [0.0] * len(estimates))
    for index, (_, estimate) in enumerate(estimates):
        for op, by_size in _ms_by_op(estimate).items():
            parts[op][index] += sum(by_size.values())
    names = [escape(name) for name, _ in estimates]
    ordered = sorted(parts.items(), key=lambda part: -sum(part[1]))
    figure = go.Figure(
        [
            _stacked(times, names, op, PALETTE[index % len(PALETTE)])
            for index, (op, times) in enumerate(ordered)
        ]
    )
    style(figure, height=150 + 44 * len(names), barmode="stack", xaxis_title="predicted ms")
    figure.update_layout(legend_traceorder="normal")
    return figure.update_yaxes(autorange="reversed")


def _by_op_and_size(estimate: LatencyEstimate) -> go.Figure:
    ops = sorted(_ms_by_op(estimate).items(), key=lambda op: -sum(op[1].values()))
    names = [escape(op) for op, _ in ops]
    colours: dict[Size | None, str] = {None: GRAY}
    for size, colour in _colours(estimate).items():
        colours[size] = colour
    figure = go.Figure(
        [
            _stacked(
                [by_size.get(size, 0.0) for _, by_size in ops], names, _size_name(size), colour
            )
            for size, colour in colours.items()
            if any(size in by_size for _, by_size in ops)
        ]
    )
    style(figure, height=150 + 26 * len(names), barmode="stack", xaxis_title="predicted ms")
    figure.update_layout(legend_traceorder="normal")
    return figure.update_yaxes(autorange="reversed")


def _stacked(times: Sequence[float], names: list[str], name: str, colour: str) -> go.Bar:
    return go.Bar(
        x=times, y=names, orientation="h", name=escape(name), marker={"color": colour},
        hoverinfo="text",
        hovertext=[
            f"{of}: {escape(name)}<br>{ms:.3f} ms" for of, ms in zip(names, times, strict=True)
        ],
    )  # fmt: skip


def _ms_by_op(estimate: LatencyEstimate) -> dict[str, dict[Size | None, float]]:
    """ms by the op at the head of a kernel and the size of the image it writes."""
    sums: dict[str, dict[Size | None, float]] = defaultdict(lambda: defaultdict(float))
    for item in estimate.kernels:
        sums[_head(item)][_size(item)] += item.ms
    sums[_FIXED][None] += estimate.fixed_ms
    if estimate.fallbacks:
        sums[_CPU][None] += estimate.fallback_ms
    return sums


@dataclass(frozen=True)
class _Row:
    """One bar, and the size of the image it belongs to."""

    name: str
    ms: float
    hover: str
    colour: str
    size: Size | None = None


def _legend_entry(size: Size, colour: str) -> go.Bar:
    """Bars of one trace have no legend of their own, and one trace keeps their order."""
    return go.Bar(x=[None], y=[None], name=_size_name(size), marker={"color": colour})


def _colours(estimate: LatencyEstimate) -> dict[Size, str]:
    """A colour for each size of image, the largest first: a level of a network is a size."""
    sizes = sorted({_size(item) for item in estimate.kernels}, reverse=True)
    return {size: PALETTE[i] if i < len(PALETTE) else GRAY for i, size in enumerate(sizes)}


def _size(item: KernelEstimate) -> Size:
    shape = item.kernel.output_shape
    return (shape[1], shape[2]) if len(shape) == 4 else (1, 1)


def _size_name(size: Size | None) -> str:
    return "not a kernel" if size is None else f"{size[0]} x {size[1]}"


def _share(share: float) -> str:
    return f"{share:.0%}" if share >= 0.005 else "<1%"


def _head(item: KernelEstimate) -> str:
    return _op_name((item.kernel.chain or (item.kernel.kind,))[0])


def _op_name(name: str) -> str:
    return name.lower().removesuffix("_2d").replace("_", " ")


def _short(item: KernelEstimate) -> str:
    """The first op of the chain and what is fused into it."""
    names = item.kernel.chain or (item.kernel.kind,)
    words = [escape(_op_name(n)) for n in names]
    return words[0] + (f" + {', '.join(words[1:])}" if len(words) > 1 else "")


def _hover(item: KernelEstimate) -> str:
    kernel = item.kernel
    shape = " x ".join(str(size) for size in kernel.output_shape)
    return "<br>".join(
        (
            f"<b>{escape(kernel.kind)}</b>: {escape(' + '.join(kernel.chain))}",
            f"output {shape}",
            f"{kernel.padded_macs / 1e6:,.0f} MMAC, channels padded to four",
            f"{moved_bytes(item) / 1e6:,.1f} MB read and written",
            f"{item.ms:.3f} ms",
        )
    )


def moved_bytes(item: KernelEstimate) -> int:
    """Activations and weights that a kernel reads and writes, in fp16."""
    return item.kernel.read_bytes + item.kernel.write_bytes + item.kernel.weight_bytes
