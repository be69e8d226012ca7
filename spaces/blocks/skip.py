"""Skip connections from an encoder level to the decoder level of the same size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from spaces.registry import Registry

Skip = Callable[[Any, Any, Any], Any]
"""(ops, decoder, encoder) -> y; both inputs have the same H and W"""

SKIP: Registry[Skip] = Registry("skip connection")


@SKIP.register("add")
def add(ops: Any, decoder: Any, encoder: Any) -> Any:
    """Sum; free on the GPU delegate, which fuses it into the up-sampling before it."""
    return ops.add(decoder, encoder)


@SKIP.register("concat")
def concat(ops: Any, decoder: Any, encoder: Any) -> Any:
    """Concatenation along the channels: a kernel of its own and a wider convolution after it."""
    return ops.concat([decoder, encoder])


@SKIP.register("none")
def none(ops: Any, decoder: Any, encoder: Any) -> Any:
    """No connection."""
    return decoder
