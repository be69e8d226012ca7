"""`Gpu`: what the delegate's kernel choice needs to know of a phone's GPU."""

from __future__ import annotations

from dataclasses import dataclass

from .graph import GraphError

GENERATIONS: dict[str, tuple[str, ...]] = {
    "adreno": ("3xx", "4xx", "5xx", "6xx", "7xx", "8xx"),
    "mali": ("midgard", "bifrost", "valhall-1", "valhall-2", "valhall-3", "valhall-4"),
    "powervr": ("rogue", "ge8xxx"),
    "apple": ("a7", "a11", "a12", "a14"),
    "cpu": ("xnnpack",),
}
"""Known families, and the generations their delegate rules tell apart.

Mali: bifrost is G31-G76, valhall-1 is G57 and G77, valhall-2 is G68 and G78,
valhall-3 is G310-G710, valhall-4 is G615-G720. A CPU is described in the same terms, so that
the same fit prices it: it runs every op, and XNNPACK fuses only activations, which is close.
"""


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU as the delegate's heuristics see it.

    `family`: a key of `GENERATIONS`. `generation`: one of that family's.
    `compute_units`: CL_DEVICE_MAX_COMPUTE_UNITS, as OpenCL reports it.
    `wave_size`: work-items of a full fp16 wave (Adreno only: 128 on 6xx and 7xx).

    Raises `GraphError` for values the rules do not know.
    """

    family: str
    generation: str
    compute_units: int
    wave_size: int = 64

    def __post_init__(self) -> None:
        known = GENERATIONS.get(self.family)
        if known is None:
            raise GraphError(
                f"unknown GPU family {self.family!r}; known: {', '.join(sorted(GENERATIONS))}"
            )
        if self.generation not in known:
            raise GraphError(
                f"unknown {self.family} generation {self.generation!r}; known: {', '.join(known)}"
            )
        if self.compute_units < 1 or self.wave_size < 1:
            raise GraphError("a GPU has at least one compute unit and a wave of at least one item")
