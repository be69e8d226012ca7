"""Image quality in NumPy: what studies store, reports show and baselines are measured by."""

from __future__ import annotations

import numpy as np


def psnr_db(target: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """PSNR of each image: [N, H, W, C] in [0, 1], prediction clipped to it -> [N] in dB.

    10 log10(1 / MSE); the MSE is bounded below by 1e-10, so identical images give 100 dB.
    """
    error = np.clip(prediction, 0.0, 1.0) - target
    return psnr_db_of(np.mean(np.square(error, dtype=np.float64), axis=(1, 2, 3)))


def psnr_db_of(mse: np.ndarray | float) -> np.ndarray:
    """The same of mean squared errors of any shape."""
    return 10.0 * np.log10(1.0 / np.maximum(mse, 1e-10))
