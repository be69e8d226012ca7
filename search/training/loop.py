"""The training loop of one candidate: brief, deterministic by seed, prunable at rungs."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import keras
import numpy as np
import tensorflow as tf

from search.data.alignment import Chosen, best_aligned
from spaces.ops.keras_backend import Network

from .checkpoint import Checkpoints
from .closed_form import fit_output_layers
from .data import TrainingData, plain_crops, recipe_batches
from .evaluation import Measure, in_memory
from .goal import Goal, goals
from .hardware import Step, compiled, taps_in
from .onlooker import Nobody, Onlooker, TrainingStoppedError
from .optimizer import make_optimizer
from .recipe import Recipe
from .tricks import Sight, Trick

EXPLODED = 1e6
"""A loss beyond this is as dead as NaN: every loss here is of order 1 to 10."""


class TrainingDivergedError(RuntimeError):
    """The loss stopped being a usable number; the message says at which step."""


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


class Averaging(Protocol):
    """An optimizer that averages what it trains: Keras' with `use_ema`, or `SharedAdam`."""

    def finalize_variable_values(self, variables: Sequence[Any]) -> None:
        """Set `variables`, all that are trained, to their averages."""


KeepGoing = Callable[[int, float], bool]
"""(step, psnr_db at a rung) -> whether to go on"""


def train(
    model: Network,
    recipe: Recipe,
    data: TrainingData,
    *,
    seed: int,
    residual: bool = False,
    tone: str = "none",
    teacher: Network | None = None,
    rungs: Sequence[int] = (),
    keep_going: KeepGoing = lambda step, psnr: True,
    checkpoints: Checkpoints | None = None,
    measure: Measure | None = None,
    onlooker: Onlooker | None = None,
) -> Outcome:
    """Train `model` in place by `recipe`; it ends with the averaged weights.

    `teacher`: trained, where the recipe has one (`make_teacher`).

    At every step in `rungs` the averaged weights are evaluated on the first
    `recipe.rung_images` validation images and `keep_going` decides; at 0 those of the start.

    With `checkpoints` it goes on from the one that is there, to the result that it would have had
    without a stop, bit for bit on the same machine. `keep_going` is asked again about the rungs
    that lie behind it.

    `measure`: in place of the validation set in memory. `onlooker` hears of every step.

    Raises TrainingDivergedError on a loss that is not finite or has exploded, and
    TrainingStoppedError where the onlooker stops it.
    """
    clock, onlooker = _Clock(), onlooker or Nobody()
    measure = measure or in_memory(model, data.validation)
    if recipe.keep_pairs < 1:
        kept = best_aligned(data.pairs, recipe.keep_pairs)
        data = replace(data, pairs=Chosen(data.pairs, kept))
    found = checkpoints.load() if checkpoints else None
    start = found.step if found else 0
    batches = recipe_batches(recipe, data, recipe.steps, seed=seed, start=start)
    if recipe.closed_form_images and not found:
        x, y = first_crops(recipe, data, seed)
        fit_output_layers(model, x, y, residual=residual, tone=tone)
    batches = iter(batches)
    first = next(batches)
    stages = goals(recipe, model, first[0], teacher=teacher, seed=seed)
    variables = _variables(model, stages)
    optimizer = make_optimizer(recipe)
    optimizer.build(variables)
    state = _state(model, optimizer, stages)
    if found:
        found.restore(state)
    clock.lap("initialise")
    onlooker.begins(start)
    curve: list[tuple[int, float]] = []

    def evaluate_at(step: int) -> None:
        curve.append((step, float(np.mean(measure(recipe.rung_images, False)[0]))))
        clock.lap("validate")

    def passes() -> bool:
        answer = keep_going(*curve[-1])
        clock.lap("wait")
        return answer

    for reached in found.curve if found else ():
        curve.append(reached)
        if not passes():
            return Outcome(curve, pruned_at=reached[0], seconds=clock.seconds)
    if 0 in rungs and not found:
        evaluate_at(0)
        if not passes():
            return Outcome(curve, pruned_at=0, seconds=clock.seconds)
    for step, (x, y) in enumerate(itertools.chain([first], batches), start=start + 1):
        stage = next(stage for stage in stages if step - 1 in stage.steps)
        begins = step - 1 in (start, stage.steps.start)
        if begins:
            step_function = _step_function(model, recipe, optimizer, variables, stage)
        loss = float(step_function(x, y, tf.constant(step - 1)))
        clock.lap("first_step" if begins else "steps")
        if not math.isfinite(loss) or abs(loss) > EXPLODED:
            raise TrainingDivergedError(f"the loss became {loss:g} at step {step}")
        onlooker.stepped(step, loss)
        if step in rungs and step < recipe.steps:
            with averaged_weights(variables, optimizer):
                evaluate_at(step)
            if not passes():
                return Outcome(curve, pruned_at=step, seconds=clock.seconds)
        if step == recipe.steps:
            break
        stops = onlooker.stops()
        saved = checkpoints is not None and checkpoints.save_if_due(step, curve, state, now=stops)
        if saved:
            clock.lap("checkpoint")
        if stops:
            raise TrainingStoppedError(step, kept=saved)
    optimizer.finalize_variable_values(variables)
    psnrs, ssims = measure(None, True)
    psnr = float(np.mean(psnrs))
    if not math.isfinite(psnr):
        raise TrainingDivergedError("the trained network's output is not finite")
    curve.append((recipe.steps, psnr))
    clock.lap("validate")
    return Outcome(curve, psnr, float(np.mean(ssims)), seconds=clock.seconds)


def first_crops(recipe: Recipe, data: TrainingData, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Crops for the closed-form start."""
    return plain_crops(recipe, data, recipe.closed_form_images, seed=seed + 1)


def _variables(model: Network, stages: Sequence[Goal]) -> list[Any]:
    """What is trained: the network's, then what only training has, each once."""
    return list(model.trainable_variables) + [
        variable for trick in _tricks(stages) for variable in trick.variables
    ]


def _state(
    model: Network, optimizer: keras.optimizers.Optimizer, stages: Sequence[Goal]
) -> list[Any]:
    """All that a step changes: what is trained, moving statistics, the optimisers' own."""
    of_tricks = [v for trick in _tricks(stages) for v in (*trick.variables, *trick.state)]
    return [*model.variables, *of_tricks, *optimizer.variables]


def _tricks(stages: Sequence[Goal]) -> list[Trick]:
    """Each once: most of them are in several stages."""
    return list({id(trick): trick for stage in stages for trick in stage.tricks}.values())


def _step_function(
    model: Network,
    recipe: Recipe,
    optimizer: keras.optimizers.Optimizer,
    variables: list[Any],
    goal: Goal,
) -> Step:
    def run(x: Any) -> Any:
        return taps_in(model, recipe.precision, x)

    def step(x: Any, y: Any, index: Any) -> Any:
        with tf.GradientTape() as tape:
            prediction, taps = run(goal.shown(x, index))
            sight = Sight(x, goal.wanted(x, y), prediction, taps, run, index)
            loss = goal.total(sight)
        gradients = tape.gradient(loss, variables)
        # A stage need not reach every variable; the optimiser wants a gradient of each.
        reached = [
            tf.zeros(v.shape) if g is None else g for g, v in zip(gradients, variables, strict=True)
        ]
        optimizer.apply(reached, variables)
        for trick in goal.tricks:
            if trick.update is not None:
                trick.update(sight)
        return loss

    return compiled(step, xla=recipe.xla)


@contextmanager
def averaged_weights(variables: Sequence[Any], optimizer: Averaging) -> Iterator[None]:
    """Within, the trained `variables` are the optimiser's averages; after, the current ones."""
    current = [variable.numpy() for variable in variables]
    optimizer.finalize_variable_values(variables)
    try:
        yield
    finally:
        for variable, value in zip(variables, current, strict=True):
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
