"""Which of several probed candidates is trained: any sampler's, by what their probes say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import optuna

from spaces.architecture import Architecture

from .context import Context
from .history import History, Priced
from .promise import promises

FEWEST = 2
"""Trained architectures without which there is nothing to choose by."""


def may_choose(context: Context, study: optuna.Study, after: int) -> bool:
    """Whether `after` probed trials are trained or in training, and enough of them trained."""
    history = context.history
    history.update(study)

    def probed(pool: Iterable[Priced]) -> int:
        known = (history.probes.get(priced.architecture, {}) for priced in pool)
        return sum(set(context.proxies) <= probes.keys() for probes in known)

    trained = probed(observation.priced for observation in history.observations)
    return trained >= FEWEST and trained + probed(history.running) >= after


def most_promising(
    context: Context, study: optuna.Study, candidates: Sequence[Architecture]
) -> Architecture:
    """The one with the largest expected improvement; the first where there is no choice.

    The surrogate is `latency_aware`'s with a measure more for each proxy. All `candidates` may be
    trained. A proxy that said nothing of a network counts as its mean over the trained.
    """
    history = context.history
    history.update(study)
    observations = history.observations
    if len(candidates) == 1 or len(observations) < FEWEST:
        return candidates[0]
    pool = [priced for priced in map(context.price, candidates) if priced is not None]
    trained = [observation.priced for observation in observations]
    everything = [*trained, *history.running, *pool]
    first, second = len(trained), len(trained) + len(history.running)
    probed = _with_probes(everything, first, history, context.proxies)
    observed = [
        replace(observation, priced=priced)
        for observation, priced in zip(observations, probed[:first], strict=True)
    ]
    several = len(study.directions) > 1
    gains = promises(observed, probed[first:second], probed[second:], several)
    return pool[int(np.argmax(gains))].architecture


def _with_probes(
    pool: list[Priced], trained: int, history: History, proxies: Sequence[str]
) -> list[Priced]:
    """With the proxies' values behind the measures; the first `trained` of `pool` are trained."""
    known = [history.probes.get(priced.architecture, {}) for priced in pool]
    values = np.array([[probes.get(name) for name in proxies] for probes in known], np.float64)
    missing = np.isnan(values)
    counts = (~missing[:trained]).sum(axis=0)
    sums = np.where(missing, 0.0, values)[:trained].sum(axis=0)
    filled = np.where(missing, sums / np.maximum(counts, 1), values)
    # The surrogate takes the scale of a measure from the trained.
    filled[:, counts < FEWEST] = 0.0
    return [
        replace(priced, measures=np.append(priced.measures, row))
        for priced, row in zip(pool, filled, strict=True)
    ]
