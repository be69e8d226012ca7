"""Files of a small network, sound and spoiled, held against Keras, targets and delegate."""

from dataclasses import replace

import numpy as np
import pytest
from small_isp import ARCHITECTURE, SHAPE, SPACE, build

from latency import LatencyOracle
from latency.graph import Graph, Op, Tensor
from search.export.conversion.convert import convert
from search.export.variant import Variant
from search.export.verification.delegation import unsound_ops
from search.export.verification.reference import References, make_reference
from search.export.verification.verify import against_fp32, verify
from spaces.ops.keras_backend import Network

ORACLE = LatencyOracle("snapdragon-8-gen-1")


@pytest.fixture
def checked(model, frame, tmp_path):
    """Verifies a file of the model, against Keras's picture of one frame."""

    def check(file, precision="fp32", own=model, target=None, traced=None):
        folder = tmp_path / f"frames{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        if target is None:
            target = _noisy(np.clip(own(frame).numpy(), 0, 1))
        references = References((make_reference(own, frame, target, folder),))
        traced = traced or SPACE.trace(ARCHITECTURE, *SHAPE[:2])
        return verify(Variant(precision, SHAPE), file, references, traced, ORACLE)

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


def test_losses_to_fp32_are_those_to_the_file_of_that_size_in_any_order(model, checked):
    found = [checked(convert(model, SHAPE, p), p) for p in ("fp16", "fp32")]
    elsewhere = replace(found[0], variant=Variant("fp16", (32, 48, 4), at_task_size=False))
    fp16, fp32, other = against_fp32([*found, elsewhere])
    assert fp16.loss_to_fp32_db == found[1].psnr_db - found[0].psnr_db != 0
    assert fp32.loss_to_fp32_db == 0
    assert other.loss_to_fp32_db is None


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
    assert unsound_ops(replace(graph, tensors=(Tensor(()), Tensor((1, 8))), ops=())) == []
