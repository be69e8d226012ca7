"""Weights handed on from one network to another, wherever they have channels in common.

Where the other network is wider or deeper, or has larger kernels, it computes the same as before
(Chen et al., "Net2Net", ICLR 2016; Wei et al., "Network Morphism", ICML 2016): what an inherited
channel reads of new channels starts at zero, kernels grow by a ring of zeros, and a new block
starts by passing its input through, which is exact behind a ReLU.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from spaces.ops.keras_backend import Network
from spaces.unet import HEAD
from spaces.wiring import Wired

Axis = Literal["reads", "writes", "space", "one"]
"""What an axis of a weight counts: channels read or written, pixels, or nothing."""

_KERNEL: tuple[Axis, ...] = ("space", "space", "reads", "writes")
_BY_CHANNEL: tuple[tuple[Axis, ...], ...] = (("space", "space", "reads", "one"), ("reads",))
_NORM: tuple[tuple[Axis, ...], ...] = (("reads",), ("reads",))

AXES: Mapping[str, tuple[tuple[Axis, ...], ...]] = {
    "conv": (_KERNEL, ("writes",)),
    "transposed_conv": (("space", "space", "writes", "reads"), ("writes",)),
    "depthwise": _BY_CHANNEL,
    "dilated_depthwise": _BY_CHANNEL,
    "activation": (("one", "one", "reads"),),
    "channel_bias": (("one", "one", "one", "reads"),),
    "instance_norm": _NORM,
    "layer_norm": _NORM,
}
"""Of each weight of the layer that an op makes, in Keras' order. Layers of other ops, and those
trained as branches, are handed on whole or not at all."""

Weights = tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Donor:
    """Layers and their weights: a trained network's, or a super-network's.

    A convolution's kernel is [k, k, reads, writes], in the order of the layer's `reads` and
    `writes`.
    """

    layers: tuple[Wired, ...]
    weights: tuple[Weights, ...]

    @property
    def by_key(self) -> dict[str, tuple[Wired, Weights]]:
        """The layers by their keys."""
        pairs = zip(self.layers, self.weights, strict=True)
        return {layer.key: (layer, weights) for layer, weights in pairs}


def donor_of(model: Network, layers: Sequence[Wired]) -> Donor:
    """The weights that `model` has now; `layers` is its wiring."""
    return Donor(tuple(layers), tuple(tuple(part.get_weights()) for part in model.parts))


@dataclass(frozen=True)
class Inherited:
    """What came of it: `share` of the weights, 0 to 1; whether the `head` got any."""

    share: float
    head: bool


def inherit(model: Network, layers: Sequence[Wired], donor: Donor) -> Inherited:
    """Set the weights of `model`, whose wiring is `layers`, to those that `donor` has."""
    there = donor.by_key
    inherited, total, head = 0, 0, False
    for part, layer in zip(model.parts, layers, strict=True):
        fresh = tuple(part.get_weights())
        total += sum(array.size for array in fresh)
        if layer.key not in there:
            continue
        given = _handed_on(layer, fresh, *there[layer.key])
        if given is None:
            continue
        values, count = given
        part.set_weights(values)
        inherited += count
        head = head or layer.arguments.get("name") == HEAD
    return Inherited(inherited / max(total, 1), head)


def _handed_on(
    layer: Wired, fresh: Weights, source: Wired, given: Weights
) -> tuple[Weights, int] | None:
    """The layer's new weights and how many of them are inherited; None where nothing fits."""
    if [array.shape for array in fresh] == [array.shape for array in given] and (
        (layer.reads, layer.writes) == (source.reads, source.writes)
    ):
        return given, sum(array.size for array in fresh)
    axes = AXES.get(layer.op)
    if axes is None or layer.arguments.get("branches") or len(fresh) != len(given):
        return None
    common = {
        "reads": _common(layer.reads, source.reads),
        "writes": _common(layer.writes, source.writes),
    }
    if not all(pairs for pairs in common.values()):
        return None
    values, count = [], 0
    for new, old, of in zip(fresh, given, axes, strict=False):
        merged, found = _merged(new, old, of, common)
        values.append(merged)
        count += found
    return tuple(values), count


def _common(ours: Sequence[Hashable], theirs: Sequence[Hashable]) -> list[tuple[int, int]]:
    """Numbers of the channels that both have: (here, there)."""
    at = {label: index for index, label in enumerate(theirs)}
    return [(index, at[label]) for index, label in enumerate(ours) if label in at]


def _merged(
    fresh: np.ndarray,
    given: np.ndarray,
    axes: Sequence[Axis],
    common: Mapping[str, list[tuple[int, int]]],
) -> tuple[np.ndarray, int]:
    """`fresh` with what `given` has of it, and zero in what an inherited channel reads of others.

    The second value: how many weights are given.
    """
    pairs = [
        common[axis] if axis in common else centred(here, there)
        for axis, here, there in zip(axes, fresh.shape, given.shape, strict=True)
    ]
    here = [[ours for ours, _ in axis] for axis in pairs]
    there = [[theirs for _, theirs in axis] for axis in pairs]
    merged = fresh.copy()
    merged[np.ix_(*_all_that_feeds(axes, fresh.shape, here))] = 0
    merged[np.ix_(*here)] = given[np.ix_(*there)]
    return merged, int(np.prod([len(axis) for axis in pairs]))


def _all_that_feeds(
    axes: Sequence[Axis], shape: Sequence[int], kept: Sequence[Sequence[int]]
) -> list[Sequence[int]]:
    """The part of a weight that inherited channels are computed from: every pixel, and, where
    channels are summed, every channel."""
    summed = {"space", "reads"} if "writes" in axes else {"space"}
    return [
        range(size) if axis in summed else some
        for axis, size, some in zip(axes, shape, kept, strict=True)
    ]


def centred(here: int, there: int) -> list[tuple[int, int]]:
    """The middle of two kernels' sides, which may differ: (here, there) of each pixel."""
    side = min(here, there)
    return [((here - side) // 2 + i, (there - side) // 2 + i) for i in range(side)]
