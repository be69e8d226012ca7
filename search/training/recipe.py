"""`Recipe`: how a candidate is trained, all of it declared."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

LossName = Literal["psnr", "l1", "mse", "charbonnier"]


class Recipe(BaseModel):
    """Everything that decides what a training run does, given an architecture, data and a seed.

    The defaults are what ranked best in brief training on the sample data: a PSNR
    loss, output layers solved in closed form, a schedule to zero, averaged weights.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: int = Field(600, ge=1, le=10_000_000)
    batch: int = Field(8, ge=1, le=4096)
    crop: int = Field(64, ge=16, le=4096, description="side in output pixels")
    loss: LossName = "psnr"
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

    @model_validator(mode="after")
    def _whole_crops(self) -> Recipe:
        if self.crop % 64:
            raise ValueError("crop must be a multiple of 64, so that every level divides it")
        if self.warmup_steps >= self.steps:
            raise ValueError("warmup_steps must be fewer than steps")
        return self
