"""A one-shot super-network: weights trained so that every network of a space can be cut from them.

Each step trains several networks by the sandwich rule: the largest and the smallest of what a
random architecture can become by its sizes, and random ones between, which imitate the largest's
output (Yu and Huang, "Universally Slimmable Networks", ICCV 2019; Yu et al., "BigNAS", ECCV 2020).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from search.errors import UserError
from search.networks import Candidate, candidate
from search.training.closed_form import OUTPUT_LAYERS, fit_output_layers
from search.training.data import TrainingData, recipe_batches
from search.training.evaluation import evaluate
from search.training.goal import image_loss
from search.training.loop import (
    EXPLODED,
    KeepGoing,
    TrainingDivergedError,
    averaged_weights,
    first_crops,
)
from search.training.recipe import Recipe
from spaces.architecture import Architecture
from spaces.elastic import draw_between, draw_largest, smallest
from spaces.ops.initializers import identity
from spaces.ops.keras_backend import Network
from spaces.space import SearchSpace
from spaces.unet import GLOBAL_PATH, HEAD
from spaces.wiring import Wired, wiring

from .inheritance import Donor
from .recipe import SuperNetwork
from .shared import SharedWeights
from .shared_adam import SharedAdam


@dataclass(frozen=True)
class SuperNetworkOutcome:
    """The weights, and (step, PSNR in dB of the largest network) at each rung and at the end."""

    donor: Donor
    curve: list[tuple[int, float]]


@dataclass(frozen=True)
class _Member:
    """A network that is trained in some step."""

    architecture: Architecture
    candidate: Candidate
    layers: tuple[Wired, ...]


def train_super_network(
    space: SearchSpace,
    recipe: Recipe,
    settings: SuperNetwork,
    data: TrainingData,
    *,
    seed: int,
    rungs: Sequence[int] = (),
    keep_going: KeepGoing = lambda step, psnr: True,
) -> SuperNetworkOutcome:
    """Train weights that networks of `space` inherit.

    By the loss, batch and rates of `recipe`, without its stages, teacher and critics. At `rungs`
    `keep_going` hears the largest network's PSNR, and may end the training there. Raises UserError
    where layers of the space cannot be shared, TrainingDivergedError on a loss that is not finite.
    """
    plan = _plan(space, settings, np.random.default_rng([seed, settings.steps]))
    members = [member for step in plan for member in step]
    try:
        shared = SharedWeights(member.layers for member in members)
    except ValueError as error:
        raise UserError(f"space {space.name}: {error}") from None
    if recipe.closed_form_images:
        _start(shared, members, recipe, data, seed)
    optimizer = SharedAdam(shared.variables, recipe.shortened(settings.steps))
    batches = recipe_batches(recipe, data, settings.steps, seed=seed)
    loss_of = image_loss(recipe)
    curve: list[tuple[int, float]] = []

    def note(step: int) -> None:
        curve.append((step, _psnr_db(shared, members[0], data, recipe.rung_images)))

    for step, (chosen, (x, y)) in enumerate(zip(plan, batches, strict=True), start=1):
        loss, gradients = _gradients(
            shared, chosen, tf.constant(x), tf.constant(y), loss_of, settings.imitation
        )
        if not math.isfinite(loss) or abs(loss) > EXPLODED:
            raise TrainingDivergedError(f"the super-network's loss became {loss:g} at step {step}")
        optimizer.apply(gradients)
        if step in rungs and step < settings.steps:
            with averaged_weights(shared.variables, optimizer):
                note(step)
            if not keep_going(*curve[-1]):
                break
    optimizer.finalize_variable_values(shared.variables)
    note(step)
    return SuperNetworkOutcome(shared.donor(), curve)


def _plan(
    space: SearchSpace, settings: SuperNetwork, rng: np.random.Generator
) -> list[list[_Member]]:
    """The networks of each step, the largest first."""
    known: dict[Architecture, _Member] = {}

    def member(architecture: Architecture) -> _Member:
        if architecture not in known:
            network = candidate(architecture)
            layers = wiring(network.network, network.input_channels)
            known[architecture] = _Member(architecture, network, layers)
        return known[architecture]

    def step() -> Iterator[Architecture]:
        largest = draw_largest(space, rng)
        yield from (largest, smallest(space, largest))
        yield from (draw_between(space, largest, rng) for _ in range(settings.between))

    return [
        [member(architecture) for architecture in dict.fromkeys(step())]
        for _ in range(settings.steps)
    ]


def _start(
    shared: SharedWeights,
    members: Sequence[_Member],
    recipe: Recipe,
    data: TrainingData,
    seed: int,
) -> None:
    """Solve an output layer in closed form, for the smallest network of each resolution.

    The linear path where there is one: it reads the same in all of them, and the head then starts
    at zero. Else the head, behind a body that does nothing but hand its input through: what other
    features a network has, another one has not.
    """
    x, y = first_crops(recipe, data, seed)
    smallest: dict[str, _Member] = {}
    for member in members:
        for layer in member.layers:
            if layer.arguments.get("name") == HEAD:
                smallest[layer.key] = min(smallest.get(layer.key, member), member, key=_size)
    for member in smallest.values():
        network = member.candidate
        model = Network(network.network, network.input_channels)
        name = GLOBAL_PATH if GLOBAL_PATH in model.named else HEAD
        for layer, part in zip(member.layers, model.parts, strict=True):
            if layer.op == "conv":
                output = layer.arguments.get("name") in OUTPUT_LAYERS
                start = np.zeros(part.kernel.shape) if output else identity(part.kernel.shape)
                part.kernel.assign(start)
        fit_output_layers(model, x, y, residual=network.residual, tone=network.tone, names=[name])
        for layer, part in zip(member.layers, model.parts, strict=True):
            if layer.arguments.get("name") in (HEAD, name):
                shared.adopt(layer, part.get_weights())


def _size(member: _Member) -> int:
    return sum(len(layer.reads) * len(layer.writes) for layer in member.layers)


def _psnr_db(shared: SharedWeights, member: _Member, data: TrainingData, limit: int) -> float:
    """Mean over the first validation images."""

    def predict(x: Any) -> Any:
        output = shared.run(member.candidate.network, member.layers, tf.constant(x))
        return tf.clip_by_value(output, 0.0, 1.0)

    return float(np.mean(evaluate(predict, data.validation, limit)[0]))


def _gradients(
    shared: SharedWeights,
    members: Sequence[_Member],
    x: Any,
    y: Any,
    loss_of: Callable[[Any, Any, Any], Any],
    imitation: float,
) -> tuple[float, dict[int, Any]]:
    """The largest's loss, and by number of the variable the mean gradient over `members`."""
    target, first = y, math.nan
    total: dict[int, Any] = {}
    for member in members:
        numbers = shared.used(member.layers)
        with tf.GradientTape() as tape:
            output = shared.run(member.candidate.network, member.layers, x)
            loss = loss_of(x, target, output)
        if member is members[0]:
            first = float(loss)
            # Not a loss against the largest alone: that of PSNR has no bottom, and networks that
            # share weights would find it where all are alike.
            target = (1 - imitation) * y + imitation * tf.stop_gradient(output)
        found = tape.gradient(loss, [shared.variables[number] for number in numbers])
        for number, gradient in zip(numbers, found, strict=True):
            if gradient is not None:
                gradient = gradient / len(members)
                total[number] = total[number] + gradient if number in total else gradient
    return first, total
