"""Fit the device profiles of the two challenge phones to the published run times.

    python benchmarks/fit_devices.py            print the fits and what was tried
    python benchmarks/fit_devices.py --write    also write latency/devices/*.toml

A row counts as exact when the network behind it is known from public code, a
released file or a full description. Only those are fitted for the Snapdragon;
the others are predicted and printed as a check. The Kirin has four rows, three
of them with assumed widths, so its profile is a calibration, not a fit.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

import latency
from latency import DeviceProfile, LatencyOracle, Lowering, load_profile, lower, write_profile
from latency.cost import RUN
from latency.fit import fit_profile, nnls
from spaces.zoo import ZOO, ZooSystem

DEVICES = Path(latency.__file__).parent / "devices"

ISP = [ZOO[name] for name in ZOO if ZOO[name].task == "isp"]
BOKEH = [ZOO[name] for name in ZOO if ZOO[name].task == "bokeh"]
EXACT = [system for system in ISP if system.confidence in ("exact", "high")]
# Its released file keeps four ops on the CPU: the time is not the GPU's alone.
EXACT.remove(ZOO["jmu_cvlab"])

LAUNCH_MS = 0.008
"""Prior, Adreno: the shortest kernels on an Adreno 640 take 4 to 6 us, and its end-to-end time
grows by 2 us more for each kernel (EdgeSys 2024 benchmark, 82 networks)."""
REDUCE_MS_PER_GBYTE = 25.0
"""Prior, Adreno: what a reduction pays above other kernels, having one work-group for each four
channels. An Adreno 640 reduces 56x56 maps of 8 to 64 channels at 140 to 50 ms/GB above its
shortest kernel; scaled by clock and less the ordinary price that is 80 to 15."""
SNAPDRAGON_PRIORS = {"launch": LAUNCH_MS, "reduce_gbyte": REDUCE_MS_PER_GBYTE}
SNAPDRAGON_FEATURES = (RUN, "gmac", "conv_generic_gmac", "gbyte")
SNAPDRAGON_SOURCE = (
    "MAI 2022 learned-ISP table, GPU ms of six networks. Public code or file: Multimedia, "
    "MicroISP 1.0, PyNET-V2 Mobile, DANN-ISP; described in full: MiAlgo (track 1); one of two "
    "stages assumed: MicroISP 0.5. Fitted: run, gmac, conv_generic_gmac, gbyte. Priors, not "
    "fitted: launch (shortest kernels of an Adreno 640), reduce_gbyte (reductions of an Adreno "
    "640, scaled by clock)."
)

# A Mali-G76's end-to-end time grows by 5 us for each kernel above its kernels' own times, and it
# concatenates at 23 GB/s (same benchmark). The G78 has twice its cores: 40 GB/s assumed.
KIRIN_PRIORS = {"launch": 0.01, "gbyte": 25.0}
KIRIN_SOURCE = (
    "MAI 2022 bokeh table, GPU ms of four networks, three with assumed widths (Antins_cv, ENERZAi, "
    "MiAIgo) and one with an assumed input size (PyNET). Fitted: run, gmac. Priors, not fitted: "
    "launch and gbyte (of a Mali-G76, bandwidth taken 1.7 times higher)."
)

CANDIDATES: Mapping[str, tuple[Sequence[str], Mapping[str, float]]] = {
    "one rate for MACs": ((RUN, "gmac", "gbyte"), {}),
    "one rate, launch": ((RUN, "gmac", "gbyte"), {"launch": LAUNCH_MS}),
    "two rates": (SNAPDRAGON_FEATURES, {}),
    "two rates, launch": (SNAPDRAGON_FEATURES, {"launch": LAUNCH_MS}),
    "two rates, launch, reductions (shipped)": (SNAPDRAGON_FEATURES, SNAPDRAGON_PRIORS),
}


def fit_snapdragon(
    features: Sequence[str] = SNAPDRAGON_FEATURES, priors: Mapping[str, float] = SNAPDRAGON_PRIORS
) -> DeviceProfile:
    return _fit("snapdragon-8-gen-1", EXACT, features, priors, SNAPDRAGON_SOURCE)


def fit_kirin() -> DeviceProfile:
    profile = _fit("kirin-9000", BOKEH, (RUN, "gmac"), KIRIN_PRIORS, KIRIN_SOURCE)
    fit = dataclasses.replace(profile.fit, status="calibration")
    return dataclasses.replace(profile, fit=fit)


def _fit(
    name: str,
    systems: Iterable[ZooSystem],
    features: Sequence[str],
    priors: Mapping[str, float],
    source: str,
) -> DeviceProfile:
    old = load_profile(name)  # keeps its hardware facts
    profile = fit_profile(
        name,
        old.gpu,
        [(system.published_team, system.trace(), _published_ms(system)) for system in systems],
        feature_names=features,
        known_prices=priors,
        source=source,
        hardware=old.hardware,
        cpu=old.cpu,
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
    )
    return _rounded(profile)


def _rounded(profile: DeviceProfile) -> DeviceProfile:
    """Four significant digits: more than the fit is worth, and readable in the file."""

    def short(number: float) -> float:
        return float(f"{number:.4g}")

    fit = dataclasses.replace(
        profile.fit,
        interval_factor=short(profile.fit.interval_factor),
        rows=tuple(
            dataclasses.replace(
                row, fitted_ms=short(row.fitted_ms), held_out_ms=short(row.held_out_ms)
            )
            for row in profile.fit.rows
        ),
    )
    prices = {name: short(price) for name, price in profile.coefficients.items()}
    return dataclasses.replace(profile, coefficients=prices, fit=fit)


def _published_ms(system: ZooSystem) -> float:
    ms = system.published.gpu_ms
    if ms is None:
        raise ValueError(f"{system.name} has no published GPU time")
    return ms


def error(profile: DeviceProfile) -> tuple[float, float]:
    """Leave-one-out error of a profile's rows: root mean square and largest |log ratio|."""
    return _rms_and_largest(
        [math.log(row.held_out_ms / row.measured_ms) for row in profile.fit.rows]
    )


def _rms_and_largest(logs: Sequence[float]) -> tuple[float, float]:
    return math.sqrt(sum(log**2 for log in logs) / len(logs)), max(map(abs, logs))


def misordered(pairs: Sequence[tuple[float, float]]) -> tuple[int, int]:
    """How many of the pairs of (measured, predicted) ms that differ by over 20 % stand the wrong
    way round, and how many there are."""
    far = [(a, b) for a, b in itertools.combinations(pairs, 2) if abs(math.log(a[0] / b[0])) > 0.18]
    return sum((a[0] - b[0]) * (a[1] - b[1]) <= 0 for a, b in far), len(far)


def direct_features(lowering: Lowering, macs: int) -> list[float]:
    """[1, unpadded GMAC without Winograd, GB moved without Winograd's transforms]."""
    moved = 0
    for kernel in lowering.kernels:
        if kernel.kind == "winograd_input":
            moved += kernel.read_bytes
        elif kernel.kind == "winograd_matmul":
            between = kernel.write_bytes
        elif kernel.kind == "winograd_output":
            moved += kernel.read_bytes - between + kernel.write_bytes
        elif not kernel.kind.endswith("_conversion"):
            moved += kernel.read_bytes + kernel.write_bytes
    return [1.0, macs / 1e9, moved / 1e9]


def fit_direct_model() -> tuple[list[float], list[float]]:
    """The simplest model, every convolution direct: three prices, and ms held out of `EXACT`."""
    gpu = load_profile("snapdragon-8-gen-1").gpu
    graphs = [system.trace() for system in EXACT]
    ms = np.array([_published_ms(system) for system in EXACT])
    rows = np.array([direct_features(lower(graph, gpu), graph.macs) for graph in graphs])
    relative = rows / ms[:, None]
    held_out = []
    for index in range(len(ms)):
        others = np.delete(relative, index, axis=0)
        held_out.append(float(rows[index] @ nnls(others, np.ones(len(others)))))
    return nnls(relative, np.ones(len(ms))).tolist(), held_out


def print_direct_model() -> None:
    (run, gmac, gbyte), held_out = fit_direct_model()
    print(f"\nEvery convolution direct: t = {run:.2f} + {gmac:.3f} GMAC + {gbyte:.1f} GB")
    logs = [math.log(ms / _published_ms(s)) for s, ms in zip(EXACT, held_out, strict=True)]
    print(
        "  leave-one-out rms {:.3f}, largest {:.3f} (|log ratio|)".format(*_rms_and_largest(logs))
    )
    for system, ms in zip(EXACT, held_out, strict=True):
        print(f"  {system.published_team:20} {_published_ms(system):7.1f} ms, held out {ms:7.1f}")


def print_candidates() -> None:
    print("\nFeature sets, leave-one-out on the exact rows: rms and largest |log ratio|")
    for label, (features, priors) in CANDIDATES.items():
        rms, largest = error(fit_snapdragon(features, priors))
        print(f"  {label:40} {rms:.3f} {largest:.3f}")


def print_profile(profile: DeviceProfile, others: Iterable[ZooSystem] = ()) -> None:
    prices = ", ".join(f"{name} {price:.4g}" for name, price in profile.coefficients.items())
    print(f"\n{profile.name} ({profile.fit.status}): {prices}")
    rms, largest = error(profile)
    print(
        f"  leave-one-out rms {rms:.3f}, largest {largest:.3f} (|log ratio|), "
        f"90 % interval x/ {profile.fit.interval_factor:.2f}"
    )
    pairs = []
    for row in profile.fit.rows:
        print(
            f"  {row.name:20} {row.measured_ms:7.1f} ms, fitted {row.fitted_ms:7.1f}, "
            f"held out {row.held_out_ms:7.1f} ({row.held_out_ms / row.measured_ms:.2f})"
        )
        pairs.append((row.measured_ms, row.held_out_ms))
    print("  pairs of fitted rows in the wrong order: {} of {}".format(*misordered(pairs)))
    oracle = LatencyOracle(profile)
    for system in others:
        ms, predicted = _published_ms(system), oracle.predict(system.trace())
        fallback = "" if predicted.fully_delegated else ", partly on the CPU"
        print(
            f"  {system.published_team:20} {ms:7.1f} ms, predicted {predicted.ms:7.1f} "
            f"({predicted.ms / ms:.2f}; {system.confidence}{fallback})"
        )
        pairs.append((ms, predicted.ms))
    if others:
        print("  pairs of all rows in the wrong order: {} of {}".format(*misordered(pairs)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write the profiles")
    arguments = parser.parse_args()
    snapdragon, kirin = fit_snapdragon(), fit_kirin()
    print_direct_model()
    print_candidates()
    print_profile(snapdragon, [system for system in ISP if system not in EXACT])
    print_profile(kirin)
    if arguments.write:
        for profile in (snapdragon, kirin):
            path = DEVICES / f"{profile.name}.toml"
            write_profile(profile, path)
            print(f"wrote {path}")


if __name__ == "__main__":
    main()
