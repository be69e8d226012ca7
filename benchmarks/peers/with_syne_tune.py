"""Syne Tune's algorithms on the tabular benchmark; `lookup` says how.

Needs: pip install syne-tune botorch huggingface_hub  (0.16; botorch for BoTorch and EHVI alone)

Evolution gets our population and tournament sizes: its own, 100 and 10, would be random search over
these numbers of trials.
"""

from __future__ import annotations

import datetime
import math
from typing import Any

import numpy as np
from lookup import Method, Study, main, score
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


def space_of(study: Study) -> dict[str, Any]:
    """Numbers as ordinals, names as categories."""
    return {
        name: ordinal(values) if all(type(v) is int for v in values) else choice(values)
        for name, values in study.choices.items()
    }


def single(scheduler: Any, **settings: Any) -> Method:
    """A scheduler of one objective: the score."""

    def search(study: Study, seed: int) -> None:
        asking = AskTellScheduler(
            scheduler(
                space_of(study), metric="score", do_minimize=False, random_seed=seed, **settings
            )
        )
        while True:
            trial = asking.ask()
            asking.tell(trial, {"score": score(*study.psnr_and_runtime(trial.config))})

    return search


def several(searcher: Any, **settings: Any) -> Method:
    """A searcher of two objectives, both to be minimised."""

    def search(study: Study, seed: int) -> None:
        space = space_of(study)
        scheduler = SingleFidelityScheduler(
            space,
            metrics=["error", "log2_ms"],
            searcher=searcher(space, random_seed=seed, **settings),
            random_seed=seed,
        )
        asking = AskTellScheduler(scheduler)
        while True:
            trial = asking.ask()
            psnr_db, runtime_ms = study.psnr_and_runtime(trial.config)
            asking.tell(trial, {"error": -psnr_db, "log2_ms": math.log2(runtime_ms)})

    return search


def ehvi(study: Study, seed: int) -> None:
    """Expected hypervolume improvement by BoTorch."""
    asking = AskTellScheduler(EHVI(space_of(study), ["error", "log2_ms"], random_seed=seed))
    while True:
        trial = asking.ask()
        psnr_db, runtime_ms = study.psnr_and_runtime(trial.config)
        asking.tell(trial, {"error": -psnr_db, "log2_ms": math.log2(runtime_ms)})


def asha(study: Study, seed: int) -> None:
    """ASHA: random proposals, stopped at rungs."""
    scheduler = ASHA(
        space_of(study), metric="score", time_attr="step", max_t=600, do_minimize=False,
        random_seed=seed, grace_period=GRACE, reduction_factor=REDUCTION,
    )  # fmt: skip
    _in_rungs(study, seed, scheduler, lambda psnr_db, ms: {"score": score(psnr_db, ms)})


def moasha(study: Study, seed: int) -> None:
    """MOASHA: the same of two objectives, by non-dominated sorting."""
    scheduler = MOASHA(
        space_of(study), ["error", "log2_ms"], time_attr="step", max_t=600, random_seed=seed,
        grace_period=GRACE, reduction_factor=REDUCTION,
    )  # fmt: skip
    _in_rungs(
        study, seed, scheduler, lambda psnr_db, ms: {"error": -psnr_db, "log2_ms": math.log2(ms)}
    )


def _in_rungs(study: Study, seed: int, scheduler: Any, measures: Any) -> None:
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
                study.finish(config, None, share=step / curve[-1][0])
                break


main(
    {
        ("Syne Tune REA", "score"): single(REA, population_size=POPULATION, sample_size=TOURNAMENT),
        ("Syne Tune CQR", "score"): single(CQR),
        ("Syne Tune KDE (TPE)", "score"): single(TPE),
        ("Syne Tune ASHA", "score"): asha,
        ("Syne Tune MO-REA", "pareto"): several(
            MultiObjectiveRegularizedEvolution,
            population_size=POPULATION,
            sample_size=TOURNAMENT,
        ),
        ("Syne Tune MOASHA", "pareto"): moasha,
        ("Syne Tune BoTorch", "score"): single(BOTorch),
        ("Syne Tune EHVI", "pareto"): ehvi,
    }
)
