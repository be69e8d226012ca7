"""Syne Tune's algorithms on the tabular benchmark; `lookup` says how.

Needs: pip install syne-tune botorch huggingface_hub  (0.16; botorch for BoTorch and EHVI alone)

Evolution gets our population and tournament sizes: its own, 100 and 10, would be random search over
these numbers of trials.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from lookup import Method, Methods, Study, TableStudy, main, score
from syne_tune.backend.trial_status import Trial
from syne_tune.config_space import choice, ordinal
from syne_tune.optimizer.baselines import ASHA, CQR, EHVI, REA, TPE, BOTorch
from syne_tune.optimizer.scheduler import SchedulerDecision
from syne_tune.optimizer.schedulers.ask_tell_scheduler import AskTellScheduler
from syne_tune.optimizer.schedulers.multiobjective import MultiObjectiveRegularizedEvolution
from syne_tune.optimizer.schedulers.multiobjective.moasha import MOASHA
from syne_tune.optimizer.schedulers.single_fidelity_scheduler import SingleFidelityScheduler

POPULATION, TOURNAMENT = 12, 4
GRACE, REDUCTION = 75, 3

Measures = Callable[[float, float], dict[str, float]]
"""What a scheduler is told of (PSNR in dB, run time in ms)."""


def space_of(study: Study) -> dict[str, Any]:
    """Numbers as ordinals, names as categories."""
    return {
        name: ordinal(values) if all(type(v) is int for v in values) else choice(values)
        for name, values in study.choices.items()
    }


def as_score(psnr_db: float, runtime_ms: float) -> dict[str, float]:
    """One objective, to be maximised."""
    return {"score": score(psnr_db, runtime_ms)}


def as_two(psnr_db: float, runtime_ms: float) -> dict[str, float]:
    """Two objectives, to be minimised."""
    return {"error": -psnr_db, "log2_ms": math.log2(runtime_ms)}


def single(scheduler: Any, **settings: Any) -> Method:
    """A scheduler of one objective."""

    def search(study: Study, seed: int) -> None:
        made = scheduler(
            space_of(study), metric="score", do_minimize=False, random_seed=seed, **settings
        )
        _to_the_end(study, made, as_score)

    return search


def mo_rea(study: Study, seed: int) -> None:
    """Regularised evolution of two objectives, by non-dominated sorting."""
    space = space_of(study)
    searcher = MultiObjectiveRegularizedEvolution(
        space, population_size=POPULATION, sample_size=TOURNAMENT, random_seed=seed
    )
    scheduler = SingleFidelityScheduler(
        space, metrics=["error", "log2_ms"], searcher=searcher, random_seed=seed
    )
    _to_the_end(study, scheduler, as_two)


def ehvi(study: Study, seed: int) -> None:
    """Expected hypervolume improvement by BoTorch."""
    _to_the_end(study, EHVI(space_of(study), ["error", "log2_ms"], random_seed=seed), as_two)


def _to_the_end(study: Study, scheduler: Any, measures: Measures) -> None:
    """Every trial is trained in full."""
    asking = AskTellScheduler(scheduler)
    while True:
        trial = asking.ask()
        asking.tell(trial, measures(*study.psnr_and_runtime(trial.config)))


def asha(study: TableStudy, seed: int) -> None:
    """ASHA: random proposals, stopped at rungs."""
    scheduler = ASHA(
        space_of(study), metric="score", time_attr="step", max_t=600, do_minimize=False,
        random_seed=seed, grace_period=GRACE, reduction_factor=REDUCTION,
    )  # fmt: skip
    _in_rungs(study, seed, scheduler, as_score)


def moasha(study: TableStudy, seed: int) -> None:
    """MOASHA: the same of two objectives, by non-dominated sorting."""
    scheduler = MOASHA(
        space_of(study), ["error", "log2_ms"], time_attr="step", max_t=600, random_seed=seed,
        grace_period=GRACE, reduction_factor=REDUCTION,
    )  # fmt: skip
    _in_rungs(study, seed, scheduler, as_two)


def _in_rungs(study: TableStudy, seed: int, scheduler: Any, measures: Measures) -> None:
    np.random.seed(seed)  # noqa: NPY002 - which Syne Tune's brackets and samples draw from
    for number in range(10**6):
        config = scheduler.suggest().config
        trial = Trial(number, config, datetime.datetime.now())
        scheduler.on_trial_add(trial)
        curve, runtime_ms = study.curve(config), study.runtime_ms(config)
        for step, psnr_db in curve:
            result = {"step": step, **measures(psnr_db, runtime_ms)}
            if step == curve[-1][0]:
                scheduler.on_trial_complete(trial, result)
                study.finish(config, psnr_db)
            elif scheduler.on_trial_result(trial, result) == SchedulerDecision.STOP:
                study.finish(config, None, step)
                break


METHODS: Methods = {
    ("Syne Tune REA", "score"): single(REA, population_size=POPULATION, sample_size=TOURNAMENT),
    ("Syne Tune CQR", "score"): single(CQR),
    ("Syne Tune KDE (TPE)", "score"): single(TPE),
    ("Syne Tune ASHA", "score"): asha,
    ("Syne Tune MO-REA", "pareto"): mo_rea,
    ("Syne Tune MOASHA", "pareto"): moasha,
    ("Syne Tune BoTorch", "score"): single(BOTorch),
    ("Syne Tune EHVI", "pareto"): ehvi,
}

if __name__ == "__main__":
    main(METHODS)
