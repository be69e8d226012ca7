"""Real conversions of a small network."""

import numpy as np
import pytest
import tensorflow as tf
from small_isp import SHAPE, build

from latency import read_tflite
from search.errors import UserError
from search.export.conversion.convert import convert
from search.export.conversion.signature import run_tflite
from search.export.verification.delegation import unsound_ops
from spaces.ops.keras_backend import Network


def test_fp16_weights_take_about_half(model):
    sizes = {p: len(convert(model, SHAPE, p)) for p in ("fp32", "fp16")}
    weights = 4 * model.count_params()
    assert sizes["fp32"] - sizes["fp16"] == pytest.approx(weights / 2, rel=0.3)


def test_bytes_are_deterministic_whatever_was_built_before():
    first = convert(build(), SHAPE)
    Network(lambda ops, x: ops.conv(x, 3), 4)
    assert convert(build(), SHAPE) == first


def late_branch(ops, x):
    """Its last branch could run first, and a sum that it absorbs is written last."""
    y = ops.activation(ops.conv(x, 8), "relu")
    y = ops.instance_norm(ops.conv(y, 8))
    late = ops.conv(x, 8, 1)
    gate = ops.activation(ops.conv(ops.global_average(x), 8, 1), "sigmoid")
    return ops.conv(ops.multiply(ops.add(y, late), gate), 3)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_ops_stand_in_the_order_in_which_they_were_written(precision):
    model = Network(late_branch, 4)
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(scale=0.2, size=w.shape) for w in model.get_weights()])
    file = convert(model, SHAPE, precision)
    kinds = [op.kind for op in read_tflite(file).ops]
    assert kinds == [
        "CONV_2D", "CONV_2D", "MEAN", "SQUARED_DIFFERENCE", "MEAN", "SUB", "ADD", "RSQRT", "MUL",
        "MUL", "ADD", "CONV_2D", "MEAN", "CONV_2D", "LOGISTIC", "ADD", "MUL", "CONV_2D",
    ]  # fmt: skip
    # What LiteRT computes is what the converter's own order would.
    frame = rng.random((1, *SHAPE), np.float32)
    expected = model(frame).numpy()
    np.testing.assert_allclose(
        run_tflite(file)(frame), expected, atol=2e-3 * np.abs(expected).max()
    )


def test_signature_names_and_fixed_batch(model, frame):
    file = convert(model, SHAPE)
    graph = read_tflite(file)
    assert graph.tensors[graph.inputs[0]].shape == (1, *SHAPE)
    assert run_tflite(file)(frame).shape == (1, 128, 192, 3)


def test_a_converter_given_the_keras_model_loses_the_weights(model):
    """Why `convert` hands over a plain module; should this fail, the detour can go."""
    function = tf.function(model, input_signature=[tf.TensorSpec((1, *SHAPE))])
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [function.get_concrete_function()], model
    )
    assert len(converter.convert()) < 4 * model.count_params() or unsound_ops(
        read_tflite(converter.convert())
    )


def test_unknown_precision_is_named(model):
    with pytest.raises(UserError, match="unknown precision 'int4': choose one of fp32, fp16"):
        convert(model, SHAPE, "int4")
