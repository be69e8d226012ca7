"""What is known of a network before it is trained, and whether it ranks networks.

    python benchmarks/proxies.py measure proxies.jsonl --seeds 0 1
    python benchmarks/proxies.py rank trained_isp.jsonl.gz proxies.jsonl

`measure` looks at every architecture of the tabular benchmark as each seed draws its weights and
appends a line for each; what stands in the file is not measured again. The proxies are those of
search/training/proxies.

`rank` compares them, and what the oracle knows (run time, MACs, parameters), with the PSNR of the
table's whole trainings: rank correlations over all, over the better half by PSNR, and what is
left of them given the four measures that the `latency_aware` sampler has anyway.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf
from search_efficiency import estimates
from trained_table import STUDY, read

from latency.validation import spearman
from search.config import StudyConfig, load_config
from search.networks import Candidate, candidate
from search.replay import read_table
from search.study.data import open_pairs, prepare_data
from search.training.data import TrainingData, training_data
from search.training.proxies import PROXIES, Subject
from spaces.architecture import Architecture
from spaces.ops.keras_backend import Network

NAMES = ("synflow", "naswot", "ridge_probe", "gradient_norm")
"""First what looks at the weights as they are drawn: the others begin a training."""


def measure(options: argparse.Namespace) -> None:
    config = load_config(STUDY)
    source = prepare_data(config)
    done = {(line["digest"], line["seed"]) for line in read(options.file)}
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
    data: dict[int, TrainingData] = {}
    for seed in options.seeds:
        for architecture in config.search_space().every():
            if (architecture.digest, seed) in done:
                continue
            network = candidate(architecture)
            channels = network.input_channels
            if channels not in data:
                pairs = (open_pairs(source, split) for split in ("train", "val"))
                data[channels] = training_data(*pairs, channels)
            line = _measured(config, architecture, network, data[channels], seed)
            with options.file.open("a") as file:
                file.write(json.dumps(line) + "\n")
            keras.backend.clear_session()


def _measured(
    config: StudyConfig,
    architecture: Architecture,
    network: Candidate,
    data: TrainingData,
    seed: int,
) -> dict[str, Any]:
    # As the worker does: the same seed draws the same weights.
    keras.utils.set_random_seed(seed)
    model = Network(network.network, network.input_channels)
    subject = Subject(model, network, config.training, data, seed)
    _ = subject.crops  # Not in the proxies' time.
    seconds, values = {}, {}
    for name in NAMES:
        began_s = time.process_time()
        values[name] = round(PROXIES[name].measure(subject), 5)
        seconds[name] = round(time.process_time() - began_s, 3)
    return {
        "digest": architecture.digest, "seed": seed, "values": values, "seconds": seconds,
    }  # fmt: skip


def rank(options: argparse.Namespace) -> None:
    table = read_table(options.table)
    lines = {(line["digest"], line["seed"]): line for line in read(options.file)}
    known = estimates(table)
    longest, seeds = table.budgets[-1], table.seeds
    names = list(next(iter(lines.values()))["values"])
    psnr_db = np.array([[row.runs[longest, s].psnr_db for s in seeds] for row in table.rows])
    probed = {
        name: np.array(
            [[lines[row.architecture.digest, s]["values"][name] for s in seeds]
             for row in table.rows]
        )
        for name in names
    }  # fmt: skip
    facts = np.log2(
        [[e.runtime_ms, e.gmac, e.parameters, e.kernels]
         for e in (known[row.architecture] for row in table.rows)]
    )  # fmt: skip
    for column, name in enumerate(("runtime_ms", "gmac", "parameters", "kernels")):
        probed[name] = np.repeat(facts[:, column : column + 1], len(seeds), axis=1)
    steps = [step for step, _ in table.rows[0].runs[longest, seeds[0]].curve if step]
    for step in steps[:-1]:
        probed[f"PSNR at step {step}"] = np.array(
            [[dict(row.runs[longest, s].curve)[step] for s in seeds] for row in table.rows]
        )
    costs = {name: [line["seconds"].get(name, 0.0) for line in lines.values()] for name in names}
    print(f"{'':20} {'all':>6} {'better half':>12} {'beyond the facts':>17} {'CPU-s':>7}")
    for name, infinite in probed.items():
        finite = infinite[np.isfinite(infinite)]
        values = np.maximum(infinite, finite.min())
        # One seed's value against the other seeds' PSNR: noise in common would flatter.
        pairs = [
            (values[:, s], np.delete(psnr_db, s, axis=1).mean(axis=1)) for s in range(len(seeds))
        ]
        ranks = [
            (spearman(v, p), _over_better_half(v, p), spearman(_rest(v, facts), _rest(p, facts)))
            for v, p in pairs
        ]
        means = np.mean(ranks, axis=0)
        cost = f"{np.median(costs[name]):7.2f}" if name in costs else ""
        print(f"{name:20} {means[0]:6.2f} {means[1]:12.2f} {means[2]:17.2f} {cost}")


def _over_better_half(values: np.ndarray, psnr_db: np.ndarray) -> float:
    better = psnr_db >= np.median(psnr_db)
    return spearman(values[better], psnr_db[better])


def _rest(values: np.ndarray, facts: np.ndarray) -> np.ndarray:
    """What a linear fit of the facts leaves."""
    design = np.column_stack([facts, np.ones(len(facts))])
    return np.asarray(values - design @ np.linalg.lstsq(design, values, rcond=None)[0])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    measuring = commands.add_parser("measure")
    measuring.add_argument("file", type=Path)
    measuring.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    measuring.set_defaults(call=measure)
    ranking = commands.add_parser("rank")
    ranking.add_argument("table", type=Path)
    ranking.add_argument("file", type=Path)
    ranking.set_defaults(call=rank)
    options = parser.parse_args()
    options.call(options)


if __name__ == "__main__":
    main()
