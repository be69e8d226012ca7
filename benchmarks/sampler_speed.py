"""CPU time of a sampler's proposal as a study grows, without training or storage on disk.

    python benchmarks/sampler_speed.py --sampler latency_aware --trials 1000 10000

Trials are random architectures with PSNRs from a random generator, added to an in-memory study;
then proposals are asked for and told, and the median CPU time of ask and tell is printed. Reading
the history and pricing the first pool, which a resumed study pays once, is printed beside it.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import numpy as np
import optuna

from search.config import parse_config
from search.objective import log2_score
from search.samplers import SAMPLERS, Context

PROPOSALS = 15


def filled(context: Context, trials: int, rng: np.random.Generator) -> optuna.Study:
    """A study of `trials` complete trials, drawn over 2,000 architectures."""
    study = optuna.create_study(direction="maximize")
    known = context.drawn(range(2_000))
    distributions = _distributions(context)
    for number in range(trials):
        priced = known[number % len(known)]
        choices = priced.architecture.choices
        value = log2_score(25 + rng.standard_normal(), priced.runtime_ms, context.log2_c)
        study.add_trial(
            optuna.trial.create_trial(
                value=value,
                params=choices,
                distributions={name: distributions[name] for name in choices},
            )
        )
    return study


def _distributions(context: Context) -> dict[str, Any]:
    """As the space suggests them, gathered from trials until every choice was seen."""
    study, found = optuna.create_study(), dict[str, Any]()
    while len(found) < len(context.space.choices):
        trial = study.ask()
        context.space.suggest(trial)
        found |= trial.distributions
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sampler", default="latency_aware")
    parser.add_argument("--trials", type=int, nargs="+", default=[100, 1000, 10000])
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    document = {"name": "speed", "task": "isp", "trials": 1}
    for trials in options.trials:
        context = parse_config(document, "speed").sampling_context()
        study = filled(context, trials, np.random.default_rng(0))
        found = []
        for seed in range(PROPOSALS + 1):
            began = time.process_time()
            study.sampler = SAMPLERS[options.sampler](context, seed)
            trial = study.ask()
            _ = trial.relative_params
            context.space.suggest(trial)
            study.tell(trial, 10.0)
            found.append(1000 * (time.process_time() - began))
        print(
            f"{options.sampler}: {trials} trials, ask + tell {statistics.median(found[1:]):.0f} "
            f"ms, at most {max(found[1:]):.0f}; the first {found[0]:.0f} ms",
            flush=True,
        )


if __name__ == "__main__":
    main()
