"""Early stopping at rungs: by score with one objective, by clear dominance with two.

Optuna's pruners refuse studies with several objectives, so the rule is ours. The
run time is known exactly, so only the PSNR of a candidate is uncertain at a rung.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from search.config import PruningConfig
from search.objective import log2_score
from search.samplers.history import fitted_gain

FEWEST_COMPLETE = 10
"""Complete trials from which it is learned how far the PSNR at a rung errs about the end's."""
_DEVIATIONS = 3
"""Of that error, by which a candidate has to be behind: both of two err. Measured in
docs/experiments.md."""


@dataclass(frozen=True)
class AtRung:
    """A candidate as it stood at one rung. `final_psnr_db`: what it ended with, once it has."""

    psnr_db: float
    runtime_ms: float
    final_psnr_db: float | None = None


def rungs_of(index: int, rule: PruningConfig) -> tuple[int, ...]:
    """The rungs of the candidate of `index`: it is of bracket `index` modulo `brackets`, and each
    bracket skips one rung more than the one before.

    So that what starts slowly has a chance (Hyperband, Li et al. 2018); by the index, so that a
    trial that is run again has the same rungs. At a rung those of all brackets are compared.
    """
    return tuple(rule.rungs[index % rule.brackets :])


def passes(own: AtRung, others: Sequence[AtRung], rule: PruningConfig, *, pareto: bool) -> bool:
    """Whether a candidate goes on past a rung that `others` have reached before it.

    With one objective: its score is at most `margin_db` behind the score that the best
    `keep` share of all reached here. With two: no other is as fast and better by more than
    `learned_margin_db`. Until `warm_up_trials` others have been here, everything passes.
    """
    if len(others) < rule.warm_up_trials:
        return True
    if pareto:
        margin_db = learned_margin_db(others, rule.margin_db)
        return not any(
            o.runtime_ms <= own.runtime_ms and o.psnr_db > own.psnr_db + margin_db for o in others
        )
    # C cancels in a comparison; a margin in dB counts twice in log2 of the score.
    scores = sorted((_log2(o) for o in [*others, own]), reverse=True)
    bar = scores[max(0, round(rule.keep * len(scores)) - 1)]
    return _log2(own) >= bar - 2 * rule.margin_db


def learned_margin_db(others: Sequence[AtRung], least_db: float) -> float:
    """How far PSNR at a rung may err about the end's: three standard deviations of what the
    complete ones of `others` gained from there, around the line fitted to it.

    At least `least_db`; infinite before `FEWEST_COMPLETE` are complete.
    """
    gains = [
        (o.psnr_db, o.final_psnr_db - o.psnr_db) for o in others if o.final_psnr_db is not None
    ]
    if len(gains) < FEWEST_COMPLETE:
        return math.inf
    return max(least_db, _DEVIATIONS * math.sqrt(fitted_gain(gains).variance))


def _log2(at: AtRung) -> float:
    return log2_score(at.psnr_db, at.runtime_ms, log2_c=0.0)
