"""A network with 8-bit weights and activations, as a model that trains and that converts to them.

Every tensor is rounded to what 8 bits hold and stays a float ("fake quantisation"): Jacob et al.,
CVPR 2018. Gradients pass straight through the rounding and stop where a value is cut off. The
converter makes integer kernels of such a graph, with these very ranges.

Weights: symmetric, a scale for each output channel, from the largest weight. Activations: a range
for each tensor from calibration, which stands still in training, so that the weights learn to live
in it (docs/experiments.md has what else was tried). What TensorFlow Lite computes in one kernel (a
convolution and its ReLU) is rounded once; what only moves values is not rounded again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, cast

import keras
import numpy as np
import tensorflow as tf

from .keras_backend import _BUILD_SIZE, KerasOps, Network, _InOrder

BITS = 8
_LARGEST_WEIGHT = 127
"""Of the integers that weights are; -128 is left out, so that zero is in the middle."""

_SMALLEST = 1e-6
"""A range that is never empty, so that a scale is never zero."""

_SHARES = tuple(np.linspace(0.5, 1.0, 26, dtype=np.float32).tolist())
"""Of a tensor's whole range: what calibration tries."""

_MOVING = frozenset({
    "max_pool", "average_pool", "global_max", "resize", "depth_to_space", "space_to_depth",
    "reflect_pad", "channel_range", "channel", "stack", "unfold", "fold",
})  # fmt: skip
"""Methods of `Ops` whose output has the scale of their input."""

_FIXED_RANGES: Mapping[str, tuple[float, float]] = {
    "tanh": (-1.0, 127 / 128),
    "sigmoid": (0.0, 255 / 256),
    "row_softmax": (0.0, 255 / 256),
    "channel_gates": (0.0, 255 / 256),
}
"""By kind of activation or method: what TensorFlow Lite's integer kernels give, whatever comes."""

_OUTPUT_RANGE = (0.0, 1.0)
"""Of a network's picture: its last rounding cuts it to this."""

_NUMBERS = frozenset({"channels", "height"})
"""Methods of `Ops` that give no tensor."""


@dataclass
class _Value:
    """A tensor and the call that made it; `fixed`: its range, where the op decides.

    `rounded`: in 8 bits, once somebody wants it. `moved`: what it was before it was only moved.
    """

    tensor: Any
    call: int
    fixed: tuple[float, float] | None = None
    rounded: Any = None
    moved: _Value | None = None


Rounding = Callable[[_Value], Any]


class _QuantisedLayers(KerasOps):
    """`KerasOps` whose layers compute with the 8-bit values of their kernels."""

    def _layer(self, make: Callable[[], keras.layers.Layer]) -> Any:
        layer = super()._layer(make)
        kernel = getattr(layer, "kernel", None)
        if kernel is None:
            return layer

        def call(x: Any) -> Any:
            values = [
                _rounded_kernel(layer) if v is kernel else v.value
                for v in layer.trainable_variables
            ]
            return layer.stateless_call(values, [], x)[0]

        return call


class _Rounded:
    """`Ops` over `_Value`s: the methods of `ops` on tensors in 8 bits.

    `fused`: calls whose output only a ReLU reads, which rounds it. `uses` collects who reads the
    output of a call.
    """

    def __init__(self, ops: KerasOps, rounding: Rounding, fused: frozenset[int]) -> None:
        self._ops, self.taps = _InOrder(ops), ops.taps
        self._rounding, self._fused = rounding, fused
        self._calls = 0
        self.uses: dict[int, list[str]] = {}

    def value(self, tensor: Any) -> _Value:
        return _Value(tensor, self._calls)

    def part(self, name: str) -> AbstractContextManager[None]:
        return self._ops.part(name)

    def tap(self, x: _Value, name: str) -> _Value:
        self._ops.tap(x.tensor, name)
        return x

    def clip(self, x: _Value) -> _Value:
        """Left to the range of the output."""
        return x

    def power(self, x: _Value, exponent: float) -> _Value:
        """As products where it is a small whole number: there is no integer kernel of POW."""
        if exponent not in (2.0, 3.0, 4.0):
            return cast(_Value, self.__getattr__("power")(x, exponent))
        product = x
        for _ in range(int(exponent) - 1):
            product = self.multiply(product, x)
        return product

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._ops, name)

        def called(*arguments: Any, **options: Any) -> Any:
            if name in _NUMBERS:
                return getattr(self._ops, name)(arguments[0].tensor)
            self._calls += 1
            call = self._calls
            kind = _kind(name, arguments, options)
            tensors = [self._read(argument, kind) for argument in arguments]
            made = _Value(method(*tensors, **options), call, _FIXED_RANGES.get(kind))
            if name in _MOVING or kind == "linear":
                made.rounded = made.tensor
                made.moved = arguments[0] if isinstance(arguments[0], _Value) else None
            return made

        return called

    def _read(self, argument: Any, kind: str) -> Any:
        if isinstance(argument, _Value):
            self.uses.setdefault(argument.call, []).append(kind)
            return argument.tensor if argument.call in self._fused else self.rounded(argument)
        if isinstance(argument, list | tuple) and argument and isinstance(argument[0], _Value):
            return [self._read(one, kind) for one in argument]
        return argument

    def rounded(self, value: _Value) -> Any:
        if value.rounded is None:
            with tf.name_scope(f"op{value.call:04d}/"):
                value.rounded = self._rounding(value)
        return value.rounded

    def source(self, value: _Value) -> int | None:
        """The call that computed `value`, if nobody else reads it, before or after it was moved."""
        while value.moved is not None:
            value = value.moved
            if len(self.uses[value.call]) > 1:
                return None
        return value.call if value.fixed is None else None


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

    def call(self, inputs: Any, with_taps: bool = False) -> Any:
        """Run the network in 8 bits."""

        def rounding(value: _Value) -> Any:
            fixed = _OUTPUT_RANGE if value.call == self._last else value.fixed
            return _rounded_to(value.tensor, fixed or self.ranges[value.call])

        ops, picture = self._read(inputs, rounding)
        output = ops.rounded(picture)
        if self._last is None:
            output = rounding(_Value(output, picture.call, _OUTPUT_RANGE))
        return (output, ops.taps) if with_taps else output

    def _read(self, inputs: Any, rounding: Rounding) -> tuple[_Rounded, _Value]:
        """The network's picture, not yet rounded."""
        ops = _Rounded(_QuantisedLayers(self.parts), rounding, self._fused)
        return ops, self.network(ops, ops.value(inputs))

    def _observed(self, inputs: Any, look: Callable[[_Value], Any], size: int) -> Any:
        """[calls + 1, size]: what `look` finds of each tensor that is rounded, unrounded."""
        seen: dict[int, Any] = {}

        def rounding(value: _Value) -> Any:
            seen[value.call] = look(value)
            return value.tensor

        ops, picture = self._read(inputs, rounding)
        ops.rounded(picture)
        return tf.stack([seen.get(i, tf.zeros(size)) for i in range(self.ranges.shape[0])])

    def _extremes(self, inputs: Any) -> Any:
        return self._observed(inputs, lambda value: _extremes(value.tensor), 2)

    def _errors(self, inputs: Any, widest: Any) -> Any:
        def look(value: _Value) -> Any:
            x, bounds = value.tensor, widest[value.call]
            tried = (_rounded_to(x, share * bounds) for share in _SHARES)
            return tf.stack([tf.reduce_sum(tf.square(y - x)) for y in tried])

        return self._observed(inputs, look, len(_SHARES))


def _kind(name: str, arguments: tuple[Any, ...], options: Mapping[str, Any]) -> str:
    """The method, or which activation."""
    if name != "activation":
        return name
    return str(arguments[1] if len(arguments) > 1 else options["kind"])


def _extremes(x: Any) -> Any:
    """[2]: lowest and highest of `x`, zero among them, which integers must be able to hold."""
    low = tf.minimum(tf.reduce_min(x), -_SMALLEST)
    high = tf.maximum(tf.reduce_max(x), _SMALLEST)
    return tf.stop_gradient(tf.stack([low, high]))


def _rounded_to(x: Any, bounds: Any) -> Any:
    """`x` in 8 bits between two `bounds`."""
    return tf.quantization.fake_quant_with_min_max_vars(x, bounds[0], bounds[1], BITS)


def _rounded_kernel(layer: keras.layers.Layer) -> Any:
    """Its kernel in 8 bits, a symmetric scale for each output channel.

    In plain arithmetic: the converter finds the same scales, for the largest weights stay, and
    it cannot turn the kernel of a transposed convolution that is marked as rounded.
    """
    kernel = layer.kernel.value
    # [h, w, in, out] but for depthwise [h, w, channels, 1] and transposed [h, w, out, in].
    turned = isinstance(layer, keras.layers.DepthwiseConv2D | keras.layers.Conv2DTranspose)
    others = (0, 1, 3) if turned else (0, 1, 2)
    most = tf.reduce_max(tf.abs(kernel), others, keepdims=True)
    step = tf.maximum(most, _SMALLEST) / _LARGEST_WEIGHT
    rounded = tf.round(kernel / step) * step
    return kernel + tf.stop_gradient(rounded - kernel)
