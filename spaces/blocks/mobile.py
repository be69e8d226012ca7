"""Blocks of mobile classifiers: MobileNetV2's inverted residual and MobileViTv2's block.

Sandler et al., CVPR 2018; Mehta and Rastegari, "Separable Self-attention for Mobile Vision
Transformers", 2022. Batch normalisation is merged into the convolutions before it.
"""

from __future__ import annotations

from typing import Any

from spaces.ops.protocol import Activation

from .features import FEATURES, projected


def swish(ops: Any, x: Any) -> Any:
    """x * sigmoid(x)."""
    return ops.multiply(x, ops.activation(x, "sigmoid"))


def inverted_residual(ops: Any, x: Any, width: int, *, expansion: int = 2, stride: int = 1) -> Any:
    """1x1 to `expansion` times the channels, depthwise 3x3, 1x1 to `width`; swish in between.

    The input is added where shapes allow.
    """
    y = swish(ops, ops.conv(x, expansion * ops.channels(x), 1))
    y = swish(ops, ops.depthwise(y, 3, stride=stride))
    if stride != 1 or width != ops.channels(x):
        return ops.conv(y, width, 1)
    return ops.add(x, ops.conv(y, width, 1, init="small"))


def mobilevit_v2(
    ops: Any, x: Any, attention_width: int, layers: int, *, delegable: bool = True
) -> Any:
    """Depthwise 3x3, then `layers` of separable self-attention over squares of 2x2 pixels.

    H and W are multiples of 2 and stay, as the channels do. Both forms compute the same:
    `delegable` in ops that the GPU delegate takes, else as MobileViTv2's own code does, by a
    transposition of rank 6, which the delegate refuses.
    """
    width, height = ops.channels(x), ops.height(x)
    x = ops.conv(swish(ops, ops.depthwise(x, 3)), attention_width, 1, bias=False)
    attend = _attention_in_place if delegable else _attention_in_rows
    if not delegable:
        x = ops.unfold(x, 2)
    for _ in range(layers):
        x = ops.add(x, attend(ops, ops.layer_norm(x)))
        y = swish(ops, ops.conv(ops.layer_norm(x), 2 * attention_width, 1))
        x = ops.add(x, ops.conv(y, attention_width, 1, init="small"))
    x = ops.layer_norm(x)
    if not delegable:
        x = ops.fold(x, 2, height)
    return ops.conv(x, width, 1)


# Query, key and value are sliced from one convolution where they are used, as the converter does.


def _projected(ops: Any, x: Any) -> Any:
    """Query (1 channel), key and value (C each)."""
    return ops.conv(x, 1 + 2 * ops.channels(x), 1)


def _attention_in_rows(ops: Any, x: Any) -> Any:
    """Of [1, 4, N, C], each of the four rows by itself."""
    width = ops.channels(x)
    qkv = _projected(ops, x)
    weights = ops.row_softmax(ops.channel_range(qkv, 0, 1))
    context = ops.row_sum(ops.multiply(ops.channel_range(qkv, 1, 1 + width), weights))
    value = ops.activation(ops.channel_range(qkv, 1 + width, 1 + 2 * width), "relu")
    return ops.conv(ops.multiply(value, context), width, 1, init="small")


def _attention_in_place(ops: Any, x: Any) -> Any:
    """Of [1, H, W, C]: the four places of a 2x2 square as channels, means instead of sums."""
    width = ops.channels(x)
    qkv = _projected(ops, x)
    query = ops.space_to_depth(ops.channel_range(qkv, 0, 1), 2)
    # Softmax over all pixels is exp(q) / sum(exp(q)); the largest q is taken off first.
    weights = ops.exp(ops.subtract(query, ops.global_max(query)))
    weights = ops.fixed_mix(weights, _repeated(4, width))
    key = ops.space_to_depth(ops.channel_range(qkv, 1, 1 + width), 2)
    total = ops.global_average(weights)
    context = ops.divide(ops.global_average(ops.multiply(key, weights)), total)
    value = ops.activation(ops.channel_range(qkv, 1 + width, 1 + 2 * width), "relu")
    y = ops.multiply(ops.space_to_depth(value, 2), context)
    return ops.conv(ops.depth_to_space(y, 2), width, 1, init="small")


def _repeated(places: int, times: int) -> tuple[tuple[float, ...], ...]:
    """Each of `places` channels `times` over, as SPACE_TO_DEPTH orders them."""
    return tuple(
        tuple(1.0 if source == place else 0.0 for place in range(places) for _ in range(times))
        for source in range(places)
    )


@FEATURES.register("inverted")
def inverted(ops: Any, x: Any, width: int, activation: Activation) -> Any:
    """MobileNetV2's inverted residual; swish whatever the activation."""
    return inverted_residual(ops, x, width)


def _mobilevit(ops: Any, x: Any, activation: Activation) -> Any:
    return mobilevit_v2(ops, x, ops.channels(x), 1)


FEATURES.add("mobilevit", projected(_mobilevit))
