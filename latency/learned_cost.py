"""`LearnedCost`: run time from kernel models, of the phone itself or borrowed from others.

    ms = run + launch * kernels + ramp * sqrt(S) + S,   S = sum over kernels of their times

A phone whose kernels were timed has one source at scale 1. A phone with a few
end-to-end timings borrows the kernel models of others, evaluated on its own
GPU's kernels and occupancy, each with three scales (arithmetic, data, launches);
several sources are averaged.

The square root was found, not derived: end-to-end times of 82 networks exceed
their kernels' sum by more the longer they run, but by a falling share of it, as
they would while clocks ramp up. It takes the error of Mali-G76 from 4.8 to 4.2 %.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from .kernel import Kernel
from .kernel_model import PARTS, KernelModel, Parts


@dataclass(frozen=True, slots=True)
class Source:
    """A kernel model and the scales of its `PARTS`. `file` is where a profile finds it."""

    file: str
    model: KernelModel
    scales: Parts = (1.0, 1.0, 1.0)

    @property
    def scales_by_part(self) -> Mapping[str, float]:
        """The scales by the names of `PARTS`."""
        return dict(zip(PARTS, self.scales, strict=True))


@dataclass(frozen=True, slots=True)
class LearnedCost:
    """Prices kernels with the mean of its `sources`; all terms in ms (`ramp` in ms^0.5).

    `launch_ms` may be below zero: a kernel timed by itself includes some waiting
    that a queue of kernels hides.
    """

    sources: tuple[Source, ...]
    run_ms: float
    launch_ms: float
    ramp: float
    _known: dict[Kernel, float] = field(default_factory=dict, init=False, repr=False, compare=False)

    def kernel_ms(self, kernel: Kernel) -> float:
        """Time of one kernel within a run, remembered: a search space repeats its kernels."""
        known = self._known.get(kernel)
        if known is None:
            known = self._known[kernel] = self._price(kernel)
        return known

    def _price(self, kernel: Kernel) -> float:
        total = 0.0
        for source in self.sources:
            compute, moved, launch = source.model.parts_ms(kernel)
            scales = source.scales
            total += scales[0] * compute + scales[1] * moved + scales[2] * launch
        return total / len(self.sources)

    def was_timed(self, kind: str) -> bool:
        """Whether kernels of `kind`, or of one like it, were timed on any source's phone."""
        return any(source.model.timed_kind(kind) for source in self.sources)

    def fixed_ms(self, kernels_ms: float, launches: int) -> float:
        """What a run costs besides its kernels' own times."""
        fixed = self.run_ms + self.launch_ms * launches + self.ramp * math.sqrt(kernels_ms)
        return max(fixed, 0.0)
