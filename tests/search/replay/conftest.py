"""A table of a small space whose trainings are made up."""

import numpy as np
import pytest

from search.replay import Probes, Row, Run, TrainedTable
from spaces import SPACES

CHOICES = {
    "packing": (1,), "stem": ("conv3",), "stem_activation": ("same",), "activation": ("relu",),
    "conv": ("conv3",), "levels": (0, 1), "stacks": (1,), "down": ("strided",),
    "up": ("depth_to_space",), "skip": ("add",), "width_0": (8, 12, 16), "convs_0": (1, 2),
    "attention_0": (False,), "width_1": (16, 24), "convs_1": (1,), "attention_1": (False, True),
    "head": ("conv3",), "global_path": ("linear",),
}  # fmt: skip
BUDGETS, SEEDS, RUNGS = (100, 400), (0, 1), (0, 25, 50, 200)


def made_up(architecture, steps, seed):
    """Better when wide, deep and long trained; slower then too."""
    choices = architecture.choices
    size = choices["width_0"] / 8 + choices["convs_0"] + 2 * choices["levels"]
    noise = 0.05 * np.random.default_rng([int(architecture.digest, 16), steps, seed]).normal()

    def psnr_db(step):
        return 24 + size * step / (step + 200) + noise

    curve = tuple((s, float(psnr_db(s))) for s in (*RUNGS, steps) if s <= steps)
    return Run(float(psnr_db(steps)), 0.8, curve, seconds=1 + steps * size / 100, start_s=1)


@pytest.fixture(scope="session")
def table():
    space = SPACES["unet_isp"].narrow(CHOICES)
    found = {}
    for architecture in space.every():
        runs = {(b, s): made_up(architecture, b, s) for b in BUDGETS for s in SEEDS}
        found[architecture] = Row(architecture, 1000, runs)
    return TrainedTable(
        "isp", "unet_isp", CHOICES, {"batch": 8}, {}, {"machine": "none"}, tuple(found.values())
    )


@pytest.fixture(scope="session")
def probes(table):
    """One proxy that nearly says how a training ends, and one that says nothing."""
    found = {}
    for row in table.rows:
        for seed in SEEDS:
            rng = np.random.default_rng([int(row.architecture.digest, 16), seed, 1])
            telling = row.runs[400, seed].psnr_db + 0.05 * rng.normal()
            values = {"ridge_probe": float(telling), "naswot": float(rng.normal())}
            found[row.architecture.digest, seed] = Probes(values, dict.fromkeys(values, 0.5))
    return found
