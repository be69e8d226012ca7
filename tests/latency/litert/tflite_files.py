"""Small random convolutional networks as .tflite files, some with an op planted that is refused."""

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SIZE = 16


@dataclass(frozen=True)
class Files:
    """Paths of the files that a GPU takes, and of those it does not."""

    good: list[Path]
    bad: list[Path]


def write_all(folder, count):
    """`count` files, about half of them with a planted op."""
    import tensorflow as tf

    good, bad = [], []
    kinds = sorted(PLANTS)
    for number in range(count):
        rng = np.random.default_rng(number)
        plant = kinds[number // 2 % len(kinds)] if number % 2 else None
        name = f"{number}_{plant or 'plain'}.tflite"
        path = folder / name
        path.write_bytes(_convert(tf, rng, plant))
        (bad if plant else good).append(path)
    return Files(good, bad)


def _convert(tf, rng, plant):
    network = _network(tf, rng, plant)
    function = tf.function(network, input_signature=[tf.TensorSpec((1, SIZE, SIZE, 4), tf.float32)])
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [function.get_concrete_function()], tf.Module()
    )
    return converter.convert()


def _network(tf, rng, plant):
    depth = int(rng.integers(2, 5))
    channels = [4, *(int(rng.choice([4, 8, 12])) for _ in range(depth))]
    weights = [
        tf.constant(rng.normal(size=(3, 3, a, b), scale=0.2), tf.float32)
        for a, b in itertools.pairwise(channels)
    ]
    planted_at = int(rng.integers(0, depth))
    acts = [rng.choice(["relu", "tanh", "leaky_relu", "none"]) for _ in range(depth)]

    def network(x):
        for index, (weight, act) in enumerate(zip(weights, acts, strict=True)):
            x = tf.nn.conv2d(x, weight, 1, "SAME")
            x = x if act == "none" else getattr(tf.nn, act)(x)
            if plant and index == planted_at:
                x = PLANTS[plant](tf, x)
        return {"out": x}

    return network


def _rank_six(tf, x):
    """A pixel shuffle by reshapes: of rank 6 on its way."""
    channels = x.shape[3]
    x = tf.reshape(x, (1, SIZE // 2, 2, SIZE // 2, 2, channels))
    return tf.reshape(tf.transpose(x, (0, 1, 3, 2, 4, 5)), (1, SIZE, SIZE, channels))


def _rank_five(tf, x):
    """Nearest upsampling by tiling, then every second pixel."""
    channels = x.shape[3]
    x = tf.tile(tf.reshape(x, (1, SIZE, 1, SIZE, channels)), (1, 1, 2, 1, 1))
    return tf.reshape(x, (1, 2 * SIZE, SIZE, channels))[:, ::2]


def _symmetric_pad(tf, x):
    x = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], mode="SYMMETRIC")
    return x[:, 1:-1, 1:-1, :]


def _l2_normalised(tf, x):
    return tf.nn.l2_normalize(x, axis=-1)


def _arg_max(tf, x):
    best = tf.cast(tf.argmax(x, axis=3), tf.float32)
    return x + tf.reshape(best, (1, SIZE, SIZE, 1))


PLANTS = {
    "rank_six": _rank_six,
    "rank_five": _rank_five,
    "symmetric_pad": _symmetric_pad,
    "l2_normalised": _l2_normalised,
    "arg_max": _arg_max,
}
"""Ops that a GPU refuses, by name: `plant(tf, x) -> x` of the same height and width."""
