"""A frame in tiles is the frame in one piece, by LiteRT, for files of real conversions."""

import numpy as np
import pytest
from bundles import random_network

from latency.receptive_field import locality
from search.errors import UserError
from search.export.conversion.convert import convert
from search.export.conversion.signature import run_tflite
from search.render.engine import plan, render
from search.render.frame import Frame
from spaces import SPACES
from spaces.ops.trace import trace

ROUNDING = 1e-4
"""Of a mean that is taken in another order, relative to the picture's range."""
TILE = (48, 64)


def frame_of(pixels):
    return Frame(pixels, lambda stored: stored)


def noise(size, channels, seed=0):
    return frame_of(np.random.default_rng(seed).random((*size, channels), np.float32))


def tiled(how, frame):
    return np.concatenate(list(render(how, frame)))


def in_one_piece(model, how, frame, own):
    """By a conversion of its own, for the frame's size or the next that the network can halve."""
    size = [n + (o - n) % s for n, o, s in zip(frame.size, own, how.found.step, strict=True)]
    file = convert(model, (*size, frame.pixels.shape[-1]))
    (picture,) = run_tflite(file)(frame.window((0, 0), tuple(size)))
    rows, columns = (how.scale * side for side in frame.size)
    return picture[:rows, :columns]


def check(network, channels, frame_size=None, seed=0, tile=TILE):
    model = random_network(network, channels, seed)
    file = convert(model, (*tile, channels))
    rng = np.random.default_rng(seed)
    if frame_size is None:
        needed = plan(file, (10_000, 10_000)).layout.size
        frame_size = tuple(int(side + rng.integers(1, side)) for side in needed)
    frame = noise(frame_size, channels, seed)
    how = plan(file, frame_size)
    found, expected = tiled(how, frame), in_one_piece(model, how, frame, tile)
    if how.pools:
        error = np.abs(found - expected) / np.ptp(expected)
        # A power has no bounded slope near zero: there a rounding of the input does as much.
        # A seam would be a row or column of errors, a hundred times as many.
        assert np.mean(error > ROUNDING) < 2e-5
        assert error.max() < 10 * ROUNDING
    else:
        np.testing.assert_array_equal(found, expected)
    return how


def small_sample(space, rng):
    """An architecture that two conversions and a dozen tiles cost little of."""
    while True:
        architecture = space.sample(rng)
        graph = trace(space.bind(architecture), (128, 128, space.input_channels))
        reach = locality(graph).spans[graph.outputs[0]][0]
        lost = 128 - (reach.high - reach.low) / reach.scale
        if graph.macs < 40e6 and lost < 80 and len(graph.ops) < 80:
            return architecture


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", list(SPACES))
def test_random_architectures_at_random_sizes(name, seed):
    space = SPACES[name]
    architecture = small_sample(space, np.random.default_rng([seed, len(name)]))
    how = check(space.bind(architecture), space.input_channels, seed=seed)
    assert how.layout.count > 1


def everything(ops, x):
    """All that has a rule of its own, once."""
    y = ops.activation(ops.conv(x, 8, 5, stride=2), "prelu")
    y = ops.depthwise(ops.reflect_pad(y, 1), 3)
    y = ops.conv(y, 8, 3, padding="valid")
    y = ops.dilated_depthwise(y, 3, dilation=2)
    y = ops.resize(ops.max_pool(y), 2, "bilinear")
    y = ops.transposed_conv(y, 4, 4)
    y = ops.add(y, ops.resize(ops.average_pool(x), 2, "nearest"))
    y = ops.depth_to_space(ops.space_to_depth(y, 2), 2)
    y = ops.multiply(y, ops.activation(ops.channel_mean(y), "sigmoid"))
    y = ops.concat([ops.channel_range(y, 0, 2), ops.layer_norm(y)])
    return ops.depth_to_space(ops.conv(y, 12, 3), 2)


@pytest.mark.parametrize("size", [(96, 130), (101, 64), (49, 65)])
def test_every_op_with_a_reach(size):
    check(everything, 4, size)


@pytest.mark.parametrize("size", [(10, 21), (9, 8), (5, 5), (3, 1)])
def test_tiles_agree_on_what_is_mirrored_beyond_the_end(size):
    """The last tile has fewer pixels of the frame than it has to mirror."""

    def shuffled(ops, x):
        return ops.depth_to_space(ops.conv(ops.space_to_depth(x, 4), 48, 1), 4)

    check(shuffled, 4, size, tile=(4, 4))


def gated(ops, x):
    """Gates of gates: the second mean is of what the first one made."""
    for _ in range(2):
        x = ops.instance_norm(ops.conv(x, 8, 3))
        x = ops.multiply(x, ops.activation(ops.conv(ops.global_average(x), 8, 1), "sigmoid"))
        x = ops.multiply(x, ops.activation(ops.global_max(x), "sigmoid"))
    return ops.conv(x, 3, 3)


def test_means_over_the_frame_are_of_all_tiles():
    how = check(gated, 4, (100, 150))
    # A norm has two means, then there are the gates' mean and maximum, twice all of it.
    assert (how.passes, len(how.pools)) == (9, 8)
    assert how.layout.count > 1


def test_a_frame_that_fits_is_run_whole():
    how = check(gated, 4, TILE)
    assert (how.layout.count, how.passes) == (1, 1)
    # The same file for a smaller frame: nothing is added to it.
    how = check(everything, 4, (24, 40))
    assert how.layout.size == (24, 40)


def test_tiles_are_only_as_many_and_as_large_as_need_be():
    file = convert(random_network(lambda ops, x: ops.conv(x, 3), 4), (48, 64, 4))
    how = plan(file, (200, 100))
    assert how.layout.size == (42, 51)
    assert len(how.layout.rows.origins) == 5
    assert how.layout.columns.origins == (0, 49)
    assert (how.layout.rows.overlap, how.layout.columns.overlap) == (2, 2)
    assert plan(file, (200, 100), (100, 100)).layout.count == 3


def test_a_network_that_sees_far_gets_larger_tiles():
    file = convert(random_network(lambda ops, x: ops.conv(x, 3, 41), 4), (8, 8, 4))
    how = plan(file, (1000, 1000))
    assert how.layout.rows.overlap == 40
    assert min(how.layout.size) > 60


def test_what_is_kept_of_a_tile_is_all_that_the_cut_leaves():
    """Tight: one pixel nearer to the cut is another value than in the frame."""

    def network(ops, x):
        y = ops.activation(ops.conv(x, 8, 5, stride=2), "prelu")
        y = ops.resize(ops.average_pool(ops.depthwise(y, 3)), 2, "bilinear")
        y = ops.transposed_conv(ops.conv(y, 8, 3), 4, 4)
        return ops.depth_to_space(ops.conv(y, 12, 3), 2)

    model = random_network(network, 4)
    frame = noise((144, 64), 4)
    whole = run_tflite(convert(model, (144, 64, 4)))(frame.window((0, 0), (144, 64)))[0]
    file = convert(model, (*TILE, 4))
    tile = run_tflite(file)(frame.window((48, 0), TILE))[0]
    how = plan(file, TILE)
    rows, _ = how.found.spans[how.output]
    same = np.all(tile == whole[96 : 96 + len(tile)], axis=(1, 2))
    assert np.flatnonzero(same).tolist() == list(range(rows.low, rows.high))


def test_a_network_that_sees_everything_runs_on_its_own_size_only():
    def attention(ops, x):
        return ops.conv(ops.attend(x, x, ops.conv(x, 4, 1)), 3, 1)

    model = random_network(attention, 4)
    file = convert(model, (8, 12, 4))
    frame = noise((8, 12), 4)
    expected = run_tflite(file)(frame.window((0, 0), (8, 12)))[0]
    np.testing.assert_array_equal(tiled(plan(file, (8, 12)), frame), expected)
    with pytest.raises(UserError, match=r"op \d+ \w+ looks at the whole frame.*must be 8 x 12 "):
        plan(file, (8, 13))


def test_half_precision_weights_stay_as_they_are():
    model = random_network(gated, 4)
    file = convert(model, (*TILE, 4), "fp16")
    frame = noise((70, 90), 4)
    how = plan(file, (70, 90))
    expected = in_one_piece(model, how, frame, TILE)
    np.testing.assert_allclose(tiled(how, frame), expected, atol=2e-2 * np.ptp(expected))
