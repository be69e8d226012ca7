"""`Recipe`: how a candidate is trained, all of it declared."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

LOSS_NAMES = (
    "psnr", "l1", "mse", "charbonnier", "ssim", "ms_ssim", "cosine", "histogram", "edge",
    "exposure_fusion", "outlier_aware", "patch_stable", "patch_printed",
)  # fmt: skip
"""The losses of `search.training.losses`, which needs TensorFlow and cannot be imported here."""

PERCEPTUAL_NAMES = ("vgg19", "resnet50", "mobilenet_v2")
"""Losses that need the weights of a classifier; those of `losses.perceptual`."""

DOWNLOAD = "imagenet"
"""In place of a classifier's file: let Keras download its weights."""

BOKEH_NAMES = ("bokeh_foreground", "bokeh_edge", "bokeh_blur", "bokeh_masked")
"""Losses that need the photograph too, so RGB inputs; those of `losses.bokeh`."""

ALL_LOSSES = LOSS_NAMES + PERCEPTUAL_NAMES + BOKEH_NAMES

BAND_LOSSES = {
    "low": LOSS_NAMES + PERCEPTUAL_NAMES,
    "details": ("l1", "mse", "charbonnier"),
}
"""What can look at a wavelet band, written `low:ssim`; the bands are those of `losses.bands`.
Details are no images: their values lie around zero."""

Precision = Literal["float32", "bfloat16"]
"""Of a training step; float16 is not among them, for its losses would have to be scaled."""

LossChoice = str | dict[str, float]
"""One loss, or several with their weights."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Stage(_Part):
    """A part of the training with a goal of its own; what is not given is the recipe's."""

    share: float = Field(1.0, gt=0, description="of the steps, relative to the other stages'")
    loss: LossChoice | None = None
    learning_rate_factor: float = Field(1.0, gt=0, le=100)
    masked: float = Field(
        0.0, ge=0, lt=1, description="share of the input hidden behind 3x3 squares: SYENet"
    )
    target: Literal["image", "input"] = Field(
        "image", description="input: learn to hand the photograph through first: VIC"
    )
    alone: bool = Field(
        False, description="without the recipe's teacher, critics, domain and levels"
    )
    level: str | None = Field(
        None, description="features by their tap's name, to an image of their size: PyNET"
    )

    @field_validator("loss")
    @classmethod
    def _known(cls, loss: LossChoice | None) -> LossChoice | None:
        return None if loss is None else known_losses(loss)


class Teacher(_Part):
    """A published system whose output and features are imitated; CASIA's distillation."""

    system: str
    weights: str | None = Field(None, description="an .npz of `lensnas`; without it, it is trained")
    steps: int | None = Field(None, ge=1, description="of its own training; default: the recipe's")
    output: float = Field(1.0, ge=0, description="weight of mean |output - teacher's|")
    features: float = Field(0.0, ge=0, description="weight of the same on equally named taps")


class Adversarial(_Part):
    """WGAN-GP with patch discriminators of several depths; Sensebrain, ZJUT-Vision."""

    weight: float = Field(gt=0)
    depths: tuple[int, ...] = Field((3, 5), min_length=1)
    width: int = Field(64, ge=4, le=512)
    penalty: float = Field(1.0, ge=0)
    learning_rate: float = Field(1e-4, gt=0, lt=1)


class Domain(_Part):
    """Features that do not tell one camera from another: DANN-ISP, gradient reversal.

    The other camera sees the same images with its channels times a gain each.
    """

    weight: float = Field(gt=0)
    features: str = Field("bottleneck", description="name of the tap that is judged")
    gain_spread: float = Field(0.3, gt=0, lt=1, description="gains of 1 - spread to 1 + spread")


class Recipe(_Part):
    """Everything that decides what a training run does, given an architecture, data and a seed.

    The defaults are what ranked best in brief training on the sample data: a PSNR
    loss, output layers solved in closed form, a schedule to zero, averaged weights.
    """

    steps: int = Field(600, ge=1, le=10_000_000)
    batch: int = Field(8, ge=1, le=4096)
    crop: int = Field(64, ge=16, le=4096, description="side in output pixels")
    loss: LossChoice = Field(
        "psnr", description="one loss, or several with their weights: {l1: 1, ms_ssim: 0.2}"
    )
    perceptual_weights: dict[str, str] = Field(
        default_factory=dict,
        description="of each perceptual loss: a file, or 'imagenet' to let Keras download it",
    )
    learning_rate: float = Field(2e-3, gt=0, lt=1)
    full_rate_inputs: int | None = Field(
        None, ge=1, description="kernels that sum over more inputs learn more slowly: muP"
    )
    schedule: Literal["cosine", "steps", "restarts", "constant"] = "cosine"
    halvings: int = Field(4, ge=1, le=100, description="of the learning rate, schedule: steps")
    warmup_steps: int = Field(20, ge=0)
    weight_decay: float = Field(0.0, ge=0, lt=1)
    clip_norm: float = Field(1.0, gt=0)
    ema_momentum: float = Field(0.98, ge=0, lt=1)
    closed_form_images: int = Field(
        128, ge=0, description="crops for the ridge fit of the output layers; 0 leaves it out"
    )
    encoding: Literal["sensor_sqrt", "linear", "rgb"] | None = Field(
        None, description="of the input; default: sensor_sqrt for RAW, rgb for RGB"
    )
    rung_images: int = Field(16, ge=1, description="validation images at a rung")
    precision: Precision = Field(
        "float32", description="of a training step; bfloat16 is for GPUs that compute in it"
    )
    xla: bool = Field(False, description="compile the training step by XLA")
    augment: bool = True
    keep_pairs: float = Field(
        1.0, gt=0, le=1, description="share of training pairs kept, the best aligned"
    )
    stages: tuple[Stage, ...] = Field((), description="one after the other; none is one stage")
    levels: dict[str, LossChoice] = Field(
        default_factory=dict,
        description="losses of tapped features to an image of their size, beside the loss: CASIA",
    )
    teacher: Teacher | None = None
    adversarial: Adversarial | None = None
    domain: Domain | None = None

    @field_validator("loss")
    @classmethod
    def _known(cls, loss: LossChoice) -> LossChoice:
        return known_losses(loss)

    @field_validator("levels")
    @classmethod
    def _all_known(cls, levels: dict[str, LossChoice]) -> dict[str, LossChoice]:
        return {tap: known_losses(loss) for tap, loss in levels.items()}

    @property
    def loss_names(self) -> set[str]:
        """Of all stages and levels, whatever band they look at."""
        of_stages = (stage.loss for stage in self.stages if stage.loss is not None)
        choices = [self.loss, *of_stages, *self.levels.values()]
        return {base_loss(name) for choice in choices for name in weights_of(choice)}

    @model_validator(mode="after")
    def _weights_of_classifiers(self) -> Recipe:
        names = self.loss_names
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
        if len(self.stages) > self.steps:
            raise ValueError(f"{len(self.stages)} stages need more than {self.steps} steps")
        return self

    def shortened(self, steps: int) -> Recipe:
        """The same recipe over `steps`, of which warm-up takes no more than a tenth."""
        warmup = min(self.warmup_steps, steps // 10)
        return self.model_copy(update={"steps": steps, "warmup_steps": warmup})

    def without(self, losses: Iterable[str]) -> Recipe:
        """The same recipe without some losses, wherever others remain."""
        left_out = set(losses)
        document: dict[str, Any] = self.model_dump()
        document["perceptual_weights"] = {
            name: path for name, path in self.perceptual_weights.items() if name not in left_out
        }
        for part in (document, *document["stages"]):
            if part["loss"] is not None:
                part["loss"] = _remaining(part["loss"], left_out)
        document["levels"] = {tap: _remaining(loss, left_out) for tap, loss in self.levels.items()}
        return Recipe.model_validate(document)


def can_be_had(weights: str) -> bool:
    """Whether a classifier's weights are a file that is there, or to be downloaded."""
    return weights == DOWNLOAD or Path(weights).is_file()


def weights_of(loss: LossChoice) -> dict[str, float]:
    """Every loss with its weight."""
    return {loss: 1.0} if isinstance(loss, str) else loss


def base_loss(name: str) -> str:
    """The loss behind the band that it looks at: `ssim` of `low:ssim`."""
    return name.rpartition(":")[2]


def known_losses(loss: LossChoice) -> LossChoice:
    """`loss`; ValueError for a name or a weight that cannot be."""
    for name, weight in weights_of(loss).items():
        _check_name(name)
        if not 0 < weight < math.inf:
            raise ValueError(f"the weight of {name} is {weight:g}, not above 0")
    if not weights_of(loss):
        raise ValueError("no loss at all")
    return loss


def _check_name(name: str) -> None:
    band, colon, base = name.rpartition(":")
    if colon and band not in BAND_LOSSES:
        known = ", ".join(BAND_LOSSES)
        raise ValueError(f"no band called {band!r} ({name}); there are: {known}")
    possible = BAND_LOSSES[band] if colon else ALL_LOSSES
    if base not in possible:
        noun = f"loss of the band {band}" if colon else "loss"
        raise ValueError(f"no {noun} called {base!r}; there are: {', '.join(possible)}")


def _remaining(loss: LossChoice, left_out: set[str]) -> LossChoice:
    kept = {
        name: weight for name, weight in weights_of(loss).items() if base_loss(name) not in left_out
    }
    return kept or loss
