"""`Recipe`: how a candidate is trained, all of it declared."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

LOSS_NAMES = (
    "psnr", "l1", "mse", "charbonnier", "ssim", "ms_ssim", "cosine", "histogram", "edge",
    "exposure_fusion", "outlier_aware", "patch_stable", "patch_printed",
)  # fmt: skip
"""The losses of `search.training.losses`, which needs TensorFlow and cannot be imported here."""


PERCEPTUAL_NAMES = ("vgg19", "resnet50")
"""Losses that need the weights of a classifier; those of `losses.perceptual`."""


class Recipe(BaseModel):
    """Everything that decides what a training run does, given an architecture, data and a seed.

    The defaults are what ranked best in brief training on the sample data: a PSNR
    loss, output layers solved in closed form, a schedule to zero, averaged weights.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: int = Field(600, ge=1, le=10_000_000)
    batch: int = Field(8, ge=1, le=4096)
    crop: int = Field(64, ge=16, le=4096, description="side in output pixels")
    loss: str | dict[str, float] = Field(
        "psnr", description="one loss, or several with their weights: {l1: 1, ms_ssim: 0.2}"
    )
    perceptual_weights: dict[str, str] = Field(
        default_factory=dict,
        description="for vgg19 and resnet50: a file, or 'imagenet' to let Keras download them",
    )
    learning_rate: float = Field(2e-3, gt=0, lt=1)
    warmup_steps: int = Field(20, ge=0)
    clip_norm: float = Field(1.0, gt=0)
    ema_momentum: float = Field(0.98, ge=0, lt=1)
    closed_form_images: int = Field(
        128, ge=0, description="crops for the ridge fit of the output layers; 0 leaves it out"
    )
    encoding: Literal["sensor_sqrt", "linear", "rgb"] | None = Field(
        None, description="of the input; default: sensor_sqrt for RAW, rgb for RGB"
    )
    rung_images: int = Field(16, ge=1, description="validation images at a rung")
    augment: bool = True

    @field_validator("loss")
    @classmethod
    def _known_losses(cls, loss: str | dict[str, float]) -> str | dict[str, float]:
        weights = {loss: 1.0} if isinstance(loss, str) else loss
        for name, weight in weights.items():
            if name not in LOSS_NAMES + PERCEPTUAL_NAMES:
                known = ", ".join(LOSS_NAMES + PERCEPTUAL_NAMES)
                raise ValueError(f"no loss called {name!r}; there are: {known}")
            if not 0 < weight < math.inf:
                raise ValueError(f"the weight of {name} is {weight:g}, not above 0")
        if not weights:
            raise ValueError("no loss at all")
        return loss

    @model_validator(mode="after")
    def _weights_of_classifiers(self) -> Recipe:
        names = {self.loss} if isinstance(self.loss, str) else set(self.loss)
        missing = sorted(names.intersection(PERCEPTUAL_NAMES) - self.perceptual_weights.keys())
        if missing:
            raise ValueError(
                f"the loss {missing[0]} needs perceptual_weights: {{{missing[0]}: FILE}}, or "
                f"{{{missing[0]}: imagenet}} to let Keras download them"
            )
        for name in sorted(self.perceptual_weights.keys() - names):
            raise ValueError(f"perceptual_weights of {name}, which is no loss of this recipe")
        return self

    @model_validator(mode="after")
    def _whole_crops(self) -> Recipe:
        if self.crop % 64:
            raise ValueError("crop must be a multiple of 64, so that every level divides it")
        if self.warmup_steps >= self.steps:
            raise ValueError("warmup_steps must be fewer than steps")
        return self
