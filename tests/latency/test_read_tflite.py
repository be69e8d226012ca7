"""`read_tflite` on real exports, and on what is left of them after damage."""

import math
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from latency_graphs import ADRENO_730, HEIGHT, WIDTH, GraphBuilder, syenet

from latency import GraphError, TFLiteError, lower, read_tflite
from latency.consistency import check_ops

DAMAGE = settings(max_examples=200, deadline=None, derandomize=True)


def ops_of(graph, kind):
    return [op for op in graph.ops if op.kind == kind]


def test_reads_shapes_weights_and_parameters(syenet_file):
    graph = read_tflite(syenet_file)
    assert len(graph.ops) == 18
    assert graph.parameters == 5640
    assert graph.tensors[graph.inputs[0]].shape == (1, HEIGHT, WIDTH, 4)
    assert graph.tensors[graph.outputs[0]].shape == (1, 2 * HEIGHT, 2 * WIDTH, 3)
    first = graph.ops[0]
    assert first.kind == "CONV_2D"
    assert first.constants == ((12, 5, 5, 4), (12,))
    assert first.attrs == {"stride": (1, 1), "padding": "SAME", "dilation": (1, 1)}


def test_constants_leave_no_tensor_behind(syenet_file):
    graph = read_tflite(syenet_file)
    touched = {t for op in graph.ops for t in (*op.inputs, *op.outputs)}
    assert touched == set(range(len(graph.tensors)))


def test_half_precision_weights_are_constants(syenet_file, syenet_fp16_file):
    half, full = read_tflite(syenet_fp16_file), read_tflite(syenet_file)
    assert not ops_of(half, "DEQUANTIZE")
    assert half.parameters == full.parameters
    assert lower(half, ADRENO_730) == lower(full, ADRENO_730)


def test_export_lowers_like_the_hand_written_graph(syenet_file):
    exported, written = read_tflite(syenet_file), syenet(HEIGHT, WIDTH)
    assert lower(exported, ADRENO_730) == lower(written, ADRENO_730)


def test_integer_arguments_and_options_become_attributes(sampler_file):
    graph = read_tflite(sampler_file)
    (pool,) = ops_of(graph, "AVERAGE_POOL_2D")
    assert pool.attrs["kernel"] == pool.attrs["stride"] == (2, 2)
    (transposed,) = ops_of(graph, "TRANSPOSE_CONV")
    assert transposed.constants == ((16, 2, 2, 16), (16,))  # no output_shape
    assert transposed.attrs["stride"] == (2, 2)
    (cut,) = ops_of(graph, "STRIDED_SLICE")
    assert cut.attrs["begin"] == (0, 0, 0, 0)
    assert cut.attrs["strides"] == (1, 1, 1, 1)
    assert cut.attrs["shrink_axis_mask"] == 0
    (mean,) = ops_of(graph, "MEAN")
    assert mean.attrs == {"keep_dims": False, "axes": (1, 2)}
    (dense,) = ops_of(graph, "FULLY_CONNECTED")
    assert dense.constants == ((16, 16), (16,))
    (pad,) = ops_of(graph, "PAD")
    assert pad.attrs["paddings"] == ((0, 0), (1, 1), (1, 1), (0, 0))
    assert pad.constants == ()
    (resize,) = ops_of(graph, "RESIZE_BILINEAR")
    assert resize.attrs["size"] == (HEIGHT, WIDTH)
    assert resize.attrs["half_pixel_centers"]
    assert graph.ops[0].attrs["activation"] == "RELU"


def test_exported_sampler_is_delegated_with_its_padding_merged(sampler_file):
    lowering = lower(read_tflite(sampler_file), ADRENO_730)
    assert lowering.fallbacks == ()
    assert "pad" not in [kernel.kind for kernel in lowering.kernels]


def test_accepts_a_path(tmp_path, syenet_file):
    path = tmp_path / "model.tflite"
    path.write_bytes(syenet_file)
    assert read_tflite(path) == read_tflite(str(path)) == read_tflite(syenet_file)


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(OSError, match="none"):
        read_tflite(tmp_path / "none.tflite")


def test_dynamic_batch_is_kept_and_left_to_the_cpu():
    import keras
    import tensorflow as tf

    model = keras.Sequential([keras.Input((16, 16, 4)), keras.layers.Conv2D(8, 3)])
    signature = [tf.TensorSpec((None, 16, 16, 4), tf.float32)]
    function = tf.function(lambda x: model(x), input_signature=signature)
    module = tf.Module()
    module.variables_kept = [variable.value for variable in model.variables]
    data = tf.lite.TFLiteConverter.from_concrete_functions(
        [function.get_concrete_function()], module
    ).convert()
    graph = read_tflite(data)
    assert graph.tensors[graph.inputs[0]].shape == (-1, 16, 16, 4)
    lowering = lower(graph, ADRENO_730)
    assert lowering.kernels == ()
    assert lowering.fallbacks[0].reason == "shape -1x16x16x4 is not fixed"


def test_several_subgraphs_are_refused():
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec((1, 4), tf.float32)])
    def loop(x):
        return tf.while_loop(lambda y: tf.reduce_sum(y) < 10.0, lambda y: (y + 1.0,), [x])

    data = tf.lite.TFLiteConverter.from_concrete_functions(
        [loop.get_concrete_function()], tf.Module()
    ).convert()
    with pytest.raises(TFLiteError, match="subgraphs"):
        read_tflite(data)


@pytest.mark.parametrize("data", [b"", b"TFL3", b"\0\0\0\0TFL2" + bytes(64), b"PK\3\4" * 20])
def test_other_files_are_named_as_such(data):
    with pytest.raises(TFLiteError, match="not a TensorFlow Lite file"):
        read_tflite(data)


def test_an_identifier_alone_is_corrupt():
    for filler in (b"\0", b"\xff", b"\x7f", b"\4"):
        with pytest.raises(TFLiteError):
            read_tflite(filler * 4 + b"TFL3" + filler * 256)


def read_and_lower(data):
    """What a user does with an untrusted file: a typed error or a prediction, nothing else."""
    try:
        graph = read_tflite(data)
    except TFLiteError:
        return False
    try:
        lowering = lower(graph, ADRENO_730)
    except GraphError:
        return False
    assert all(math.isfinite(kernel.read_bytes) for kernel in lowering.kernels)
    return True


@DAMAGE
@given(fraction=st.floats(0, 1, exclude_max=True))
def test_every_truncation_is_found(sampler_file, fraction):
    with pytest.raises(TFLiteError):
        read_tflite(sampler_file[: int(fraction * len(sampler_file))])


@DAMAGE
@given(flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 7)), min_size=1))
def test_bit_flips_never_crash(sampler_file, flips):
    data = bytearray(sampler_file)
    for fraction, bit in flips:
        data[int(fraction * len(data))] ^= 1 << bit
    read_and_lower(bytes(data))


@DAMAGE
@given(fraction=st.floats(0, 1, exclude_max=True), word=st.integers(0, 2**32 - 1))
def test_overwritten_words_never_crash(syenet_file, fraction, word):
    data = bytearray(syenet_file)
    start = int(fraction * (len(data) // 4)) * 4
    data[start : start + 4] = word.to_bytes(4, "little")
    read_and_lower(bytes(data))


def file_of_shared_tables(operators, inputs):
    """A valid file whose `operators` are all one table, with one long vector of `inputs`."""
    import flatbuffers
    import tflite

    builder = flatbuffers.Builder()

    def vector(start, values, prepend):
        start(builder, len(values))
        for value in reversed(values):
            prepend(value)
        return builder.EndVector()

    offset, integer = builder.PrependUOffsetTRelative, builder.PrependInt32
    tflite.BufferStart(builder)
    buffers = vector(tflite.ModelStartBuffersVector, [tflite.BufferEnd(builder)], offset)
    tflite.OperatorCodeStart(builder)
    tflite.OperatorCodeAddBuiltinCode(builder, tflite.BuiltinOperator.CONCATENATION)
    codes = [tflite.OperatorCodeEnd(builder)]
    codes = vector(tflite.ModelStartOperatorCodesVector, codes, offset)
    shape = vector(tflite.TensorStartShapeVector, [1, 4], integer)
    tflite.TensorStart(builder)
    tflite.TensorAddShape(builder, shape)
    tensors = [tflite.TensorEnd(builder)] * 2
    tensors = vector(tflite.SubGraphStartTensorsVector, tensors, offset)
    long = vector(tflite.OperatorStartInputsVector, [0] * inputs, integer)
    first = vector(tflite.OperatorStartInputsVector, [0], integer)
    second = vector(tflite.OperatorStartOutputsVector, [1], integer)
    tflite.OperatorStart(builder)
    tflite.OperatorAddInputs(builder, long)
    tflite.OperatorAddOutputs(builder, second)
    table = tflite.OperatorEnd(builder)
    table = vector(tflite.SubGraphStartOperatorsVector, [table] * operators, offset)
    tflite.SubGraphStart(builder)
    tflite.SubGraphAddTensors(builder, tensors)
    tflite.SubGraphAddInputs(builder, first)
    tflite.SubGraphAddOutputs(builder, second)
    tflite.SubGraphAddOperators(builder, table)
    subgraphs = [tflite.SubGraphEnd(builder)]
    subgraphs = vector(tflite.ModelStartSubgraphsVector, subgraphs, offset)
    tflite.ModelStart(builder)
    tflite.ModelAddVersion(builder, 3)
    tflite.ModelAddOperatorCodes(builder, codes)
    tflite.ModelAddSubgraphs(builder, subgraphs)
    tflite.ModelAddBuffers(builder, buffers)
    builder.Finish(tflite.ModelEnd(builder), b"TFL3")
    return bytes(builder.Output())


def test_tables_that_multiply_a_small_file_are_refused():
    """Many operators sharing one long vector would take the product of both to read."""
    assert len(read_tflite(file_of_shared_tables(1, 3)).ops) == 1
    data = file_of_shared_tables(2000, 2000)
    assert len(data) < 20_000
    with pytest.raises(TFLiteError, match=r"more .* than a network of its size has"):
        read_tflite(data)


def test_a_vector_longer_than_the_file_is_refused_at_once(syenet_file):
    """Words as huge lengths: what is a vector must not be walked."""
    data = bytearray(syenet_file)
    for start in range(8, len(data) - 4, 52):
        damaged = data.copy()
        damaged[start : start + 4] = (2**31 - 1).to_bytes(4, "little")
        read_and_lower(bytes(damaged))


def test_damage_costs_no_memory(sampler_file):
    """Words as huge lengths and offsets: a small file is never worth more than a few megabytes."""
    tracemalloc.start()
    try:
        for start in range(8, len(sampler_file) - 4, 148):
            for word in (2**31 - 1, 2**16):
                damaged = bytearray(sampler_file)
                damaged[start : start + 4] = word.to_bytes(4, "little")
                read_and_lower(bytes(damaged))
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()


def test_weights_are_not_copied(syenet_file):
    """Half a gigabyte behind the graph changes nothing: only what is asked for is looked at."""
    tracemalloc.start()
    try:
        read_tflite(syenet_file)
        alone = tracemalloc.get_traced_memory()[1]
        tracemalloc.clear_traces()
        padded = syenet_file + bytes(2**29)
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        read_tflite(padded)
        assert tracemalloc.get_traced_memory()[1] - before < 2 * alone + 1e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda b: b.op("CONV_2D", (0,), (1, 8, 8, 4), ((4, 3, 3, 7),)), "weights do not take 4"),
        (lambda b: b.op("CONV_2D", (0,), (1, 8, 8, 4)), "no weights of rank 4"),
        (lambda b: b.op("AVERAGE_POOL_2D", (0,), (1, 8, 8, 4), stride=(0, 2)), "stride"),
        (lambda b: b.op("DEPTH_TO_SPACE", (0,), (1, 8, 8, 4), block=0), "block size 0"),
        (lambda b: b.op("MEAN", (0,), (1, 1, 1, 4), axes=(9,)), "axes"),
        (lambda b: b.op("CONCATENATION", (0, 0), (1, 8, 8, 8), axis=7), "axis 7"),
        (lambda b: b.op("PAD", (0,), (1, 8, 8, 4), paddings=((0, -1),) * 4), "negative padding"),
        (lambda b: b.op("RELU", (0,), (1, 2**20, 2**20, 4)), "a tensor of 1x1048576"),
        (lambda b: b.op("FULLY_CONNECTED", (0,), (1, 5), ((5,),)), "no weights of rank 2"),
        (lambda b: b.op("BATCH_MATMUL", (0,), (1, 8, 8, 4)), "needs two matrices"),
        (lambda b: b.op("MAX_POOL_2D", (0,), (1, 4)), "ranks"),
    ],
)
def test_an_op_that_contradicts_itself_is_named(build, message):
    b = GraphBuilder((1, 8, 8, 4))
    with pytest.raises(GraphError, match=rf"op 0 [A-Z_0-9]+: .*{message}"):
        check_ops(b.graph(build(b)))
