"""`Context`: what a sampler may know of the study it samples for, besides its trials."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from search.study.estimate import Estimate, infeasible_reason
from spaces.architecture import Architecture
from spaces.space import SearchSpace

from .history import History, Priced

_DRAWN_KEPT = 10_000
"""Random architectures whose prices are kept, about a kilobyte each."""

_MUTANTS, _CROSSINGS = 32, 4
"""Children of one parent, and of two."""
_MOST_MUTATIONS = 3
_FAMILIES = 1_000
"""Parents and pairs of them whose children are kept."""


@dataclass(frozen=True)
class Context:
    """The space, and the oracle's word on any architecture of it.

    `seed`: the study's. `log2_c`: of its score. `proxies`: names of what the study measures of a
    network before it is trained. One context serves all samplers of a study, and
    remembers: the sampler itself is made anew for every trial.
    """

    space: SearchSpace
    seed: int
    estimate: Callable[[Architecture], Estimate]
    log2_c: float
    max_runtime_ms: float | None = None
    proxies: tuple[str, ...] = ()

    def price(self, architecture: Architecture) -> Priced | None:
        """None where the architecture may not be trained: refused, or slower than allowed."""
        known = self.estimate(architecture)
        if infeasible_reason(known, self.max_runtime_ms):
            return None
        return Priced.of(architecture, known, self.space)

    def drawn(self, numbers: range) -> list[Priced]:
        """Those of this study's random architectures that may be trained: each number has one."""
        return [priced for priced in map(self._draw, numbers) if priced is not None]

    def children(self, first: Architecture, second: Architecture | None = None) -> list[Priced]:
        """Mutations of `first`, or of its crossings with `second`: those that may be trained.

        Always the same of the same parents, so that a parent's are priced but once.
        """
        return self._bred(first, second)

    @cached_property
    def history(self) -> History:
        """The study's trials, as far as they were read."""
        return History(self.space, self.price, self.log2_c, probing=bool(self.proxies))

    @cached_property
    def _draw(self) -> Callable[[int], Priced | None]:
        def draw(number: int) -> Priced | None:
            return self.price(self.space.sample(np.random.default_rng([self.seed, number])))

        return lru_cache(_DRAWN_KEPT)(draw)

    @cached_property
    def _bred(self) -> Callable[[Architecture, Architecture | None], list[Priced]]:
        return lru_cache(_FAMILIES)(self._breed)

    def _breed(self, first: Architecture, second: Architecture | None) -> list[Priced]:
        parents = [first] if second is None else [first, second]
        rng = np.random.default_rng([self.seed, *(int(p.digest, 16) for p in parents)])
        children = []
        for _ in range(_MUTANTS if second is None else _CROSSINGS):
            child = first if second is None else self.space.crossover(first, second, rng)
            for _ in range(int(rng.integers(1, _MOST_MUTATIONS + 1))):
                child = self.space.mutate(child, rng)
            children.append(self.price(child))
        return [priced for priced in children if priced is not None]
