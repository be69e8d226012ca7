"""`Calibration`: real pictures, from which int8 files take the ranges of their activations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Calibration:
    """`images` [N, h, w, C]: encoded inputs of training pairs, float32, all of one size."""

    images: np.ndarray
