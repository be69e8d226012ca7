"""What a network makes of validation images, and how good that is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from search.metrics import psnr_db
from spaces.ops.keras_backend import Network

from .data import Validation
from .ssim import ssim

EVALUATION_BATCH = 8

Measure = Callable[[int | None, bool], tuple[np.ndarray, np.ndarray]]
"""(limit, with SSIM) -> PSNR in dB (and SSIM) of each of the first `limit` validation images, by
the weights that the model has at the moment."""


def predict_images(model: Network, inputs: np.ndarray) -> np.ndarray:
    """Outputs of `model` for encoded `inputs` [N, h, w, C], clipped to [0, 1]."""
    return np.clip(model(inputs, training=False).numpy(), 0.0, 1.0)


def predictor(model: Network) -> Callable[[Any], Any]:
    """The same as a graph: encoded inputs -> images clipped to [0, 1], as a tensor."""

    @tf.function(reduce_retracing=True)
    def predict(x: Any) -> Any:
        return tf.clip_by_value(model(x, training=False), 0.0, 1.0)

    return predict


def in_memory(model: Network, validation: Validation) -> Measure:
    """Of a validation set that lies in memory."""
    predict = predictor(model)
    return lambda limit, with_ssim: evaluate(predict, validation, limit, with_ssim=with_ssim)


def evaluate(
    predict: Callable[[Any], Any],
    validation: Validation,
    limit: int | None = None,
    *,
    with_ssim: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """PSNR (and SSIM) of each of the first `limit` validation images.

    `predict`: encoded inputs [n, h, w, C] -> images clipped to [0, 1].
    """
    psnrs, ssims = [], []
    inputs, targets = validation.inputs[:limit], validation.targets[:limit]
    for start in range(0, len(inputs), EVALUATION_BATCH):
        chosen = slice(start, start + EVALUATION_BATCH)
        output = predict(inputs[chosen])
        target = targets[chosen].astype(np.float32) / np.float32(255)
        psnrs.append(psnr_db(target, output.numpy()))
        if with_ssim:
            ssims.append(ssim(target, output).numpy())
    return np.concatenate(psnrs), np.concatenate(ssims) if ssims else np.array([])
