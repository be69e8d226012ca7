"""The training loop of one candidate: brief, deterministic by seed, prunable at rungs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from search.data.batches import train_batches
from search.data.pairs import Encoder, PairSource
from spaces.ops.keras_backend import Network

from .closed_form import fit_output_layers
from .losses import LOSSES, Loss
from .losses.perceptual import perceptual_loss
from .metrics import psnr_db
from .recipe import Recipe
from .ssim import ssim

EVALUATION_BATCH = 8
EXPLODED = 1e6
"""A loss beyond this is as dead as NaN: every loss here is of order 1 to 10."""


class TrainingDivergedError(RuntimeError):
    """The loss stopped being a usable number; the message says at which step."""


@dataclass(frozen=True)
class Validation:
    """A fixed validation set: `inputs` [N, h, w, C] encoded, `targets` [N, H, W, 3] uint8."""

    inputs: np.ndarray
    targets: np.ndarray


@dataclass(frozen=True)
class Outcome:
    """What a finished (or pruned) training run measured.

    `curve`: (step, PSNR in dB) at each rung; `psnr_db`, `ssim`: on the whole validation
    set, None for a pruned run. `seconds`: wall time by phase.
    """

    curve: list[tuple[int, float]]
    psnr_db: float | None = None
    ssim: float | None = None
    pruned_at: int | None = None
    seconds: dict[str, float] = field(default_factory=dict)


KeepGoing = Callable[[int, float], bool]
"""(step, psnr_db at a rung) -> whether to go on"""


def train(
    model: Network,
    recipe: Recipe,
    source: PairSource,
    encode: Encoder,
    validation: Validation,
    *,
    seed: int,
    residual: bool = False,
    rungs: Sequence[int] = (),
    keep_going: KeepGoing = lambda step, psnr: True,
) -> Outcome:
    """Train `model` in place by `recipe`; it ends with the averaged weights.

    At every step in `rungs` the averaged weights are evaluated on the first
    `recipe.rung_images` validation images and `keep_going` decides.

    Raises TrainingDivergedError on a loss that is not finite or has exploded.
    """
    clock = _Clock()
    batches = train_batches(
        source,
        encode,
        crop=recipe.crop,
        batch=recipe.batch,
        steps=recipe.steps,
        seed=seed,
        augment=recipe.augment,
    )
    if recipe.closed_form_images:
        _initialise(model, recipe, source, encode, seed, residual)
    clock.lap("initialise")
    optimizer = _optimizer(recipe)
    step_function = _step_function(model, optimizer, recipe)
    predict = _predictor(model)
    curve: list[tuple[int, float]] = []
    for step, (x, y) in enumerate(batches, start=1):
        loss = float(step_function(x, y))
        clock.lap("first_step" if step == 1 else "steps")
        if not math.isfinite(loss) or abs(loss) > EXPLODED:
            raise TrainingDivergedError(f"the loss became {loss:g} at step {step}")
        if step in rungs and step < recipe.steps:
            with averaged_weights(model, optimizer):
                psnr = float(np.mean(_evaluate(predict, validation, recipe.rung_images)[0]))
            curve.append((step, psnr))
            clock.lap("validate")
            if not keep_going(step, psnr):
                return Outcome(curve, pruned_at=step, seconds=clock.seconds)
            clock.lap("wait")
    optimizer.finalize_variable_values(model.trainable_variables)
    psnrs, ssims = _evaluate(predict, validation, with_ssim=True)
    psnr = float(np.mean(psnrs))
    if not math.isfinite(psnr):
        raise TrainingDivergedError("the trained network's output is not finite")
    curve.append((recipe.steps, psnr))
    clock.lap("validate")
    return Outcome(curve, psnr, float(np.mean(ssims)), seconds=clock.seconds)


def predict_images(model: Network, inputs: np.ndarray) -> np.ndarray:
    """Outputs of `model` for encoded `inputs` [N, h, w, C], clipped to [0, 1]."""
    return np.clip(model(inputs, training=False).numpy(), 0.0, 1.0)


def _initialise(
    model: Network, recipe: Recipe, source: PairSource, encode: Encoder, seed: int, residual: bool
) -> None:
    draws = train_batches(
        source,
        encode,
        crop=recipe.crop,
        batch=recipe.closed_form_images,
        steps=1,
        seed=seed + 1,
        augment=False,
    )
    x, y = next(iter(draws))
    fit_output_layers(model, x, y, residual=residual)


def _optimizer(recipe: Recipe) -> keras.optimizers.Optimizer:
    """Adam with warm-up, cosine to zero, gradient clipping and weight averaging."""
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=recipe.learning_rate / max(1, recipe.warmup_steps),
        decay_steps=recipe.steps - recipe.warmup_steps,
        warmup_target=recipe.learning_rate,
        warmup_steps=recipe.warmup_steps,
    )
    averaging = (
        {"use_ema": True, "ema_momentum": recipe.ema_momentum} if recipe.ema_momentum else {}
    )
    return keras.optimizers.Adam(schedule, global_clipnorm=recipe.clip_norm, **averaging)


def _loss(recipe: Recipe) -> Loss:
    """The recipe's loss, or the weighted sum of its losses."""
    if isinstance(recipe.loss, str):
        return _one_loss(recipe.loss, recipe)
    terms = [(_one_loss(name, recipe), weight) for name, weight in recipe.loss.items()]
    return lambda target, prediction: sum(
        weight * loss(target, prediction) for loss, weight in terms
    )


def _one_loss(name: str, recipe: Recipe) -> Loss:
    if name in recipe.perceptual_weights:
        return perceptual_loss(name, recipe.perceptual_weights[name])
    return LOSSES[name]


def _step_function(
    model: Network, optimizer: keras.optimizers.Optimizer, recipe: Recipe
) -> Callable[[Any, Any], Any]:
    loss_function = _loss(recipe)
    variables = model.trainable_variables
    optimizer.build(variables)

    @tf.function
    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = loss_function(y, model(x, training=True))
        optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    return step


def _predictor(model: Network) -> Callable[[Any], Any]:
    @tf.function(reduce_retracing=True)
    def predict(x: Any) -> Any:
        return tf.clip_by_value(model(x, training=False), 0.0, 1.0)

    return predict


def _evaluate(
    predict: Callable[[Any], Any],
    validation: Validation,
    limit: int | None = None,
    *,
    with_ssim: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """PSNR (and SSIM) of each of the first `limit` validation images."""
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


@contextmanager
def averaged_weights(model: Network, optimizer: keras.optimizers.Optimizer) -> Iterator[None]:
    """Within, `model` holds the optimiser's averaged weights; after, the current ones again."""
    current = [variable.numpy() for variable in model.trainable_variables]
    optimizer.finalize_variable_values(model.trainable_variables)
    try:
        yield
    finally:
        for variable, value in zip(model.trainable_variables, current, strict=True):
            variable.assign(value)


class _Clock:
    """Wall seconds by phase."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, phase: str) -> None:
        now = time.perf_counter()
        self.seconds[phase] = self.seconds.get(phase, 0.0) + now - self._last
        self._last = now
