"""What the time of a kernel is priced by, and what its correction depends on."""

from __future__ import annotations

import math

from .kernel import Kernel, padded
from .occupancy import Occupancy

PRICES = ("launch", "gmac", "issued_gmac", "read_gbyte", "write_gbyte", "weight_gbyte", "kilowave")
"""What the physical part prices, in ms per unit."""

SHAPE = (
    "log_macs", "log_read", "log_write", "log_weights", "log_depth", "log_pixels", "channels",
    "height", "fused", "taps", "stride", "groups", "log_waves", "log_rounds", "log_group",
    "last_round", "log_issued", "lanes_used", "grid_depth", "group_depth", "group_width",
)  # fmt: skip
"""What the correction depends on; logarithms are base 2."""


def physical_quantities(kernel: Kernel, launch: Occupancy) -> tuple[float, ...]:
    """The quantities that `PRICES` price, of a kernel launched so."""
    macs_per_item = kernel.padded_macs / math.prod(launch.grid)
    return (
        1.0,
        kernel.padded_macs / 1e9,
        macs_per_item * launch.rounds * launch.slots / 1e9,
        kernel.read_bytes / 1e9,
        kernel.write_bytes / 1e9,
        kernel.weight_bytes / 1e9,
        launch.waves / 1e3,
    )


def shape_features(kernel: Kernel, launch: Occupancy) -> tuple[float, ...]:
    """The values of `SHAPE` for a kernel launched so."""
    *image, channels = kernel.output_shape or (1,)
    pixels = math.prod(image)
    depth = kernel.padded_macs / (pixels * padded(channels) * kernel.taps)
    source = kernel.input_shape or (1,)
    groups = 1.0
    if kernel.kind == "conv_grouped":
        groups = padded(source[-1]) / max(depth, 1)
    macs_per_item = kernel.padded_macs / math.prod(launch.grid)
    waves_at_once = launch.slots // launch.wave_items
    return (
        _log(kernel.padded_macs),
        _log(kernel.read_bytes),
        _log(kernel.write_bytes),
        _log(kernel.weight_bytes),
        _log(depth or source[-1]),
        _log(pixels),
        channels,
        image[1] if len(image) > 1 else 1,
        len(kernel.chain),
        kernel.taps,
        _stride(kernel),
        groups,
        _log(launch.waves),
        _log(launch.rounds),
        _log(math.prod(launch.group)),
        launch.waves / waves_at_once / launch.rounds,
        _log(macs_per_item * launch.rounds),
        launch.lanes_used,
        launch.grid[2],
        launch.group[2],
        launch.group[0],
    )


def _log(value: float) -> float:
    return math.log2(value + 1)


def _stride(kernel: Kernel) -> float:
    source, out = kernel.input_shape, kernel.output_shape
    if len(source) != 4 or len(out) != 4 or kernel.kind == "reduce":
        return 1.0
    return max(round(source[1] / max(out[1], 1)), 1)
