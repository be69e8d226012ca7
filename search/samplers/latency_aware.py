"""The sampler that uses what this search knows: run time before training, exactly.

Only PSNR is a black box, so only PSNR has a surrogate; the run time of every proposal comes from
the oracle, and nothing is proposed that the study would refuse.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import optuna

from spaces.architecture import Architecture

from .context import Context
from .history import Observation, Priced
from .improvement import expected_hypervolume_improvement, expected_improvement, staircase
from .proposing import ProposingSampler
from .registry import SAMPLERS
from .surrogate import Floats, Points, Settings, Surrogate, choose_settings, fit

DRAWN, NEW_PER_TRIAL = 1000, 3
"""Random architectures that are ranked, the youngest drawn, and how many of them each observation
replaces. Of a small space they should be nearly all."""
FIRST_DRAWN = 300
"""Among which the random ones of the start are."""
MOST_TRIED = 5_000
"""Random architectures that are priced in search of one that may be trained: seconds."""
PARENTS = 8
"""Of the best: their children are ranked beside the random ones."""
BEST_OBSERVED, LAST_OBSERVED = 100, 200
"""Observations that the surrogate is given: its cost grows with the cube of their number."""
SETTLED_BY, SETTLED_FOR = 60, 5
"""Observations, the last ones, by which the surrogate's settings are chosen; and for how many more
they hold once there are so many."""


class LatencyAwareSampler(ProposingSampler):
    """Proposes what promises most: expected improvement of the score, or, with two objectives
    (PSNR, run time), of the hypervolume.

    The first `startup` trials are random among what may be trained. After them a Gaussian process
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
                return pool[int(self._rng.integers(len(pool)))]
            count *= 2
        return None

    def _most_promising(self, observations: list[Observation], several: bool) -> Priced | None:
        first = NEW_PER_TRIAL * len(observations)
        drawn = self._context.drawn(range(first, first + DRAWN))
        parents = _best(observations, PARENTS, several)
        pool = self._new(_distinct([*drawn, *self._children(parents)]))
        if not pool:
            return None
        last = observations[-LAST_OBSERVED:]
        given = [*_best(observations[:-LAST_OBSERVED], BEST_OBSERVED, several), *last]
        surrogate = self._surrogate(given, _settings(_settling(observations)))
        candidates = _points(pool)
        mean, deviation = surrogate.predict(candidates)
        promise = _hypervolume_promise if several else _score_promise
        # Behind the observations stand the running trials.
        smooth = surrogate.smooth[: len(given)]
        known = _log2_runtime(surrogate.points)[: len(given)]
        gains = promise(mean, deviation, _log2_runtime(candidates), smooth, known)
        return pool[int(np.argmax(gains))]

    def _new(self, pool: list[Priced]) -> list[Priced]:
        """Those that were not proposed before."""
        return [p for p in pool if p.architecture not in self._context.history.proposed]

    def _children(self, parents: list[Observation]) -> list[Priced]:
        """Of each of the parents and of each two."""
        known = [observation.priced.architecture for observation in parents]
        families = [(one, None) for one in known] + list(itertools.combinations(known, 2))
        return [child for family in families for child in self._context.children(*family)]

    def _surrogate(self, given: list[Observation], settings: Settings) -> Surrogate:
        points = _points([observation.priced for observation in given])
        values = np.array([observation.psnr_db for observation in given])
        noises = np.array([observation.noise for observation in given])
        surrogate = fit(points, values, noises, settings)
        running = self._context.history.running
        if not running:
            return surrogate
        believed, _ = surrogate.predict(_points(running))
        return fit(
            _points([*(observation.priced for observation in given), *running]),
            np.concatenate([values, believed]),
            np.concatenate([noises, np.zeros(len(running))]),
            settings,
        )


@SAMPLERS.register("latency_aware")
def latency_aware(context: Context, seed: int, *, startup: int = 10) -> optuna.samplers.BaseSampler:
    """Ranks a pool by expected improvement: PSNR from a surrogate, run time from the oracle."""
    return LatencyAwareSampler(context, seed, startup)


def _distinct(pool: Sequence[Priced]) -> list[Priced]:
    return list({priced.architecture: priced for priced in pool}.values())


def _settling(observations: list[Observation]) -> tuple[Observation, ...]:
    """Those by which the settings are chosen: the same ones for `SETTLED_FOR` trials."""
    end = len(observations)
    if end > SETTLED_BY:
        end -= end % SETTLED_FOR
    return tuple(observations[max(0, end - SETTLED_BY) : end])


@lru_cache(8)
def _settings(observations: tuple[Observation, ...]) -> Settings:
    values = np.array([observation.psnr_db for observation in observations])
    return choose_settings(_points([observation.priced for observation in observations]), values)


def _score_promise(
    mean: Floats, deviation: Floats, log2_runtime: Floats, known: Floats, known_runtime: Floats
) -> Floats:
    """In log2 of the score. The best so far is a smoothed one: a lucky training is no bar."""
    best = float((2 * known - known_runtime).max())
    return expected_improvement(2 * mean - log2_runtime, 2 * deviation, best)


def _hypervolume_promise(
    mean: Floats, deviation: Floats, log2_runtime: Floats, known: Floats, known_runtime: Floats
) -> Floats:
    """Above the worst that is known, in dB x octaves of run time."""
    reference = float(known.min()), float(max(known_runtime.max(), log2_runtime.max())) + 0.1
    front = list(zip(known.tolist(), known_runtime.tolist(), strict=True))
    return expected_hypervolume_improvement(mean, deviation, log2_runtime, front, reference)


def _best(observations: list[Observation], count: int, several: bool) -> list[Observation]:
    """The best by score; with two objectives the Pareto front first, evenly along run time."""
    by_merit = sorted(observations, key=lambda observation: -observation.merit)
    if not several:
        return by_merit[:count]
    by_point = {(o.psnr_db, o.log2_runtime): o for o in observations}
    slowest = max((o.log2_runtime for o in observations), default=0.0) + 1
    steps = staircase(list(by_point), (-np.inf, slowest))[1:]
    front = [by_point[psnr_db, log2_ms] for log2_ms, psnr_db in steps]
    if len(front) >= count:
        return [front[i] for i in np.linspace(0, len(front) - 1, count).round().astype(int)]
    rest = [observation for observation in by_merit if observation not in front]
    return front + rest[: count - len(front)]


def _points(pool: Sequence[Priced]) -> Points:
    choices = np.array([priced.choices for priced in pool])
    return Points(choices, np.array([priced.measures for priced in pool]))


def _log2_runtime(points: Points) -> Floats:
    return points.measures[:, 0]
