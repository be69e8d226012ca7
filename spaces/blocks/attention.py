"""Attention: [1, H, W, C] -> [1, H, W, C].

What is registered multiplies every value by a gate between 0 and 1, but for `NOT_GATES`.

Where several of them look at one tensor, its channels' means can be given as `mean`: the
converter would compute them once, and so should the trace.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from spaces.ops.protocol import Activation
from spaces.registry import Registry

Attention = Callable[[Any, Any], Any]
"""(ops, x) -> y"""

ATTENTION: Registry[Attention] = Registry("attention block")

NOT_GATES = ("csa", "sca")
"""Of `ATTENTION`: "csa" mixes channels behind its gates, the factors of "sca" are not bounded."""


def channel_attention(
    ops: Any,
    x: Any,
    *,
    reduction: int = 4,
    activation: Activation = "relu",
    bias: bool = True,
    mean: Any = None,
) -> Any:
    """Squeeze-and-excitation: global mean, 1x1 to C/reduction, 1x1 to C, sigmoid, multiply.

    Hu et al., CVPR 2018; the reduction of 4 is the one with which the rebuilt
    ENERZAi track-1 entry has its published file size. CSANet and ZJUT-Vision leave the biases out.
    """
    channels = ops.channels(x)
    mean = ops.global_average(x) if mean is None else mean
    gate = ops.conv(mean, max(1, channels // reduction), 1, bias=bias, init="random")
    gate = ops.conv(ops.activation(gate, activation), channels, 1, bias=bias, init="random")
    return ops.multiply(x, ops.activation(gate, "sigmoid"))


def channel_spatial_attention(ops: Any, x: Any) -> Any:
    """Gates of channels beside gates of pixels (5x5 depthwise of dilation 2), mixed by a 1x1.

    CSANet, Hsyu et al., CVPR workshops 2021; one channel path with means only, reduction 4, as
    the rebuilt HITZST01 has its published size with.
    """
    width = ops.channels(x)
    by_channel = channel_attention(ops, x, bias=False)
    gate = ops.conv(ops.dilated_depthwise(x, 5, dilation=2), width, 1)
    by_pixel = ops.multiply(x, ops.activation(gate, "sigmoid"))
    return ops.conv(ops.concat([by_channel, by_pixel]), width, 1)


def efficient_channel_attention(ops: Any, x: Any, *, kernel: int = 3, mean: Any = None) -> Any:
    """Gates from each channel's mean and its neighbours', `kernel` weights in all.

    ECA-Net, Wang et al., CVPR 2020.
    """
    mean = ops.global_average(x) if mean is None else mean
    return ops.multiply(x, ops.channel_gates(mean, kernel))


def spatial_attention(ops: Any, x: Any) -> Any:
    """One gate a pixel, from the mean and the maximum of its channels by a 7x7: CBAM's second half.

    Woo et al., ECCV 2018.
    """
    pooled = ops.concat([ops.channel_mean(x), ops.channel_max(x)])
    gate = ops.conv(pooled, 1, 7, bias=False)
    return ops.multiply(x, ops.activation(gate, "sigmoid"))


def cbam(ops: Any, x: Any, *, reduction: int = 8, mean: Any = None) -> Any:
    """Gates of channels from their mean and maximum, then gates of pixels. Woo et al., ECCV 2018.

    The two perceptrons do not share their weights, as they do in the paper: layers here are
    used once.
    """
    mean = ops.global_average(x) if mean is None else mean
    gates = [_perceptron(ops, pooled, reduction) for pooled in (mean, ops.global_max(x))]
    return spatial_attention(ops, ops.multiply(x, ops.activation(ops.add(*gates), "sigmoid")))


def self_attention(ops: Any, x: Any) -> Any:
    """The input plus a learned share of what all other pixels hold, weighed by likeness.

    SAGAN, Zhang et al., ICML 2019; the share starts small. (H W)^2 scores: for small images.
    """
    width = ops.channels(x)
    narrow = max(1, width // 8)
    query, key, value = (ops.conv(x, w, 1) for w in (narrow, narrow, width))
    return ops.add(ops.attend(query, key, value), x)


def _perceptron(ops: Any, x: Any, reduction: int) -> Any:
    hidden = ops.conv(x, max(1, ops.channels(x) // reduction), 1, init="random")
    return ops.conv(ops.activation(hidden, "relu"), ops.channels(x), 1, init="random")


ATTENTION.add("channel", channel_attention)
ATTENTION.add("eca", efficient_channel_attention)
ATTENTION.add("spatial", spatial_attention)
ATTENTION.add("cbam", cbam)
ATTENTION.add("csa", channel_spatial_attention)
