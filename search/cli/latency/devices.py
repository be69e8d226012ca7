"""`lensnas latency devices`: the known phones, and how far to trust each profile."""

from __future__ import annotations

import json
import math
import statistics
from typing import TYPE_CHECKING, Any

from search.cli.arguments import AsJson

from .app import app

if TYPE_CHECKING:
    from latency import DeviceProfile


@app.command()
def devices(as_json: AsJson = False) -> None:
    """List the devices and how well predictions fit what was measured on them."""
    from latency import device_names, load_profile

    profiles = [load_profile(name) for name in device_names()]
    if as_json:
        print(json.dumps([_document(profile) for profile in profiles], indent=2))
    else:
        _print_devices(profiles)


def _document(profile: DeviceProfile) -> dict[str, Any]:
    """A profile without the points of its kernel models, which only a prediction needs."""
    from dataclasses import asdict, replace

    document = asdict(replace(profile, learned=None))
    cost = profile.learned
    document["learned"] = cost and {
        "run_ms": cost.run_ms,
        "launch_ms": cost.launch_ms,
        "ramp": cost.ramp,
        "sources": [
            {"kernels": s.file, "of": s.model.name, **s.scales_by_part} for s in cost.sources
        ],
    }
    return document


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
