"""`Goal`: what one stage of a recipe shows the network, and the loss of what comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from search.errors import UserError
from spaces.ops.keras_backend import Network

from .losses import LOSSES, Loss
from .losses.bands import on_band
from .losses.bokeh import BOKEH_LOSSES
from .losses.perceptual import perceptual_loss
from .recipe import LossChoice, Recipe, Stage, weights_of
from .schedule import spans
from .tricks import Sight, Trick
from .tricks.adversarial import adversarial
from .tricks.distillation import distillation
from .tricks.domain import domain
from .tricks.heads import input_head, level_head, tapped_channels
from .tricks.masking import masked

RESTORED = "body"
"""The tap from which a network under masked input also restores the input, where it has one."""


@dataclass(frozen=True)
class Goal:
    """`steps`: counted from 0. `shown`: (x, step) -> the network's input. `wanted`: (x, y) -> the
    target. `loss` of the prediction, None where only `tricks` count."""

    steps: range
    shown: Callable[[Any, Any], Any]
    wanted: Callable[[Any, Any], Any]
    loss: Callable[[Sight], Any] | None
    tricks: Sequence[Trick] = ()

    def total(self, sight: Sight) -> Any:
        """The whole loss of one step."""
        terms = [] if self.loss is None else [self.loss(sight)]
        return tf.add_n(terms + [trick.loss(sight) for trick in self.tricks])


def goals(
    recipe: Recipe, model: Network, x: Any, *, teacher: Network | None, seed: int
) -> list[Goal]:
    """One for each stage, in their order. `x`: some inputs, for the shapes of what is tapped.

    Raises UserError where the recipe asks for what the network or the data do not have.
    """
    stages = recipe.stages or (Stage(),)
    looks = recipe.domain or recipe.levels or any(stage.level or stage.masked for stage in stages)
    taps = model.taps(x[:1])[1] if looks else {}
    losses = _losses(recipe)
    common = []
    if recipe.teacher is not None:
        if teacher is None:
            raise ValueError("a recipe with a teacher needs one")
        common.append(distillation(recipe.teacher, teacher))
    if recipe.adversarial is not None:
        common.append(adversarial(recipe.adversarial, seed))
    if recipe.domain is not None:
        channels = tapped_channels(taps, recipe.domain.features)
        common.append(domain(recipe.domain, channels, seed))
    common += [_level(name, loss, taps, losses) for name, loss in recipe.levels.items()]
    return [
        _goal(recipe, stage, steps, losses, taps, x.shape[-1], common, seed)
        for stage, steps in zip(stages, spans(stages, recipe.steps), strict=True)
    ]


def _goal(
    recipe: Recipe,
    stage: Stage,
    steps: range,
    losses: Mapping[str, Loss],
    taps: dict[str, Any],
    input_channels: int,
    common: Sequence[Trick],
    seed: int,
) -> Goal:
    choice = stage.loss if stage.loss is not None else recipe.loss
    if stage.level is not None:
        head = _level(stage.level, choice, taps, losses)
        return Goal(steps, _as_it_is, _the_image, None, [head])
    tricks = [] if stage.alone else list(common)
    if stage.masked and RESTORED in taps:
        tricks.append(input_head(RESTORED, tapped_channels(taps, RESTORED), input_channels))

    def shown(x: Any, step: Any) -> Any:
        return masked(x, stage.masked, seed, step)

    return Goal(
        steps,
        shown if stage.masked else _as_it_is,
        _the_input if stage.target == "input" else _the_image,
        _sight_loss(choice, losses),
        tricks,
    )


def _level(
    name: str, choice: LossChoice, taps: dict[str, Any], losses: Mapping[str, Loss]
) -> Trick:
    return level_head(name, tapped_channels(taps, name), _pair_loss(choice, losses))


def _as_it_is(x: Any, step: Any) -> Any:
    return x


def _the_image(x: Any, y: Any) -> Any:
    return y


def _the_input(x: Any, y: Any) -> Any:
    return _photograph(x, y, "stages.target: input")


def _photograph(x: Any, y: Any, what: str) -> Any:
    """The RGB of the input; what lies behind it is depth."""
    if x.shape[1] != y.shape[1]:
        raise UserError(f"{what} needs RGB inputs of the target's size, not RAW")
    return x[..., :3]


def image_loss(recipe: Recipe) -> Callable[[Any, Any, Any], Any]:
    """(x, y, prediction) -> the recipe's loss of the image alone."""
    loss = _sight_loss(recipe.loss, _losses(recipe))
    start = tf.constant(0)

    def run(x: Any) -> Any:
        raise AssertionError("losses of the image run no network")

    return lambda x, y, prediction: loss(Sight(x, y, prediction, {}, run, start))


def _sight_loss(choice: LossChoice, losses: Mapping[str, Loss]) -> Callable[[Sight], Any]:
    weights = weights_of(choice)
    pairwise = {name: weight for name, weight in weights.items() if name not in BOKEH_LOSSES}
    pair_loss = _pair_loss(pairwise, losses) if pairwise else None
    # In the order of the recipe, not of a set: sums round by their order.
    of_photographs = {name: weight for name, weight in weights.items() if name in BOKEH_LOSSES}

    def loss(sight: Sight) -> Any:
        terms = [] if pair_loss is None else [pair_loss(sight.y, sight.prediction)]
        for name, weight in of_photographs.items():
            photograph = _photograph(sight.x, sight.y, f"the loss {name}")
            found = BOKEH_LOSSES[name](sight.y, sight.prediction, photograph)
            terms.append(weight * found)
        return tf.add_n(terms)

    return loss


def _pair_loss(choice: LossChoice, losses: Mapping[str, Loss]) -> Loss:
    """The weighted sum of losses of target and prediction."""
    terms = [(_named(name, losses), weight) for name, weight in weights_of(choice).items()]
    return lambda target, prediction: tf.add_n(
        [weight * loss(target, prediction) for loss, weight in terms]
    )


def _named(name: str, losses: Mapping[str, Loss]) -> Loss:
    """`ssim`, or `low:ssim` of a band."""
    band, _, base = name.rpartition(":")
    return on_band(band, losses[base]) if band else losses[base]


def _losses(recipe: Recipe) -> dict[str, Loss]:
    """All losses of target and prediction; a classifier is read once, whatever stages need it."""
    classifiers = {
        name: perceptual_loss(name, weights) for name, weights in recipe.perceptual_weights.items()
    }
    return {**{name: LOSSES[name] for name in LOSSES}, **classifiers}
