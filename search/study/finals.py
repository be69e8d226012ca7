"""The finals: the best few and the baselines, trained longer with several seeds."""

from __future__ import annotations

import optuna

from search.config import FinalsConfig, StudyConfig
from search.networks import zoo_architecture
from search.training.checkpoint import CHECKPOINT, remove_checkpoint
from spaces.architecture import Architecture

from .directories import final_directory
from .job import Failed, Job, Probed, Retried, Rung
from .results import FinalRun, final_key, read_results, write_final
from .retrying import warn_of
from .run import StudyRun


def run_finals(run: StudyRun, finals: FinalsConfig) -> None:
    """Train every finalist that lacks a run; what is stored is not run again.

    By the candidates' recipe, but for its steps.
    """
    config, pool, observer = run.config, run.pool, run.observer
    plan = [
        (architecture, config.seed + k)
        for k in range(finals.seeds)
        for architecture in finalist_architectures(config, run.study, finals)
    ]
    keys = {final_key(a, seed, finals.steps): (a, seed) for a, seed in plan}
    waiting = [key for key in keys if key not in run.study.user_attrs]
    done = len(keys) - len(waiting)
    observer.stage("Finals", done, len(keys))
    recipe = run.recipe.model_copy(update={"steps": finals.steps})
    while waiting or pool.busy:
        while waiting and pool.free:
            key = waiting.pop(0)
            architecture, seed = keys[key]
            directory = final_directory(config, architecture, seed, finals.steps)
            job = Job(
                key, architecture, recipe, run.data, seed, directory,
                threads=pool.threads, lpips=config.evaluation.lpips,
                limits=config.limits, checkpoint=directory / CHECKPOINT,
            )  # fmt: skip
            pool.start(job)
            observer.started(f"{architecture.digest} seed {seed}", run.estimate(architecture))
        for event in pool.wait():
            assert not isinstance(event, Rung | Probed)
            if isinstance(event, Retried):
                warn_of(event, observer)
                continue
            architecture, seed = keys[event.key]
            done += 1
            if isinstance(event, Failed):
                observer.warn(f"final of {architecture.digest}, seed {seed}: {event.reason}")
                continue
            assert event.psnr_db is not None
            assert event.ssim is not None
            final = FinalRun(
                architecture=architecture,
                seed=seed,
                steps=finals.steps,
                estimate=run.estimate(architecture),
                psnr_db=event.psnr_db,
                ssim=event.ssim,
                curve=event.curve,
                seconds=event.seconds,
                lpips=event.lpips,
                weights_sha256=event.weights_sha256,
            )
            run.study.set_user_attr(event.key, write_final(final))
            run.flush()
            directory = final_directory(config, architecture, seed, finals.steps)
            remove_checkpoint(directory / CHECKPOINT)
            observer.final(final)
            observer.stage("Finals", done, len(keys))


def finalist_architectures(
    config: StudyConfig, study: optuna.Study, finals: FinalsConfig
) -> list[Architecture]:
    """The best `top` trials by score, then the baselines, each once."""
    results = read_results(study, config)
    found = [t.architecture for t in results.complete[: finals.top] if t.architecture]
    baselines = [zoo_architecture(name) for name in config.baselines]
    return list(dict.fromkeys([*found, *baselines]))
