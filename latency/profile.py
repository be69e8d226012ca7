"""`DeviceProfile`: a phone's GPU, the prices fitted to it, and how far to trust them.

A profile is one TOML file. Those in `latency/devices` are known by name; any
other is loaded by its path.
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from .cost import FEATURES, RUN, CostModel, CpuRates
from .gpu import Gpu
from .kernel_model import PARTS, KernelModel
from .kernel_model_file import load_kernel_model, write_kernel_model
from .learned_cost import LearnedCost, Source
from .profile_error import ProfileError

_DEVICES = Path(__file__).parent / "devices"
_KERNELS = _DEVICES / "kernels"
RANGE_QUANTITIES = ("gmac", "gbyte", "kernels", "megapixels")
"""What the valid range of a fit is stated in: padded GMAC, fused fp16 GB, kernel launches, and
megapixels of the largest kernel output."""


@dataclass(frozen=True, slots=True)
class FitRow:
    """One timing a profile was fitted on; `held_out_ms` is predicted from the other rows."""

    name: str
    measured_ms: float
    fitted_ms: float
    held_out_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Fit:
    """Where a profile's coefficients come from, and the error to expect of them.

    `status`: "fitted"; "calibration" where the rows are too few to validate the fit; "provisional"
        for coefficients taken over from elsewhere.
    `interval_factor`: the 90 % interval is [ms / factor, ms * factor].
    `valid_range`: (lowest, highest) of the fitted networks, by `RANGE_QUANTITIES`.
    """

    status: str
    source: str
    date: str
    interval_factor: float
    valid_range: Mapping[str, tuple[float, float]]
    rows: tuple[FitRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """A network that failed on the device's GPU although the delegate has all its ops.

    `kernel_mb`: fp16 activations that its hungriest kernel reads and writes, in MB.
    """

    name: str
    kernel_mb: float


@dataclass(frozen=True, slots=True)
class DeviceProfile:
    """Everything the oracle knows of a device. `hardware` is for the reader only.

    Kernels are priced by `learned` if given, else by `coefficients`.
    """

    name: str
    gpu: Gpu
    coefficients: Mapping[str, float]
    cpu: CpuRates
    fit: Fit
    hardware: Mapping[str, str | float] = field(default_factory=dict)
    learned: LearnedCost | None = None
    failures: tuple[Failure, ...] = ()

    def __post_init__(self) -> None:
        known = {RUN, *FEATURES}
        for name, value in self.coefficients.items():
            if name not in known:
                raise ProfileError(
                    f"{self.name}: unknown coefficient {name!r}; known: {', '.join(sorted(known))}"
                )
            if not value >= 0:
                raise ProfileError(f"{self.name}: coefficient {name} is {value}, not >= 0")
        if not self.fit.interval_factor >= 1:
            raise ProfileError(
                f"{self.name}: interval_factor is {self.fit.interval_factor}, not >= 1"
            )
        if self.learned is not None:
            _check_learned(self.name, self.learned)
        for failure in self.failures:
            if not failure.kernel_mb > 0:
                raise ProfileError(f"{self.name}: {failure.name} failed at {failure.kernel_mb} MB")
        for name in self.fit.valid_range:
            if name not in RANGE_QUANTITIES:
                raise ProfileError(f"{self.name}: valid_range of unknown quantity {name!r}")

    @property
    def cost_model(self) -> CostModel | LearnedCost:
        """What prices kernels: the learned model, or a fresh linear one."""
        return self.learned or CostModel(self.coefficients)


def _check_learned(device: str, cost: LearnedCost) -> None:
    for source in cost.sources:
        for part, scale in source.scales_by_part.items():
            if not (scale >= 0 and math.isfinite(scale)):
                raise ProfileError(f"{device}: the scale of {part} is {scale}, not >= 0")
    for name in ("run_ms", "launch_ms", "ramp"):
        if not math.isfinite(getattr(cost, name)):
            raise ProfileError(f"{device}: {name} is {getattr(cost, name)}")


def device_names() -> tuple[str, ...]:
    """Names of the profiles that come with the package, sorted."""
    return tuple(sorted(path.stem for path in _DEVICES.glob("*.toml")))


def load_profile(name: str | Path) -> DeviceProfile:
    """The profile called `name`, or the one in the .toml file at that path.

    Raises `ProfileError` for an unknown name or an unusable file.
    """
    path = Path(name)
    if path.suffix != ".toml":
        if str(name) not in device_names():
            raise ProfileError(
                f"unknown device {str(name)!r}; known: {', '.join(device_names())}, "
                "or a path to a .toml profile"
            )
        path = _DEVICES / f"{name}.toml"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ProfileError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProfileError(f"{path}: not a TOML file ({error})") from error
    try:
        return _parse(table, path.parent)
    except ProfileError:
        raise
    except KeyError as error:
        raise ProfileError(f"{path}: {error.args[0]!r} is missing") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise ProfileError(f"{path}: {error}") from error


def _parse(table: dict[str, Any], folder: Path) -> DeviceProfile:
    fit = table["fit"]
    return DeviceProfile(
        name=table["name"],
        gpu=Gpu(**table["gpu"]),
        coefficients={name: float(value) for name, value in table.get("coefficients", {}).items()},
        cpu=CpuRates(**table["cpu"]),
        fit=Fit(
            status=fit["status"],
            source=fit["source"],
            date=str(fit["date"]),
            interval_factor=float(fit["interval_factor"]),
            valid_range={
                name: (float(low), float(high)) for name, (low, high) in fit["valid_range"].items()
            },
            rows=tuple(FitRow(**row) for row in fit.get("rows", ())),
        ),
        hardware=table.get("hardware", {}),
        learned=_parse_learned(table, folder) if "end_to_end" in table else None,
        failures=tuple(Failure(**row) for row in table.get("failures", ())),
    )


def _parse_learned(table: dict[str, Any], folder: Path) -> LearnedCost:
    """Kernel models lie beside the profile, or come with the package."""
    sources = []
    for entry in table["sources"]:
        file = str(entry["kernels"])
        path = folder / file if (folder / file).is_file() else _KERNELS / Path(file).name
        scales = [float(entry[part]) for part in PARTS]
        model = replace(_kernel_model(path), gpu=Gpu(**table["gpu"]))
        sources.append(Source(file, model, (scales[0], scales[1], scales[2])))
    if not sources:
        raise ProfileError("a learned profile needs at least one kernel model in 'sources'")
    values = {name: float(table["end_to_end"][name]) for name in ("run_ms", "launch_ms", "ramp")}
    return LearnedCost(tuple(sources), **values)


@lru_cache(maxsize=16)
def _kernel_model(path: Path) -> KernelModel:
    return load_kernel_model(path)


def load_lender(name: str) -> Source:
    """The kernel model called `name` that comes with the package, to borrow from.

    Raises `ProfileError` where there is none of that name.
    """
    if name not in lender_names():
        raise ProfileError(f"unknown kernel model {name!r}; known: {', '.join(lender_names())}")
    file = f"{name}.json"
    return Source(file, _kernel_model(_KERNELS / file))


def lender_names() -> tuple[str, ...]:
    """Names of the kernel models that come with the package, sorted."""
    return tuple(sorted(path.stem for path in _KERNELS.glob("*.json")))


def write_profile(profile: DeviceProfile, path: Path | str) -> None:
    """Write `profile` as a TOML file that `load_profile` reads back equal.

    A kernel model that does not come with the package is written beside it.
    """
    fit = asdict(profile.fit)
    rows, valid_range = fit.pop("rows"), fit.pop("valid_range")
    sections: list[tuple[str, Mapping[str, Any]]] = [
        ("", {"name": profile.name}),
        ("[hardware]", profile.hardware),
        ("[gpu]", asdict(profile.gpu)),
        *_price_sections(profile),
        ("# rough: ops the GPU refuses\n[cpu]", asdict(profile.cpu)),
        ("[fit]", fit),
        ("[fit.valid_range]", valid_range),
        *(("[[fit.rows]]", row) for row in rows),
        *(("[[failures]]", asdict(failure)) for failure in profile.failures),
    ]
    text = "\n".join(_section(header, values) for header, values in sections)
    Path(path).write_text(text, encoding="utf-8")
    for source in profile.learned.sources if profile.learned else ():
        beside = Path(path).parent / source.file
        if not (_KERNELS / Path(source.file).name).is_file():
            write_kernel_model(source.model, beside)


def _price_sections(profile: DeviceProfile) -> list[tuple[str, Mapping[str, Any]]]:
    if profile.learned is None:
        header = "# ms per unit of the features in latency/cost.py\n[coefficients]"
        return [(header, profile.coefficients)]
    cost = profile.learned
    totals = {"run_ms": cost.run_ms, "launch_ms": cost.launch_ms, "ramp": cost.ramp}
    return [
        ("# ms a run, ms a kernel, ms^0.5; see latency/learned_cost.py\n[end_to_end]", totals),
        *(
            ("[[sources]]", {"kernels": source.file, **source.scales_by_part})
            for source in cost.sources
        ),
    ]


def _section(header: str, values: Mapping[str, Any]) -> str:
    lines = [f"{name} = {_value(value)}" for name, value in values.items() if value is not None]
    return "".join(f"{line}\n" for line in ([header] if header else []) + lines)


def _value(value: str | float | Sequence[float]) -> str:
    """A TOML value; TOML's basic strings escape as JSON's do, but for DEL."""
    if isinstance(value, str):
        return json.dumps(value).replace("\x7f", "\\u007f")
    return repr(list(value)) if isinstance(value, Sequence) else repr(value)
