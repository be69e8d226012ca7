"""Fit the device profiles that come with the package.

    python benchmarks/fit_devices.py                 print the fits of the challenge phones
    python benchmarks/fit_devices.py --write         also write latency/devices/*.toml
    python benchmarks/fit_devices.py --data DIR      first fit the phones measured in DIR

DIR is the mobile-ml-benchmark in the format of latency/dataset.py. From its kernel
timings come the kernel models in latency/devices/kernels, which the two challenge
phones borrow: they have a handful of published end-to-end times and no kernel's.

A row counts as exact when the network behind it is known from public code, a
released file or a full description. Only those are fitted for the Snapdragon; the
others are predicted and printed as a check. The Kirin has four rows, three of them
with assumed widths, so its profile is a calibration, not a fit.
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
from latency.dataset import read_dataset
from latency.fit import nnls
from latency.fit_learned import fit_borrowed, fit_measured
from latency.gpu import Gpu
from latency.kernel_model_file import write_kernel_model
from latency.oracle import kernel_mb
from latency.profile import Failure, load_lender
from spaces.zoo import ZOO, ZooSystem

DEVICES = Path(latency.__file__).parent / "devices"

ISP = [ZOO[name] for name in ZOO if ZOO[name].task == "isp" and ZOO[name].published.gpu_ms]
BOKEH = [ZOO[name] for name in ZOO if ZOO[name].task == "bokeh" and ZOO[name].published.gpu_ms]
EXACT = [system for system in ISP if system.confidence in ("exact", "high")]
# Its released file keeps four ops on the CPU: the time is not the GPU's alone.
EXACT.remove(ZOO["jmu_cvlab"])

SNAPDRAGON_SOURCE = (
    "MAI 2022 learned-ISP table, GPU ms of six networks. Public code or file: Multimedia, "
    "MicroISP 1.0, PyNET-V2 Mobile, DANN-ISP; described in full: MiAlgo (track 1); one of two "
    "stages assumed: MicroISP 0.5. Fitted: the fixed cost and three scales of an Adreno 640's "
    "kernel model, which was measured on images of up to 0.05 megapixels."
)
KIRIN_SOURCE = (
    "MAI 2022 bokeh table, GPU ms of four networks, three with assumed widths (Antins_cv, ENERZAi, "
    "MiAIgo) and one with an assumed input size (PyNET). Fitted: the fixed cost and three scales "
    "of a Mali-G76's kernel model, which was measured on images of up to 0.05 megapixels."
)
BENCHMARK_SOURCE = (
    "mobile-ml-benchmark (Li, Paolieri and Golubchik, EdgeSys 2024, github.com/qed-usc/"
    "mobile-ml-benchmark at c864a33, MIT): fp16 TensorFlow Lite GPU timings of {networks} image "
    "classifiers at 224x224, {kernels} kernels. Held-out times are of models that saw no network "
    "of the same family."
)
PHONES: Mapping[str, tuple[str, str, Mapping[str, str | float]]] = {
    "pixel4": (
        "snapdragon-855",
        "adreno-640",
        {"soc": "Snapdragon 855", "phone": "Google Pixel 4", "gpu": "Adreno 640"},
    ),
    "mi8se": (
        "snapdragon-710",
        "adreno-616",
        {"soc": "Snapdragon 710", "phone": "Xiaomi Mi 8 SE", "gpu": "Adreno 616"},
    ),
    "s10": (
        "exynos-9820",
        "mali-g76",
        {"soc": "Exynos 9820", "phone": "Samsung Galaxy S10", "gpu": "Mali-G76"},
    ),
}
"""The benchmark's phones: the profile's and the kernel model's names, and hardware facts."""


def fit_phones(data: Path) -> list[DeviceProfile]:
    """Profiles of the measured phones; each carries the kernel model others may borrow."""
    profiles = []
    for device in read_dataset(data):
        if device.name not in PHONES:
            print(f"{device.name} is none of {', '.join(PHONES)}: left out")
            continue
        name, kernels, hardware = PHONES[device.name]
        counted = sum(len(network.kernels) for network in device.networks)
        source = BENCHMARK_SOURCE.format(networks=len(device.networks), kernels=counted)
        profile = fit_measured(
            name, device, source=source, kernels_file=f"{kernels}.json", hardware=hardware
        )
        profiles.append(_rounded(profile))
    return profiles


def fit_snapdragon() -> DeviceProfile:
    return _fit("snapdragon-8-gen-1", EXACT, "adreno-640", SNAPDRAGON_SOURCE, "fitted")


def fit_kirin() -> DeviceProfile:
    return _fit("kirin-9000", BOKEH, "mali-g76", KIRIN_SOURCE, "calibration")


def _fit(
    name: str, systems: Sequence[ZooSystem], lender: str, source: str, status: str
) -> DeviceProfile:
    old = load_profile(name)  # keeps its hardware facts
    profile = fit_borrowed(
        name,
        old.gpu,
        [(s.published_team, lower(s.trace(), old.gpu), _published_ms(s)) for s in systems],
        [load_lender(lender)],
        source=source,
        hardware=old.hardware,
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        status=status,
    )
    task = "isp" if systems[0].task == "isp" else "bokeh"
    return _rounded(dataclasses.replace(profile, cpu=old.cpu, failures=_failures(task, old.gpu)))


def _failures(task: str, gpu: Gpu) -> tuple[Failure, ...]:
    """Systems whose ops the delegate has and whose run on the challenge's phone failed."""
    lowered = [
        (system.published_team, lower(system.trace(), gpu))
        for system in map(ZOO.__getitem__, ZOO)
        if system.task == task and system.published.gpu_ms is None
    ]
    return tuple(
        # Rounded down, so that the network itself is recognised.
        Failure(team, math.floor(10 * kernel_mb(lowering)) / 10)
        for team, lowering in lowered
        if team and not lowering.fallbacks
    )


def _rounded(profile: DeviceProfile) -> DeviceProfile:
    """Six significant digits: more than the fit is worth, and readable in the file."""

    def short(number: float) -> float:
        return float(f"{number:.6g}")

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
    cost = profile.learned
    sources = tuple(
        dataclasses.replace(source, scales=tuple(map(short, source.scales)))
        for source in cost.sources
    )
    learned = dataclasses.replace(
        cost,
        sources=sources,
        run_ms=short(cost.run_ms),
        launch_ms=short(cost.launch_ms),
        ramp=short(cost.ramp),
    )
    return dataclasses.replace(profile, learned=learned, fit=fit)


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


def print_profile(profile: DeviceProfile, others: Iterable[ZooSystem] = ()) -> None:
    cost = profile.learned
    print(f"\n{profile.name} ({profile.fit.status}): run {cost.run_ms:.4g} ms")
    for source in cost.sources:
        scales = ", ".join(f"{part} x{scale:.3g}" for part, scale in source.scales_by_part.items())
        print(f"  kernels of {source.model.name}: {scales}")
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
    parser.add_argument("--data", type=Path, metavar="DIR", help="the mobile-ml-benchmark")
    parser.add_argument("--write", action="store_true", help="write the profiles")
    arguments = parser.parse_args()
    profiles = fit_phones(arguments.data) if arguments.data else []
    for profile in profiles:
        rms, largest = error(profile)
        print(
            f"{profile.name}: held-out rms {rms:.3f}, largest {largest:.3f} (|log ratio|) over "
            f"{len(profile.fit.rows)} networks, 90 % interval x/ {profile.fit.interval_factor:.3f}"
        )
        if arguments.write:
            source = profile.learned.sources[0]
            (DEVICES / "kernels").mkdir(exist_ok=True)
            model = dataclasses.replace(source.model, name=Path(source.file).stem)
            write_kernel_model(model, DEVICES / "kernels" / source.file)
            _write(profile)
    snapdragon, kirin = fit_snapdragon(), fit_kirin()
    print_direct_model()
    print_profile(snapdragon, [system for system in ISP if system not in EXACT])
    print_profile(kirin)
    if arguments.write:
        _write(snapdragon)
        _write(kirin)


def _write(profile: DeviceProfile) -> None:
    path = DEVICES / f"{profile.name}.toml"
    write_profile(profile, path)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
