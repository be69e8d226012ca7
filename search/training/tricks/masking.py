"""Hiding parts of the input: SYENet warms up on RAW behind squares, a form of DropBlock.

DropBlock: Ghiasi et al., NeurIPS 2018.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

HOLE = 3
"""Side of a hidden square in input pixels."""


def masked(x: Any, share: float, seed: int, step: Any) -> Any:
    """`x` [B, H, W, C] with about `share` of its pixels zero, in squares of 3x3.

    The same for the same `seed` and `step`.
    """
    # A pixel is seen if none of the nine squares around it is hidden.
    hidden = 1 - (1 - share) ** (1 / HOLE**2)
    shape = (tf.shape(x)[0], x.shape[1], x.shape[2], 1)
    draws = tf.random.stateless_uniform(shape, tf.stack([seed, tf.cast(step, tf.int32)]))
    centres = tf.cast(draws < hidden, x.dtype)
    return x * (1 - tf.nn.max_pool2d(centres, HOLE, 1, "SAME"))
