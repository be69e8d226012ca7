"""`lensnas latency suite`: probes to time on a phone nobody has calibrated yet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from .app import Device, app


@app.command()
def suite(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder to write.")],
    count: Annotated[int, typer.Option(help="Number of probes.")] = 24,
    device: Device = "snapdragon-8-gen-1",
    size: Annotated[
        Literal["phone", "small"], typer.Option(help="phone: up to Full HD; small: for a CPU.")
    ] = "phone",
) -> None:
    """Write .tflite probes that calibrate a phone best, and a script that times them with adb.

    The probes are chosen so that a fit to their run times knows all prices of the cost model
    as well as possible (D-optimal design), starting from what --device, a similar one, costs.
    """
    from latency import load_profile
    from search.calibration.suite import choose, write_suite
    from search.study.quiet import native_stderr_hidden

    chosen = choose(load_profile(device), count, size)
    with native_stderr_hidden():
        write_suite(chosen, output, lambda name: print(f"  {name}"))
    total = sum(item.predicted_ms for item in chosen)
    print(
        f"wrote {len(chosen)} probes to {output}, {total:.0f} ms in all as predicted for {device}; "
        f"next: sh {output / 'measure.sh'} BENCHMARK_MODEL"
    )
