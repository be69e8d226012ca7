"""How many trials, and how many CPU-seconds, samplers need on the tabular benchmark.

    python benchmarks/search_efficiency.py run trained_isp.jsonl.gz runs.jsonl --repetitions 50
    python benchmarks/search_efficiency.py lookup trained_isp.jsonl.gz lookup.json
    python benchmarks/search_efficiency.py compare trained_isp.jsonl.gz runs.jsonl

`run` replays studies of our own methods by the real driver on a simulated clock, one worker each,
and appends a line for each study; what stands in the file is not run again. Repetition r has
sampler seed r and takes the table's trainings of seed r modulo the table's number of seeds. Methods
that probe take `--probes`, what `proxies.py measure` wrote; without it they are left out.

`lookup` writes the table for the scripts in `peers/`, which run in environments of their own and
append lines of the same form. `compare` says what each method needed to reach the median of what
random search has after `--trials` trials: of the best score in studies of the score, of the
hypervolume (PSNR against log2 of run time, from the table's worst of both) in Pareto studies. It
says so twice: of the PSNR that the study saw, which the luckiest training decides, and of what
the study chose by it (its best, its front), judged by the mean PSNR over the table's seeds.

A trial is a training; asking again for an architecture that was trained costs nothing. CPU-seconds
are those that the trainings took, as the table has them, and those of driver and sampler here.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from search.objective import log2_score
from search.replay import Probes, Row, TrainedTable, read_probes, read_table, replay, study_of
from search.report.hypervolume import Point, front_history, hypervolume, hypervolume_history
from search.study.estimate import Estimate
from spaces.architecture import Architecture
from spaces.space import SearchSpace

RUNGS = {"rungs": [200, 400]}
EARLY_RUNGS = {"rungs": [75, 200, 400]}
OURS: dict[str, dict[str, Any]] = {
    "random": {"sampler": {"name": "random"}},
    "tpe": {"sampler": {"name": "tpe"}},
    "nsga2": {"sampler": {"name": "nsga2"}},
    "evolution": {"sampler": {"name": "evolution"}},
    "latency_aware": {"sampler": {"name": "latency_aware"}},
    "latency_aware, rungs": {"sampler": {"name": "latency_aware"}, "pruning": RUNGS},
    "latency_aware, rung 0 too": {
        "sampler": {"name": "latency_aware"},
        "pruning": {"rungs": [0, 200, 400]},
    },
    "latency_aware, rung 75 too": {"sampler": {"name": "latency_aware"}, "pruning": EARLY_RUNGS},
    "latency_aware, rung 75 too, 2 brackets": {
        "sampler": {"name": "latency_aware"},
        "pruning": EARLY_RUNGS | {"brackets": 2},
    },
    "latency_aware, rung 75 too, 3 brackets": {
        "sampler": {"name": "latency_aware"},
        "pruning": EARLY_RUNGS | {"brackets": 3},
    },
    "random, rungs": {"sampler": {"name": "random"}, "pruning": RUNGS},
    "tpe, rungs": {"sampler": {"name": "tpe"}, "pruning": RUNGS},
    "random, probing": {"sampler": {"name": "random"}, "probing": {}},
    "latency_aware, probing": {"sampler": {"name": "latency_aware"}, "probing": {}},
}
OBJECTIVES = ("score", "pareto")


@dataclass(frozen=True)
class Trained:
    """A training of a study: None for a PSNR that was not seen because the trial was pruned.

    `cpu_s`: of all trainings up to this one, of the driver and of the sampler.
    """

    psnr_db: float | None
    runtime_ms: float
    cpu_s: float


@dataclass(frozen=True)
class Study:
    """One repetition of one method."""

    method: str
    objective: str
    repetition: int
    trials: tuple[Trained, ...]


def run(options: argparse.Namespace) -> None:
    table = read_table(options.table)
    probes = read_probes(options.probes) if options.probes else {}
    methods = [name for name in options.methods if probes or "probing" not in OURS[name]]
    done = {(study.method, study.objective, study.repetition) for study in read(options.file)}
    for objective in options.objectives:
        for repetition in range(options.repetitions):
            for method in methods:
                if (method, objective, repetition) in done:
                    continue
                trials = options.trials if method == "random" else options.trials_of_others
                study = _replayed(table, probes, method, objective, repetition, trials)
                with options.file.open("a") as file:
                    file.write(line_of(study) + "\n")


def _replayed(
    table: TrainedTable,
    probes: Mapping[tuple[str, int], Probes],
    method: str,
    objective: str,
    repetition: int,
    trials: int,
) -> Study:
    config = study_of(
        table, trials=trials, seed=repetition, objective={"kind": objective}, **OURS[method]
    )
    began_s = time.process_time()
    replayed = replay(table, config, probes)
    overhead_s = (time.process_time() - began_s) / len(replayed.trials)
    trained = tuple(
        Trained(record.psnr_db, record.estimate.runtime_ms, clock_s + asked * overhead_s)
        for asked, (clock_s, record) in enumerate(replayed.trials, start=1)
        if record.status in ("complete", "pruned") and record.estimate is not None
    )
    return Study(method, objective, repetition, trained)


def line_of(study: Study) -> str:
    """A study as a line of the results."""
    trials = [[t.psnr_db, round(t.runtime_ms, 4), round(t.cpu_s, 2)] for t in study.trials]
    return json.dumps([study.method, study.objective, study.repetition, trials])


def read(path: Path) -> Iterator[Study]:
    """The studies of a file of results; none where there is no file."""
    if path.exists():
        for line in path.read_text().splitlines():
            method, objective, repetition, trials = json.loads(line)
            yield Study(method, objective, repetition, tuple(Trained(*t) for t in trials))


def lookup(options: argparse.Namespace) -> None:
    table = read_table(options.table)
    known, space = estimates(table), study_of(table, trials=1).search_space()
    document = {
        "choices": choices_of(space),
        "seeds": table.seeds,
        "architectures": [
            {
                "choices": row.architecture.choices,
                "runtime_ms": known[row.architecture].runtime_ms,
                "runs": [_run_of(row, table.budgets[-1], seed) for seed in table.seeds],
            }
            for row in table.rows
        ],
    }
    options.file.write_text(json.dumps(document))


def choices_of(space: SearchSpace) -> list[Any]:
    """As `peers/lookup.py` reads them, for JSON."""
    return [[c.name, c.values, dict(c.when)] for c in space.choices]


def _run_of(row: Row, steps: int, seed: int) -> dict[str, Any]:
    """With the PSNR after each rung's steps, and the seconds until then; without rung 0, which
    only a study of ours can ask for."""
    run = row.runs[steps, seed]
    return {
        "curve": [(step, psnr_db) for step, psnr_db in run.curve if step],
        "seconds": {step: run.seconds_at(step) for step, _ in run.curve},
    }


def estimates(table: TrainedTable) -> dict[Architecture, Estimate]:
    """What the oracle says of every architecture of the table."""
    context = study_of(table, trials=1).sampling_context()
    return {row.architecture: context.estimate(row.architecture) for row in table.rows}


def compare(options: argparse.Namespace) -> None:
    table = read_table(options.table)
    mean_db = _means(table)
    slowest = max(known.runtime_ms for known in estimates(table).values())
    longest, seeds = table.budgets[-1], table.seeds
    worst_db = min(row.runs[longest, seed].psnr_db for row in table.rows for seed in seeds)
    reference = float(np.log2(slowest)) + 0.1, worst_db
    studies = defaultdict(list)
    for study in read(options.file):
        studies[study.objective, study.method].append(study)
    measures: list[tuple[str, str, Measure]] = [
        ("score", "as seen", best_scores),
        ("score", "mean over seeds", partial(judged_scores, mean_db=mean_db)),
        ("pareto", "as seen", partial(hypervolumes, reference=reference)),
        ("pareto", "mean over seeds",
         partial(judged_hypervolumes, mean_db=mean_db, reference=reference)),
    ]  # fmt: skip
    for objective, judge, measure in measures:
        random_ends = [measure(s)[: options.trials][-1] for s in studies[objective, "random"]]
        if not random_ends:
            continue
        target = float(np.median(random_ends))
        print(
            f"\n{objective}, {judge}: {target:.3f} is the median of random search after "
            f"{options.trials}"
        )
        print(f"{'method':34} studies reached  trials (quartiles)  CPU-s (quartiles)")
        for (of, method), repetitions in sorted(studies.items()):
            if of == objective:
                _print_row(method, [needed(s, measure(s), target) for s in repetitions])


def _means(table: TrainedTable) -> dict[float, float]:
    """By the PSNR of a whole training the mean PSNR over its architecture's seeds; no two trainings
    have the same to the last digit."""
    longest, seeds = table.budgets[-1], table.seeds
    found = {}
    for row in table.rows:
        of_seeds = [row.runs[longest, seed].psnr_db for seed in seeds]
        found.update(dict.fromkeys(of_seeds, float(np.mean(of_seeds))))
    assert len(found) == len(table.rows) * len(seeds)
    return found


def _print_row(method: str, needed: list[tuple[float, float]]) -> None:
    reached = sum(np.isfinite(trials) for trials, _ in needed)
    trials, cpu_s = (quartiles([pair[i] for pair in needed]) for i in (0, 1))
    print(f"{method:34} {len(needed):7} {reached:7}  {trials:>18}  {cpu_s:>17}")


def quartiles(values: list[float]) -> str:
    """Median and quartiles, in which what was never reached is the largest."""
    ordered = sorted(values)
    low, median, high = (ordered[round(q * (len(ordered) - 1))] for q in (0.25, 0.5, 0.75))
    return f"{median:.0f} ({low:.0f} to {high:.0f})"


def needed(study: Study, reached: list[float], target: float) -> tuple[float, float]:
    """Trials and CPU-seconds until the target; infinite where it was not reached."""
    for number, (value, trial) in enumerate(zip(reached, study.trials, strict=True), start=1):
        if value >= target - 1e-9:
            return number, trial.cpu_s
    return np.inf, np.inf


Measure = Callable[[Study], list[float]]
"""What a study has after each of its trials."""


def best_scores(study: Study) -> list[float]:
    """log2 of the best score after each trial, up to its constant."""
    return list(np.maximum.accumulate([_score(t) for t in study.trials]))


def judged_scores(study: Study, mean_db: dict[float, float]) -> list[float]:
    """The same of the architecture that has the best score, by its mean PSNR."""
    found, best = [], None
    for trial in study.trials:
        if best is None or _score(trial) > _score(best):
            best = trial
        found.append(_score(_judged(best, mean_db)))
    return found


def _judged(trial: Trained, mean_db: dict[float, float]) -> Trained:
    return trial if trial.psnr_db is None else replace(trial, psnr_db=mean_db[trial.psnr_db])


def _score(trial: Trained) -> float:
    if trial.psnr_db is None:
        return -np.inf
    return log2_score(trial.psnr_db, trial.runtime_ms, log2_c=0.0)


def hypervolumes(study: Study, reference: Point) -> list[float]:
    """Area above `reference` after each trial, in dB x octaves of run time."""
    return hypervolume_history([_point(t, reference) for t in study.trials], reference)


def judged_hypervolumes(study: Study, mean_db: dict[float, float], reference: Point) -> list[float]:
    """The same of the architectures on the front, by their mean PSNRs."""
    # A pruned trial stands at the reference, the table's worst PSNR, where it adds no area.
    return [
        hypervolume([(cost, mean_db[psnr_db]) for cost, psnr_db in front], reference)
        for front in front_history([_point(t, reference) for t in study.trials])
    ]


def _point(trial: Trained, reference: Point) -> Point:
    if trial.psnr_db is None:
        return reference
    return float(np.log2(trial.runtime_ms)), trial.psnr_db


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    running = commands.add_parser("run")
    running.add_argument("--repetitions", type=int, default=50)
    running.add_argument("--trials-of-others", type=int, default=100)
    running.add_argument("--methods", nargs="+", choices=OURS, default=list(OURS))
    running.add_argument("--objectives", nargs="+", choices=OBJECTIVES, default=OBJECTIVES)
    running.add_argument("--probes", type=Path, help="for the methods that probe")
    running.set_defaults(call=run)
    writing = commands.add_parser("lookup")
    writing.set_defaults(call=lookup)
    comparing = commands.add_parser("compare")
    comparing.set_defaults(call=compare)
    for command in (running, writing, comparing):
        command.add_argument("table", type=Path)
        command.add_argument("file", type=Path)
        command.add_argument("--trials", type=int, default=200, help="of random search")
    options = parser.parse_args()
    options.call(options)


if __name__ == "__main__":
    main()
