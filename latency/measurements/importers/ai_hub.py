"""Profiles of Qualcomm AI Hub, as `ProfileJob.download_profile` returns them, saved as JSON.

`execution_summary` has `estimated_inference_time` and `all_inference_times`,
`execution_detail` one entry a layer; all times are in microseconds.
"""

from __future__ import annotations

import json
import math
import statistics
from collections import Counter
from typing import Any

from latency.measurements.measurement import (
    ACCELERATORS,
    KernelTime,
    Measurement,
    MeasurementError,
    spread_notes,
)

from .context import Context


def recognises(text: str) -> bool:
    """Whether a text is such a profile."""
    return text.lstrip().startswith("{") and '"execution_summary"' in text


def read(text: str, context: Context) -> list[Measurement]:
    """One measurement: the median run, for the estimate of AI Hub is the fastest one."""
    try:
        profile = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MeasurementError("not JSON", line=getattr(error, "lineno", None)) from error
    summary = profile.get("execution_summary") if isinstance(profile, dict) else None
    if not isinstance(summary, dict):
        raise MeasurementError("no 'execution_summary'")
    layers = _layers(profile)
    units = Counter(str(layer.get("compute_unit", "")).lower() for layer in layers)
    values = _times(summary)
    unit = _main_unit(units) or context.needs_accelerator()
    return [
        context.measurement(
            **values,
            accelerator=unit,
            delegated=units[unit] == len(layers) if layers else None,
            delegated_ops=units[unit] if layers else None,
            total_ops=len(layers) or None,
            method="Qualcomm AI Hub profile job",
            kernels=tuple(_kernel(layer) for layer in layers),
            notes=(*_unit_notes(units), *spread_notes(values["ms"], values.get("std_ms"))),
        )
    ]


def _times(summary: dict[str, Any]) -> dict[str, Any]:
    runs = summary.get("all_inference_times")
    if not runs:
        return {"ms": _ms(summary, "estimated_inference_time"), "statistic": "min"}
    if not isinstance(runs, list) or not all(_is_time(us) for us in runs):
        raise MeasurementError("'all_inference_times' is not a list of times")
    return {
        "ms": statistics.median(runs) / 1000,
        "statistic": "median",
        "std_ms": statistics.stdev(runs) / 1000 if len(runs) > 1 else None,
        "runs": len(runs),
    }


def _layers(profile: dict[str, Any]) -> list[dict[str, Any]]:
    layers = profile.get("execution_detail") or []
    if not isinstance(layers, list) or not all(isinstance(layer, dict) for layer in layers):
        raise MeasurementError("'execution_detail' is not a list of layers")
    return layers


def _main_unit(units: Counter[str]) -> str | None:
    """The unit that ran most layers."""
    return next((unit for unit, _ in units.most_common() if unit in ACCELERATORS), None)


def _kernel(layer: dict[str, Any]) -> KernelTime:
    name = " ".join(str(layer[key]) for key in ("type", "name") if layer.get(key))
    ms = _ms(layer, "execution_time") if layer.get("execution_time") is not None else 0.0
    return KernelTime(name or "unnamed", ms)


def _unit_notes(units: Counter[str]) -> tuple[str, ...]:
    if len(units) < 2:
        return ()
    return ("layers by unit: " + ", ".join(f"{unit} {n}" for unit, n in units.most_common()),)


def _ms(table: dict[str, Any], key: str) -> float:
    if not _is_time(table.get(key)):
        raise MeasurementError(f"{key!r} is {table.get(key)!r}, not microseconds")
    return float(table[key] / 1000)


def _is_time(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and 0 <= value < 1e15
