"""Early stopping at rungs, the same rule for one objective and for two.

Optuna's pruners refuse studies with several objectives, so the rule is ours. The
run time is known exactly, so only the PSNR of a candidate is uncertain at a rung.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search.config import PruningConfig
from search.objective import log2_score


@dataclass(frozen=True)
class AtRung:
    """A candidate as it stood at one rung."""

    psnr_db: float
    runtime_ms: float


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
    `margin_db`. Until `warm_up_trials` others have been here, everything passes.
    """
    if len(others) < rule.warm_up_trials:
        return True
    if pareto:
        return not any(
            o.runtime_ms <= own.runtime_ms and o.psnr_db > own.psnr_db + rule.margin_db
            for o in others
        )
    # C cancels in a comparison; a margin in dB counts twice in log2 of the score.
    scores = sorted((_log2(o) for o in [*others, own]), reverse=True)
    bar = scores[max(0, round(rule.keep * len(scores)) - 1)]
    return _log2(own) >= bar - 2 * rule.margin_db


def _log2(at: AtRung) -> float:
    return log2_score(at.psnr_db, at.runtime_ms, log2_c=0.0)
