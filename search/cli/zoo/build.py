"""`lensnas zoo build`: a published system as a file to time on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from search.errors import UserError

from .app import app, find_system, short

if TYPE_CHECKING:
    from latency import Graph
    from search.export.variant import Precision
    from spaces.zoo import ZooSystem

_MULTIPLE = 32
"""Every system halves its input at most five times."""


@app.command()
def build(
    name: Annotated[str, typer.Argument(help="A system, see 'lensnas zoo list'.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The .tflite file to write.")],
    resolution: Annotated[
        str | None, typer.Option(help="Input HxW; the challenge's without it.")
    ] = None,
    precision: Annotated[str, typer.Option(help="fp32, fp16 or dynamic.")] = "fp32",
) -> None:
    """Write NAME as a .tflite file with random weights, to time it on a phone."""
    system = find_system(name)
    height, width = _resolution(resolution, system)
    graph = system.trace((height, width))  # refuses what is too small, before the slow imports

    from search.artifacts import write_bytes
    from search.export.variant import INTEGER, known_precision
    from search.study.quiet import native_stderr_hidden

    known = known_precision(precision)
    if known in INTEGER:
        raise UserError(f"{known} needs a trained network and its data: see lensnas export")
    with native_stderr_hidden():
        file = _random_file(system, (height, width), known)
    write_bytes(output, file)
    print(
        f"wrote {output}: {system.title}, random weights, "
        f"{height}x{width}x{system.input_shape[2]} input, {graph.macs / 1e9:.3f} GMAC"
    )
    for line in _findings(system, graph, file):
        print(f"  {line}")


def _findings(system: ZooSystem, graph: Graph, file: bytes) -> Iterator[str]:
    """The file beside what was published, what is predicted and what was traced."""
    from latency import LatencyOracle, read_tflite
    from search.study.estimate import refusals
    from search.tasks import TASKS

    device, published = TASKS[system.task].device, system.published
    oracle = LatencyOracle(device)
    traced, exported = oracle.predict(graph), oracle.predict(read_tflite(file))
    size_mb = len(file) / 2**20
    against = f", published {published.size_mb:g} MiB" if published.size_mb else ""
    yield f"size {size_mb:.4g} MiB{against}"
    ms, low, high = (short(value) for value in (exported.ms, exported.low_ms, exported.high_ms))
    at = "x".join(map(str, system.input_shape[:2]))
    against = f", published {published.gpu_ms:g} ms at {at}" if published.gpu_ms else ""
    yield f"predicted {ms} ms ({low} to {high}) on {device}{against}"
    same = exported.launches == traced.launches
    yield f"{len(exported.kernels)} kernels, {'the same as' if same else 'NOT those'} traced"
    refused = refusals(exported)
    if refused:
        more = f", and {len(refused) - 1} more" if len(refused) > 1 else ""
        yield f"not for this GPU: {refused[0]}{more}"


def _random_file(system: ZooSystem, size: tuple[int, int], precision: Precision) -> bytes:
    import numpy as np

    from search.export.conversion.convert import convert
    from spaces.ops.keras_backend import Network

    channels = system.input_shape[2]
    model = Network(system.network, channels)
    rng = np.random.default_rng(0)
    for variable in model.variables:
        # The converter folds away what adds zero or multiplies by one, and shares equal weights:
        # initial values would make a file that is smaller and faster than a trained one.
        variable.assign(variable + rng.normal(scale=0.05, size=variable.shape))
    return convert(model, (*size, channels), precision)


def _resolution(text: str | None, system: ZooSystem) -> tuple[int, int]:
    if text is None:
        return system.input_shape[0], system.input_shape[1]
    height, cross, width = text.partition("x")
    if not (cross and height.isdecimal() and width.isdecimal()):
        raise UserError(f"resolution {text!r}: write HxW, like 544x960")
    sides = int(height), int(width)
    if min(sides) < 1 or any(side % _MULTIPLE for side in sides):
        raise UserError(f"resolution {text!r}: height and width must be multiples of {_MULTIPLE}")
    return sides
