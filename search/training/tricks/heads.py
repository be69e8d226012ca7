"""Heads that only training has: a 3x3 convolution from tapped features to something known."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from search.errors import UserError
from search.training.losses.pixel import charbonnier_loss
from search.training.losses.registry import Loss

from .trick import Sight, Trick


def level_head(name: str, channels: int, loss: Loss) -> Trick:
    """The tapped features `name` to the target, shrunk to their size: PyNET's training by levels.

    `channels` of the features. Area averages shrink the target.
    """
    head = keras.layers.Conv2D(3, 3, padding="same")
    head.build((None, None, None, channels))

    def level_loss(sight: Sight) -> Any:
        features = sight.taps[name]
        factor = sight.y.shape[1] // features.shape[1]
        small = tf.nn.avg_pool2d(sight.y, factor, factor, "VALID") if factor > 1 else sight.y
        return loss(small, head(features))

    return Trick(level_loss, head.trainable_variables)


def input_head(name: str, channels: int, input_channels: int) -> Trick:
    """The tapped features `name` back to the whole input, of which the network saw a part.

    SYENet's second head while it warms up on masked RAW: Charbonnier loss.
    """
    head = keras.layers.Conv2D(input_channels, 3, padding="same")
    head.build((None, None, None, channels))

    def restored(sight: Sight) -> Any:
        return charbonnier_loss(sight.x, head(sight.taps[name]))

    return Trick(restored, head.trainable_variables)


def tapped_channels(taps: dict[str, Any], name: str) -> int:
    """Channels of the tap `name`; UserError where the network has no such tap."""
    if name not in taps:
        known = ", ".join(taps) or "none"
        raise UserError(f"the network has no tapped features {name!r}; there are: {known}")
    return int(taps[name].shape[-1])
