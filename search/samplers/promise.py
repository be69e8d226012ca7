"""What promises most among candidates of known run time: expected improvement by the surrogate."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from .history import Observation, Priced
from .improvement import expected_hypervolume_improvement, expected_improvement, staircase
from .surrogate import Floats, Points, Settings, Surrogate, choose_settings, fit

BEST_OBSERVED, LAST_OBSERVED = 100, 200
"""Observations that the surrogate is given: its cost grows with the cube of their number."""
SETTLED_BY, SETTLED_FOR = 60, 5
"""Observations, the last ones, by which the surrogate's settings are chosen; and for how many more
they hold once there are so many."""


def promises(
    observations: list[Observation],
    running: Sequence[Priced],
    pool: Sequence[Priced],
    several: bool,
) -> Floats:
    """Of each of `pool` [n], >= 0, given two observations or more and what is in training.

    Expected improvement of log2 of the score or, with `several` objectives, of the hypervolume.
    """
    last = observations[-LAST_OBSERVED:]
    given = [*best(observations[:-LAST_OBSERVED], BEST_OBSERVED, several), *last]
    surrogate = _surrogate(given, running, _settings(_settling(observations)))
    candidates = _points(pool)
    mean, deviation = surrogate.predict(candidates)
    promise = _hypervolume_promise if several else _score_promise
    # Behind the observations stand the running trials.
    smooth = surrogate.smooth[: len(given)]
    known = _log2_runtime(surrogate.points)[: len(given)]
    return promise(mean, deviation, _log2_runtime(candidates), smooth, known)


def expected_psnr(observations: list[Observation], pool: Sequence[Priced]) -> Floats:
    """PSNR in dB [n] that the surrogate expects of `pool`, given two observations or more."""
    given = observations[-LAST_OBSERVED:]
    mean, _ = _surrogate(given, (), _settings(_settling(observations))).predict(_points(pool))
    return mean


def best(observations: list[Observation], count: int, several: bool) -> list[Observation]:
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


def _surrogate(
    given: list[Observation], running: Sequence[Priced], settings: Settings
) -> Surrogate:
    points = _points([observation.priced for observation in given])
    values = np.array([observation.psnr_db for observation in given])
    noises = np.array([observation.noise for observation in given])
    surrogate = fit(points, values, noises, settings)
    if not running:
        return surrogate
    believed, _ = surrogate.predict(_points(running))
    return fit(
        _points([*(observation.priced for observation in given), *running]),
        np.concatenate([values, believed]),
        np.concatenate([noises, np.zeros(len(running))]),
        settings,
    )


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
    bar = float((2 * known - known_runtime).max())
    return expected_improvement(2 * mean - log2_runtime, 2 * deviation, bar)


def _hypervolume_promise(
    mean: Floats, deviation: Floats, log2_runtime: Floats, known: Floats, known_runtime: Floats
) -> Floats:
    """Above the worst that is known, in dB x octaves of run time."""
    reference = float(known.min()), float(max(known_runtime.max(), log2_runtime.max())) + 0.1
    front = list(zip(known.tolist(), known_runtime.tolist(), strict=True))
    return expected_hypervolume_improvement(mean, deviation, log2_runtime, front, reference)


def _points(pool: Sequence[Priced]) -> Points:
    choices = np.array([priced.choices for priced in pool])
    return Points(choices, np.array([priced.measures for priced in pool]))


def _log2_runtime(points: Points) -> Floats:
    return points.measures[:, 0]
