"""`fit_profile`: prices of a device from measured run times of known networks.

Non-negative least squares on the relative error: a fast network counts as much
as a slow one, and no kernel ever has a negative price. Few timings are the
rule, so every row is also predicted from the others, and the interval comes
from those held-out errors with Student's t for the degrees of freedom left.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from .cost import FEATURES, RUN, CpuRates, features
from .delegate import lower
from .gpu import Gpu
from .graph import Graph
from .kernel import Lowering
from .oracle import extent
from .profile import DeviceProfile, Fit, FitRow
from .profile_error import ProfileError

Array = NDArray[np.float64]
Timing = tuple[str, Graph, float]
"""A network's name, its graph, and its measured run time in ms."""

DEFAULT_FEATURES = (RUN, "gmac", "gbyte")
ROUGH_CPU = CpuRates(ms_per_gmac=10.0, ms_per_gbyte=500.0)
"""About a Snapdragon 8 Gen 1's CPU in the MAI 2022 learned-ISP table."""

_SHORTEST_MS = 1e-3
_MANY_ROWS = 20
# 95 % quantiles of Student's t by degrees of freedom; beyond 30, the normal one.
_T95 = (
    6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833, 1.812,
    1.796, 1.782, 1.771, 1.761, 1.753, 1.746, 1.740, 1.734, 1.729, 1.725,
    1.721, 1.717, 1.714, 1.711, 1.708, 1.706, 1.703, 1.701, 1.699, 1.697,
)  # fmt: skip
_Z95 = 1.645


def fit_profile(
    name: str,
    gpu: Gpu,
    timings: Sequence[Timing],
    *,
    feature_names: Sequence[str] = DEFAULT_FEATURES,
    known_prices: Mapping[str, float] | None = None,
    source: str,
    hardware: Mapping[str, str | float] | None = None,
    cpu: CpuRates = ROUGH_CPU,
    date: str | None = None,
) -> DeviceProfile:
    """A profile of `gpu` whose prices explain `timings` best.

    `feature_names`: what to price, out of `RUN` and `cost.FEATURES`; a feature
    that no timing shows is left out, as its price would be a guess.
    `known_prices`: feature -> price that is not fitted but taken from elsewhere;
    the rest is fitted to what it leaves of the run times. `source`
    tells where the timings come from; `date` (ISO) is today if not given.

    Raises `ProfileError` without more timings than prices, for a timing that is
    not positive, for an unknown or twice priced feature, and for a network that is not wholly
    delegated (its time is not the GPU's).
    """
    known = dict(known_prices or {})
    unknown = [f for f in (*feature_names, *known) if f != RUN and f not in FEATURES]
    if unknown:
        raise ProfileError(f"unknown feature {unknown[0]!r}; known: {RUN}, {', '.join(FEATURES)}")
    twice = known.keys() & set(feature_names)
    if twice:
        raise ProfileError(f"feature {min(twice)!r} has a known price and is to be fitted")
    lowerings = [_lowered(row, graph, ms, gpu) for row, graph, ms in timings]
    measured = np.array([ms for _, _, ms in timings], dtype=np.float64)
    values = np.array([list(features(low, feature_names).values()) for low in lowerings])
    if len(timings) <= len(feature_names):
        raise ProfileError(
            f"{len(timings)} timings cannot give {len(feature_names)} prices; measure more networks"
        )
    seen = np.flatnonzero(values.any(axis=0))
    names = [feature_names[int(i)] for i in seen]
    values = values[:, seen]
    charged = np.array([_charged(lowering, known) for lowering in lowerings])

    prices = _fit(values, measured, charged)
    everything = (values, measured, charged)
    held_out = np.array(
        [
            charged[i]
            + values[i] @ _fit(*(np.delete(of_rows, i, axis=0) for of_rows in everything))
            for i in range(len(timings))
        ]
    )
    rows = tuple(
        FitRow(row, float(ms), float(fitted), float(other))
        for (row, _, ms), fitted, other in zip(
            timings, charged + values @ prices, held_out, strict=True
        )
    )
    return DeviceProfile(
        name=name,
        gpu=gpu,
        coefficients={f: float(price) for f, price in zip(names, prices, strict=True)} | known,
        cpu=cpu,
        fit=Fit(
            status="fitted",
            source=source,
            date=date or datetime.datetime.now(datetime.UTC).date().isoformat(),
            interval_factor=interval_factor(measured, held_out, int(np.count_nonzero(prices))),
            valid_range=valid_range(lowerings),
            rows=rows,
        ),
        hardware=dict(hardware or {}),
    )


def _lowered(name: str, graph: Graph, ms: float, gpu: Gpu) -> Lowering:
    if not (ms > 0 and math.isfinite(ms)):
        raise ProfileError(f"{name}: measured {ms} ms")
    lowering = lower(graph, gpu)
    if lowering.fallbacks:
        first = lowering.fallbacks[0]
        raise ProfileError(
            f"{name}: op {first.op_index} {first.kind} runs on the CPU ({first.reason}); "
            "fit on wholly delegated networks"
        )
    return lowering


def valid_range(lowerings: Sequence[Lowering]) -> dict[str, tuple[float, float]]:
    """(lowest, highest) extent of the networks a profile is fitted on.

    Images of half to twice the fitted size count as inside: all may be of one size.
    """
    extents = [extent(lowering) for lowering in lowerings]
    found = {}
    for quantity in extents[0]:
        values = [of_network[quantity] for of_network in extents]
        margin = 2.0 if quantity == "megapixels" else 1.0
        found[quantity] = (float(min(values)) / margin, float(max(values)) * margin)
    return found


def interval_factor(measured_ms: Array, held_out_ms: Array, prices: int) -> float:
    """Factor of the 90 % prediction interval from held-out predictions of n networks.

    With many rows the errors speak for themselves: the 90 % quantile of the absolute log
    ratio, of rank ceil(0.9 (n + 1)) (split conformal prediction, Vovk et al. 2005). With few,
    s being their root mean square and t the 95 % quantile of Student's t for n - `prices`
    degrees of freedom: exp(t * s * sqrt(1 + 1/n)).
    """
    n = len(measured_ms)
    log_ratio = np.log(measured_ms / np.maximum(held_out_ms, _SHORTEST_MS))
    if n >= _MANY_ROWS:
        rank = math.ceil(0.9 * (n + 1))
        return math.exp(float(np.sort(np.abs(log_ratio))[min(rank, n) - 1]))
    s = float(np.sqrt(np.mean(log_ratio**2)))
    freedom = max(n - prices, 1)
    t = _T95[freedom - 1] if freedom <= len(_T95) else _Z95
    return math.exp(t * s * math.sqrt(1 + 1 / n))


def _charged(lowering: Lowering, prices: Mapping[str, float]) -> float:
    """ms that `prices` already explain of one network."""
    return sum(prices[name] * value for name, value in features(lowering, prices).items())


def _fit(values: Array, measured: Array, charged: Array) -> Array:
    """Prices >= 0 with the least sum of squared relative errors.

    `values`: n x p features, `measured`: n run times, `charged`: the part of
    them that known prices explain. Returns p prices.
    """
    relative = values / measured[:, None]
    scale = np.linalg.norm(relative, axis=0)
    scale[scale == 0] = 1.0
    prices: Array = nnls(relative / scale, 1.0 - charged / measured) / scale
    return prices


def nnls(a: Array, b: Array) -> Array:
    """The x >= 0 with least |a x - b|; a: n x p, b: n, x: p.

    Active-set method of Lawson and Hanson, "Solving Least Squares Problems"
    (1974), chapter 23.
    """
    p = a.shape[1]
    x = np.zeros(p)
    free = np.zeros(p, dtype=bool)
    tolerance = 1e-12 * max(float(np.abs(a.T @ b).max(initial=0.0)), 1.0)
    for _ in range(10 * p):
        gradient = a.T @ (b - a @ x)
        gradient[free] = -np.inf
        entering = int(np.argmax(gradient))
        if free.all() or gradient[entering] <= tolerance:
            return x
        free[entering] = True
        while True:
            trial = np.zeros(p)
            trial[free] = np.linalg.lstsq(a[:, free], b, rcond=None)[0]
            if (trial[free] > 0).all():
                x = trial
                break
            # Walk towards the trial until the first coordinate reaches zero.
            blocked = free & (trial <= 0)
            step = float(np.min(x[blocked] / (x[blocked] - trial[blocked])))
            x = x + step * (trial - x)
            free &= x > tolerance
            x[~free] = 0.0
    return x
