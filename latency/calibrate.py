"""`calibrate`: a device profile from whatever measurements there are.

Enough kernel timings of several networks give the phone its own kernel model. Otherwise
the end-to-end times decide between borrowed kernel models and plain prices: each candidate
predicts every network from the others, and the one with the least error is kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from .cost import RUN
from .dataset import KernelTiming, MeasuredDevice, MeasuredNetwork, family_of
from .delegate import lower
from .fit import fit_profile
from .fit_learned import fit_borrowed, fit_measured
from .gpu import Gpu
from .graph import Graph
from .kernel import CONVERSIONS, Lowering
from .learned_cost import Source
from .profile import DeviceProfile
from .profile_error import ProfileError

MIN_KERNELS = 200
"""Fewer kernel timings than this make no kernel model of their own."""

_MIN_ROWS = 3
_SHORTEST_MS = 1e-3
_LINEAR = {
    "prices of MACs and bytes": (RUN, "gmac", "gbyte"),
    "prices of launches, MACs and bytes": (RUN, "launch", "gmac", "gbyte"),
    "prices by kind of kernel": (RUN, "launch", "gmac", "gbyte", "depthwise_gmac", "weight_gbyte"),
}


@dataclass(frozen=True, slots=True)
class CalibrationRow:
    """One measured network: `ms` end to end, `kernel_ms` one by one where they were profiled."""

    name: str
    graph: Graph
    ms: float
    std_ms: float = 0.0
    kernel_ms: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to price the device, and its held-out error (rms of the log ratio)."""

    name: str
    profile: DeviceProfile
    error: float


def calibrate(
    name: str,
    gpu: Gpu,
    rows: Sequence[CalibrationRow],
    lenders: Sequence[Source] = (),
    *,
    source: str,
    hardware: Mapping[str, str | float] | None = None,
) -> list[Candidate]:
    """Profiles of a device, the best first. `lenders`: kernel models to borrow (no CPU can).

    Networks that the GPU runs only in part are left out: their time is not the GPU's.
    Raises `ProfileError` where no candidate can be fitted.
    """
    usable = [row for row in rows if not lower(row.graph, gpu).fallbacks]
    if len(usable) < _MIN_ROWS:
        raise ProfileError(
            f"{name}: {len(usable)} of {len(rows)} measured networks run wholly on the device; "
            f"at least {_MIN_ROWS} are needed"
        )
    candidates, problem = [], ""
    for label, fit in _fits(name, gpu, usable, lenders).items():
        try:
            profile = fit(source=source, hardware=hardware)
        except ProfileError as error:
            problem = str(error)
            continue
        candidates.append(Candidate(label, profile, held_out_error(profile)))
    if not candidates:
        raise ProfileError(problem)
    return sorted(candidates, key=lambda candidate: candidate.error)


def _fits(
    name: str, gpu: Gpu, rows: Sequence[CalibrationRow], lenders: Sequence[Source]
) -> dict[str, Callable[..., DeviceProfile]]:
    """What to try, by name."""
    fits: dict[str, Callable[..., DeviceProfile]] = {}
    device = _measured_device(name, gpu, rows)
    if sum(len(network.kernels) for network in device.networks) >= MIN_KERNELS:
        fits["own kernel model"] = partial(fit_measured, name, device, kernels_file=f"{name}.json")
    lowered = [(row.name, lower(row.graph, gpu), row.ms) for row in rows]
    if gpu.family != "cpu":
        for lender in lenders:
            label = f"kernels of {lender.model.name}"
            fits[label] = partial(fit_borrowed, name, gpu, lowered, [lender])
        if len(lenders) > 1:
            fits["mean of all kernel models"] = partial(
                fit_borrowed, name, gpu, lowered, list(lenders)
            )
    graphs = [(row.name, row.graph, row.ms) for row in rows]
    for label, features in _LINEAR.items():
        fits[label] = partial(fit_profile, name, gpu, graphs, feature_names=features)
    return fits


def held_out_error(profile: DeviceProfile) -> float:
    """Root mean square log ratio of a profile's held-out predictions."""
    logs = [
        math.log(max(row.held_out_ms, _SHORTEST_MS) / row.measured_ms)
        for row in profile.fit.rows
        if row.held_out_ms is not None
    ]
    return math.sqrt(math.fsum(log * log for log in logs) / len(logs)) if logs else math.inf


def _measured_device(name: str, gpu: Gpu, rows: Sequence[CalibrationRow]) -> MeasuredDevice:
    return MeasuredDevice(name, name, gpu, tuple(_measured_network(row, gpu) for row in rows))


def _measured_network(row: CalibrationRow, gpu: Gpu) -> MeasuredNetwork:
    lowering = lower(row.graph, gpu)
    return MeasuredNetwork(
        row.name, family_of(row.name), row.ms, row.std_ms, _paired(row, lowering), row.graph,
        lowering,
    )  # fmt: skip


def _paired(row: CalibrationRow, lowering: Lowering) -> tuple[KernelTiming, ...]:
    """Profiled times with our kernels, in launch order; none where their numbers differ."""
    ours = [kernel for kernel in lowering.kernels if kernel.kind not in CONVERSIONS]
    for kernels in (list(lowering.kernels), ours):
        if len(kernels) == len(row.kernel_ms) and min(row.kernel_ms, default=0.0) > 0:
            return tuple(map(KernelTiming, kernels, row.kernel_ms))
    return ()
