"""Up-sampling: H and W double, `width` channels come out, no activation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from spaces.registry import Registry

from .wavelet import haar_idwt

Up = Callable[[Any, Any, int], Any]
"""(ops, x, width) -> y"""

UP: Registry[Up] = Registry("up-sampling")


@UP.register("transposed")
def transposed(ops: Any, x: Any, width: int) -> Any:
    """2x2 transposed convolution of stride 2."""
    return ops.transposed_conv(x, width)


@UP.register("resize_conv")
def resize_conv(ops: Any, x: Any, width: int) -> Any:
    """1x1 convolution, then bilinear resize.

    The two commute, and the convolution is four times cheaper before the resize.
    """
    return ops.resize(ops.conv(x, width, 1), 2, "bilinear")


@UP.register("depth_to_space")
def depth_to_space(ops: Any, x: Any, width: int) -> Any:
    """1x1 convolution to 4 x width channels, then channels to pixels (sub-pixel convolution)."""
    return ops.depth_to_space(ops.conv(x, 4 * width, 1), 2)


@UP.register("haar")
def haar(ops: Any, x: Any, width: int) -> Any:
    """1x1 convolution to the four Haar bands of `width` channels, then the inverse transform."""
    return haar_idwt(ops, ops.conv(x, 4 * width, 1))
