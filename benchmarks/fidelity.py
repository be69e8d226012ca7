"""Whether brief training ranks architectures as long training does.

    python benchmarks/fidelity.py measure runs.jsonl --architectures 24 --steps 300 3000 --seeds 2
    python benchmarks/fidelity.py rank runs.jsonl --long 3000

`measure` trains random architectures of a space (those within `--max-ms`, predicted) on the sample
data, at every budget and seed, and appends a line for each run; what stands in the file is not
run again. `--recipe` changes the recipe, e.g. '{"batch": 16}', and `--label` names the change.
`--choices` keeps to a part of the space, e.g. '{"packing": [4]}'. `--nested`: one training serves
all budgets, for recipes whose learning rate is constant; what was seen at a rung is what a training
of that many steps ends with.

`rank` compares the order that one seed of each budget gives with that of the longest training:
Spearman's and Kendall's rank correlation over all architectures, Spearman's over the better half,
the share of the best tenth found in the brief ranking's best tenth, fifth and half, the cost
relative to the long training's, and, over the better half, what a seed adds to a single
architecture, in dB.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import kendalltau
from trainings import train_all

from latency import LatencyOracle, load_profile
from latency.validation import spearman
from search.data.sample import prepare_sample
from search.study.estimate import estimate, infeasible_reason
from search.study.job import DataSource, Failed, Job, Trained
from search.study.pool import LocalPool
from search.tasks import TASKS
from search.training.recipe import Recipe
from spaces import SPACES
from spaces.architecture import Architecture
from spaces.space import SearchSpace


@dataclass(frozen=True)
class Run:
    """One training: `label` tells recipes apart, `cost_s` is its wall time on one thread."""

    digest: str
    label: str
    steps: int
    seed: int
    psnr_db: float | None
    cost_s: float


def architectures(
    space: SearchSpace, task: str, count: int, max_ms: float, seed: int
) -> list[tuple[Architecture, float]]:
    """The first `count` random ones that the phone would run in time, and their run times."""
    oracle = LatencyOracle(load_profile(TASKS[task].device))
    rng = np.random.default_rng(seed)
    found: dict[str, tuple[Architecture, float]] = {}
    while len(found) < count:
        architecture = space.sample(rng)
        known = estimate(architecture, TASKS[task], oracle)
        if infeasible_reason(known, max_ms) is None:
            found[architecture.digest] = (architecture, known.runtime_ms)
    return list(found.values())


def measure(options: argparse.Namespace) -> None:
    task = options.space.rpartition("_")[2]
    data = DataSource("sample", prepare_sample(task, options.data, seed=0))
    space = SPACES[options.space].narrow(options.choices)
    chosen = architectures(space, task, options.architectures, options.max_ms, options.sample_seed)
    steps_of_runs = [max(options.steps)] if options.nested else options.steps
    rungs = tuple(sorted(options.steps)[:-1]) if options.nested else ()
    done = {(run.digest, run.label, run.steps, run.seed) for run in read(options.file)}
    plan = [
        (architecture, runtime_ms, steps, seed)
        for seed, steps, (architecture, runtime_ms) in itertools.product(
            range(options.seeds), steps_of_runs, chosen
        )
        if (architecture.digest, options.label, steps, seed) not in done
    ]
    print(f"{len(plan)} runs to do, {len(done)} are there", flush=True)
    with tempfile.TemporaryDirectory() as folder, LocalPool(options.workers) as pool:
        jobs = [
            Job(
                str(number), architecture,
                Recipe.model_validate({"steps": steps, **options.recipe}),
                data, seed, Path(folder) / str(number), rungs=rungs, threads=pool.threads,
            )
            for number, (architecture, _, steps, seed) in enumerate(plan)
        ]  # fmt: skip
        for job, outcome in train_all(pool, jobs):
            runtime_ms = plan[int(job.key)][1]
            of_run = {
                "architecture": job.architecture.to_json(),
                "digest": job.architecture.digest,
                "runtime_ms": runtime_ms,
                "label": options.label,
                "seed": job.seed,
            }
            with options.file.open("a") as file:
                for seen in _budgets(job, outcome):
                    file.write(json.dumps(of_run | seen) + "\n")


def _budgets(job: Job, outcome: Trained | Failed) -> list[dict[str, Any]]:
    """What one training says of each of its budgets; the whole one last."""
    if isinstance(outcome, Failed):
        failed = {"psnr_db": None, "cost_s": 0.0, "problem": outcome.reason}
        return [{"steps": job.recipe.steps, **failed}]
    seconds = outcome.seconds
    before_s = seconds["initialise"] + seconds["first_step"]
    step_s = (seconds["total"] - before_s) / job.recipe.steps
    return [
        {"steps": step, "psnr_db": psnr_db, "cost_s": before_s + step * step_s, "problem": None}
        for step, psnr_db in outcome.curve
        if step in (*job.rungs, job.recipe.steps)
    ]


def read(path: Path) -> Iterator[Run]:
    if path.exists():
        for line in path.read_text().splitlines():
            fields = json.loads(line)
            yield Run(**{name: fields[name] for name in Run.__dataclass_fields__})


def rank(options: argparse.Namespace) -> None:
    runs = [run for run in read(options.file) if run.psnr_db is not None]
    long_runs = [run for run in runs if (run.label, run.steps) == (options.truth, options.long)]
    truth, cost_s = _means(long_runs), np.mean([run.cost_s for run in long_runs])
    better = set(sorted(truth, key=truth.__getitem__)[len(truth) // 2 :])
    spreads = [np.std([truth[digest] for digest in part]) for part in (truth, better)]
    print(
        f"{len(truth)} architectures, {options.long} steps: {spreads[0]:.2f} dB spread, "
        f"{spreads[1]:.2f} dB in the better half"
    )
    print(
        "label        steps seeds  cost  Spearman Kendall  better half  kept 1/10 1/5 1/2  noise dB"
    )
    for label, steps in sorted({(run.label, run.steps) for run in runs}):
        there = [run for run in runs if (run.label, run.steps) == (label, steps)]
        seeds = sorted({run.seed for run in there})
        each = [_means([run for run in there if run.seed == seed]) for seed in seeds]
        whole = np.mean([_compare(brief, truth) for brief in each], axis=0)
        half = np.mean([_compare(_only(brief, better), truth)[0] for brief in each])
        noise_db = _noise([_only(brief, better) for brief in each])
        cost = np.mean([run.cost_s for run in there]) / cost_s
        print(
            f"{label:12} {steps:5} {len(seeds):5} {cost:5.2f} {whole[0]:9.2f} {whole[1]:7.2f} "
            f"{half:12.2f} {whole[2]:10.2f} {whole[3]:.2f} {whole[4]:.2f} {noise_db:8.2f}"
        )


def _means(runs: list[Run]) -> dict[str, float]:
    found = defaultdict(list)
    for run in runs:
        found[run.digest].append(run.psnr_db)
    return {digest: float(np.mean(values)) for digest, values in found.items()}


def _only(brief: dict[str, float], digests: set[str]) -> dict[str, float]:
    return {digest: psnr_db for digest, psnr_db in brief.items() if digest in digests}


def _compare(brief: dict[str, float], truth: dict[str, float]) -> list[float]:
    """Spearman, Kendall, and the share of the truth's best tenth in three parts of the brief."""
    both = sorted(brief.keys() & truth.keys())
    ours, theirs = np.array([brief[d] for d in both]), np.array([truth[d] for d in both])
    best = set(np.argsort(-theirs)[: max(1, len(both) // 10)])
    order = np.argsort(-ours)
    kept = [
        len(best & set(order[: max(1, round(share * len(both)))])) / len(best)
        for share in (0.1, 0.2, 0.5)
    ]
    return [spearman(ours, theirs), kendalltau(ours, theirs).statistic, *kept]


def _noise(each: list[dict[str, float]]) -> float:
    """What one seed does to one architecture, in dB: what it does to all alike ranks nothing."""
    if len(each) < 2:
        return float("nan")
    both = sorted(set.intersection(*(set(brief) for brief in each)))
    table = np.array([[brief[digest] for digest in both] for brief in each])
    rest = table - table.mean(axis=0) - table.mean(axis=1, keepdims=True) + table.mean()
    freedom = (len(each) - 1) * (len(both) - 1)
    return float(np.sqrt((rest**2).sum() / freedom))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    measuring = commands.add_parser("measure")
    measuring.add_argument("file", type=Path)
    measuring.add_argument("--space", default="unet_isp")
    measuring.add_argument("--architectures", type=int, default=24)
    measuring.add_argument("--sample-seed", type=int, default=0)
    measuring.add_argument("--max-ms", type=float, default=30.0)
    measuring.add_argument("--steps", type=int, nargs="+", default=[300, 3000])
    measuring.add_argument("--seeds", type=int, default=2)
    measuring.add_argument("--label", default="default")
    measuring.add_argument("--recipe", type=json.loads, default={})
    measuring.add_argument("--choices", type=json.loads, default={})
    measuring.add_argument("--nested", action="store_true")
    measuring.add_argument("--workers", type=int, default=2)
    measuring.add_argument("--data", type=Path, default=Path("data"))
    measuring.set_defaults(call=measure)
    ranking = commands.add_parser("rank")
    ranking.add_argument("file", type=Path)
    ranking.add_argument("--long", type=int, required=True)
    ranking.add_argument("--truth", default="default", help="label of the long training")
    ranking.set_defaults(call=rank)
    options = parser.parse_args()
    options.call(options)


if __name__ == "__main__":
    main()
