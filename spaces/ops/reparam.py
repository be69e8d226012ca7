"""Re-parameterised convolutions: several branches in training, one convolution when deployed.

All are linear once the statistics of their batch normalisations stand still, so the branches
add up to one kernel and one bias. Each layer says what they are; `KerasOps.conv` makes the
layers and `Network.deployed` replaces them. They start near a convolution that passes its
input through, as all others here do; but RepVGG, whose normalisations forbid it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from .initializers import passing_through
from .layers import constant_like

Merged = tuple[np.ndarray, np.ndarray]
"""Kernel [k, k, in, out] and bias [out]."""


_SHARE_OF_OTHERS = 0.1
"""Of the usual deviation: how much the branches beside the largest one add at the start."""


class Reparameterised(keras.layers.Layer):  # type: ignore[misc]
    """What all have in common. `kernel`: side of the merged kernel, odd."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.channels, self.kernel = channels, kernel

    def merged(self) -> Merged:
        """The one convolution (stride 1, zero padding) that this layer is at inference."""
        raise NotImplementedError

    def deployed(self) -> keras.layers.Conv2D:
        """That convolution as a layer."""
        kernel, bias = self.merged()
        layer = keras.layers.Conv2D(self.channels, self.kernel, padding="same")
        layer.build((None, None, None, kernel.shape[2]))
        layer.set_weights([kernel, bias])
        return layer


class ERepConv(Reparameterised):
    """SYENet's eRepConv: convolutions of every smaller size, each plain and with batch
    normalisation, to `expansion` times the channels; concatenated, then a 1x1.

    Gou et al., ICCV 2023: ten branches of 5x5, 1x1, 3x3, 3x1 and 1x3 for a 5x5, eight for a 3x3,
    two for a 1x1. Every branch pads the same input with zeros, which keeps the merge exact.
    """

    def __init__(self, channels: int, kernel: int, expansion: int = 4) -> None:
        super().__init__(channels, kernel)
        sizes = [(kernel, kernel)] if kernel > 3 else []
        sizes += [(3, 3), (1, 1), (3, 1), (1, 3)] if kernel >= 3 else [(1, 1)]
        wide = channels * expansion
        self.plain = [_conv(wide, size) for size in sizes]
        self.plain[0].kernel_initializer = self._widened_start
        self.normalised = [_conv(wide, size) for size in sizes]
        self.norms = [_norm() for _ in sizes]
        self.mix = _conv(channels, (1, 1))
        self.mix.kernel_initializer = self._selecting_start

    def build(self, input_shape: Any) -> None:
        """Make the weights, here and not in the first call, whose tensors may be symbolic."""
        for conv in (*self.plain, *self.normalised):
            conv.build(input_shape)
        wide = self.plain[0].filters
        for norm in self.norms:
            norm.build((*input_shape[:-1], wide))
        self.mix.build((*input_shape[:-1], 2 * len(self.plain) * wide))

    def _widened_start(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        """The usual start in the first channels of the largest branch."""
        start = np.array(keras.initializers.HeNormal()(shape))
        start[..., : self.channels] = np.array(passing_through((*shape[:3], self.channels)))
        return keras.ops.convert_to_tensor(start, dtype=dtype)

    def _selecting_start(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        """Those channels, and little of all others."""
        start = _SHARE_OF_OTHERS * np.array(keras.initializers.HeNormal()(shape))
        start[0, 0, : self.channels] = np.eye(self.channels)
        return keras.ops.convert_to_tensor(start, dtype=dtype)

    def call(self, x: Any) -> Any:
        """The branches, concatenated and mixed."""
        normalised = [norm(conv(x)) for conv, norm in zip(self.normalised, self.norms, strict=True)]
        outputs = [*(conv(x) for conv in self.plain), *normalised]
        return self.mix(keras.ops.concatenate(outputs, axis=-1))

    def merged(self) -> Merged:
        """See `Reparameterised.merged`."""
        parts = [_weights(conv, self.kernel) for conv in self.plain]
        parts += [
            _normalised(_weights(conv, self.kernel), norm)
            for conv, norm in zip(self.normalised, self.norms, strict=True)
        ]
        kernel = np.concatenate([part[0] for part in parts], axis=-1)
        bias = np.concatenate([part[1] for part in parts])
        mix, mix_bias = (np.array(w) for w in self.mix.get_weights())
        return kernel @ mix[0, 0], bias @ mix[0, 0] + mix_bias


class RepVgg(Reparameterised):
    """RepVGG: kxk, 1x1 and, where the channels stay, identity, each with batch normalisation.

    Ding et al., CVPR 2021.
    """

    def build(self, input_shape: Any) -> None:
        """Decide whether there is an identity branch."""
        sizes = [(self.kernel, self.kernel)] + [(1, 1)] * (self.kernel > 1)
        self.convs = [_conv(self.channels, size, bias=False) for size in sizes]
        self.has_identity = input_shape[-1] == self.channels
        self.norms = [_norm() for _ in range(len(sizes) + self.has_identity)]
        for conv in self.convs:
            conv.build(input_shape)
        for norm in self.norms:
            norm.build((*input_shape[:-1], self.channels))

    def call(self, x: Any) -> Any:
        """The sum of the branches."""
        inputs = [conv(x) for conv in self.convs] + [x] * self.has_identity
        return sum(norm(y) for norm, y in zip(self.norms, inputs, strict=True))

    def merged(self) -> Merged:
        """See `Reparameterised.merged`."""
        branches = [_weights(conv, self.kernel) for conv in self.convs]
        if self.has_identity:
            branches.append((_identity(self.channels, self.kernel), np.zeros(self.channels)))
        parts = [_normalised(b, norm) for b, norm in zip(branches, self.norms, strict=True)]
        return _sum(parts)


class EdgeOriented(Reparameterised):
    """ECB of ECBSR: 3x3; 1x1 then 3x3; and 1x1 then scaled Sobel x, Sobel y and Laplacian; and
    identity where the channels stay.

    Zhang et al., ACM MM 2021. What a 1x1 makes is padded with its bias, which is what it would
    be outside the image: only then is the merge exact.
    """

    expansion = 2

    def build(self, input_shape: Any) -> None:
        """Make the branches of a 3x3."""
        if self.kernel != 3:
            raise ValueError(f"an edge-oriented block is 3x3, not {self.kernel}x{self.kernel}")
        channels = self.channels
        self.main = _conv(channels, (3, 3))
        if input_shape[-1] != channels:  # else the identity passes the input through
            self.main.kernel_initializer = passing_through
        self.wide = _conv(channels * self.expansion, (1, 1))
        little = keras.initializers.VarianceScaling(2.0 * _SHARE_OF_OTHERS**2)
        self.narrow = keras.layers.Conv2D(channels, 3, padding="valid", kernel_initializer=little)
        self.squeezes = [_conv(channels, (1, 1)) for _ in _FILTERS]
        small = keras.initializers.RandomNormal(stddev=1e-3)
        self.scales = [self.add_weight(shape=(channels,), initializer=small) for _ in _FILTERS]
        self.shifts = [self.add_weight(shape=(channels,), initializer="zeros") for _ in _FILTERS]
        self.has_identity = input_shape[-1] == channels
        for conv in (self.main, self.wide, *self.squeezes):
            conv.build(input_shape)
        self.narrow.build((*input_shape[:-1], channels * self.expansion))

    def call(self, x: Any) -> Any:
        """The sum of the branches."""
        y = self.main(x) + self.narrow(_padded_with_bias(self.wide, x))
        for squeeze, scale, shift, taps in self._filters():
            kernel = constant_like(x, np.repeat(taps[:, :, None, None], self.channels, axis=2))
            z = keras.ops.depthwise_conv(_padded_with_bias(squeeze, x), kernel, padding="valid")
            y = y + z * scale + shift
        return y + x if self.has_identity else y

    def merged(self) -> Merged:
        """See `Reparameterised.merged`."""
        parts = [_weights(self.main, 3)]
        parts += [_in_sequence(self.wide, *map(np.array, self.narrow.get_weights()))]
        for squeeze, scale, shift, taps in self._filters():
            # One filter for each channel by itself.
            second = taps[:, :, None, None] * np.diag(scale.numpy())
            parts.append(_in_sequence(squeeze, second, shift.numpy()))
        if self.has_identity:
            parts.append((_identity(self.channels, 3), np.zeros(self.channels)))
        return _sum(parts)

    def _filters(self) -> Any:
        return zip(self.squeezes, self.scales, self.shifts, _FILTERS, strict=True)


_SOBEL = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]], np.float32)
_FILTERS = (_SOBEL, _SOBEL.T, np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]], np.float32))

REPARAMETERISED: dict[str, Callable[[int, int], Reparameterised]] = {
    "erep": ERepConv,
    "repvgg": RepVgg,
    "ecb": EdgeOriented,
}
"""By the name that `Ops.conv` takes as `branches`: (channels, kernel) -> layer."""


def _conv(channels: int, size: tuple[int, int], bias: bool = True) -> keras.layers.Conv2D:
    return keras.layers.Conv2D(
        channels, size, padding="same", use_bias=bias, kernel_initializer="he_normal"
    )


def _norm() -> keras.layers.BatchNormalization:
    # Statistics that follow within a brief training, as fast as PyTorch's.
    return keras.layers.BatchNormalization(momentum=0.9)


def _weights(conv: keras.layers.Conv2D, side: int) -> Merged:
    """Kernel of a convolution in the middle of `side` x `side` zeros, and its bias."""
    kernel, *bias = (np.array(w) for w in conv.get_weights())
    rows, columns = ((side - size) // 2 for size in kernel.shape[:2])
    kernel = np.pad(kernel, ((rows, rows), (columns, columns), (0, 0), (0, 0)))
    return kernel, bias[0] if bias else np.zeros(kernel.shape[-1], np.float32)


def _normalised(branch: Merged, norm: keras.layers.BatchNormalization) -> Merged:
    """A branch and the batch normalisation behind it, whose statistics stand still."""
    gamma, beta, mean, variance = (np.array(w) for w in norm.get_weights())
    scale = gamma / np.sqrt(variance + norm.epsilon)
    return branch[0] * scale, (branch[1] - mean) * scale + beta


def _sum(branches: Sequence[Merged]) -> Merged:
    """Branches side by side, added up."""
    kernels, biases = zip(*branches, strict=True)
    return np.sum(kernels, axis=0), np.sum(biases, axis=0)


def _in_sequence(first: keras.layers.Conv2D, kernel: np.ndarray, bias: np.ndarray) -> Merged:
    """A 1x1 convolution, then one of `kernel` and `bias`."""
    mix, first_bias = (np.array(w) for w in first.get_weights())
    return np.einsum("im,hwmo->hwio", mix[0, 0], kernel), first_bias @ kernel.sum((0, 1)) + bias


def _padded_with_bias(conv: keras.layers.Conv2D, x: Any) -> Any:
    """A 1x1 convolution of an image with one more pixel of zeros on every side."""
    return conv(keras.ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))))


def _identity(channels: int, side: int) -> np.ndarray:
    kernel = np.zeros((side, side, channels, channels), np.float32)
    kernel[side // 2, side // 2] = np.eye(channels)
    return kernel
