"""Which tensors outgrow an image, and what that changes."""

import pytest
from latency_graphs import ADRENO_730, MALI_G76, MALI_G78, GraphBuilder, kinds

from latency import Gpu, LatencyOracle, lower
from latency.storage import image_size, in_buffers, max_image_side, too_large_for_image

CPU = Gpu("cpu", "xnnpack", compute_units=2)


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((1, 1088, 1920, 64), (1920, 17408)),
        ((1, 1088, 1920, 3), (1920, 1088)),
        ((2, 10, 20, 5), (40, 20)),
        ((1, 7), (1, 2)),
    ],
)
def test_image_size(shape, size):
    assert image_size(shape) == size


def test_the_worked_example_of_the_delegates_rules():
    assert max_image_side(ADRENO_730) == 16384
    assert too_large_for_image((1, 1088, 1920, 64), ADRENO_730)
    assert not too_large_for_image((1, 1088, 1920, 60), ADRENO_730)
    assert not too_large_for_image((1, 1088, 1920, 64), MALI_G78)
    assert not too_large_for_image((1, 10**6, 1, 4), CPU)  # no images there


def tall_network(height):
    b = GraphBuilder((1, height, 64, 4))
    return b.graph(b.conv(b.conv(0, 64), 4))


def test_shapes_in_buffers_and_the_note():
    graph = tall_network(1088)
    assert in_buffers(lower(graph, ADRENO_730), ADRENO_730) == ((1, 1088, 64, 64),)
    (note,) = [n for n in LatencyOracle("snapdragon-8-gen-1").predict(graph).notes if "texels" in n]
    assert note.startswith("1088x64x64 needs an image of 17408 texels a side, the GPU has 16384")
    small = LatencyOracle("snapdragon-8-gen-1").predict(tall_network(1024))
    assert not [n for n in small.notes if "texels" in n]


def test_malis_special_depthwise_reads_images_only():
    for height, kind in ((1024, "depthwise_3x3"), (70_000, "depthwise_generic")):
        b = GraphBuilder((1, height, 8, 4))
        assert kinds(lower(b.graph(b.depthwise(0)), MALI_G76)) == [kind]
