"""`Trick`: a term of the loss that looks at more than target and prediction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Sight:
    """What one training step has at hand.

    `x`: the batch's network inputs, as they are in the data. `y`: targets in [0, 1].
    `prediction`: the network's output for what it was shown. `taps`: its tapped features.
    `run`: (inputs) -> (output, taps), the network on other inputs. `step`: counted from 0.
    """

    x: Any
    y: Any
    prediction: Any
    taps: dict[str, Any]
    run: Callable[[Any], tuple[Any, dict[str, Any]]]
    step: Any


@dataclass(frozen=True)
class Trick:
    """`loss(sight)` is added to the loss; `variables` are trained with the network's.

    `update(sight)` runs after the network's own step, for what learns against it and keeps that in
    `state`.
    """

    loss: Callable[[Sight], Any]
    variables: Sequence[Any] = ()
    update: Callable[[Sight], Any] | None = None
    state: Sequence[Any] = ()
