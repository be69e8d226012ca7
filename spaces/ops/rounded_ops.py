"""`Ops` in 8 bits: what a network function calls, each result rounded where an integer kernel does.

What TensorFlow Lite computes in one kernel (a convolution and its ReLU) is rounded once; what only
moves values is not rounded again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, cast

import keras
import tensorflow as tf

from .keras_backend import KerasOps, _InOrder
from .kernel_rounding import rounded_kernel

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

_NUMBERS = frozenset({"channels", "height"})
"""Methods of `Ops` that give no tensor."""


@dataclass
class Value:
    """A tensor and the call that made it; `fixed`: its range, where the op decides.

    `rounded`: in 8 bits, once somebody wants it. `moved`: what it was before it was only moved.
    """

    tensor: Any
    call: int
    fixed: tuple[float, float] | None = None
    rounded: Any = None
    moved: Value | None = None


Rounding = Callable[[Value], Any]

Look = Callable[[keras.layers.Layer, Any], None]
"""Called with a layer and its input."""


class QuantisedLayers(KerasOps):
    """`KerasOps` whose layers compute with the 8-bit values of their kernels.

    `look` sees each layer that has a kernel, and its input.
    """

    def __init__(
        self,
        layers: Sequence[keras.layers.Layer],
        look: Look | None = None,
    ) -> None:
        super().__init__(layers)
        self._look = look

    def _layer(self, make: Callable[[], keras.layers.Layer]) -> Any:
        layer = super()._layer(make)
        kernel = getattr(layer, "kernel", None)
        if kernel is None:
            return layer

        def call(x: Any) -> Any:
            if self._look is not None:
                self._look(layer, x)
            values = [
                rounded_kernel(layer) if v is kernel else v.value for v in layer.trainable_variables
            ]
            return layer.stateless_call(values, [], x)[0]

        return call


class RoundedOps:
    """`Ops` over `Value`s: the methods of `ops` on tensors in 8 bits.

    `fused`: calls whose output only a ReLU reads, which rounds it. `uses` collects who reads the
    output of a call.
    """

    def __init__(self, ops: KerasOps, rounding: Rounding, fused: frozenset[int]) -> None:
        self._ops, self.taps = _InOrder(ops), ops.taps
        self._rounding, self._fused = rounding, fused
        self._calls = 0
        self.uses: dict[int, list[str]] = {}

    def value(self, tensor: Any) -> Value:
        """`tensor` as made by the latest call: the network's input before any."""
        return Value(tensor, self._calls)

    def part(self, name: str) -> AbstractContextManager[None]:
        """See `Ops.part`."""
        return self._ops.part(name)

    def tap(self, x: Value, name: str) -> Value:
        """See `Ops.tap`."""
        self._ops.tap(x.tensor, name)
        return x

    def clip(self, x: Value) -> Value:
        """Left to the range of the output."""
        return x

    def power(self, x: Value, exponent: float) -> Value:
        """As products where it is a small whole number: there is no integer kernel of POW."""
        if exponent not in (2.0, 3.0, 4.0):
            return cast(Value, self.__getattr__("power")(x, exponent))
        product = x
        for _ in range(int(exponent) - 1):
            product = self.multiply(product, x)
        return product

    def tone_curve(self, x: Value) -> Value:
        """As `x` and a small correction. Its powers are as large as the curve, and where it is
        dark, three times a square in 8 bits is three times as coarse."""
        rest = self.shift(self.scale(x, -1.0), 1.0)
        bend = self.multiply(self.multiply(x, rest), self.subtract(rest, x))
        return cast(Value, self.subtract(x, bend))

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._ops, name)

        def called(*arguments: Any, **options: Any) -> Any:
            if name in _NUMBERS:
                return getattr(self._ops, name)(arguments[0].tensor)
            self._calls += 1
            call = self._calls
            kind = _kind(name, arguments, options)
            tensors = [self._read(argument, kind) for argument in arguments]
            made = Value(method(*tensors, **options), call, _FIXED_RANGES.get(kind))
            if name in _MOVING or kind == "linear":
                made.rounded = made.tensor
                made.moved = arguments[0] if isinstance(arguments[0], Value) else None
            return made

        return called

    def _read(self, argument: Any, kind: str) -> Any:
        if isinstance(argument, Value):
            self.uses.setdefault(argument.call, []).append(kind)
            return argument.tensor if argument.call in self._fused else self.rounded(argument)
        if isinstance(argument, list | tuple) and argument and isinstance(argument[0], Value):
            return [self._read(one, kind) for one in argument]
        return argument

    def rounded(self, value: Value) -> Any:
        """Its tensor in 8 bits, rounded when it is first asked for."""
        if value.rounded is None:
            with tf.name_scope(f"op{value.call:04d}/"):
                value.rounded = self._rounding(value)
        return value.rounded

    def source(self, value: Value) -> int | None:
        """The call that computed `value`, if nobody else reads it, before or after it was moved."""
        while value.moved is not None:
            value = value.moved
            if len(self.uses[value.call]) > 1:
                return None
        return value.call if value.fixed is None else None


def _kind(name: str, arguments: tuple[Any, ...], options: Mapping[str, Any]) -> str:
    """The method, or which activation."""
    if name != "activation":
        return name
    return str(arguments[1] if len(arguments) > 1 else options["kind"])
