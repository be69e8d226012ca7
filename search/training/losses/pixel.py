"""Losses of single pixels: mean errors in one norm or another."""

from __future__ import annotations

from typing import Any

from keras import ops

from .registry import LOSSES


@LOSSES.register("psnr")
def psnr_loss(target: Any, prediction: Any) -> Any:
    """Mean over images of log MSE: -PSNR of each image up to a factor, in nepers.

    As the Antins_cv entry's "PSNR loss" (Mobile AI 2022 bokeh report). Weighs an easy image
    as much as a hard one, which the mean PSNR that is reported does too.
    """
    mse = ops.mean(ops.square(prediction - target), axis=(1, 2, 3))
    return ops.mean(ops.log(mse + 1e-8))


@LOSSES.register("l1")
def l1_loss(target: Any, prediction: Any) -> Any:
    """Mean absolute error."""
    return ops.mean(ops.abs(prediction - target))


@LOSSES.register("mse")
def mse_loss(target: Any, prediction: Any) -> Any:
    """Mean squared error."""
    return ops.mean(ops.square(prediction - target))


@LOSSES.register("charbonnier")
def charbonnier_loss(target: Any, prediction: Any) -> Any:
    """Mean sqrt(d^2 + eps^2) with eps = 1e-3, the usual value in super-resolution."""
    return ops.mean(ops.sqrt(ops.square(prediction - target) + 1e-6))
