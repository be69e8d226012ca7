"""Whether distillation helps in brief training: the same student and budget, with and without.

    python benchmarks/distillation_gain.py --seeds 5 --steps 600

The student is MiAlgo's track-1 network of 3,060 parameters, the teacher a larger system that is
trained once a seed. ISP sample data, L1 loss, closed-form start left out. Validation PSNR in dB
of each seed, their mean and standard deviation, and the paired difference to none.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import keras
from paired import gains, isp_sample, mean_and_spread

from search.training.loop import train
from search.training.recipe import Recipe, Teacher
from search.training.teaching import make_teacher
from spaces.ops.keras_backend import Network
from spaces.zoo import ZOO

WEIGHTS = (0.3, 1.0, 3.0)
"""Of mean |output - teacher's| beside a weight of one for the L1 loss."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--teacher", default="hitzst01_small")
    parser.add_argument("--teacher-steps", type=int, default=1800)
    parser.add_argument("--data", type=Path, help="where sample data are or are made")
    options = parser.parse_args()
    data = isp_sample(options.data)
    plain = Recipe(steps=options.steps, closed_form_images=0, loss="l1")
    teaching = Teacher(system=options.teacher, steps=options.teacher_steps)
    found: dict[str, list[float]] = {}
    for seed in range(options.seeds):
        keras.backend.clear_session()
        asking = plain.model_copy(update={"teacher": teaching})
        teacher = make_teacher(asking, data, seed=seed)
        recipes = {"none": plain} | {
            f"weight {weight:g}": plain.model_copy(
                update={"teacher": teaching.model_copy(update={"output": weight})}
            )
            for weight in WEIGHTS
        }
        for name, recipe in recipes.items():
            keras.utils.set_random_seed(seed)
            model = Network(ZOO["mialgo_track1"].network, 4)
            outcome = train(model, recipe, data, seed=seed, teacher=teacher)
            assert outcome.psnr_db is not None
            found.setdefault(name, []).append(outcome.psnr_db)
        row = ", ".join(f"{name} {psnrs[-1]:.2f}" for name, psnrs in found.items())
        print(f"seed {seed}: {row}", flush=True)
    for name, psnrs in found.items():
        gained = mean_and_spread(gains(psnrs, found["none"]), "+")
        print(f"{name:10} {mean_and_spread(psnrs)} dB, against none {gained}", flush=True)


if __name__ == "__main__":
    main()
