"""Files of every precision: what is in them, at every size, and that it is what Keras computes."""

import hashlib
import subprocess
import sys

import flatbuffers
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from bundles import random_network
from tiny_study import tiny_study

from latency import read_tflite
from search.config import parse_config
from search.errors import UserError
from search.export.conversion.convert import convert, convert_all
from search.export.conversion.flatbuffer import unpacked
from search.export.conversion.metadata import About, encoded
from search.export.conversion.quantise import fine_tuning, quantised_networks
from search.export.conversion.signature import run_tflite
from search.export.resolution import input_sizes
from search.export.variant import PRECISIONS, Quantisation, variants
from search.networks import Candidate, candidate, zoo_architecture
from search.render.engine import plan, render
from search.render.frame import Frame
from search.study.data import open_pairs, prepare_data
from search.tasks import TASKS
from search.training.data import training_data
from search.training.evaluation import evaluate
from search.training.loop import train
from search.training.recipe import Recipe
from spaces.ops.fake_quant import QuantisedNetwork

OWN, OTHER = (32, 48, 4), (48, 80, 4)
STEP = 1 / 255
ABOUT = About("a study, trial 3", "0123456789ab", "packed Bayer planes", "RGB in [0, 1]")


def network(ops, x):
    """Most of what stands in networks: strides, sums, shuffles, curves of activations."""
    y = ops.activation(ops.conv(x, 8), "relu")
    z = ops.activation(ops.conv(y, 8, stride=2), "leaky_relu")
    z = ops.activation(ops.depthwise(z), "prelu")
    z = ops.activation(ops.transposed_conv(z, 8), "tanh")
    z = ops.concat([ops.add(y, z), ops.max_pool(ops.resize(y, 2))])
    return ops.depth_to_space(ops.conv(z, 12), 2)


def frame(size, seed=1):
    return np.random.default_rng(seed).random((1, *size), np.float32)


@pytest.fixture(scope="module")
def model():
    return random_network(Candidate(network, 4).clipped.network, 4)


@pytest.fixture(scope="module")
def quantised(model):
    found = QuantisedNetwork(model)
    found.calibrate([frame(OWN, seed) for seed in range(4)])
    return found


@pytest.fixture(scope="module")
def files(model, quantised):
    """Of every precision at two sizes, and how many conversions that took."""
    converters, make = [], tf.lite.TFLiteConverter.from_concrete_functions

    def counted(*arguments):
        converters.append(make(*arguments))
        return converters[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tf.lite.TFLiteConverter, "from_concrete_functions", counted)
        wanted = variants(PRECISIONS, OWN, [OWN[:2], OTHER[:2]])
        sources = {"int8": quantised, "int8_qat": quantised}
        made = {
            (variant.precision, variant.input_shape): file
            for variant, file in convert_all(model, wanted, sources, encoded(ABOUT))
        }
    return made, len(converters)


def test_a_precision_is_converted_once(files):
    assert len(files[0]) == 2 * len(PRECISIONS)
    assert files[1] == len(PRECISIONS)


@pytest.mark.parametrize("precision", PRECISIONS[:4])
def test_a_resized_file_is_what_a_conversion_at_that_size_makes(files, model, quantised, precision):
    resized = files[0][precision, OTHER]
    direct = convert(quantised if precision == "int8" else model, OTHER, precision)
    assert read_tflite(resized) == read_tflite(direct)
    picture = run_tflite(resized)(frame(OTHER))
    np.testing.assert_array_equal(picture, run_tflite(direct)(frame(OTHER)))
    assert picture.min() == 0
    assert picture.max() == 1


@pytest.mark.parametrize(("precision", "largest"), [("fp32", 1e-5), ("fp16", 1e-2)])
def test_float_files_compute_what_keras_does_and_clip_it(files, model, precision, largest):
    expected = model(frame(OWN), training=False).numpy()
    assert expected.min() == 0
    assert np.abs(run_tflite(files[0][precision, OWN])(frame(OWN)) - expected).max() < largest


def test_an_8_bit_file_holds_integers_alone_and_is_what_was_trained(files, quantised):
    graph = read_tflite(files[0]["int8", OWN])
    kinds = [op.kind for op in graph.ops]
    assert (kinds[0], kinds[-1]) == ("QUANTIZE", "DEQUANTIZE")
    inner = {graph.tensors[t].dtype for op in graph.ops[1:-1] for t in (*op.inputs, *op.outputs)}
    assert inner == {"int8"}
    assert "MINIMUM" not in kinds  # The range of the output clips.
    errors = np.abs(run_tflite(files[0]["int8", OWN])(frame(OWN)) - quantised(frame(OWN)).numpy())
    # A sum that falls on the other side of a half is one step off; later layers amplify it.
    assert errors.mean() < STEP
    assert errors.max() < 16 * STEP


def test_weights_have_a_scale_for_each_channel(files):
    graph = unpacked(files[0]["int8", OWN]).subgraphs[0]
    kernels = [t for t in graph.tensors if t.buffer and len(t.shape) == 4]
    assert len(kernels) == 5
    for kernel in kernels:
        axis = kernel.quantization.quantizedDimension
        assert len(kernel.quantization.scale) == kernel.shape[axis] >= 8


def test_weights_lie_aligned(files):
    for file in files[0].values():
        for buffer in unpacked(file).buffers:
            content = b"" if buffer.data is None else bytes(buffer.data)
            if len(content) > 64:
                assert file.index(content) % 16 == 0


def test_8_bit_tiles_are_the_whole_frame(files):
    file = files[0]["int8", OWN]
    pixels = frame((90, 130, 4))[0]
    how = plan(file, pixels.shape[:2])
    assert how.layout.count > 1
    found = np.concatenate(list(render(how, Frame(pixels, lambda stored: stored))))
    size = tuple(n + -n % s for n, s in zip(pixels.shape[:2], how.found.step, strict=True))
    whole = plan(file, pixels.shape[:2], size)
    assert whole.layout.count == 1
    np.testing.assert_array_equal(
        found, np.concatenate(list(render(whole, Frame(pixels, lambda stored: stored))))
    )


def with_means(ops, x):
    y = ops.conv(x, 8)
    gate = ops.activation(ops.conv(ops.global_average(y), 8, 1), "sigmoid")
    y = ops.instance_norm(ops.multiply(y, gate))
    return ops.power(ops.activation(ops.conv(y, 3), "relu"), 3.0)


def test_what_has_no_integer_kernel_stays_float_and_means_are_not_tiled():
    quantised = QuantisedNetwork(random_network(with_means, 4))
    quantised.calibrate([frame(OWN, seed) for seed in range(4)])
    file = convert(quantised, OWN, "int8")
    kinds = [op.kind for op in read_tflite(file).ops]
    assert "POW" not in kinds  # Products, which have one.
    assert "RSQRT" in kinds
    found = run_tflite(file)(frame(OWN))
    assert np.mean(np.abs(found - quantised(frame(OWN)).numpy())) < 2 * STEP
    assert plan(file, OWN[:2]).layout.count == 1
    with pytest.raises(UserError, match="means over the frame in 8 bits"):
        plan(file, (90, 130), OWN[:2])


def test_a_network_that_cannot_be_resized_is_converted_again():
    def attentive(ops, x):
        return ops.conv(ops.attend(ops.conv(x, 4), ops.conv(x, 4), ops.conv(x, 4)), 3)

    model = random_network(attentive, 4)
    sizes = [(8, 8), (16, 8)]
    for variant, file in convert_all(model, variants(["fp32"], OWN, sizes)):
        image = frame(variant.input_shape)
        np.testing.assert_allclose(
            run_tflite(file)(image), model(image, training=False).numpy(), atol=1e-5
        )


_HASHED = """
import sys; sys.path.insert(0, {folder!r})
import hashlib
import test_quantised_files as t
model = t.random_network(t.Candidate(t.network, 4).clipped.network, 4)
quantised = t.QuantisedNetwork(model)
quantised.calibrate([t.frame(t.OWN, seed) for seed in range(4)])
wanted = t.variants(["fp16", "int8"], t.OWN)
for _, file in t.convert_all(model, wanted, dict(int8=quantised), t.encoded(t.ABOUT)):
    print(hashlib.sha256(file).hexdigest())
"""


def test_another_process_writes_the_same_bytes(files, request):
    here = request.path.parent
    code = f"import sys; sys.path.insert(0, {str(here.parents[1])!r})\n"
    code += _HASHED.format(folder=str(here))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    expected = [hashlib.sha256(files[0][p, OWN]).hexdigest() for p in ("fp16", "int8")]
    assert done.stdout.split() == expected


def test_metadata_says_what_input_and_output_are(files):
    for file in files[0].values():
        model = unpacked(file)
        (entry,) = model.metadata
        assert entry.name == b"TFLITE_METADATA"
        content = bytes(model.buffers[entry.buffer].data)
        assert content[4:8] == b"M001"
        for text in (ABOUT.name, ABOUT.version, ABOUT.input_note, ABOUT.output_note, "image"):
            assert text.encode() in content
    root = flatbuffers.table.Table(content, int.from_bytes(content[:4], "little"))
    assert root.String(root.Pos + root.Offset(4)) == ABOUT.name.encode()
    graphs = root.Offset(4 + 2 * 3)
    graph = flatbuffers.table.Table(content, root.Indirect(root.Vector(graphs)))
    outputs = graph.Vector(graph.Offset(4 + 2 * 3))
    output = flatbuffers.table.Table(content, graph.Indirect(outputs))
    assert output.String(output.Pos + output.Offset(4)) == b"rgb"
    assert output.String(output.Pos + output.Offset(6)) == ABOUT.output_note.encode()


def test_the_smallest_published_network_is_no_larger_than_published():
    """MiAlgo's file is printed as 0.014 MB."""
    own = candidate(zoo_architecture("mialgo_track1"))
    model = random_network(own.clipped.network, 4)
    ((_, file),) = convert_all(model, variants(["fp32"], (544, 960, 4)), None, encoded(ABOUT))
    assert len(file) <= 14_000
    assert own.trace(544, 960).macs == read_tflite(file).macs


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1080", "write WIDTHxHEIGHT of the picture"),
        ("0x64", "write WIDTHxHEIGHT"),
        ("1920x1081", "needs a height that is a multiple of 4: 1080 or 1084"),
        ("2x64", "needs a width that is a multiple of 4: 4"),
        ("8x64", "no side may be shorter than 11"),
        ("99999x64", "no side may be longer than 16384"),
    ],
)
def test_resolutions_that_cannot_be_are_named(text, problem):
    with pytest.raises(UserError, match=problem):
        input_sizes([text], TASKS["isp"], Candidate(network, 4))


def test_resolutions_are_those_of_the_picture():
    found = input_sizes(["1920x1080", "1920x1088"], TASKS["isp"], Candidate(network, 4))
    assert found == [(540, 960), (544, 960)]
    assert [v.file_name for v in variants(["fp16"], (544, 960, 4), found)] == [
        "model_fp16_960x540.tflite",
        "model_fp16.tflite",
    ]


def integers_of(file):
    """The kernel of MiAlgo's second convolution, the first that is large enough to be rounded."""
    reader = Interpreter(model_content=file)
    reader.allocate_tensors()
    kernels = [d for d in reader.get_tensor_details() if list(d["shape"]) == [12, 3, 3, 12]]
    assert kernels[0]["dtype"] == np.int8
    return reader.get_tensor(kernels[0]["index"])


def test_training_in_8_bits_wins_back_what_rounding_lost(data_root):
    config = parse_config(
        tiny_study("tiny", {"training": {"steps": 150, "batch": 4, "learning_rate": 2e-3}})
        | {"data": {"root": str(data_root), "train": 16, "val": 4, "patch": 128}},
        "test",
    )
    own = candidate(zoo_architecture("mialgo_track1")).clipped
    model = random_network(own.network, 4)
    data = training_data(
        *(open_pairs(prepare_data(config), split) for split in ("train", "val")), 4
    )
    train(model, config.training, data, seed=0)
    before = [weight.copy() for weight in model.get_weights()]
    made = quantised_networks(model, config, PRECISIONS, Quantisation(images=16, steps=150))
    assert list(made) == ["dynamic", "int8", "int8_qat"]

    def psnr(network):
        return evaluate(lambda x: network(x, training=False), data.validation)[0].mean()

    assert psnr(made["int8_qat"]) > psnr(made["int8"]) + 0.1
    # The converter rounds nothing again: what was fitted for integers is in both files.
    of_floats, of_integers = (
        integers_of(convert(made[name], OWN, name)) for name in ("dynamic", "int8")
    )
    np.testing.assert_array_equal(of_floats, of_integers)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_training_in_8_bits_is_the_end_of_the_recipe():
    recipe = Recipe(steps=100, stages=({"loss": "l1"}, {"loss": "mse"}), closed_form_images=8)
    found = fine_tuning(recipe, 30)
    assert (found.steps, found.loss, found.stages) == (30, "mse", ())
    assert found.closed_form_images == 0
    assert found.learning_rate < recipe.learning_rate
