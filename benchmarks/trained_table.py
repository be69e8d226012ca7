"""The tabular benchmark: every architecture of a small space, trained for real.

    python benchmarks/trained_table.py train benchmarks/trained_table_runs.jsonl --seeds 2
    python benchmarks/trained_table.py pack benchmarks/trained_table_runs.jsonl trained_isp.jsonl.gz

`train` runs what `trained_table.yaml` describes, each architecture with every seed, and appends a
line for each run; what stands in the file is not run again, so it may be stopped at any time. One
training serves every budget of `--budgets`: the learning rate is constant, and at a rung the
averaged weights are evaluated as they are at the end.

`pack` writes the `TrainedTable` that `search.replay` reads. Seconds are CPU time, which other work
on the machine does not inflate, up to the budget's last step and its evaluation. `--probes` adds
the PSNR at step 0, which the runs do not have, from the file of `proxies.py`.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from trainings import train_all

from search.config import load_config
from search.replay import Row, Run, TrainedTable, write_table
from search.study.data import prepare_data
from search.study.job import Failed, Job, Trained
from search.study.pool import LocalPool
from spaces.architecture import Architecture

STUDY = Path(__file__).with_suffix(".yaml")


def train(options: argparse.Namespace) -> None:
    config = load_config(STUDY)
    data = prepare_data(config)
    assert config.pruning is not None
    done = {(line["architecture"], line["seed"]) for line in read(options.file)}
    every = list(config.search_space().every())
    # In random order, so that what is there so far is a fair sample of the space.
    random.Random(0).shuffle(every)
    plan = [
        (architecture, seed)
        for seed in range(options.seeds)
        for architecture in every[: options.first]
        if (architecture.to_json(), seed) not in done
    ]
    print(f"{len(plan)} runs to do, {len(done)} are there", flush=True)
    with tempfile.TemporaryDirectory() as folder, LocalPool(options.workers) as pool:
        jobs = [
            Job(
                str(number), architecture, config.training, data, seed, Path(folder) / str(number),
                rungs=tuple(config.pruning.rungs), threads=1,
            )
            for number, (architecture, seed) in enumerate(plan)
        ]  # fmt: skip
        for job, outcome in train_all(pool, jobs):
            if isinstance(outcome, Failed):
                raise SystemExit(f"{job.architecture.choices}: {outcome.reason}")
            with options.file.open("a") as file:
                file.write(_line(job, outcome) + "\n")


def _line(job: Job, outcome: Trained) -> str:
    return json.dumps(
        {
            "architecture": job.architecture.to_json(),
            "seed": job.seed,
            "parameters": outcome.parameters,
            "psnr_db": outcome.psnr_db,
            "ssim": outcome.ssim,
            "curve": outcome.curve,
            "seconds": outcome.seconds,
        }
    )


def read(path: Path | None) -> list[dict[str, Any]]:
    """The lines of `train`'s file; none where there is no file."""
    return (
        [json.loads(line) for line in path.read_text().splitlines()]
        if path and path.exists()
        else []
    )


def pack(options: argparse.Namespace) -> None:
    config = load_config(STUDY)
    trained = defaultdict(list)
    for line in read(options.file):
        trained[line["architecture"]].append(line)
    probes = {(line["digest"], line["seed"]): line for line in read(options.probes)}
    rows = []
    for architecture in config.search_space().every():
        lines = trained[architecture.to_json()]
        if not {line["seed"] for line in lines}.issuperset(range(options.seeds)):
            raise SystemExit(f"not every seed of {architecture.choices} is there")
        for line in lines if probes else ():
            probe_db = probes[architecture.digest, line["seed"]]["values"]["ridge_probe"]
            line["curve"] = [[0, probe_db], *line["curve"]]
        rows.append(_row(architecture, lines, options.budgets))
    table = TrainedTable(
        task=config.task,
        space=config.space.name,
        choices={name: tuple(values) for name, values in config.space.choices.items()},
        training=config.training.model_dump(mode="json", exclude_unset=True, exclude={"steps"}),
        data=config.data.model_dump(mode="json", exclude={"root"}),
        provenance=_provenance(options),
        rows=tuple(rows),
    )
    write_table(options.table, table)
    print(f"{options.table}: {len(rows)} architectures, {options.table.stat().st_size} bytes")


def _row(
    architecture: Architecture, lines: Sequence[dict[str, Any]], budgets: Sequence[int]
) -> Row:
    runs = {(budget, line["seed"]): _run(line, budget) for line in lines for budget in budgets}
    return Row(architecture, lines[0]["parameters"], runs)


def _run(line: dict[str, Any], budget: int) -> Run:
    """What a training of `budget` steps gave, or would have: SSIM only of the whole one."""
    curve = tuple((step, psnr_db) for step, psnr_db in line["curve"] if step <= budget)
    whole = budget == line["curve"][-1][0]
    ssim = line["ssim"] if whole else float("nan")
    start_s, step_s = _cpu_seconds(line)
    return Run(curve[-1][1], ssim, curve, round(start_s + budget * step_s, 3), round(start_s, 3))


def _cpu_seconds(line: dict[str, Any]) -> tuple[float, float]:
    """Before the first step, and of a step with its share of the evaluations: the run's CPU time
    shared out as its wall time was."""
    seconds = line["seconds"]
    stepping = (seconds["steps"] + seconds["validate"]) / seconds["total"]
    return seconds["cpu"] * (1 - stepping), seconds["cpu"] * stepping / line["curve"][-1][0]


def _provenance(options: argparse.Namespace) -> dict[str, str]:
    return {
        "date": str(date.today()),
        "machine": f"{platform.machine()}, {options.machine}",
        "tensorflow": version("tensorflow"),
        "seconds": "CPU time of one run on one thread",
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    training = commands.add_parser("train")
    training.add_argument("file", type=Path)
    training.add_argument("--workers", type=int, default=2)
    training.add_argument("--first", type=int, help="how many architectures, of a random order")
    training.set_defaults(call=train)
    packing = commands.add_parser("pack")
    packing.add_argument("file", type=Path)
    packing.add_argument("table", type=Path)
    packing.add_argument("--probes", type=Path, help="of proxies.py measure")
    packing.add_argument("--budgets", type=int, nargs="+", default=[75, 200, 600])
    packing.add_argument("--machine", default="2 shared cores")
    packing.set_defaults(call=pack)
    for command in (training, packing):
        command.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    options.call(options)


if __name__ == "__main__":
    main()
