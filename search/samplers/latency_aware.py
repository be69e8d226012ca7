"""The sampler that uses what this search knows: run time before training, exactly.

Only PSNR is a black box, so only PSNR has a surrogate; the run time of every proposal comes from
the oracle, and nothing is proposed that the study would refuse.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence

import numpy as np
import optuna

from spaces.architecture import Architecture

from .context import Context
from .history import Observation, Priced
from .promise import best, promises
from .proposing import ProposingSampler
from .registry import SAMPLERS

DRAWN, NEW_PER_TRIAL = 1000, 3
"""Random architectures that are ranked, the youngest drawn, and how many of them each observation
replaces. Of a small space they should be nearly all."""
FIRST_DRAWN = 300
"""Among which the random ones of the start are."""
COMPARED = 5
"""Of those, drawn for each of the first trials: it gets the one that differs most from those
before. More would leave less to chance than a start needs."""
MOST_TRIED = 5_000
"""Random architectures that are priced in search of one that may be trained: seconds."""
PARENTS = 8
"""Of the best: their children are ranked beside the random ones."""


class LatencyAwareSampler(ProposingSampler):
    """Proposes what promises most: expected improvement of the score, or, with two objectives
    (PSNR, run time), of the hypervolume.

    The first `startup` trials are random among what may be trained, their choices spread: what
    none of them has is never believed in later. After them a Gaussian process
    (`surrogate`) is fitted to the PSNR of the trained, and a pool is ranked: random
    architectures, and mutations and crossovers of the best. Running trials count as observed at
    the mean that is expected of them, so that workers do not all train the same. Pruned trials
    count at the PSNR of their last rung plus what complete ones gained from there.
    """

    def __init__(self, context: Context, seed: int, startup: int) -> None:
        if startup < 2:
            raise ValueError(f"startup must be at least 2, not {startup}")
        super().__init__(seed)
        self._context = context
        self._startup = startup

    def propose(self, study: optuna.Study) -> Architecture | None:
        """A random one at first, then the most promising of a pool."""
        history = self._context.history
        history.update(study)
        observations = history.observations
        if len(observations) + len(history.running) < self._startup or len(observations) < 2:
            chosen = self._random_one()
        else:
            chosen = self._most_promising(observations, len(study.directions) > 1)
        return chosen.architecture if chosen else None

    def _random_one(self) -> Priced | None:
        """None where nothing that may be trained is found among `MOST_TRIED`."""
        count = FIRST_DRAWN
        while count <= MOST_TRIED:
            pool = self._new(self._context.drawn(range(count)))
            if pool:
                some = self._rng.permutation(len(pool))[:COMPARED]
                return self._least_in_common([pool[i] for i in some])
            count *= 2
        return None

    def _least_in_common(self, pool: list[Priced]) -> Priced:
        """The one whose choices trials have had least, in the mean over its choices."""
        history, space = self._context.history, self._context.space
        tried = [*(o.priced for o in history.observations), *history.running]
        counts = Counter(item for p in tried for item in p.architecture.choices.items())
        left_open = {choice.name for choice in space.choices if len(choice.values) > 1}

        def in_common(priced: Priced) -> float:
            items = priced.architecture.choices.items()
            had = [counts[item] for item in items if item[0] in left_open]
            return sum(had) / max(len(had), 1)

        return min(pool, key=in_common)

    def _most_promising(self, observations: list[Observation], several: bool) -> Priced | None:
        first = NEW_PER_TRIAL * len(observations)
        drawn = self._context.drawn(range(first, first + DRAWN))
        parents = best(observations, PARENTS, several)
        pool = self._new(_distinct([*drawn, *self._children(parents)]))
        if not pool:
            return None
        gains = promises(observations, self._context.history.running, pool, several)
        return pool[int(np.argmax(gains))]

    def _new(self, pool: list[Priced]) -> list[Priced]:
        """Those that may be proposed."""
        proposed = self._context.history.proposed
        return [p for p in pool if p.architecture not in proposed]

    def _children(self, parents: list[Observation]) -> list[Priced]:
        """Of each of the parents and of each two."""
        known = [observation.priced.architecture for observation in parents]
        families = [(one, None) for one in known] + list(itertools.combinations(known, 2))
        return [child for family in families for child in self._context.children(*family)]


@SAMPLERS.register("latency_aware")
def latency_aware(context: Context, seed: int, *, startup: int = 10) -> optuna.samplers.BaseSampler:
    """Ranks a pool by expected improvement: PSNR from a surrogate, run time from the oracle."""
    return LatencyAwareSampler(context, seed, startup)


def _distinct(pool: Sequence[Priced]) -> list[Priced]:
    return list({priced.architecture: priced for priced in pool}.values())
