"""Studies made by hand: real sampled architectures, real estimates, drawn PSNR."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np

from latency import LatencyOracle, load_profile
from search.artifacts import save_preview
from search.config import StudyConfig
from search.networks import zoo_architecture
from search.objective import log2_score
from search.study.estimate import estimate, infeasible_reason
from search.study.results import FinalRun, StudyResults, TrialRecord
from spaces.architecture import Architecture

BASELINES = {"isp": ["mialgo_track1", "microisp_0_5"], "bokeh": ["antins_cv"]}
START = datetime(2026, 1, 1, tzinfo=UTC)


def maker(tmp_path):
    """make(complete=8, finals=True, ...) -> StudyResults with artifacts under tmp_path."""

    def make(
        task="isp", complete=0, finals=False, pictures=False, name="by-hand", seed=0, lpips=False
    ):
        config = StudyConfig(
            name=name,
            task=task,
            trials=max(1, complete),
            objective={"kind": "pareto", "max_runtime_ms": 60.0},
            baselines=BASELINES[task],
            output=tmp_path,
            data={"root": tmp_path / "data"},
        )
        trials = _trials(config, complete, np.random.default_rng(seed))
        results = StudyResults(config, tuple(trials), ())
        config = config.model_copy(update={"trials": max(1, results.trained)})
        results = StudyResults(config, results.trials, ())
        if finals:
            results = StudyResults(config, results.trials, tuple(_finals(results)))
        if lpips:
            results = _with_lpips(results)
        if pictures:
            _leave_pictures(results)
        return results

    return make


def _trials(config, complete, rng):
    oracle = LatencyOracle(load_profile(config.device))
    done = 0
    records = []
    while done < complete:
        number = len(records)
        baseline = config.baselines[0] if number == 0 and config.task == "isp" else None
        architecture = zoo_architecture(baseline) if baseline else config.search_space().sample(rng)
        known = estimate(architecture, config.task_facts, oracle)
        reason = infeasible_reason(known, config.objective.max_runtime_ms)
        status = "infeasible" if reason else "complete"
        if not reason and number % 6 == 5:
            status, reason = "pruned", "behind the others at step 100"
        elif not reason and number % 17 == 16:
            status, reason = "failed", "the loss became nan at step 7"
        records.append(_record(config, number, architecture, known, status, reason, baseline, rng))
        done += status == "complete"
    return records


def _record(config, number, architecture, known, status, reason, baseline, rng):
    psnr_db = 20 + 1.2 * np.log(known.runtime_ms) + rng.normal(0, 0.4)
    complete = status == "complete"
    started = START + timedelta(seconds=20 * number)
    seconds = {"initialise": 1.5, "first_step": 2.0, "steps": 9.0, "validate": 1.5, "total": 16.0}
    return TrialRecord(
        number=number,
        index=number,
        status=status,
        reason=reason,
        architecture=architecture,
        estimate=known,
        baseline=baseline,
        psnr_db=psnr_db if complete else None,
        ssim=0.8 if complete else None,
        log2_score=log2_score(psnr_db, known.runtime_ms, config.task_facts.log2_c)
        if complete
        else None,
        curve=tuple((s, psnr_db - 300 / s) for s in (100, 300, 600)[: 3 if complete else 1])
        if status in ("complete", "pruned")
        else (),
        seconds=seconds if status in ("complete", "pruned") else {},
        started=started,
        ended=started + timedelta(seconds=0.01 if status == "infeasible" else 16),
    )


def _finals(results):
    oracle = LatencyOracle(load_profile(results.config.device))
    found: list[Architecture] = [t.architecture for t in results.complete[:3]]
    found += [zoo_architecture(name) for name in results.config.baselines]
    rng = np.random.default_rng(1)
    for architecture in dict.fromkeys(found):
        known = estimate(architecture, results.config.task_facts, oracle)
        centre = 21 + 1.2 * np.log(known.runtime_ms)
        for seed in range(2):
            psnr_db = centre + rng.normal(0, 0.1)
            curve = ((500, psnr_db - 1), (2000, psnr_db))
            seconds = {"steps": 40.0, "total": 44.0}
            yield FinalRun(architecture, seed, 2000, known, psnr_db, 0.85, curve, seconds)


def _with_lpips(results):
    """All but the first trial, as if it had been asked for later."""
    trials = tuple(
        replace(t, lpips=0.5 - t.psnr_db / 100) if t.psnr_db and t.number else t
        for t in results.trials
    )
    finals = tuple(replace(run, lpips=0.25 + run.seed / 10) for run in results.finals)
    return StudyResults(results.config, trials, finals)


def _leave_pictures(results):
    from search.study.directories import final_directory, trial_directory

    rows, columns = np.mgrid[:128, :128]
    target = np.stack([rows * 2, columns * 2, 255 - rows - columns], axis=-1).astype(np.uint8)
    target = np.stack([target, target[::-1]])
    rng = np.random.default_rng(2)

    def save(directory):
        noise = rng.normal(0, 8, target.shape)
        output = np.clip(target + noise, 0, 255).astype(np.uint8)
        quick_look = target[:, ::2, ::2] // 2
        save_preview(directory, {"input": quick_look, "output": output, "target": target})

    for run in results.finals:
        save(final_directory(results.config, run.architecture, run.seed, run.steps))
    for trial in results.complete[:2]:
        save(trial_directory(results.config, trial.number))
