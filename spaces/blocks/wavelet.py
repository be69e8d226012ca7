"""Haar wavelets in ops that the GPU delegate takes: SPACE_TO_DEPTH and a fixed 1x1 convolution."""

from __future__ import annotations

from typing import Any

_HAAR = ((1, 1, 1, 1), (1, 1, -1, -1), (1, -1, 1, -1), (1, -1, -1, 1))
"""Bands (low, vertical, horizontal and diagonal detail) over the pixels of a 2x2 square, doubled:
each row has length two, so that half of it is orthonormal and its transpose the inverse."""


def haar_dwt(ops: Any, x: Any) -> Any:
    """[N, H, W, C] -> [N, H/2, W/2, 4 C]: the four bands one after the other, C channels each."""
    matrix = _per_channel(ops.channels(x))
    return ops.fixed_mix(ops.space_to_depth(x, 2), matrix)


def haar_idwt(ops: Any, x: Any) -> Any:
    """Inverse of `haar_dwt`: [N, H, W, 4 C] -> [N, 2 H, 2 W, C]."""
    matrix = _per_channel(ops.channels(x) // 4)
    return ops.depth_to_space(ops.fixed_mix(x, tuple(zip(*matrix, strict=True))), 2)


def _per_channel(channels: int) -> tuple[tuple[float, ...], ...]:
    """A row for each (pixel, channel) of SPACE_TO_DEPTH, a column for each (band, channel)."""
    return tuple(
        tuple(
            _HAAR[band][pixel] / 2 if source == target else 0.0
            for band in range(4)
            for target in range(channels)
        )
        for pixel in range(4)
        for source in range(channels)
    )
