"""`KernelModel`: the time of each kernel on one GPU, learned from per-kernel measurements.

    ms(kernel) = physical(kernel) * exp(correction(kernel))

`physical` prices, for each kind of kernel, its launch, multiply-accumulates (as
computed, and as issued in whole rounds of waves), bytes and waves, all >= 0: it
extrapolates. `correction` is kernel ridge regression of the log residual on the
kernel's shape and occupancy; it fades to zero away from what was measured.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from .gpu import Gpu
from .kernel import Kernel
from .kernel_shape import PRICES, physical_quantities, shape_features
from .occupancy import Occupancy, occupancy
from .profile_error import ProfileError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

PARTS = ("compute", "bytes", "launch")
"""What a borrowed model scales by itself: arithmetic, data, and launches."""

_PART_OF_PRICE = ("launch", "compute", "compute", "bytes", "bytes", "bytes", "compute")

_LIKE = {
    "conv_constants": "conv_generic",
    "conv_grouped": "conv_generic",
    "winograd_matmul": "conv_generic",
    "transposed_conv_generic": "conv_generic",
    "transposed_conv_thin": "conv_generic",
    "transposed_conv_3x3_thin": "conv_generic",
    "transposed_conv_3x3": "conv_generic",
    "transposed_conv_4x4": "conv_generic",
    "depthwise_3x3": "depthwise_generic",
    "conv_generic": "conv_constants",
}
"""What a kind that was not timed is priced like, if that was."""

MEMORY_KINDS = ("concat_aligned", "concat_unaligned", "pool")
"""Kinds that only move data: they price the kinds that were never timed by themselves."""


Parts = tuple[float, float, float]
"""ms by `PARTS`."""


@dataclass(frozen=True, slots=True)
class KindModel:
    """The model of one kind of kernel.

    `prices`: one per `PRICES`. `center`, `spread`: of the shapes it was fitted on, one
    per `SHAPE`. `points`: those shapes, normalised, with `weights`; none means no correction.
    """

    prices: tuple[float, ...]
    center: tuple[float, ...] = ()
    spread: tuple[float, ...] = ()
    points: tuple[tuple[float, ...], ...] = ()
    weights: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class KernelModel:
    """Kernel times of one GPU. `source` says what was measured, `width` the ridge's kernel width.

    `largest_pixels`: of the outputs it was fitted on; above it nothing was measured.
    """

    name: str
    gpu: Gpu
    source: str
    width: float
    kinds: Mapping[str, KindModel]
    untimed: KindModel
    largest_pixels: int
    _arrays: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def kernel_ms(self, kernel: Kernel) -> float:
        """Time of one kernel in ms."""
        return math.fsum(self.parts_ms(kernel))

    def timed_kind(self, kind: str) -> str | None:
        """The timed kind that `kind` is priced like; None for one that only moves data."""
        if kind in self.kinds:
            return kind
        like = _LIKE.get(kind)
        return like if like in self.kinds else None

    def parts_ms(self, kernel: Kernel) -> Parts:
        """Time of one kernel by `PARTS`."""
        kind = self.timed_kind(kernel.kind)
        model = self.untimed if kind is None else self.kinds[kind]
        if kind is not None and kind != kernel.kind:
            kernel = replace(kernel, kind=kind)
        parts = dict.fromkeys(PARTS, 0.0)
        launch = occupancy(kernel, self.gpu)
        quantities = physical_quantities(kernel, launch)
        for part, price, quantity in zip(_PART_OF_PRICE, model.prices, quantities, strict=True):
            parts[part] += price * quantity
        factor = math.exp(self._correction(kernel, launch, model)) if model.points else 1.0
        return parts["compute"] * factor, parts["bytes"] * factor, parts["launch"] * factor

    def _correction(self, kernel: Kernel, launch: Occupancy, model: KindModel) -> float:
        import numpy as np

        if kernel.kind not in self._arrays:
            center, spread, points, weights = map(
                np.array, (model.center, model.spread, model.points, model.weights)
            )
            # One row a feature: distances then add up along contiguous memory, in less than half
            # the time.
            points = np.ascontiguousarray(points.T)
            self._arrays[kernel.kind] = (
                center[:, None], spread[:, None], points, weights, np.empty_like(points)
            )  # fmt: skip
        center, spread, points, weights, distance = self._arrays[kernel.kind]
        shape = np.array(shape_features(kernel, launch))[:, None]
        np.subtract(points, (shape - center) / spread, out=distance)
        np.abs(distance, out=distance)
        return float(weights @ np.exp(np.add.reduce(distance) * -self.width))


def fit_kernel_model(
    name: str,
    gpu: Gpu,
    timings: Sequence[tuple[Kernel, float]],
    *,
    source: str,
    width: float = 0.02,
    ridge: float = 0.005,
) -> KernelModel:
    """A model of `gpu` from kernels and their times in ms.

    `width`: of the exponential kernel exp(-width * |x - y|_1) on normalised shapes.
    `ridge`: variance of one timing's log residual over that of the correction.

    Raises `ProfileError` for times that are not positive, or none.
    """
    import numpy as np

    from .fit import nnls

    if not timings or not all(ms > 0 and math.isfinite(ms) for _, ms in timings):
        raise ProfileError(f"{name}: kernel timings must be given, and positive")
    by_kind: dict[str, list[int]] = defaultdict(list)
    for index, (kernel, _) in enumerate(timings):
        by_kind[kernel.kind].append(index)
    launches = [(kernel, occupancy(kernel, gpu)) for kernel, _ in timings]
    quantities = np.array([physical_quantities(*launch) for launch in launches])
    shapes = np.array([shape_features(*launch) for launch in launches])
    ms = np.array([ms for _, ms in timings])
    shortest = ms.min()  # No kernel launches faster than the fastest that was seen.

    def prices_of(rows: Sequence[int], columns: Sequence[int]) -> Array:
        relative = quantities[np.ix_(rows, columns)] / ms[rows][:, None]
        scale = np.linalg.norm(relative, axis=0)
        scale[scale == 0] = 1.0
        prices = np.zeros(len(PRICES))
        prices[columns] = nnls(relative / scale, 1.0 - shortest / ms[rows]) / scale
        prices[0] += shortest
        return prices

    everything, memory = list(range(len(PRICES))), [3, 4]
    moving = [i for kind in MEMORY_KINDS for i in by_kind.get(kind, ())] or list(range(len(ms)))
    kinds = {}
    for kind, rows in sorted(by_kind.items()):
        enough = len(rows) >= 2 * len(PRICES)
        prices = prices_of(rows if enough else list(range(len(ms))), everything)
        expected = np.maximum(quantities[rows] @ prices, 1e-6)
        residual = np.log(ms[rows] / expected)
        correction = _fit_correction(shapes[rows], residual, width, ridge) if enough else {}
        kinds[kind] = KindModel(prices=_rounded(prices, 6), **correction)
    return KernelModel(
        name=name,
        gpu=gpu,
        source=source,
        width=width,
        kinds=kinds,
        untimed=KindModel(_rounded(prices_of(moving, memory), 6)),
        largest_pixels=max(math.prod(kernel.output_shape[:-1]) for kernel, _ in timings),
    )


def _fit_correction(shapes: Array, residual: Array, width: float, ridge: float) -> dict[str, Any]:
    """Kernel ridge regression on the distinct shapes, each weighed by how often it was timed."""
    import numpy as np

    center, spread = shapes.mean(axis=0), shapes.std(axis=0)
    spread[spread < 1e-9] = 1e9  # A quantity that never varied tells nothing.
    distinct, place, count = np.unique(
        np.round((shapes - center) / spread, 3), axis=0, return_inverse=True, return_counts=True
    )
    mean = np.bincount(place.ravel(), weights=residual) / count
    distance = np.abs(distinct[:, None, :] - distinct[None, :, :]).sum(axis=2)
    weights = np.linalg.solve(np.exp(-width * distance) + np.diag(ridge / count), mean)
    return {
        "center": _rounded(center, 6),
        "spread": _rounded(spread, 6),
        "points": tuple(tuple(map(float, point)) for point in distinct),
        "weights": _rounded(weights, 6),
    }


def _rounded(values: Array, digits: int) -> tuple[float, ...]:
    return tuple(float(f"{value:.{digits}g}") for value in values)
