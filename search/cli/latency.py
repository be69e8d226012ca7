"""`lensnas latency`: predictions for any .tflite file, and how far to trust them."""

from __future__ import annotations

import json
import math
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from search.errors import UserError

if TYPE_CHECKING:
    from latency import DeviceProfile, Graph, LatencyEstimate

app = typer.Typer(no_args_is_help=True)

Model = Annotated[Path, typer.Argument(metavar="MODEL", help="A .tflite file.")]
Device = Annotated[str, typer.Option(help="A device, see 'lensnas latency devices'.")]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON document instead of tables, for scripts.")
]


@app.command()
def predict(model: Model, device: Device = "snapdragon-8-gen-1", as_json: AsJson = False) -> None:
    """Predict the run time of a .tflite file on a phone's GPU, kernel by kernel."""
    from latency import LatencyOracle, load_profile

    profile = load_profile(device)
    graph = _read(model)
    estimate = LatencyOracle(profile).predict(graph)
    if as_json:
        print(json.dumps(_document(model, profile.name, graph, estimate), indent=2))
    else:
        _print_estimate(f"{model.name} on {profile.name}", graph, estimate)


@app.command()
def devices(as_json: AsJson = False) -> None:
    """List the devices and how well predictions fit what was measured on them."""
    from dataclasses import asdict

    from latency import device_names, load_profile

    profiles = [load_profile(name) for name in device_names()]
    if as_json:
        print(json.dumps([asdict(p) for p in profiles], indent=2))
    else:
        _print_devices(profiles)


def _read(model: Path) -> Graph:
    from latency import read_tflite
    from latency.graph import GraphError

    try:
        return read_tflite(model)
    except OSError as error:
        raise UserError(f"cannot read {model}: {error.strerror}") from None
    except GraphError as error:
        raise UserError(f"{model}: {error}") from error


def _document(model: Path, device: str, graph: Graph, estimate: LatencyEstimate) -> dict[str, Any]:
    return {
        "model": str(model),
        "device": device,
        "predicted_ms": estimate.ms,
        "low_ms": estimate.low_ms,
        "high_ms": estimate.high_ms,
        "gmac": graph.macs / 1e9,
        "parameters": graph.parameters,
        "kernels": [
            {"kernel": k.kernel.kind, "chain": list(k.kernel.chain), "ms": k.ms}
            for k in estimate.kernels
        ],
        "fallbacks": [
            {"op": f.op_index, "kind": f.kind, "reason": f.reason} for f in estimate.fallbacks
        ],
        "notes": list(estimate.notes),
    }


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
    for fallback in estimate.fallbacks:
        print(f"runs on the CPU: op {fallback.op_index} {fallback.kind}: {fallback.reason}")
    for note in estimate.notes:
        print(f"note: {note}")


def _print_devices(profiles: list[DeviceProfile]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("device", no_wrap=True)
    table.add_column("GPU", no_wrap=True)
    table.add_column("fit", no_wrap=True)
    for column in ("timings", "error*", "factor**"):
        table.add_column(column, justify="right")
    for profile in profiles:
        gpu = str(profile.hardware.get("gpu", profile.gpu.family))
        factor = f"{profile.fit.interval_factor:.2f} x"
        timings = str(len(profile.fit.rows))
        table.add_row(profile.name, gpu, profile.fit.status, timings, _error(profile), factor)
    table.caption = (
        "* median over the timings, each predicted by a fit that did not see it\n"
        "** 90 % of run times are expected within this factor of the prediction"
    )
    table.caption_justify = "left"
    Console().print(table)


def _error(profile: DeviceProfile) -> str:
    errors = [
        abs(math.log(row.held_out_ms / row.measured_ms))
        for row in profile.fit.rows
        if row.held_out_ms
    ]
    return f"{math.expm1(statistics.median(errors)):.0%}" if errors else "unknown"
