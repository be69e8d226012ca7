import keras
import numpy as np
import pytest

from search.training.closed_form import fit_output_layers
from spaces import SPACES
from spaces.blocks.colour import TONE
from spaces.ops.keras_backend import KerasOps, Network


def network(space, **allowed):
    architecture = SPACES[space].narrow(allowed).sample(np.random.default_rng(0))
    keras.utils.set_random_seed(0)
    return Network(SPACES[space].bind(architecture), SPACES[space].input_channels)


def error(model, x, y):
    return float(np.mean((model(x).numpy() - y) ** 2))


@pytest.mark.parametrize("global_path", ["none", "linear"])
@pytest.mark.parametrize("stem", ["conv3", "strided3"])
@pytest.mark.parametrize("head", ["conv3", "conv1", "refine3"])
def test_a_linear_target_is_found_at_once(global_path, stem, head):
    """Any network that hands its input on can represent a linear function of it exactly."""
    rng = np.random.default_rng(0)
    x = rng.random((6, 32, 32, 4), np.float32)
    mix = rng.random((4, 12)).astype(np.float32) / 4
    y = keras.ops.depth_to_space(x @ mix, 2).numpy()
    model = network(
        "unet_isp", packing=[1], stem=[stem], levels=[0], conv=["conv3"], activation=["relu"],
        stem_activation=["same"], attention_0=[False], width_0=[16], global_path=[global_path],
        head=[head],
    )  # fmt: skip
    before = error(model, x, y)
    fit_output_layers(model, x, y, residual=False)
    # Without a linear path a strided stem has lost three pixels of four.
    exact = global_path == "linear" or stem == "conv3"
    assert error(model, x, y) < before * (1e-4 if exact else 0.5)


@pytest.mark.parametrize("gains", [False, True])
@pytest.mark.parametrize("tone", list(TONE))
def test_a_linear_image_is_found_through_what_finishes_it(tone, gains):
    rng = np.random.default_rng(0)
    x = rng.random((6, 32, 32, 4), np.float32)
    mix = rng.random((4, 12)).astype(np.float32) / 4
    linear = keras.ops.depth_to_space(x @ mix, 2).numpy()
    model = network(
        "blocks_isp", packing=[1], stem=["conv3"], levels=[0], filters=["none"], block_0=["conv3"],
        activation=["relu"], stem_activation=["same"], attention_0=["none"], width_0=[16],
        global_path=["none"], head=["conv1"], gains=[gains], tone=[tone],
    )  # fmt: skip
    # Gains that depend on the image are no linear function of it.
    if gains:
        linear = linear * model.taps(x)[1]["gains"].numpy()
    y = np.array(TONE[tone].apply(KerasOps(), linear))
    before = error(model, x, y)
    fit_output_layers(model, x, y, residual=False, tone=tone)
    assert error(model, x, y) < before * 1e-4


@pytest.mark.parametrize("block", ["erep3", "repvgg3"])
def test_the_fit_holds_in_training_where_norms_use_the_batch(block):
    rng = np.random.default_rng(0)
    x = rng.random((16, 32, 32, 4), np.float32)
    y = keras.ops.depth_to_space(x @ rng.random((4, 12)).astype(np.float32) / 4, 2).numpy()
    model = network(
        "blocks_isp", packing=[1], stem=["conv3"], levels=[0], filters=["none"], block_0=[block],
        blocks_0=[3], attention_0=["none"], width_0=[16], global_path=["none"], head=["conv3"],
        gains=[False], tone=["none"],
    )  # fmt: skip
    fit_output_layers(model, x, y, residual=False)
    in_training = float(np.mean((model(x, training=True).numpy() - y) ** 2))
    assert in_training < np.var(y) / 2
    assert error(model, x, y) < np.var(y) / 2


def test_images_of_one_error_give_the_least_squares_solution():
    """Against NumPy's own solver; equal errors have equal weights."""
    rng = np.random.default_rng(0)
    x = rng.random((8, 64, 64, 4), np.float32)
    y = rng.random((8, 128, 128, 3), np.float32)
    model = network("unet_isp", packing=[1], stem=["conv3"], levels=[0], global_path=["none"],
                    head=["conv1"])  # fmt: skip
    fit_output_layers(model, x, y, residual=False)
    _, taps = model.taps(x)
    features = taps["head"].numpy().reshape(-1, taps["head"].shape[-1])
    design = np.concatenate([features, np.ones((len(features), 1))], axis=1)
    target = keras.ops.space_to_depth(y, 2).numpy().reshape(-1, 12)
    solution, *_ = np.linalg.lstsq(design, target, rcond=None)
    optimum = np.mean((design @ solution - target) ** 2)
    assert error(model, x, y) == pytest.approx(optimum, rel=1e-2)


def test_an_easy_image_counts_as_much_as_a_hard_one():
    """The mean PSNR is served, where least squares would give the easy image up."""
    rng = np.random.default_rng(0)
    x = rng.random((2, 64, 64, 4), np.float32)
    mix = rng.random((4, 12)).astype(np.float32) / 4
    y = keras.ops.depth_to_space(x @ mix, 2).numpy()
    y[1] = rng.random(y[1].shape, np.float32)
    model = network("unet_isp", packing=[1], stem=["conv3"], levels=[0], conv=["conv3"],
                    activation=["relu"], stem_activation=["same"], attention_0=[False],
                    global_path=["linear"], head=["conv3"])  # fmt: skip
    fit_output_layers(model, x, y, residual=False)
    easy, hard = (np.mean((model(x[i : i + 1]).numpy() - y[i : i + 1]) ** 2) for i in (0, 1))
    assert easy < hard / 1000


def test_a_residual_network_starts_no_worse_than_its_input():
    rng = np.random.default_rng(0)
    x = rng.random((16, 64, 64, 3), np.float32)
    y = np.clip(x + 0.05 * rng.standard_normal(x.shape), 0, 1).astype(np.float32)
    model = network("unet_bokeh", packing=[2], levels=[1], width_0=[8], global_path=["residual"],
                    head=["conv1"])  # fmt: skip
    fit_output_layers(model, x, y, residual=True)
    assert error(model, x, y) <= np.mean((x - y) ** 2) * 1.01


def test_a_network_without_a_named_head_is_left_alone():
    model = Network(lambda ops, x: ops.depth_to_space(ops.conv(x, 12), 2), 4)
    before = [w.copy() for w in model.get_weights()]
    x = np.zeros((1, 16, 16, 4), np.float32)
    fit_output_layers(model, x, np.zeros((1, 32, 32, 3), np.float32), residual=False)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
