"""How well a kernel fills the GPU: its grid, work-group, waves, and rounds of waves.

A GPU runs a fixed number of waves at a time. A kernel with a few more waves than
fit takes another whole round, and a work-group that does not fill its waves leaves
lanes idle: of two 1x1 convolutions with 1296 and 1432 output channels, an Adreno 640
took 0.15 and 1.90 ms, because 1432 / 8 = 179 is prime and the work-group then holds
8 items in a wave of 128.

Work-groups are those the delegate takes by default (fast tuning): after
`GetWorkGroup` and `GetWorkGroupConv` in `delegates/gpu/common/task/work_group_picking.cc`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .gpu import Gpu
from .kernel import Kernel, bhwc, slices
from .select_conv import Block, conv_block

_MAX_GROUP_ITEMS = 256
_CONVOLUTIONS = frozenset({"conv_generic", "conv_grouped"})
_ALL_CHANNELS_PER_ITEM = frozenset({"conv_constants", "concat_aligned", "concat_unaligned"})

# (items of a wave, waves a compute unit holds, deepest convolution work-group). Adreno's wave is
# the profile's own. The waves in flight are read off the steps in measured 1x1 convolutions: an
# Adreno 640 takes 2048 items (2 units of 8 waves of 128) in one round. Mali's are the best of five
# tried on held-out networks of a Mali-G76; PowerVR's and Apple's are assumed.
_WAVES = {"adreno": (0, 8, 64), "mali": (16, 16, 16), "powervr": (32, 8, 16), "apple": (32, 32, 16)}


@dataclass(frozen=True, slots=True)
class Occupancy:
    """The launch of one kernel.

    `grid`, `group`: work-items (x, y, slices) in all and in a work-group.
    `waves`: of all work-groups. `rounds`: how often the GPU is filled with them.
    `slots`: items the whole GPU holds at once.
    """

    grid: Block
    group: Block
    waves: int
    rounds: int
    slots: int
    wave_items: int

    @property
    def lanes_used(self) -> float:
        """Share of the waves' lanes that compute something, in (0, 1]."""
        return math.prod(self.grid) / (self.waves * self.wave_items)


def occupancy(kernel: Kernel, gpu: Gpu) -> Occupancy:
    """How `kernel` is launched on `gpu`."""
    wave, in_flight, max_depth = _WAVES.get(gpu.family, (32, 8, 16))
    wave = wave or gpu.wave_size
    grid = _grid(kernel, gpu)
    if kernel.kind in _CONVOLUTIONS or kernel.kind == "winograd_matmul":
        group = _convolution_group(grid, max_depth)
    elif kernel.kind == "fully_connected":
        group = (32, 4, 1)
    elif kernel.kind == "reduce":
        group = (_MAX_GROUP_ITEMS, 1, 1)
    else:
        group = _group(grid)
    groups = math.prod(-(-size // part) for size, part in zip(grid, group, strict=True))
    waves_per_group = -(-math.prod(group) // wave)
    slots = gpu.compute_units * in_flight
    at_once = max(slots // waves_per_group, 1)
    return Occupancy(
        grid, group, groups * waves_per_group, -(-groups // at_once), slots * wave, wave
    )


def _grid(kernel: Kernel, gpu: Gpu) -> Block:
    n, h, w, c = bhwc(kernel.output_shape)
    width, depth = w * n, slices(c)
    if kernel.kind in _CONVOLUTIONS:
        bx, by, bz = conv_block((n, h, w, c), kernel.taps, gpu)
        return -(-width // bx), -(-h // by), -(-depth // bz)
    if kernel.kind == "winograd_matmul":  # 1 x 36 x tiles x channels, four tiles by two slices
        return -(-w // 4), h, -(-depth // 2)
    if kernel.kind == "depthwise_3x3":
        return -(-width // 2), -(-h // 2), depth
    if kernel.kind in _ALL_CHANNELS_PER_ITEM:
        return width, h, 1
    if kernel.kind == "fully_connected":
        return 32, 4, depth
    if kernel.kind == "reduce":
        return _MAX_GROUP_ITEMS, 1, depth
    return width, h, depth


def _convolution_group(grid: Block, max_depth: int) -> Block:
    """Deep in slices first: neighbouring items then read the same source texels."""
    z = _largest_divisor(grid[2], max_depth)
    in_plane = max(_MAX_GROUP_ITEMS // z, 1)
    x = min(grid[0], in_plane)
    y = min(in_plane // x, grid[1])
    if y == grid[1] and y % 2 == 0:
        y //= 2
    return x, max(y, 1), z


def _group(grid: Block) -> Block:
    depth = grid[2]
    z = next((size for size in (8, 4, 2) if depth % size == 0), 0) or _largest_divisor(depth, 8)
    in_plane = _MAX_GROUP_ITEMS // z
    x = min(-(-grid[0] // 2), in_plane)
    return x, max(min(in_plane // x, grid[1]), 1), z


def _largest_divisor(number: int, limit: int) -> int:
    return next(size for size in range(min(number, limit), 0, -1) if number % size == 0)
