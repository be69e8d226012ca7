"""`lensnas latency predict`: the run time of any .tflite file, kernel by kernel."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from search.cli.arguments import AsJson

from .app import Device, Model, app, read_model

if TYPE_CHECKING:
    from latency import Graph, LatencyEstimate


@app.command()
def predict(model: Model, device: Device = "snapdragon-8-gen-1", as_json: AsJson = False) -> None:
    """Predict the run time of a .tflite file on a phone's GPU, kernel by kernel."""
    from latency import LatencyOracle, load_profile
    from search.documents import prediction_document

    profile = load_profile(device)
    graph = read_model(model)
    estimate = LatencyOracle(profile).predict(graph)
    if as_json:
        document = prediction_document(profile.name, graph, estimate)
        print(json.dumps({"model": str(model), **document}, indent=2))
    else:
        _print_estimate(f"{model.name} on {profile.name}", graph, estimate)


def _print_estimate(title: str, graph: Graph, estimate: LatencyEstimate) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(f"{title}: predicted"), box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("#", justify="right")
    table.add_column("kernel", no_wrap=True)
    table.add_column("ops")
    table.add_column("output", no_wrap=True)
    table.add_column("ms", justify="right", no_wrap=True)
    for number, item in enumerate(estimate.kernels):
        shape = "x".join(map(str, item.kernel.output_shape[1:]))
        ops = " + ".join(item.kernel.chain)
        table.add_row(str(number), item.kernel.kind, ops, shape, f"{item.ms:.3f}")
    Console().print(table)
    print(
        f"{estimate.ms:.2f} ms predicted, 90 % interval {estimate.low_ms:.2f} to "
        f"{estimate.high_ms:.2f} ms\n"
        f"{graph.macs / 1e9:.3f} GMAC, {graph.parameters:,} parameters"
    )
    if estimate.failure:
        print(f"expected to fail: {estimate.failure}")
    for fallback in estimate.fallbacks:
        print(f"runs on the CPU: op {fallback.op_index} {fallback.kind}: {fallback.reason}")
    for note in estimate.notes:
        print(f"note: {note}")
