"""What a file of each precision may lose, and what it is for: one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from search.export.variant import Precision


@dataclass(frozen=True)
class Bound:
    """How far a file may be from the trained network.

    `loss_db`: of its mean PSNR against the targets, below that of Keras in fp32. `max_error`: of
    one value in [0, 1]; None where single values may be far off and only the loss counts.
    `for_gpu`: whether the file is meant for the phone's GPU, so that an op on the CPU is a failure
    and its kernels must be those that the search priced.
    `reason`: for the reader.
    """

    loss_db: float
    max_error: float | None
    for_gpu: bool
    reason: str


BOUNDS: Mapping[Precision, Bound] = {
    "fp32": Bound(0.001, 1e-4, True, "differs by the order of sums alone (6e-7 measured)"),
    "fp16": Bound(0.02, 1e-2, True, "differs by the rounding of weights (4e-4 measured)"),
    "dynamic": Bound(0.3, None, False, "8-bit weights; activations are quantised as they come"),
    "int8": Bound(1.0, None, False, "8 bits throughout, with ranges that were only observed"),
    "int8_qat": Bound(0.3, None, False, "8 bits throughout, which the network was trained for"),
}


def too_far(precision: Precision, max_error: float) -> list[str]:
    """Why a file of `precision` that is off by `max_error` somewhere fails; not-a-number does."""
    bound = BOUNDS[precision].max_error
    if bound is None or max_error <= bound:
        return []
    return [f"differs from Keras by {max_error:.2g}, more than {bound:g}"]


def not_for_gpu(fallbacks: Sequence[str], same_kernels: bool) -> list[str]:
    """Why a file is no good on a GPU, of what is left to the CPU and whether it has the kernels
    that the search priced."""
    found = [f"left to the CPU by the GPU delegate: {fallback}" for fallback in fallbacks]
    return found if same_kernels else [*found, "lowers to other kernels than the search priced"]
