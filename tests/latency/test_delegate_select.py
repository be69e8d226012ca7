"""Kernel selection, with the worked examples of the delegate's rules."""

import pytest
from latency_graphs import ADRENO_640, ADRENO_730, MALI_G76, MALI_G78, GraphBuilder, kinds

from latency import Gpu, GraphError, lower
from latency.select_conv import conv_block, uses_constant_memory

POWERVR = Gpu("powervr", "rogue", compute_units=4)


def single(gpu, shape, build):
    """Kinds of the kernels of a one-op network."""
    b = GraphBuilder(shape)
    return kinds(lower(b.graph(build(b)), gpu))


@pytest.mark.parametrize(
    ("weights", "fits"),
    [
        ((12, 3, 3, 4), True),  # 864 bytes
        ((12, 3, 3, 12), True),  # 2592
        ((12, 3, 3, 16), True),  # 3456
        ((16, 3, 3, 16), False),  # 4608 of 3584
        ((32, 1, 1, 32), True),  # 2048
        ((32, 3, 3, 4), True),  # 2304
        ((36, 1, 1, 4), False),  # more than 32 output channels
        ((3, 3, 3, 64), True),  # dot form: 9 * 3*4*16 * 2 = 3456; otherwise 4608
        ((3, 3, 3, 68), False),  # dot form: 3672
    ],
)
def test_constant_memory_on_adreno(weights, fits):
    assert uses_constant_memory(weights, ADRENO_730) is fits
    assert uses_constant_memory(weights, MALI_G78) is False


def test_older_adrenos_have_less_constant_memory():
    assert not uses_constant_memory((12, 3, 3, 12), Gpu("adreno", "5xx", 1, 64))


@pytest.mark.parametrize(
    ("gpu", "channels", "size", "winograd"),
    [
        (ADRENO_730, 128, 32, True),  # 32 slices, 64 tiles
        (ADRENO_730, 125, 32, True),
        (ADRENO_730, 124, 32, False),  # 31 slices
        (ADRENO_730, 128, 28, False),  # 49 tiles
        (ADRENO_640, 128, 32, False),  # 64 of 128 tiles
        (ADRENO_640, 128, 48, True),
        (MALI_G78, 61, 24, True),  # 16 slices, 36 tiles
        (MALI_G78, 60, 24, False),
        (MALI_G78, 64, 20, False),  # 25 of 32 tiles
    ],
)
def test_winograd_threshold(gpu, channels, size, winograd):
    found = single(gpu, (1, size, size, channels), lambda b: b.conv(0, channels))
    expected = ["winograd_input", "winograd_matmul", "winograd_output"]
    assert found == (expected if winograd else ["conv_generic"])


@pytest.mark.parametrize(
    "attrs", [{"kernel": 1}, {"kernel": 5}, {"stride": 2}, {"dilation": (2, 2)}]
)
def test_winograd_is_for_plain_3x3(attrs):
    found = single(MALI_G78, (1, 64, 64, 64), lambda b: b.conv(0, 64, **attrs))
    assert found == ["conv_generic"]


def test_winograd_cost():
    # 32x32x128: 64 tiles; 36 products of 64 x 128 x 128, a quarter of the direct MACs.
    b = GraphBuilder((1, 32, 32, 128))
    lowering = lower(b.graph(b.unary("RELU", b.conv(0, 128))), ADRENO_730)
    transform, product, inverse = lowering.kernels[1:4]
    assert product.padded_macs == 36 * 64 * 128 * 128 == lowering.padded_macs
    assert 4 * product.padded_macs == 32 * 32 * 9 * 128 * 128
    assert transform.write_bytes == product.read_bytes == 36 * 64 * 128 * 2
    assert inverse.write_bytes == 32 * 32 * 128 * 2
    # What follows joins the last of the three.
    assert [k.chain for k in (transform, product, inverse)] == [
        ("CONV_2D",),
        ("CONV_2D",),
        ("CONV_2D", "RELU"),
    ]


def test_pointwise_on_one_pixel_is_a_matrix():
    assert single(ADRENO_730, (1, 1, 1, 12), lambda b: b.conv(0, 12, 1)) == ["fully_connected"]
    assert single(ADRENO_730, (1, 1, 2, 12), lambda b: b.conv(0, 12, 1)) == ["conv_constants"]


@pytest.mark.parametrize(
    ("gpu", "kind"),
    [
        (ADRENO_730, "depthwise_3x3"),
        (MALI_G76, "depthwise_3x3"),
        (Gpu("mali", "valhall-1", 10), "depthwise_3x3"),
        (MALI_G78, "depthwise_generic"),
    ],
)
def test_special_depthwise_by_gpu(gpu, kind):
    assert single(gpu, (1, 8, 8, 8), lambda b: b.depthwise(0)) == [kind]


@pytest.mark.parametrize("attrs", [{"kernel": 5}, {"stride": 2}, {"padding": "VALID"}])
def test_other_depthwise_is_generic(attrs):
    found = single(ADRENO_730, (1, 8, 8, 8), lambda b: b.depthwise(0, **attrs))
    assert found == ["depthwise_generic"]


def test_a_convolution_with_a_group_a_channel_is_depthwise():
    found = single(ADRENO_730, (1, 8, 8, 8), lambda b: b.conv(0, 8, groups=8))
    assert found == ["depthwise_3x3"]


def test_groups():
    aligned = single(ADRENO_730, (1, 8, 8, 16), lambda b: b.conv(0, 16, groups=4))
    assert aligned == ["conv_grouped"]
    odd = single(ADRENO_730, (1, 8, 8, 12), lambda b: b.conv(0, 12, groups=2))
    assert odd == ["split", "conv_generic", "conv_generic", "concat_unaligned"]


def test_grouped_macs_are_those_of_the_groups():
    b = GraphBuilder((1, 8, 8, 16))
    kernel = lower(b.graph(b.conv(0, 16, groups=4)), ADRENO_730).kernels[1]
    assert kernel.padded_macs == 64 * 9 * 4 * 4 * 4
    assert kernel.weight_bytes == 4 * (9 * 4 * 4 + 4) * 2


@pytest.mark.parametrize(
    ("gpu", "channels", "kernel", "stride", "kind"),
    [
        (ADRENO_730, 4, 2, 2, "transposed_conv_thin"),
        (ADRENO_730, 8, 2, 2, "transposed_conv_generic"),
        (ADRENO_730, 4, 4, 2, "transposed_conv_generic"),
        (MALI_G78, 4, 2, 2, "transposed_conv_generic"),
        (POWERVR, 16, 4, 2, "transposed_conv_4x4"),
    ],
)
def test_transposed_convolution(gpu, channels, kernel, stride, kind):
    found = single(gpu, (1, 8, 8, 12), lambda b: b.transposed_conv(0, channels, kernel, stride))
    assert found == [kind]


def test_transposed_convolution_macs_are_counted_on_its_input():
    b = GraphBuilder((1, 8, 8, 12))
    kernel = lower(b.graph(b.transposed_conv(0, 6)), ADRENO_730).kernels[1]
    assert kernel.padded_macs == 64 * 4 * 12 * 8


def test_concat():
    def concat(*channels, gpu=ADRENO_730, axis=3):
        b = GraphBuilder(*[(1, 8, 8, c) for c in channels])
        return kinds(lower(b.graph(b.concat(*range(len(channels)), axis=axis)), gpu))

    assert concat(8, 4) == ["concat_aligned"]
    assert concat(8, 6) == ["concat_unaligned"]
    assert concat(8, 8, axis=1) == ["concat_spatial"]


def test_split_is_one_kernel_an_output_on_mali():
    b = GraphBuilder((1, 8, 8, 8))
    b.op("SPLIT", 0, (1, 8, 8, 4), axis=3)
    graph = b.graph(1)
    split = graph.ops[0]
    two = type(graph)(
        (*graph.tensors, graph.tensors[1]),
        (type(split)("SPLIT", (0,), (1, 2), (), {"axis": 3}),),
        (0,),
        (1, 2),
    )
    assert kinds(lower(two, ADRENO_730)) == ["split"]
    assert kinds(lower(two, MALI_G78)) == ["slice", "slice"]


def test_global_pools_are_reductions():
    b = GraphBuilder((1, 64, 64, 12))
    lowering = lower(b.graph(b.mean(0)), ADRENO_730)
    assert kinds(lowering) == ["reduce"]
    assert lowering.kernels[1].work_items == 3 * 256  # a work-group a slice
    pool = {"kernel": (8, 8), "stride": (8, 8), "padding": "VALID"}
    average = lambda b: b.op("AVERAGE_POOL_2D", 0, (1, 1, 1, 12), **pool)  # noqa: E731
    largest = lambda b: b.op("MAX_POOL_2D", 0, (1, 1, 1, 12), **pool)  # noqa: E731
    assert single(ADRENO_730, (1, 8, 8, 12), average) == ["reduce"]
    assert single(ADRENO_730, (1, 8, 8, 12), largest) == ["pool"]


def test_runtime_weights_are_rearranged_first():
    b = GraphBuilder((1, 8, 8, 4), (12, 3, 3, 4))
    x = b.op("CONV_2D", (0, 1), (1, 8, 8, 12), stride=(1, 1), padding="SAME")
    assert kinds(lower(b.graph(x), ADRENO_730)) == ["weights_rearrange", "conv_generic"]


def test_matrix_product():
    b = GraphBuilder((1, 8, 12), (1, 12, 6))
    x = b.op("BATCH_MATMUL", (0, 1), (1, 8, 6))
    lowering = lower(b.graph(x), ADRENO_730)
    assert kinds(lowering) == ["transpose", "weights_rearrange", "conv_generic"]
    assert lowering.padded_macs == 8 * 12 * 8


def test_conversions_move_float32_outside_and_padded_float16_inside():
    b = GraphBuilder((1, 8, 8, 4))
    lowering = lower(b.graph(b.conv(0, 3)), ADRENO_730)
    first, last = lowering.kernels[0], lowering.kernels[-1]
    assert (first.kind, first.read_bytes, first.write_bytes) == (
        "input_conversion",
        64 * 4 * 4,
        64 * 4 * 2,
    )
    assert (last.kind, last.read_bytes, last.write_bytes) == (
        "output_conversion",
        64 * 4 * 2,
        64 * 3 * 4,
    )


def test_padding_of_channels_to_four():
    b = GraphBuilder((1, 8, 8, 5))
    kernel = lower(b.graph(b.conv(0, 13)), ADRENO_730).kernels[1]
    assert kernel.padded_macs == 64 * 9 * 8 * 16
    assert kernel.read_bytes == 64 * 8 * 2
    assert kernel.write_bytes == 64 * 16 * 2
    assert kernel.weight_bytes == (9 * 8 * 16 + 16) * 2


def test_adreno_block_grows_with_the_number_of_waves():
    # waves = H * W * slices / 4 compute units / 128
    shape = lambda waves: (1, waves, 512, 4)  # noqa: E731
    blocks = [conv_block(shape(waves), 9, ADRENO_730) for waves in (6, 12, 24, 25)]
    assert blocks == [(1, 1, 1), (2, 1, 1), (2, 1, 2), (2, 2, 2)]


def test_mali_block_grows_with_the_tasks_of_a_compute_unit():
    # tasks = H * W * slices / 24 compute units
    shape = lambda tasks, channels=8: (1, tasks, 24 * 4 // channels, channels)  # noqa: E731
    sizes = (256, 1536, 4096, 4098)
    assert [conv_block(shape(tasks), 9, MALI_G78) for tasks in sizes] == [
        (1, 1, 1),
        (2, 1, 1),
        (2, 1, 2),
        (2, 2, 2),
    ]
    # One or three slices are not split in two.
    assert conv_block(shape(4098, 4), 9, MALI_G78) == (2, 2, 1)
    # Bifrost keeps to four outputs for kernels larger than 1x1.
    assert conv_block((1, 512, 512, 8), 9, MALI_G76) == (2, 1, 2)
    assert conv_block((1, 512, 512, 8), 1, MALI_G76) == (2, 2, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("adrena", "7xx", 4), "unknown GPU family 'adrena'"),
        (("adreno", "730", 4), "unknown adreno generation '730'"),
        (("adreno", "7xx", 0), "at least one compute unit"),
    ],
)
def test_unknown_gpus_are_refused(arguments, message):
    with pytest.raises(GraphError, match=message):
        Gpu(*arguments)
