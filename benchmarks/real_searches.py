"""The comparison of samplers on real training: shorter, and on a space that no table holds.

    python benchmarks/real_searches.py run FOLDER --repetitions 3
    python benchmarks/real_searches.py compare FOLDER

`run` makes the studies of `real_searches.yaml`, one for each objective, method and repetition, in
FOLDER; what was trained is not trained again, so it may be stopped at any time. Random search does
not know the objective, so its studies serve both. `compare` says how many trials and CPU-seconds
each needed to reach what random search has after all of them, in the median of the repetitions,
and what each had found after fewer: of the best score, and of the hypervolume (PSNR against log2
of run time, from the slowest allowed and the median PSNR of what random search trained).

`answer` trains for algorithms of other packages, which `peers/on_real_training.py` runs.

CPU-seconds are those of the trainings, rungs and evaluations included; the driver's are not.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from search_efficiency import (
    EARLY_RUNGS,
    OBJECTIVES,
    Measure,
    Study,
    Trained,
    best_scores,
    choices_of,
    hypervolumes,
    needed,
    quartiles,
    read,
)
from trainings import train_all

from search.config import StudyConfig, load_config
from search.study.data import prepare_data
from search.study.driver import run_study
from search.study.estimate import infeasible_reason
from search.study.job import Failed, Job
from search.study.observer import Silent
from search.study.pool import LocalPool
from search.study.results import StudyResults, read_results
from search.study.storage import load_study

STUDY = Path(__file__).with_suffix(".yaml")
METHODS: dict[str, dict[str, Any]] = {
    "random": {"sampler": {"name": "random"}},
    "tpe": {"sampler": {"name": "tpe"}},
    "nsga2": {"sampler": {"name": "nsga2", "options": {"population": 10}}},
    "evolution": {"sampler": {"name": "evolution"}},
    "latency_aware": {"sampler": {"name": "latency_aware"}},
    "latency_aware, rungs": {"sampler": {"name": "latency_aware"}, "pruning": EARLY_RUNGS},
}


def config_of(
    options: argparse.Namespace, objective: str, method: str, repetition: int
) -> StudyConfig:
    """The study of one method and repetition."""
    name = f"{method.replace(', ', '-')}-{repetition}"
    if method == "random":
        objective = "score"
    elif objective == "pareto":
        name = f"pareto-{name}"
    fixed = load_config(STUDY).model_dump(mode="json", exclude_unset=True)
    settings = {
        "name": name, "trials": options.trials, "seed": repetition,
        "workers": options.workers, "output": options.folder,
        "objective": {**fixed["objective"], "kind": objective},
    }  # fmt: skip
    return StudyConfig.model_validate({**fixed, **settings, **METHODS[method]})


def run(options: argparse.Namespace) -> None:
    for repetition in range(options.repetitions):
        for objective in options.objectives:
            for method in options.methods:
                config = config_of(options, objective, method, repetition)
                results = run_study(config, Silent())
                best = results.complete[0].log2_score
                print(f"{config.name}: {len(results.trials)} asked, best {best:.2f}", flush=True)


def studies_of(options: argparse.Namespace, objective: str, method: str) -> list[Study]:
    """Those that are there, whole."""
    found = []
    for repetition in range(options.repetitions):
        config = config_of(options, objective, method, repetition)
        if (config.directory / "study.db").exists():
            study, _ = load_study(config.storage_url, config.name)
            trained = _trained(read_results(study, config))
            if len(trained) >= config.trials:
                found.append(Study(method, objective, repetition, trained[: config.trials]))
    return found


def _trained(results: StudyResults) -> tuple[Trained, ...]:
    """In the order in which they ended, which is when a study knows of them."""
    found, cpu_s = [], 0.0
    for trial in sorted(results.trials, key=lambda trial: trial.ended or datetime.max):
        if trial.status in ("complete", "pruned") and trial.estimate is not None:
            cpu_s += trial.seconds["cpu"]
            found.append(Trained(trial.psnr_db, trial.estimate.runtime_ms, cpu_s))
    return tuple(found)


def answer(options: argparse.Namespace) -> None:
    """Print the space's choices, then an answer for each line ["price", choices], the run time in
    ms, and for each line ["train", choices], [PSNR in dB, ms, CPU-seconds]: PSNR null where they
    may not be trained or their training failed."""
    config = config_of(options, "score", "random", options.repetition)
    space, context, data = config.search_space(), config.sampling_context(), prepare_data(config)
    _say(choices_of(space))
    with tempfile.TemporaryDirectory() as folder, LocalPool(1) as pool:
        for number, line in enumerate(sys.stdin):
            asked, choices = json.loads(line)
            architecture = space.architecture(choices)
            known = context.estimate(architecture)
            if asked == "price":
                _say(known.runtime_ms)
                continue
            psnr_db, cpu_s = None, 0.0
            if not infeasible_reason(known, config.objective.max_runtime_ms):
                job = Job(
                    str(number), architecture, config.training, data, config.seed,
                    Path(folder) / str(number),
                )  # fmt: skip
                ((_, outcome),) = train_all(pool, [job])
                if not isinstance(outcome, Failed):
                    psnr_db, cpu_s = outcome.psnr_db, outcome.seconds["cpu"]
            _say([psnr_db, known.runtime_ms, cpu_s])


def _say(document: Any) -> None:
    print(json.dumps(document), flush=True)


def compare(options: argparse.Namespace) -> None:
    """Both objectives, as far as studies of them are there."""
    random = studies_of(options, "score", "random")
    of_peers = list(read(options.folder / "peers.jsonl"))
    for objective, measure in (("score", best_scores), ("pareto", _hypervolumes(random))):
        found = {"random": random}
        for method in [m for m in options.methods if m != "random"]:
            found[method] = studies_of(options, objective, method)
        for study in of_peers:
            if study.objective == objective:
                found.setdefault(study.method, []).append(study)
        _print_table(objective, measure, found, options.trials)


def _hypervolumes(random: list[Study]) -> Measure:
    """From the slowest that may be trained and the median PSNR of what random search trained."""
    slowest_ms = load_config(STUDY).objective.max_runtime_ms
    assert slowest_ms is not None
    seen_db = [t.psnr_db for study in random for t in study.trials if t.psnr_db is not None]
    return partial(hypervolumes, reference=(float(np.log2(slowest_ms)), float(np.median(seen_db))))


def _print_table(
    objective: str, measure: Measure, found: dict[str, list[Study]], trials: int
) -> None:
    target = float(np.median([measure(study)[-1] for study in found["random"]]))
    points = [trials // 4, trials // 2, trials]
    print(f"\n{objective}: {target:.2f} is random search's after {trials}, in the median")
    heads = "  ".join(f"{f'after {n}':>22}" for n in points)
    print(f"{'method':22} studies reached  trials (quartiles)  CPU-s (quartiles)  {heads}")
    for method, studies in found.items():
        if studies:
            values = [measure(study) for study in studies]
            reached = [needed(s, v, target) for s, v in zip(studies, values, strict=True)]
            needs = "  ".join(f"{quartiles([pair[i] for pair in reached]):>18}" for i in (0, 1))
            count = sum(np.isfinite(trial) for trial, _ in reached)
            shown = "  ".join(f"{_after(n, values, target):>22}" for n in points)
            print(f"{method:22} {len(studies):7} {count:7}  {needs}  {shown}")


def _after(trials: int, values: list[list[float]], target: float) -> str:
    """Median and extremes over the studies, less the target; empty where one ended before."""
    if any(len(of_study) < trials for of_study in values):
        return ""
    found = [of_study[trials - 1] - target for of_study in values]
    return f"{np.median(found):+.2f} ({min(found):+.2f} to {max(found):+.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    for call in (run, compare, answer):
        command = commands.add_parser(call.__name__)
        command.add_argument("folder", type=Path)
        command.add_argument("--repetitions", type=int, default=3)
        command.add_argument("--trials", type=int, default=60, help="of each study")
        command.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
        command.add_argument("--objectives", nargs="+", choices=OBJECTIVES, default=["score"])
        command.add_argument("--workers", type=int, default=2)
        command.add_argument("--repetition", type=int, default=0, help="of `answer`")
        command.set_defaults(call=call)
    options = parser.parse_args()
    options.call(options)


if __name__ == "__main__":
    main()
