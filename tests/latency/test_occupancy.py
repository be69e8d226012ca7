"""Grids, work-groups and rounds of waves."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from latency_graphs import ADRENO_640, ADRENO_730, MALI_G76, MALI_G78, GraphBuilder

from latency import lower
from latency.kernel import CONVERSIONS
from latency.occupancy import occupancy


def conv_kernel(gpu, size, channels_in, channels_out, kernel=1):
    b = GraphBuilder((1, size, size, channels_in))
    (found,) = [
        k
        for k in lower(b.graph(b.conv(0, channels_out, kernel)), gpu).kernels
        if k.kind not in CONVERSIONS
    ]
    return found


def test_a_prime_number_of_slices_leaves_most_lanes_idle():
    """1432 channels took an Adreno 640 twelve times as long as 1296 (2.0 ms, 0.15 ms)."""
    good = occupancy(conv_kernel(ADRENO_640, 7, 216, 1296), ADRENO_640)
    bad = occupancy(conv_kernel(ADRENO_640, 7, 360, 1432), ADRENO_640)
    assert bad.grid == (4, 4, 179)
    assert bad.group[2] == 1
    assert bad.lanes_used < 0.1 < 0.6 < good.lanes_used
    assert bad.rounds > 8 * good.rounds


def test_one_slice_more_than_fits_takes_another_round():
    """Measured: 1024 channels at 7x7 run at 280 GFLOPS, 1152 at 160, 2048 at 287 again."""
    rounds = [occupancy(conv_kernel(ADRENO_640, 7, 512, c), ADRENO_640).rounds
              for c in (1024, 1152, 2048)]  # fmt: skip
    assert rounds == [1, 2, 2]


def test_more_compute_units_take_fewer_rounds():
    few = occupancy(conv_kernel(ADRENO_640, 112, 64, 64, 3), ADRENO_640)
    many = occupancy(conv_kernel(ADRENO_730, 112, 64, 64, 3), ADRENO_730)
    assert many.rounds < few.rounds
    assert many.slots == 2 * few.slots


@pytest.mark.parametrize("gpu", [ADRENO_640, ADRENO_730, MALI_G76, MALI_G78], ids=str)
@given(
    size=st.integers(1, 300),
    channels=st.integers(1, 600),
    kernel=st.sampled_from([1, 3, 5]),
)
def test_every_launch_covers_its_grid(gpu, size, channels, kernel):
    b = GraphBuilder((1, size, size, 16))
    for found in lower(b.graph(b.conv(0, channels, kernel)), gpu).kernels:
        launch = occupancy(found, gpu)
        assert math.prod(launch.group) <= 256
        assert 0 < launch.lanes_used <= 1
        assert launch.rounds >= 1
        # All rounds together hold all work-items.
        assert launch.rounds * launch.slots * 2 > math.prod(launch.grid)
