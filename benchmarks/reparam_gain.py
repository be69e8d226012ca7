"""Whether branches in training help: the same network and budget, plain and re-parameterised.

    python benchmarks/reparam_gain.py --seeds 5 --steps 600
    python benchmarks/reparam_gain.py --closed-form      as studies start: the last layer solved

Three 3x3 convolutions of 12 channels (the shape of MiAlgo's track-1 entry), on the ISP sample
data; validation PSNR in dB of each seed, their mean and standard deviation, and the paired
difference to "plain". The deployed networks are the same size to the last parameter.
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from pathlib import Path
from typing import Any

import keras
from paired import gains, isp_sample, mean_and_spread

from search.training.loop import train
from search.training.recipe import Recipe
from spaces.ops.keras_backend import Network
from spaces.unet import HEAD

FORMS = {"plain": None, "ecb": "ecb", "repvgg": "repvgg", "erep": "erep"}


def network(ops: Any, x: Any, *, branches: Any, closed_form: bool) -> Any:
    """With a closed form the last convolution is plain, whatever the others are."""
    for kind in ("tanh", "relu"):
        x = ops.activation(ops.conv(x, 12, branches=branches), kind)
    last = {"name": HEAD} if closed_form else {"branches": branches}
    return ops.depth_to_space(ops.conv(x, 12, **last), 2)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--closed-form", action="store_true")
    parser.add_argument("--data", type=Path, help="where sample data are or are made")
    options = parser.parse_args()
    data = isp_sample(options.data)
    recipe = Recipe(steps=options.steps)
    if not options.closed_form:
        recipe = recipe.model_copy(update={"closed_form_images": 0})
    found: dict[str, list[float]] = {}
    for form, branches in FORMS.items():
        began = time.process_time()
        for seed in range(options.seeds):
            keras.utils.set_random_seed(seed)
            chosen = partial(network, branches=branches, closed_form=options.closed_form)
            model = Network(chosen, 4)
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
