"""A bundle verified again: as it was, and with everything that can be wrong with one."""

import hashlib
import json
import math
import shutil
import subprocess
import sys

import numpy as np
import pytest
from bundles import make_bundle

from search.data.pairs import encoder_for
from search.errors import UserError
from search.export.conversion.convert import convert
from search.export.conversion.surgery import EditableFile
from search.export.record import RECORD, read_bundle
from search.export.verification.again import verify_again
from search.export.verification.check import CHECK, read_check
from search.networks import candidate, zoo_architecture
from spaces.ops.keras_backend import Network

FP32 = "model_fp32.tflite"


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles") / "plain"
    return make_bundle(folder, (16, 24), precisions=["fp32"])


@pytest.fixture
def bundle(plain, tmp_path):
    """A copy to damage."""
    return shutil.copytree(plain, tmp_path / "bundle")


def lines(folder):
    return [finding.line for finding in verify_again(read_bundle(folder))]


def problems(folder):
    return {f.name: f.problems for f in verify_again(read_bundle(folder)) if f.problems}


def recorded(folder, **changes):
    """The record of the file with other entries."""
    path = folder / RECORD
    document = json.loads(path.read_text())
    document["files"][0] |= changes
    path.write_text(json.dumps(document))


def put(folder, content):
    """Another fp32 file, of which the record says that it is the right one."""
    (folder / FP32).write_bytes(content)
    recorded(folder, sha256=hashlib.sha256(content).hexdigest())


def test_every_file_of_every_resolution_is_run(of_two_sizes):
    found = lines(of_two_sizes)
    assert [line.split(":")[0] for line in found[:4]] == [
        "model_fp32.tflite", "model_fp32_48x32.tflite", "model_fp16.tflite",
        "model_fp16_48x32.tflite",
    ]  # fmt: skip
    assert all("ops on the GPU, predicted " in line for line in found[:4])
    assert found[-1].endswith("other files: as they were written")
    assert not problems(of_two_sizes)


def test_what_is_missing_or_was_changed_is_named(bundle):
    (bundle / FP32).unlink()
    (bundle / "report.md").write_text("better")
    (bundle / "study.yaml").unlink()
    found = problems(bundle)
    assert found.keys() == {FP32, "report.md", "study.yaml"}
    assert "cannot read" in found[FP32][0]
    assert "No such file" in found["study.yaml"][0]
    assert found["report.md"] == ("not as it was written: its SHA-256 differs",)


def test_a_damaged_file_is_named(bundle):
    content = bytearray((bundle / FP32).read_bytes())
    content[len(content) // 2] ^= 1
    (bundle / FP32).write_bytes(content)
    assert "its SHA-256 differs" in problems(bundle)[FP32][0]


@pytest.mark.parametrize("content", [b"", b"hello", b"TFL3" * 64, None], ids=range(4))
def test_a_damaged_file_that_the_record_vouches_for_is_named(bundle, content):
    put(bundle, (bundle / FP32).read_bytes()[:500] if content is None else content)
    (problem,) = problems(bundle)[FP32]
    assert FP32 in problem


def random_weights(seed, factor=1.0):
    network = candidate(zoo_architecture("mialgo_track1")).clipped
    model = Network(network.network, 4)
    rng = np.random.default_rng(seed)
    model.set_weights([factor * rng.standard_normal(w.shape) for w in model.get_weights()])
    return model


def test_another_network_of_the_same_shape_is_noticed(bundle):
    put(bundle, convert(random_weights(7), (16, 24, 4)))
    found = problems(bundle)[FP32]
    assert found[0].startswith("differs from Keras by ")
    assert found[1].startswith("gives another picture than when it was exported: ")


def test_a_network_that_gives_no_numbers_is_noticed(bundle):
    put(bundle, convert(random_weights(7, np.nan), (16, 24, 4)))
    assert problems(bundle)[FP32] == ("the output is not finite",)


def test_infinity_is_no_number(plain):
    """Clipped to white it would pass for a picture."""

    def network(ops, x):
        bright = ops.scale(ops.scale(x, 1e30), 1e30)
        return ops.depth_to_space(ops.concat([bright, bright, bright]), 2)

    bundle = read_bundle(plain)
    (file,) = bundle.files.values()
    content = convert(Network(network, 4), file.variant.input_shape)
    encode = encoder_for(bundle.sensor, bundle.encoding)
    assert math.isnan(read_check(plain).check(content, file.variant, encode).max_error)


def test_a_check_picture_of_wrong_shapes_is_not_run(bundle):
    np.savez(bundle / CHECK, input=np.zeros(()), target=np.zeros(()), keras_16x24=np.zeros(3))
    assert "check.npz is damaged: its SHA-256 is not" in problems(bundle)[FP32][0]


def test_it_needs_no_tensorflow(plain):
    script = (
        "import sys; from pathlib import Path; from search.export.record import read_bundle; "
        "from search.export.verification.again import verify_again; "
        "found = verify_again(read_bundle(Path(sys.argv[1]))); "
        "sys.exit(any(f.problems for f in found) or 'tensorflow' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script, str(plain)], check=True)


def test_other_ops_and_another_resolution_are_noticed(bundle):
    other = Network(lambda ops, x: ops.depth_to_space(ops.conv(x, 12), 2), 4)
    put(bundle, convert(other, (16, 24, 4)))
    assert problems(bundle)[FP32] == ("lowers to other kernels than the search priced",)
    put(bundle, EditableFile((bundle / FP32).read_bytes()).resized((32, 24)))
    assert problems(bundle)[FP32] == (
        "takes float32 1x32x24x4, not float32 1x16x24x4",
        "gives float32 1x64x48x3, not float32 1x32x48x3",
    )


def test_an_op_that_the_delegate_refuses_is_noticed(bundle):
    def network(ops, x):
        y = ops.stack([ops.channel(x, i) for i in range(3)])
        return ops.depth_to_space(ops.conv(y, 12), 2)

    put(bundle, convert(Network(network, 4), (16, 24, 4)))
    assert any("left to the CPU by the GPU delegate: op" in p for p in problems(bundle)[FP32])


def test_a_profile_that_has_changed_is_told_and_is_no_failure(bundle):
    recorded(bundle, predicted_ms=123.0, low_ms=100.0, high_ms=150.0)
    assert not problems(bundle)
    assert "by a profile that has changed, 123.00 ms when exported" in lines(bundle)[0]


def test_what_was_exported_by_force_stays_a_failure(bundle):
    recorded(bundle, failures=["loses 0.5 dB, more than 0.02 dB"])
    (problem,) = problems(bundle)[FP32]
    assert problem == "failed when it was exported, by force: loses 0.5 dB, more than 0.02 dB"


def test_without_the_check_picture_no_file_can_be_trusted(bundle):
    (bundle / CHECK).write_bytes(b"PK")
    found = problems(bundle)
    assert "check.npz is damaged" in found[FP32][0]
    assert found[CHECK] == ("not as it was written: its SHA-256 differs",)
    (bundle / CHECK).unlink()
    assert "No such file" in problems(bundle)[FP32][0]


def test_a_record_of_the_first_format_asks_for_a_new_export(bundle):
    document = json.loads((bundle / RECORD).read_text())
    (bundle / RECORD).write_text(json.dumps(document | {"format": 1}))
    with pytest.raises(UserError, match="older version, which kept no check picture: export it"):
        verify_again(read_bundle(bundle))


def test_a_network_that_this_version_does_not_have_is_named(bundle):
    document = json.loads((bundle / RECORD).read_text())
    document["architecture"]["choices"] = {"system": "of another version"}
    document["architecture"]["space"] = "zoo"
    (bundle / RECORD).write_text(json.dumps(document))
    assert "knows no such network" in problems(bundle)[FP32][0]
