"""`LatencyOracle`: the run time of a network on a phone it never ran on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from .cost import fallback_ms
from .delegate import lower
from .gpu import Gpu
from .graph import Graph, Shape
from .kernel import CONVERSIONS, Fallback, Kernel, Lowering
from .learned_cost import LearnedCost
from .profile import DeviceProfile, load_profile
from .record import record
from .storage import image_size, in_buffers, max_image_side

_LARGE_SHARE = 0.5
_QUANTIZED = frozenset({"int8", "uint8"})
_UNITS = {
    "gmac": "GMAC",
    "gbyte": "GB of activations",
    "kernels": "kernels",
    "megapixels": "megapixels in one kernel",
}


@record
class KernelEstimate:
    """One kernel and its share of the run time in ms."""

    kernel: Kernel
    ms: float


@dataclass(frozen=True, slots=True)
class LatencyEstimate:
    """A predicted run time in ms, with a 90 % interval and where the time goes.

    `ms` = `fixed_ms` + `fallback_ms` + the sum of `kernels`. `fixed_ms` is paid
    once a run; `fallback_ms` is a rough guess for the ops in `fallbacks`.
    `notes` say what makes this estimate worse than the profile's usual ones.
    `failure` says why the GPU is expected to give up on the network altogether, if it is;
    `ms` is then what it would take.
    """

    ms: float
    low_ms: float
    high_ms: float
    kernels: tuple[KernelEstimate, ...]
    fallbacks: tuple[Fallback, ...]
    notes: tuple[str, ...]
    fixed_ms: float
    fallback_ms: float
    failure: str | None = None

    @property
    def fully_delegated(self) -> bool:
        """Whether the GPU runs every op."""
        return not self.fallbacks

    @property
    def launches(self) -> tuple[Kernel, ...]:
        """The kernels in the order of their launch."""
        return tuple(estimate.kernel for estimate in self.kernels)


class LatencyOracle:
    """Predicts run times on the device of one profile (a profile, its name or its path)."""

    def __init__(self, profile: DeviceProfile | str | Path) -> None:
        self.profile = profile if isinstance(profile, DeviceProfile) else load_profile(profile)
        self._model = self.profile.cost_model

    def predict(self, graph: Graph) -> LatencyEstimate:
        """Run time of one inference of `graph`.

        The interval is multiplicative. It widens with the distance from the
        networks the profile was fitted on, and where ops fall back to the CPU.

        Raises `GraphError` where the graph is inconsistent.
        """
        lowering = lower(graph, self.profile.gpu)
        price = self._model.kernel_ms
        kernels = tuple([KernelEstimate(kernel, price(kernel)) for kernel in lowering.kernels])
        cpu = fallback_ms(lowering.fallbacks, self.profile.cpu) if lowering.fallbacks else 0.0
        on_gpu = math.fsum([estimate.ms for estimate in kernels])
        fixed = self._model.fixed_ms(on_gpu, len(kernels))
        ms = fixed + cpu + on_gpu
        notes, factor = self._doubts(graph, lowering, cpu)
        if self.profile.learned:
            notes += _untimed_notes(self.profile.learned, kernels, ms)
        return LatencyEstimate(
            ms, ms / factor, ms * factor, kernels, lowering.fallbacks, notes, fixed, cpu,
            self._failure(lowering),
        )  # fmt: skip

    def _failure(self, lowering: Lowering) -> str | None:
        """Why the GPU will run out of memory: it did for a network that needed no more at once."""
        if not self.profile.failures:
            return None
        known = min(self.profile.failures, key=lambda failure: failure.kernel_mb)
        needed = kernel_mb(lowering)
        if needed < known.kernel_mb:
            return None
        return (
            f"one kernel needs {needed:.0f} MB of activations at once; {known.name}, which needs "
            f"{known.kernel_mb:.0f} MB, failed on this GPU"
        )

    def _doubts(
        self, graph: Graph, lowering: Lowering, cpu_ms: float
    ) -> tuple[tuple[str, ...], float]:
        """Notes on this estimate, and the factor of its interval."""
        fit = self.profile.fit
        notes = []
        log_factor = math.log(fit.interval_factor)
        furthest = 1.0
        if fit.status != "fitted":
            notes.append(f"{fit.status} profile: {fit.source}")
        for quantity, value in extent(lowering).items():
            low, high = fit.valid_range.get(quantity, (0.0, math.inf))
            if low <= value <= high:
                continue
            notes.append(
                f"{value:.3g} {_UNITS[quantity]} is outside the fitted {low:.3g} to {high:.3g}"
            )
            beyond = low / value if value < low and value > 0 else max(value / high, 1.0)
            furthest = max(furthest, beyond)
        # Nothing is known out there: a factor of two beyond the range makes either bound a factor
        # of sqrt(2) wider. The quantities grow together, so the furthest one counts.
        log_factor += 0.5 * math.log(furthest)
        if lowering.fallbacks:
            first = lowering.fallbacks[0]
            notes.append(
                f"{len(lowering.fallbacks)} of {len(graph.ops)} ops run on the CPU, roughly "
                f"{cpu_ms:.3g} ms (first: op {first.op_index} {first.kind}: {first.reason})"
            )
            log_factor *= 2
        if doubtful := in_buffers(lowering, self.profile.gpu):
            notes.append(_storage_note(doubtful[0], len(doubtful), self.profile.gpu))
        if not _QUANTIZED.isdisjoint([tensor.dtype for tensor in graph.tensors]):
            notes.append("quantised tensors are timed as float16, which is how the GPU runs them")
        return tuple(notes), math.exp(log_factor)


def _storage_note(largest: Shape, count: int, gpu: Gpu) -> str:
    name = "x".join(map(str, largest[1:]))
    return (
        f"{name} needs an image of {max(image_size(largest))} texels a side, the GPU has "
        f"{max_image_side(gpu)}: {count} tensor shape{'s' * (count > 1)} kept in buffers, untimed"
    )


def _untimed_notes(
    cost: LearnedCost, kernels: tuple[KernelEstimate, ...], total_ms: float
) -> tuple[str, ...]:
    """Says so where much of the run time is of kernels that nothing like was ever timed."""
    kinds = {kind for kind in {e.kernel.kind for e in kernels} if not cost.was_timed(kind)}
    share = math.fsum([e.ms for e in kernels if e.kernel.kind in kinds]) / total_ms
    if share < _LARGE_SHARE:
        return ()
    names = ", ".join(sorted(kinds))
    return (f"{share:.0%} of the run time is of kernels never timed by themselves ({names})",)


def kernel_mb(lowering: Lowering) -> float:
    """fp16 activations that the hungriest kernel reads and writes, in MB: a floor of memory."""
    return max([k.read_bytes + k.write_bytes for k in lowering.kernels], default=0) / 1e6


def extent(lowering: Lowering) -> dict[str, float]:
    """The size of a network in the quantities a valid range is stated in."""
    kernels = [kernel for kernel in lowering.kernels if kernel.kind not in CONVERSIONS]
    images = {kernel.output_shape[:-1] for kernel in kernels}
    return {
        "gmac": sum([kernel.padded_macs for kernel in kernels]) / 1e9,
        "gbyte": sum([kernel.read_bytes + kernel.write_bytes for kernel in kernels]) / 1e9,
        "kernels": len(kernels),
        "megapixels": max(map(math.prod, images), default=0) / 1e6,
    }
