"""Whether branches in training help: the same network and budget, plain and re-parameterised.

    python benchmarks/reparam_gain.py --seeds 5 --steps 600

Three 3x3 convolutions of 12 channels (the shape of MiAlgo's track-1 entry), on the ISP sample
data; validation PSNR in dB of each seed, their mean and standard deviation, and the paired
difference to "plain". The deployed networks are the same size to the last parameter.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import keras
from paired import gains, isp_sample, mean_and_spread

from search.training.loop import train
from search.training.recipe import Recipe
from spaces.ops.keras_backend import Network

FORMS = {"plain": None, "ecb": "ecb", "repvgg": "repvgg", "erep": "erep"}


def network(branches: Any, ops: Any, x: Any) -> Any:
    for kind in ("tanh", "relu"):
        x = ops.activation(ops.conv(x, 12, branches=branches), kind)
    return ops.depth_to_space(ops.conv(x, 12, branches=branches), 2)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--data", type=Path, help="where sample data are or are made")
    options = parser.parse_args()
    data = isp_sample(options.data)
    recipe = Recipe(steps=options.steps, closed_form_images=0)
    found: dict[str, list[float]] = {}
    for form, branches in FORMS.items():
        began = time.process_time()
        for seed in range(options.seeds):
            keras.backend.clear_session()
            keras.utils.set_random_seed(seed)
            model = Network(lambda ops, x, b=branches: network(b, ops, x), 4)
            outcome = train(model, recipe, data, seed=seed)
            found.setdefault(form, []).append(outcome.psnr_db)
        seconds = (time.process_time() - began) / options.seeds
        gained = mean_and_spread(gains(found[form], found["plain"]), "+")
        print(
            f"{form:8} {mean_and_spread(found[form])} dB, against plain {gained} "
            f"({', '.join(f'{p:.2f}' for p in found[form])}); {seconds:.0f} CPU s a run",
            flush=True,
        )


if __name__ == "__main__":
    main()
