"""A network with 8-bit weights and activations, as a model that trains and that converts to them.

Every tensor is rounded to what 8 bits hold and stays a float ("fake quantisation"): Jacob et al.,
CVPR 2018. Gradients pass straight through the rounding and stop where a value is cut off. The
converter makes integer kernels of such a graph, with these very ranges.

Weights: `kernel_rounding`. Activations: a range for each tensor from calibration, which stands
still in training, so that the weights learn to live in it (docs/experiments.md has what else was
tried). Which tensors are rounded: `rounded_ops`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from .keras_backend import _BUILD_SIZE, Network
from .kernel_rounding import fit_kernel, seen_by_kernel
from .rounded_ops import Look, QuantisedLayers, RoundedOps, Rounding, Value

BITS = 8
_SMALLEST = 1e-6
"""A range that is never empty, so that a scale is never zero."""

_SHARES = tuple(np.linspace(0.5, 1.0, 26, dtype=np.float32).tolist())
"""Of a tensor's whole range: what calibration tries."""

_OUTPUT_RANGE = (0.0, 1.0)
"""Of a network's picture: its last rounding cuts it to this."""


class QuantisedNetwork(Network):
    """A copy of a network, re-parameterised branches merged, in 8-bit arithmetic.

    `ranges` [calls + 1, 2]: lowest and highest value of the output of each call; of the input at 0.
    Calls of `Ops` are numbered as in the names of an export.
    """

    def __init__(self, model: Network) -> None:
        """A copy of the trained `model`, which knows no ranges: see `calibrate`."""
        fresh = Network(model.network, model.input_channels).deployed()
        super().__init__(model.network, model.input_channels, parts=fresh.parts)
        self.set_weights(model.deployed().get_weights())
        self._fused: frozenset[int] = frozenset()
        self._last: int | None = None
        side, channels = _BUILD_SIZE, model.input_channels
        survey, picture = self._read(
            keras.Input((side, side, channels)), lambda value: value.tensor
        )
        self._last = survey.source(picture)
        self._fused = frozenset(call for call, by in survey.uses.items() if by == ["relu"])
        self.ranges = self.add_weight(
            shape=(survey._calls + 1, 2), initializer="zeros", trainable=False, name="ranges"
        )

    def calibrate(self, batches: Sequence[np.ndarray]) -> None:
        """Take the ranges from encoded inputs [n, h, w, C].

        Of each tensor's whole range that share is kept with which rounding and cutting off
        together do least harm to it, in the mean square.
        """
        extremes = tf.function(self._extremes, reduce_retracing=True)
        found = np.array([extremes(batch).numpy() for batch in batches])
        widest = np.stack([found[:, :, 0].min(axis=0), found[:, :, 1].max(axis=0)], axis=-1)
        errors = tf.function(self._errors, reduce_retracing=True)
        harm = sum(errors(batch, tf.constant(widest)).numpy() for batch in batches)
        self.ranges.assign(widest * np.array(_SHARES)[np.argmin(harm, axis=1)][:, None])

    def fit_kernels(self, batches: Sequence[np.ndarray]) -> None:
        """Round every kernel, after `calibrate`, so that it does least harm to encoded inputs
        [n, h, w, C]."""
        layers: list[keras.layers.Layer] = []

        def seen(inputs: Any) -> list[Any]:
            found = []
            layers.clear()

            def look(layer: keras.layers.Layer, x: Any) -> None:
                moments = seen_by_kernel(layer, x)
                if moments is not None:
                    layers.append(layer)
                    found.append(moments)

            self._run(inputs, look)
            return found

        of_batch = tf.function(seen, reduce_retracing=True)
        batched = [[one.numpy().astype(np.float64) for one in of_batch(b)] for b in batches]
        for layer, moments in zip(layers, zip(*batched, strict=True), strict=True):
            fit_kernel(layer, np.mean(moments, axis=0))

    def in_floats(self) -> Network:
        """The network that computes in floats with these kernels; its layers are this one's."""
        return Network(self.network, self.input_channels, parts=self.parts)

    def call(self, inputs: Any, with_taps: bool = False) -> Any:
        """Run the network in 8 bits."""
        output, taps = self._run(inputs)
        return (output, taps) if with_taps else output

    def _run(self, inputs: Any, look: Look | None = None) -> tuple[Any, dict[str, Any]]:
        """The output and what was tapped; `look` sees each layer's input."""

        def rounding(value: Value) -> Any:
            fixed = _OUTPUT_RANGE if value.call == self._last else value.fixed
            return _rounded_to(value.tensor, fixed or self.ranges[value.call])

        ops, picture = self._read(inputs, rounding, look)
        output = ops.rounded(picture)
        if self._last is None:
            output = rounding(Value(output, picture.call, _OUTPUT_RANGE))
        return output, ops.taps

    def _read(
        self, inputs: Any, rounding: Rounding, look: Look | None = None
    ) -> tuple[RoundedOps, Value]:
        """The network's picture, not yet rounded."""
        ops = RoundedOps(QuantisedLayers(self.parts, look), rounding, self._fused)
        return ops, self.network(ops, ops.value(inputs))

    def _observed(self, inputs: Any, look: Callable[[Value], Any], size: int) -> Any:
        """[calls + 1, size]: what `look` finds of each tensor that is rounded, unrounded."""
        seen: dict[int, Any] = {}

        def rounding(value: Value) -> Any:
            seen[value.call] = look(value)
            return value.tensor

        ops, picture = self._read(inputs, rounding)
        ops.rounded(picture)
        return tf.stack([seen.get(i, tf.zeros(size)) for i in range(self.ranges.shape[0])])

    def _extremes(self, inputs: Any) -> Any:
        return self._observed(inputs, lambda value: _extremes(value.tensor), 2)

    def _errors(self, inputs: Any, widest: Any) -> Any:
        def look(value: Value) -> Any:
            x, bounds = value.tensor, widest[value.call]
            tried = (_rounded_to(x, share * bounds) for share in _SHARES)
            return tf.stack([tf.reduce_sum(tf.square(y - x)) for y in tried])

        return self._observed(inputs, look, len(_SHARES))


def _extremes(x: Any) -> Any:
    """[2]: lowest and highest of `x`, zero among them, which integers must be able to hold."""
    low = tf.minimum(tf.reduce_min(x), -_SMALLEST)
    high = tf.maximum(tf.reduce_max(x), _SMALLEST)
    return tf.stop_gradient(tf.stack([low, high]))


def _rounded_to(x: Any, bounds: Any) -> Any:
    """`x` in 8 bits between two `bounds`."""
    return tf.quantization.fake_quant_with_min_max_vars(x, bounds[0], bounds[1], BITS)
