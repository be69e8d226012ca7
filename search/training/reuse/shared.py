"""`SharedWeights`: one set of weights that serves every network of a space, each by a slice.

A layer's kernel is as large as its largest one: the narrower network has the first channels, the
smaller kernel the middle (Yu et al., "Slimmable Neural Networks", ICLR 2019; Cai et al., "Once for
All", ICLR 2020, whose kernels are transformed besides). Which channels those are, the wiring says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from spaces.ops.initializers import initializer
from spaces.ops.keras_backend import PRELU_START, KerasOps
from spaces.wiring import Label, Wired

from .inheritance import AXES, Donor, centred

Runs = tuple[tuple[int, int], ...]
"""Numbers from the first of each pair up to its second."""


@dataclass(frozen=True)
class _Shared:
    """A layer in its largest form, and its variables."""

    wired: Wired
    variables: tuple[tf.Variable, ...]

    def cut(self, layer: Wired) -> list[tuple[Runs, ...]]:
        """What `layer` has of each variable, by axis."""
        channels = {
            "reads": _numbers(layer.reads, self.wired.reads),
            "writes": _numbers(layer.writes, self.wired.writes),
        }
        cuts = []
        for variable, axes in zip(self.variables, AXES[layer.op], strict=True):
            cuts.append(
                tuple(
                    _runs(channels[axis] if axis in channels else _middle(layer.kernel, size))
                    for axis, size in zip(axes, variable.shape, strict=True)
                )
            )
        return cuts


class SharedWeights:
    """The weights of all networks whose wirings are `wirings`.

    `variables`: all of them. They start as those of any candidate do, from Keras' global seed.
    ValueError for a network with layers that cannot be cut.
    """

    def __init__(self, wirings: Iterable[Sequence[Wired]]) -> None:
        largest: dict[str, Wired] = {}
        for layer in dict.fromkeys(layer for layers in wirings for layer in layers):
            _check(layer)
            largest[layer.key] = _union(largest.get(layer.key, layer), layer)
        self._layers = {key: _made(largest[key]) for key in sorted(largest)}
        self.variables = [v for shared in self._layers.values() for v in shared.variables]
        self._numbers = {id(variable): n for n, variable in enumerate(self.variables)}
        self._cuts: dict[Wired, list[tuple[Runs, ...]]] = {}

    def run(self, network: Callable[[Any, Any], Any], layers: Sequence[Wired], x: Any) -> Any:
        """The output of `network`, whose wiring is `layers`."""
        return network(KerasOps([self._layer(layer) for layer in layers]), x)

    def used(self, layers: Iterable[Wired]) -> list[int]:
        """The numbers of the variables that a network with these layers is cut from."""
        cut_from = (v for layer in layers for v in self._layers[layer.key].variables)
        return [self._numbers[id(variable)] for variable in cut_from]

    def donor(self) -> Donor:
        """The weights as they are, for networks to inherit."""
        shared = self._layers.values()
        weights = tuple(tuple(v.numpy() for v in layer.variables) for layer in shared)
        return Donor(tuple(layer.wired for layer in shared), weights)

    def adopt(self, layer: Wired, weights: Sequence[np.ndarray]) -> None:
        """Give `layer` its `weights`; what larger ones have beside them starts at zero."""
        for variable, cut, value in zip(
            self._layers[layer.key].variables, self._cut(layer), weights, strict=True
        ):
            whole = np.zeros(variable.shape, np.float32)
            whole[np.ix_(*[_listed(runs) for runs in cut])] = value
            variable.assign(whole)

    def _cut(self, layer: Wired) -> list[tuple[Runs, ...]]:
        if layer not in self._cuts:
            self._cuts[layer] = self._layers[layer.key].cut(layer)
        return self._cuts[layer]

    def _layer(self, layer: Wired) -> Callable[[Any], Any]:
        variables = self._layers[layer.key].variables

        def compute(x: Any) -> Any:
            cuts = zip(variables, self._cut(layer), strict=True)
            return _COMPUTE[layer.op](x, layer.arguments, *(_slice(v, cut) for v, cut in cuts))

        return compute


def _check(layer: Wired) -> None:
    branches = layer.arguments.get("branches")
    if layer.op not in _COMPUTE or branches or not layer.arguments.get("bias", True):
        raise ValueError(f"a super-network cannot share the weights of {branches or layer.op}")


def _union(a: Wired, b: Wired) -> Wired:
    """The layer with the channels of both, in a fixed order, and the larger kernel."""
    return replace(
        a,
        reads=tuple(sorted({*a.reads, *b.reads})),
        writes=tuple(sorted({*a.writes, *b.writes})),
        kernel=max(a.kernel, b.kernel),
    )


def _made(layer: Wired) -> _Shared:
    sizes = {"reads": len(layer.reads), "writes": len(layer.writes), "space": layer.kernel}
    shapes = [tuple(sizes.get(axis, 1) for axis in axes) for axes in AXES[layer.op]]
    if layer.op == "activation":
        starts = [tf.fill(shapes[0], PRELU_START)]
    else:
        kernel = initializer(layer.arguments.get("init", "random"))
        starts = [keras.initializers.get(kernel)(shapes[0]), tf.zeros(shapes[1])]
    return _Shared(layer, tuple(tf.Variable(start) for start in starts))


def _numbers(labels: Sequence[Label], among: Sequence[Label]) -> list[int]:
    at = {label: number for number, label in enumerate(among)}
    return [at[label] for label in labels]


def _runs(numbers: Sequence[int]) -> Runs:
    """[0, 1, 2, 8, 9] -> ((0, 3), (8, 10))."""
    breaks = [i for i, (a, b) in enumerate(pairwise(numbers), start=1) if b != a + 1]
    bounds = pairwise([0, *breaks, len(numbers)])
    return tuple((numbers[begin], numbers[end - 1] + 1) for begin, end in bounds)


def _middle(side: int, size: int) -> list[int]:
    return [number for _, number in centred(side, size)]


def _listed(runs: Runs) -> list[int]:
    return [number for begin, end in runs for number in range(begin, end)]


def _slice(variable: Any, cut: tuple[Runs, ...]) -> Any:
    x = variable
    for axis, runs in enumerate(cut):
        if runs == ((0, x.shape[axis]),):
            continue
        before = (slice(None),) * axis
        parts = [x[(*before, slice(begin, end))] for begin, end in runs]
        x = parts[0] if len(parts) == 1 else tf.concat(parts, axis)
    return x


def _conv(x: Any, arguments: Mapping[str, Any], kernel: Any, bias: Any) -> Any:
    return tf.nn.conv2d(x, kernel, arguments["stride"], arguments["padding"].upper()) + bias


def _transposed_conv(x: Any, arguments: Mapping[str, Any], kernel: Any, bias: Any) -> Any:
    n, h, w, _ = x.shape
    stride = arguments["stride"]
    shape = (n, h * stride, w * stride, kernel.shape[2])
    return tf.nn.conv2d_transpose(x, kernel, shape, stride, "SAME") + bias


def _depthwise(x: Any, arguments: Mapping[str, Any], kernel: Any, bias: Any) -> Any:
    stride = arguments["stride"]
    return tf.nn.depthwise_conv2d(x, kernel, (1, stride, stride, 1), "SAME") + bias


def _prelu(x: Any, arguments: Mapping[str, Any], slope: Any) -> Any:
    return tf.nn.relu(x) - slope * tf.nn.relu(-x)


_COMPUTE: Mapping[str, Callable[..., Any]] = {
    "conv": _conv,
    "transposed_conv": _transposed_conv,
    "depthwise": _depthwise,
    "activation": _prelu,
}
"""(x, arguments of the op, the layer's weights in Keras' order) -> y"""
