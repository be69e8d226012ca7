"""What is known of a network before it is trained, and whether it ranks networks.

    python benchmarks/proxies.py measure proxies.jsonl --seeds 0 1
    python benchmarks/proxies.py rank trained_isp.jsonl.gz proxies.jsonl

`measure` looks at every architecture of the tabular benchmark as each seed draws its weights and
appends a line for each; what stands in the file is not measured again:

- `ridge_probe`: validation PSNR in dB with the output layers solved in closed form. It is what a
  training that starts so has at step 0, rung 0 of a study.
- `gradient_norm`: log2 of the loss gradient's Euclidean norm (Abdelfattah et al., "Zero-Cost
  Proxies for Lightweight NAS", 2021, section 3.1), here behind the closed-form start.
- `synflow`: log2 of the sum over weights of |w * dR/dw|, where R is the output's sum for inputs
  of ones and absolute weights (Tanaka et al., 2020, equations 2 and 3).
- `naswot`: log-determinant of the share of activations that two crops switch alike (Mellor et al.,
  "Neural Architecture Search without Training", 2021, section 3); minus infinity where all do.

`rank` compares them, and what the oracle knows (run time, MACs, parameters), with the PSNR of the
table's whole trainings: rank correlations over all, over the better half by PSNR, and what is
left of them given the four measures that the `latency_aware` sampler has anyway.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections.abc import Callable
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
from search.data.batches import train_batches
from search.networks import Candidate, candidate
from search.replay import read_table
from search.study.data import open_pairs, prepare_data
from search.training.data import TrainingData, training_data
from search.training.goal import goals
from search.training.loop import train
from search.training.tricks import Sight
from spaces.architecture import Architecture
from spaces.ops.keras_backend import KerasOps, Network

CROPS = 16
"""That gradient norm and switching are measured on."""


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
    recipe = config.training
    # As the worker does: the same seed draws the same weights.
    keras.utils.set_random_seed(seed)
    model = Network(network.network, network.input_channels)
    crops = train_batches(
        data.pairs, data.encode, crop=recipe.crop, batch=CROPS, steps=1, seed=seed, augment=False
    )
    x, y = next(iter(crops))
    seconds, values = {}, {}

    def timed(name: str, measured: Callable[[], float]) -> None:
        began_s = time.process_time()
        values[name] = round(measured(), 5)
        seconds[name] = round(time.process_time() - began_s, 3)

    def ridge_probe() -> float:
        outcome = train(
            model, recipe, data, seed=seed, residual=network.residual, tone=network.tone,
            rungs=(0,), keep_going=lambda step, psnr_db: False,
        )  # fmt: skip
        return outcome.curve[0][1]

    timed("synflow", lambda: _synflow(model, x.shape[1:]))
    timed("naswot", lambda: _naswot(model, network, x))
    timed("ridge_probe", ridge_probe)
    timed("gradient_norm", lambda: _gradient_norm(model, config, x, y, seed))
    return {
        "digest": architecture.digest, "seed": seed, "values": values, "seconds": seconds,
    }  # fmt: skip


def _synflow(model: Network, shape: tuple[int, ...]) -> float:
    weights = model.trainable_variables
    signed = [w.numpy() for w in weights]
    for w in weights:
        w.assign(abs(w))
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(model(tf.ones((1, *shape)), training=False))
    gradients = tape.gradient(total, weights)
    flow = sum(
        float(tf.reduce_sum(tf.abs(w * g)))
        for w, g in zip(weights, gradients, strict=True)
        if g is not None
    )
    for w, value in zip(weights, signed, strict=True):
        w.assign(value)
    return math.log2(flow)


class _Switches(KerasOps):
    """`KerasOps` that keeps what its activations switch on, [crops, units] each."""

    def __init__(self, layers: list[Any]) -> None:
        super().__init__(layers)
        self.codes: list[np.ndarray] = []

    def activation(self, x: Any, kind: Any) -> Any:
        self.codes.append(np.asarray(x).reshape(len(x), -1) > 0)
        return super().activation(x, kind)


def _naswot(model: Network, network: Candidate, x: np.ndarray) -> float:
    ops = _Switches(model.parts)
    network.network(ops, tf.constant(x))
    codes = np.concatenate(ops.codes, axis=1).astype(np.float32)
    alike = (codes @ codes.T + (1 - codes) @ (1 - codes).T) / codes.shape[1]
    return float(np.linalg.slogdet(alike.astype(np.float64))[1])


def _gradient_norm(
    model: Network, config: StudyConfig, x: np.ndarray, y: np.ndarray, seed: int
) -> float:
    (goal,) = goals(config.training, model, x, teacher=None, seed=seed)

    def run(x: Any) -> Any:
        return model.taps(x, training=True)

    start = tf.constant(0)
    with tf.GradientTape() as tape:
        prediction, taps = run(tf.constant(x))
        loss = goal.total(Sight(x, goal.wanted(x, y), prediction, taps, run, start))
    gradients = tape.gradient(loss, model.trainable_variables)
    return math.log2(float(tf.linalg.global_norm([g for g in gradients if g is not None])))


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
