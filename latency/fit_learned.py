"""Fit a `LearnedCost`: from a phone's own kernel timings, or borrowed from other phones.

`fit_measured` has thousands of kernels and end-to-end times of one phone.
`fit_borrowed` has a handful of end-to-end times and the kernel models of others:
it fits a fixed cost and three scales, shrunk towards one common scale.

Both predict every row from a fit that did not see it (nor its model family), and
take the 90 % interval from those held-out errors.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .dataset import MeasuredDevice, MeasuredNetwork
from .fit import ROUGH_CPU, interval_factor, nnls, valid_range
from .gpu import Gpu
from .kernel import Lowering
from .kernel_model import PARTS, KernelModel, fit_kernel_model
from .learned_cost import LearnedCost, Source
from .profile import DeviceProfile, Fit, FitRow
from .profile_error import ProfileError

Array = NDArray[np.float64]
LoweredTiming = tuple[str, Lowering, float]
"""A network's name, its kernels and its measured run time in ms."""

SHRINKAGE = 0.05
"""How strongly borrowed scales are drawn to a common one: the best of five values tried on every
pair of the three phones of the mobile-ml-benchmark, 10 random timings each."""

_MIN_BORROWED = 3
_PRICES = 2
"""Degrees of freedom spent: the run and a common scale; the shrunk rest weighs little."""
_IRLS_STEPS = 20
_SMALL_ERROR = 0.01


def fit_measured(
    name: str,
    device: MeasuredDevice,
    *,
    source: str,
    kernels_file: str,
    hardware: Mapping[str, str | float] | None = None,
    date: str | None = None,
) -> DeviceProfile:
    """A profile of a phone whose kernels were timed. `kernels_file`: its kernel model's name.

    Raises `ProfileError` without networks of at least two families.
    """
    families = sorted({network.family for network in device.networks})
    if len(families) < 2:
        raise ProfileError(f"{name}: one model family cannot be checked on another")
    cost = measured_cost(device, device.networks, source, kernels_file)
    held_out = {}
    for family in families:
        seen = [n for n in device.networks if n.family != family]
        without = measured_cost(device, seen, source, kernels_file)
        for network in device.networks:
            if network.family == family:
                held_out[network.name] = predict_ms(without, network.lowering)
    rows = [
        FitRow(n.name, n.ms, predict_ms(cost, n.lowering), held_out[n.name])
        for n in device.networks
    ]
    return _profile(
        name, device.gpu, cost, rows, [n.lowering for n in device.networks],
        status="fitted", source=source, hardware=hardware, date=date,
    )  # fmt: skip


def measured_cost(
    device: MeasuredDevice, networks: Sequence[MeasuredNetwork], source: str, kernels_file: str
) -> LearnedCost:
    """The cost model of `device` from some of its networks, unscaled and unchecked."""
    timings = [(t.kernel, t.ms) for network in networks for t in network.kernels]
    model = fit_kernel_model(device.name, device.gpu, timings, source=source)
    rows = []
    for network in networks:
        measured = math.fsum(t.ms for t in network.kernels)
        # Kernels that the measurement leaves out are known where the graph is.
        rest = [k for k in network.lowering.kernels if k.kind not in model.kinds]
        total = measured + math.fsum(map(model.kernel_ms, rest))
        rows.append((1.0, float(len(network.lowering.kernels)), math.sqrt(total), total))
    run, launch, ramp, scale = _least_absolute(rows, [network.ms for network in networks])
    return LearnedCost((Source(kernels_file, model, (scale,) * 3),), run, launch, ramp)


def _least_absolute(rows: Sequence[Sequence[float]], ms: Sequence[float]) -> list[float]:
    """Coefficients of least absolute relative error, by iterated least squares.

    Least absolute: a few phones' runs were disturbed, and their times mean little.
    """
    values, target = np.array(rows), np.array(ms)
    weight = 1.0 / target
    for _ in range(_IRLS_STEPS):
        found = np.linalg.lstsq(values * weight[:, None], target * weight, rcond=None)[0]
        error = np.abs(values @ found / target - 1)
        weight = 1.0 / target / np.sqrt(np.maximum(error, _SMALL_ERROR))
    return [float(value) for value in found]


def fit_borrowed(
    name: str,
    gpu: Gpu,
    timings: Sequence[LoweredTiming],
    lenders: Sequence[Source],
    *,
    source: str,
    shrinkage: float = SHRINKAGE,
    hardware: Mapping[str, str | float] | None = None,
    date: str | None = None,
    status: str = "fitted",
) -> DeviceProfile:
    """A profile of `gpu` that prices kernels like the phones of `lenders`, rescaled.

    Raises `ProfileError` for fewer than three timings, or one that is not positive.
    """
    if len(timings) < _MIN_BORROWED:
        raise ProfileError(f"{name}: {len(timings)} timings; at least {_MIN_BORROWED} are needed")
    for network, _, ms in timings:
        if not (ms > 0 and math.isfinite(ms)):
            raise ProfileError(f"{network}: measured {ms} ms")
    adapted = [replace(lender, model=replace(lender.model, gpu=gpu)) for lender in lenders]
    cost = _borrowed_cost(timings, adapted, shrinkage)
    rows = []
    for index, (network, lowering, ms) in enumerate(timings):
        others = [*timings[:index], *timings[index + 1 :]]
        held_out = _borrowed_cost(others, adapted, shrinkage)
        rows.append(FitRow(network, ms, predict_ms(cost, lowering), predict_ms(held_out, lowering)))
    return _profile(
        name, gpu, cost, rows, [lowering for _, lowering, _ in timings],
        status=status, source=source, hardware=hardware, date=date,
    )  # fmt: skip


def _borrowed_cost(
    timings: Sequence[LoweredTiming], lenders: Sequence[Source], shrinkage: float
) -> LearnedCost:
    """The mean of one fit per lender."""
    fits = [_fit_scales(timings, lender.model, shrinkage) for lender in lenders]
    sources = tuple(
        replace(lender, scales=(float(scales[0]), float(scales[1]), float(scales[2])))
        for lender, (_, scales) in zip(lenders, fits, strict=True)
    )
    return LearnedCost(
        sources, run_ms=float(np.mean([run for run, _ in fits])), launch_ms=0, ramp=0
    )


def _fit_scales(
    timings: Sequence[LoweredTiming], model: KernelModel, shrinkage: float
) -> tuple[float, Array]:
    """(run ms, scales of `PARTS`): ridge regression of relative errors around a common scale."""
    ms = np.array([ms for _, _, ms in timings])
    parts = np.array([_parts(model, lowering) for _, lowering, _ in timings])
    totals = np.column_stack([np.ones(len(ms)), parts.sum(axis=1)])
    run, common = _relative_nnls(totals, ms)
    if common <= 0:
        return run, np.zeros(len(PARTS))
    values = np.column_stack([np.ones(len(ms)), parts]) / ms[:, None]
    towards = np.column_stack([np.zeros(len(PARTS)), np.eye(len(PARTS)) * shrinkage / common])
    found = nnls(
        np.vstack([values, towards]), np.concatenate([np.ones(len(ms)), [shrinkage] * len(PARTS)])
    )
    return float(found[0]), found[1:]


def _relative_nnls(values: Array, ms: Array) -> tuple[float, float]:
    relative = values / ms[:, None]
    scale = np.linalg.norm(relative, axis=0)
    run, common = nnls(relative / scale, np.ones(len(ms))) / scale
    return float(run), float(common)


def _parts(model: KernelModel, lowering: Lowering) -> Array:
    """ms of a network by `PARTS`."""
    by_kernel: Array = np.array([model.parts_ms(kernel) for kernel in lowering.kernels])
    total: Array = by_kernel.sum(axis=0)
    return total


def predict_ms(cost: LearnedCost, lowering: Lowering) -> float:
    """Run time of a wholly delegated network in ms."""
    kernels = math.fsum(map(cost.kernel_ms, lowering.kernels))
    return kernels + cost.fixed_ms(kernels, len(lowering.kernels))


def _profile(
    name: str,
    gpu: Gpu,
    cost: LearnedCost,
    rows: Sequence[FitRow],
    lowerings: Sequence[Lowering],
    *,
    status: str,
    source: str,
    hardware: Mapping[str, str | float] | None,
    date: str | None,
) -> DeviceProfile:
    measured = np.array([row.measured_ms for row in rows])
    held_out = np.array([row.held_out_ms or math.nan for row in rows])
    return DeviceProfile(
        name=name,
        gpu=gpu,
        coefficients={},
        cpu=ROUGH_CPU,
        fit=Fit(
            status=status,
            source=source,
            date=date or datetime.datetime.now(datetime.UTC).date().isoformat(),
            interval_factor=interval_factor(measured, held_out, _PRICES),
            valid_range=valid_range(lowerings),
            rows=tuple(rows),
        ),
        hardware=dict(hardware or {}),
        learned=cost,
    )
