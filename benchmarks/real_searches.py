"""The comparison of samplers on real training: shorter, and on a space that no table holds.

    python benchmarks/real_searches.py run FOLDER --repetitions 3
    python benchmarks/real_searches.py compare FOLDER

`run` makes the studies of `real_searches.yaml`, one for each method and repetition, in FOLDER;
what was trained is not trained again, so it may be stopped at any time. `compare` says how many
trials and CPU-seconds each needed to reach the best score that random search has after all of its
own, in the median of the repetitions, and what each had found after fewer.

`answer` trains for algorithms of other packages, which `peers/on_real_training.py` runs.

CPU-seconds are those of the trainings, rungs and evaluations included; the driver's are not.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from search_efficiency import EARLY_RUNGS, Study, Trained, best_scores, needed, quartiles, read
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


def config_of(options: argparse.Namespace, method: str, repetition: int) -> StudyConfig:
    """The study of one method and repetition; random search gets twice the trials."""
    trials = options.trials if method == "random" else options.trials // 2
    name = f"{method.replace(', ', '-')}-{repetition}"
    settings = {
        "name": name, "trials": trials, "seed": repetition,
        "workers": options.workers, "output": options.folder,
    }  # fmt: skip
    fixed = load_config(STUDY).model_dump(mode="json", exclude_unset=True)
    return StudyConfig.model_validate({**fixed, **settings, **METHODS[method]})


def run(options: argparse.Namespace) -> None:
    for repetition in range(options.repetitions):
        for method in options.methods:
            config = config_of(options, method, repetition)
            results = run_study(config, Silent())
            best = results.complete[0]
            print(f"{config.name}: {len(results.trials)} asked, best {best.log2_score:.2f}")


def studies_of(options: argparse.Namespace, method: str) -> list[Study]:
    """Those that are there, whole."""
    found = []
    for repetition in range(options.repetitions):
        config = config_of(options, method, repetition)
        if (config.directory / "study.db").exists():
            study, _ = load_study(config.storage_url, config.name)
            trained = _trained(read_results(study, config))
            if len(trained) >= config.trials:
                found.append(Study(method, "score", repetition, trained[: config.trials]))
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
    """Print the space's choices, then for each line of choices [PSNR in dB, ms, CPU-seconds]: PSNR
    null where they may not be trained or their training failed."""
    config = config_of(options, "random", options.repetition)
    space, context, data = config.search_space(), config.sampling_context(), prepare_data(config)
    _say([[c.name, c.values, {n: list(v) for n, v in c.when.items()}] for c in space.choices])
    with tempfile.TemporaryDirectory() as folder, LocalPool(1) as pool:
        for number, line in enumerate(sys.stdin):
            architecture = space.architecture(json.loads(line))
            known = context.estimate(architecture)
            if infeasible_reason(known, config.objective.max_runtime_ms):
                _say([None, known.runtime_ms, 0])
                continue
            job = Job(
                str(number), architecture, config.training, data, config.seed,
                Path(folder) / str(number),
            )  # fmt: skip
            ((_, outcome),) = train_all(pool, [job])
            if isinstance(outcome, Failed):
                _say([None, known.runtime_ms, 0])
            else:
                _say([outcome.psnr_db, known.runtime_ms, outcome.seconds["cpu"]])


def _say(document: Any) -> None:
    print(json.dumps(document), flush=True)


def compare(options: argparse.Namespace) -> None:
    found = {method: studies_of(options, method) for method in options.methods}
    for study in read(options.folder / "peers.jsonl"):
        found.setdefault(study.method, []).append(study)
    target = float(np.median([best_scores(study)[-1] for study in found["random"]]))
    print(f"{target:.2f} is log2 of random search's best after {options.trials}, in the median")
    points = [options.trials // 6, options.trials // 4, options.trials // 2]
    heads = "  ".join(f"after {n}" for n in points)
    print(f"{'method':22} studies reached  trials (quartiles)  CPU-s (quartiles)  {heads}")
    for method, studies in found.items():
        if studies:
            _print_row(method, studies, target, points)


def _print_row(method: str, studies: Sequence[Study], target: float, points: Sequence[int]) -> None:
    reached = [needed(study, best_scores(study), target) for study in studies]
    trials, cpu_s = (quartiles([pair[i] for pair in reached]) for i in (0, 1))
    count = sum(np.isfinite(trial) for trial, _ in reached)
    after = [
        float(np.median([best_scores(study)[n - 1] - target for study in studies])) for n in points
    ]
    shown = "  ".join(f"{value:+8.2f}" for value in after)
    print(f"{method:22} {len(studies):7} {count:7}  {trials:>18}  {cpu_s:>17}  {shown}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    for call in (run, compare, answer):
        command = commands.add_parser(call.__name__)
        command.add_argument("folder", type=Path)
        command.add_argument("--repetitions", type=int, default=3)
        command.add_argument("--trials", type=int, default=60, help="of random search")
        command.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
        command.add_argument("--workers", type=int, default=2)
        command.add_argument("--repetition", type=int, default=0, help="of `answer`")
        command.set_defaults(call=call)
    options = parser.parse_args()
    options.call(options)


if __name__ == "__main__":
    main()
