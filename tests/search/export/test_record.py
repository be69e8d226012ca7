"""A bundle on disk: read as it was written, and refused in one line where it is not whole."""

import json
import shutil

import pytest
from bundles import make_bundle

from search.data.isp import SENSOR
from search.errors import UserError
from search.export.conversion.surgery import EditableFile
from search.export.record import RECORD, input_channels, is_bundle, read_bundle
from search.export.variant import Variant
from search.networks import zoo_architecture


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_bundle(tmp_path_factory.mktemp("bundles") / "made", (16, 24))


@pytest.fixture
def bundle(made, tmp_path):
    """A copy to damage."""
    return shutil.copytree(made, tmp_path / "bundle")


def test_what_is_read_is_what_was_written(bundle):
    found = read_bundle(bundle)
    assert is_bundle(bundle)
    assert found.architecture == zoo_architecture("mialgo_track1")
    assert (found.study, found.task.name, found.origin) == ("tiny", "isp", "trial 0")
    assert (found.encoding, found.sensor) == ("sensor_sqrt", SENSOR)
    assert list(found.files) == ["model_fp32.tflite", "model_fp16.tflite"]
    assert found.file("fp32").variant == Variant("fp32", (16, 24, 4))
    assert {"check.npz", "weights.npz", "report.html", "study.yaml"} < set(found.contents)
    file = found.file("fp16")
    assert found.content(file) == (bundle / "model_fp16.tflite").read_bytes()
    assert file.low_ms < file.predicted_ms < file.high_ms
    assert found.file() == found.file("fp32")
    assert found.measurements() == []


def changed(bundle, **changes):
    path = bundle / RECORD
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def changed_file(bundle, **changes):
    first, *others = json.loads((bundle / RECORD).read_text())["files"]
    changed(bundle, files=[first | changes, *others])


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda b: (b / RECORD).unlink(), "is no bundle, it has no verification.json"),
        (lambda b: (b / RECORD).write_text("{"), "verification.json is damaged"),
        (lambda b: (b / RECORD).write_text("[]"), "verification.json is damaged"),
        (lambda b: (b / RECORD).write_text("{}"), "lacks 'task': it is damaged or of an older"),
        (lambda b: changed(b, files=[]), "damaged: it lists no file"),
        (lambda b: changed(b, files=[{"precision": "fp32"}]), "lacks 'predicted_ms'"),
        (lambda b: changed_file(b, precision="fp32/../../x"), "damaged: unknown precision 'fp32/"),
        (lambda b: changed_file(b, precision=32), "is damaged"),
        (lambda b: changed_file(b, predicted_ms="fast"), "is damaged: could not convert"),
        (lambda b: changed_file(b, low_ms=float("nan")), "is damaged: predicted times"),
        (lambda b: changed(b, task="video"), "is damaged: unknown task 'video'"),
        (lambda b: changed(b, psnr_db="good"), "is damaged"),
        (lambda b: changed(b, encoding="log"), "is damaged: unknown encoding 'log'"),
        (lambda b: changed(b, architecture={"a": 1}), "is damaged: an architecture"),
        (lambda b: changed(b, format=3), "is damaged: its format is 3, this version reads up to"),
        (lambda b: changed(b, contents={"../x": ""}), "is damaged: it lists '../x'"),
        (lambda b: changed(b, contents={"/x": ""}), "is damaged: it lists '/x'"),
        (lambda b: changed(b, contents=None), "is damaged"),
        (lambda b: changed_file(b, input_shape=[0, 4, 4]), "is damaged: an input of shape"),
        (lambda b: changed_file(b, input_shape=4), "is damaged"),
        (lambda b: changed_file(b, check={"psnr_db": "good"}), "is damaged"),
    ],
)
def test_a_damaged_record_is_named(bundle, damage, problem):
    damage(bundle)
    with pytest.raises(UserError, match=problem) as caught:
        read_bundle(bundle)
    assert str(bundle) in str(caught.value)


def test_a_record_of_the_first_format_is_read(bundle):
    """It knew one resolution, the task's, and of other files nothing."""
    document = json.loads((bundle / RECORD).read_text())
    for name in ("format", "contents", "data"):
        del document[name]
    for entry in document["files"]:
        for name in ("input_shape", "at_task_size", "check"):
            del entry[name]
    (bundle / RECORD).write_text(json.dumps(document))
    found = read_bundle(bundle)
    assert (found.format, found.contents) == (1, {})
    assert found.file("fp16").variant == Variant("fp16", (544, 960, 4))
    assert found.content(found.file("fp16")) == (bundle / "model_fp16.tflite").read_bytes()


def test_of_several_resolutions_the_tasks_is_the_one_unless_it_is_asked_for(of_two_sizes, tmp_path):
    bundle = shutil.copytree(of_two_sizes, tmp_path / "bundle")
    own, larger, *_ = json.loads((bundle / RECORD).read_text())["files"]
    changed(bundle, files=[larger, own])
    found = read_bundle(bundle)
    assert list(found.files) == ["model_fp32_48x32.tflite", "model_fp32.tflite"]
    assert found.file() == found.file("fp32") == found.files["model_fp32.tflite"]
    assert found.task_files == [found.file()]
    larger = found.files["model_fp32_48x32.tflite"]
    assert input_channels(found.content(larger), found.path(larger)) == 4


def test_files_that_are_not_the_verified_ones_are_named(bundle):
    found = read_bundle(bundle)
    path = bundle / "model_fp32.tflite"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"model_fp32.tflite is not the file that was verified"):
        found.content(found.file("fp32"))
    path.unlink()
    with pytest.raises(UserError, match=r"cannot read .*model_fp32.tflite: No such file"):
        found.content(found.file("fp32"))
    with pytest.raises(UserError, match="has no int8 file: it holds fp32, fp16"):
        found.file("int8")


def test_a_file_that_is_no_network_of_one_picture_is_named(bundle):
    path = bundle / "model_fp32.tflite"
    assert input_channels(path.read_bytes(), path) == 4
    with pytest.raises(UserError, match=r"model_fp32.tflite: not a TensorFlow Lite file"):
        input_channels(b"hello", path)
    editable = EditableFile(path.read_bytes())
    between = editable.graph.ops[0].outputs[0]
    of_two = editable.part([between], editable.graph.outputs)
    with pytest.raises(UserError, match=r"model_fp32.tflite does not take one picture"):
        input_channels(of_two, path)
