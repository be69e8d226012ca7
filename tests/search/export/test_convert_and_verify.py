"""Real conversions of a small network, sound and spoiled."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from latency import LatencyOracle, read_tflite
from latency.graph import Graph, Op, Tensor
from search.errors import UserError
from search.export.convert import convert
from search.export.delegation import unsound_ops
from search.export.reference import References, make_reference
from search.export.signature import run_tflite
from search.export.variant import Variant
from search.export.verify import verify
from spaces import SPACES
from spaces.ops.keras_backend import Network

SHAPE = (64, 96, 4)
SPACE = SPACES["unet_isp"].narrow({"levels": [1], "stacks": [1], "conv": ["conv3"]})
ARCHITECTURE = SPACE.sample(np.random.default_rng(0))
ORACLE = LatencyOracle("snapdragon-8-gen-1")


def build() -> Network:
    keras.utils.set_random_seed(0)
    model = Network(SPACE.bind(ARCHITECTURE), 4)
    rng = np.random.default_rng(0)
    model.set_weights([w + 0.01 * rng.standard_normal(w.shape) for w in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def model() -> Network:
    return build()


@pytest.fixture(scope="module")
def frame() -> np.ndarray:
    return np.random.default_rng(1).random((1, *SHAPE), np.float32)


@pytest.fixture
def checked(model, frame, tmp_path):
    """Verifies a file of the model, against Keras's picture of one frame."""

    def check(file, precision="fp32", own=model, target=None, traced=None, fp32=None):
        folder = tmp_path / f"frames{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        if target is None:
            target = _noisy(np.clip(own(frame).numpy(), 0, 1))
        references = References((make_reference(own, frame, target, folder),))
        traced = traced or SPACE.trace(ARCHITECTURE, *SHAPE[:2])
        return verify(Variant(precision, SHAPE), file, references, traced, ORACLE, fp32)

    return check


def _noisy(images):
    """A target that the network misses by about 26 dB, as real ones are missed."""
    noise = 0.05 * np.random.default_rng(2).standard_normal(images.shape)
    return np.clip(images + noise, 0, 1).astype(np.float32)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_sound_export_passes(model, checked, precision):
    found = checked(convert(model, SHAPE, precision), precision)
    assert found.failures == ()
    assert found.delegated
    assert found.low_ms < found.predicted_ms < found.high_ms
    assert found.kernels == len(ORACLE.predict(SPACE.trace(ARCHITECTURE, *SHAPE[:2])).kernels)


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


def test_other_weights_are_noticed(model, checked):
    other = build()
    other.set_weights([w * 1.1 for w in model.get_weights()])
    found = checked(convert(other, SHAPE))
    assert any("differs from Keras by" in failure for failure in found.failures)
    assert any("loses" in failure for failure in found.failures)


def test_a_network_that_gives_no_numbers_is_noticed(checked):
    broken = build()
    weights = broken.get_weights()
    weights[-1] = weights[-1] * np.nan
    broken.set_weights(weights)
    found = checked(convert(broken, SHAPE))
    assert "the output is not finite" in found.failures


def test_another_network_than_was_priced_is_noticed(model, checked):
    traced = SPACE.trace(SPACE.mutate(ARCHITECTURE, np.random.default_rng(0)), *SHAPE[:2])
    found = checked(convert(model, SHAPE), traced=traced)
    assert "lowers to other kernels than the search priced" in found.failures


def test_an_op_that_the_delegate_refuses_is_noticed(frame, checked):
    network = Network(lambda ops, x: ops.stack([ops.channel(x, i) for i in range(3)]), 4)
    file = convert(network, SHAPE)
    found = checked(file, own=network, target=network(frame).numpy())
    assert not found.delegated
    assert any("left to the CPU" in failure for failure in found.failures)
    assert any("not a sound export" in failure and "PACK" in failure for failure in found.failures)
    refused = [op for op in found.ops if op.place == "CPU"]
    assert {op.kind for op in refused} == {f.split()[2][:-1] for f in found.fallbacks}
    assert all(op.why and not op.kernels for op in refused)


def test_what_is_not_for_the_gpu_may_run_on_the_cpu(frame, checked):
    """It is told, op by op, and is no failure."""
    network = Network(lambda ops, x: ops.stack([ops.channel(x, i) for i in range(3)]), 4)
    found = checked(convert(network, SHAPE), "int8", own=network, target=network(frame).numpy())
    assert not found.delegated
    assert not found.same_kernels
    assert not [f for f in found.failures if "CPU" in f or "kernels" in f]


def test_dynamic_batches_and_variables_are_unsound():
    graph = Graph(
        tensors=(Tensor((-1, 8, 8, 4)), Tensor((1, 2, 2, 2, 4))),
        ops=(Op("VAR_HANDLE", (), (1,)),),
        inputs=(0,),
        outputs=(1,),
    )
    assert unsound_ops(graph) == [
        "op 0 VAR_HANDLE",
        "tensor 0 of shape (-1, 8, 8, 4)",
        "tensor 1 of shape (1, 2, 2, 2, 4)",
        "input of batch -1",
    ]
    assert unsound_ops(replace(graph, tensors=(Tensor((1, 8, 8, 4)),) * 2, ops=())) == []


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
