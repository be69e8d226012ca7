"""Each trick by itself: what it computes, and what it does to a network that is trained with it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from search.data.pairs import PreparedPairs
from search.data.sample import prepare_sample
from search.errors import UserError
from search.training.data import training_data
from search.training.goal import goals
from search.training.loop import train
from search.training.recipe import Adversarial, Domain, Recipe, Stage, Teacher
from search.training.teaching import make_teacher
from search.training.tricks import Sight
from search.training.tricks.masking import masked
from spaces.ops.keras_backend import Network
from spaces.zoo import ZOO

RECIPE = Recipe(steps=12, batch=2, warmup_steps=0, closed_form_images=0, loss="l1")


def tapped(ops, x):
    """A tiny ISP network with everything that a trick may look at."""
    x = ops.activation(ops.conv(x, 8), "relu")
    x = ops.tap(ops.conv(x, 8), "body")
    y = ops.tap(ops.max_pool(x), "bottleneck")
    x = ops.add(x, ops.resize(y, 2))
    return ops.depth_to_space(ops.conv(x, 12), 2)


def tiny_bokeh(ops, x):
    x = ops.activation(ops.conv(x, 8, init="random"), "relu")
    return ops.conv(x, 3, init="random")


@pytest.fixture(scope="module", params=["isp", "bokeh"])
def either(request, data_root):
    return opened(request.param, data_root)


@pytest.fixture(scope="module")
def isp(data_root):
    return opened("isp", data_root)


@pytest.fixture(scope="module")
def bokeh(data_root):
    return opened("bokeh", data_root)


def opened(task, data_root):
    root = prepare_sample(task, data_root, seed=0, train=16, val=4, patch=128)
    splits = PreparedPairs(root, "train"), PreparedPairs(root, "val")
    return training_data(*splits, 4 if task == "isp" else 3)


def fresh(network, channels):
    keras.utils.set_random_seed(0)
    return Network(network, channels)


def trained(data, network, recipe, channels=4):
    model = fresh(network, channels)
    teacher = make_teacher(recipe, data, seed=0)
    before = [w.copy() for w in model.get_weights()]
    outcome = train(model, recipe, data, seed=0, teacher=teacher)
    assert np.isfinite(outcome.psnr_db)
    # Averaging moves even what stands still by a rounding.
    moved = [
        not np.allclose(a, b, atol=1e-6) for a, b in zip(before, model.get_weights(), strict=True)
    ]
    return model, outcome, moved


def with_(**settings):
    return Recipe.model_validate(RECIPE.model_dump() | settings)


def test_about_the_asked_share_is_masked_in_squares():
    x = np.ones((4, 64, 64, 4), np.float32)
    hidden = masked(x, 0.5, 3, 7).numpy() == 0
    assert hidden.mean() == pytest.approx(0.5, abs=0.05)
    # All channels of a pixel go together, and a hidden pixel has hidden neighbours.
    assert (hidden.all(-1) == hidden.any(-1)).all()
    rows = hidden[..., 0]
    lonely = rows[:, 1:-1, 1:-1] & ~(
        rows[:, :-2, 1:-1] | rows[:, 2:, 1:-1] | rows[:, 1:-1, :-2] | rows[:, 1:-1, 2:]
    )
    assert not lonely.any()
    np.testing.assert_array_equal(masked(x, 0.5, 3, 7), masked(x, 0.5, 3, 7))
    assert not np.array_equal(masked(x, 0.5, 3, 7), masked(x, 0.5, 3, 8))
    np.testing.assert_array_equal(masked(x, 0.0, 3, 7), x)


def test_a_masked_warm_up_restores_the_input_too(isp):
    stages = (Stage(masked=0.5, loss="charbonnier"), Stage())
    recipe = with_(stages=[stage.model_dump() for stage in stages])
    found = goals(recipe, fresh(tapped, 4), np.zeros((1, 32, 32, 4), np.float32),
                  teacher=None, seed=0)  # fmt: skip
    assert [len(goal.tricks) for goal in found] == [1, 0]
    assert [goal.steps for goal in found] == [range(6), range(6, 12)]
    _, _, moved = trained(isp, tapped, recipe)
    assert all(moved)


def test_levels_train_only_what_they_look_at(isp):
    level = {"level": "body", "loss": "l1"}
    _, _, moved = trained(isp, tapped, with_(stages=[level]))
    # Two convolutions before the tap, one behind it: kernel and bias each.
    assert moved == [True] * 4 + [False] * 2


def test_losses_of_levels_come_beside_that_of_the_image(isp):
    """The head of a level sees its own target and reaches what lies before its tap only."""
    recipe = with_(levels={"bottleneck": {"mse": 1.0}, "body": "l1"})
    model = fresh(tapped, 4)
    x = isp.validation.inputs[:2]
    y = isp.validation.targets[:2].astype(np.float32) / 255
    (goal,) = goals(recipe, model, x, teacher=None, seed=0)
    assert len(goal.tricks) == 2
    prediction, taps = model.taps(x)
    sight = Sight(x, y, prediction, taps, model.taps, tf.constant(0))
    bottleneck, body = goal.tricks
    kernel, bias = bottleneck.variables
    bottleneck.variables[0].assign(np.zeros(kernel.shape))
    bias.assign([0.5, 0.5, 0.5])
    small = y.reshape(2, 32, 4, 32, 4, 3).mean((2, 4))
    np.testing.assert_allclose(bottleneck.loss(sight), np.mean((small - 0.5) ** 2), rtol=1e-5)
    together = goal.loss(sight) + bottleneck.loss(sight) + body.loss(sight)
    np.testing.assert_allclose(goal.total(sight), together, rtol=1e-6)
    _, _, moved = trained(isp, tapped, recipe)
    assert all(moved)
    alone = with_(stages=[{"alone": True}, {}], levels={"body": "l1"})
    found = goals(alone, fresh(tapped, 4), x, teacher=None, seed=0)
    assert [len(goal.tricks) for goal in found] == [0, 1]


def test_an_identity_stage_learns_to_hand_the_photograph_through(bokeh):
    recipe = with_(steps=150, stages=[{"target": "input"}])
    model, _, _ = trained(bokeh, tiny_bokeh, recipe, channels=3)
    x = bokeh.validation.inputs[:2]
    start = np.abs(fresh(tiny_bokeh, 3)(x) - x).mean()
    assert np.abs(model(x) - x).mean() < 0.5 * start


def test_raw_cannot_be_handed_through(isp):
    with pytest.raises(UserError, match="needs RGB inputs"):
        trained(isp, tapped, with_(stages=[{"target": "input"}]))


def test_a_student_comes_to_resemble_its_teacher(isp):
    teaching = Teacher(system="mialgo_track1", steps=60, output=1.0)
    recipe = with_(steps=60, loss={"l1": 1e-6}, teacher=teaching.model_dump())
    teacher = make_teacher(recipe, isp, seed=0)
    x = isp.validation.inputs
    model = fresh(tapped, 4)
    start = np.abs(model(x) - teacher(x)).mean()
    train(model, recipe, isp, seed=0, teacher=teacher)
    assert np.abs(model(x) - teacher(x)).mean() < 0.5 * start


def test_features_that_are_not_shared_are_an_error(isp):
    teaching = {"system": "mialgo_track1", "steps": 1, "features": 1.0}
    with pytest.raises(UserError, match="shares no tapped features with mialgo_track1"):
        trained(isp, tapped, with_(teacher=teaching))


def test_a_teachers_weights_can_come_from_a_file(isp, tmp_path):
    system = ZOO["mialgo_track1"]
    keras.utils.set_random_seed(5)
    model = Network(system.network, 4)
    path = tmp_path / "teacher.npz"
    np.savez(path, **{f"{i:04d}": w for i, w in enumerate(model.get_weights())})
    recipe = with_(teacher={"system": "mialgo_track1", "weights": str(path)})
    teacher = make_teacher(recipe, isp, seed=0)
    for a, b in zip(model.get_weights(), teacher.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    wrong = with_(teacher={"system": "mincho", "weights": str(path)})
    with pytest.raises(UserError, match="does not fit mincho"):
        make_teacher(wrong, isp, seed=0)


def test_a_teacher_is_not_trained_with_its_student(isp):
    recipe = with_(teacher={"system": "mialgo_track1", "steps": 2})
    teacher = make_teacher(recipe, isp, seed=0)
    before = [w.copy() for w in teacher.get_weights()]
    train(fresh(tapped, 4), recipe, isp, seed=0, teacher=teacher)
    for a, b in zip(before, teacher.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_critics_learn_beside_the_network(isp):
    settings = Adversarial(weight=0.01, depths=(2,), width=8)
    recipe = with_(adversarial=settings.model_dump())
    model = fresh(tapped, 4)
    (goal,) = goals(recipe, model, np.zeros((1, 32, 32, 4), np.float32), teacher=None, seed=0)
    assert goal.tricks[0].update is not None
    assert not goal.tricks[0].variables
    _, _, moved = trained(isp, tapped, recipe)
    assert all(moved)


def test_the_domain_classifier_pushes_features_the_other_way(isp):
    """With the reversal the features lose what tells the cameras apart; the classifier gains."""
    settings = Domain(weight=1.0, features="bottleneck")
    model = fresh(tapped, 4)
    recipe = with_(domain=settings.model_dump())
    x = isp.validation.inputs[:2]
    (goal,) = goals(recipe, model, x, teacher=None, seed=0)
    (trick,) = goal.tricks

    def run(inputs):
        return model.taps(inputs, training=True)

    with tf.GradientTape(persistent=True) as tape:
        prediction, taps = run(x)
        sight = Sight(x, None, prediction, taps, run, tf.constant(0))
        loss = trick.loss(sight)
    features = model.trainable_variables[0]
    down = tape.gradient(loss, trick.variables[0])
    reversed_ = tape.gradient(loss, features)
    old = float(loss)
    # Along its gradient the classifier gets better, the features make it worse.
    trick.variables[0].assign_sub(0.01 * down / tf.norm(down))
    assert float(trick.loss(sight)) < old
    trick.variables[0].assign_add(0.01 * down / tf.norm(down))
    features.assign_sub(0.01 * reversed_ / tf.norm(reversed_))
    prediction, taps = run(x)
    assert float(trick.loss(Sight(x, None, prediction, taps, run, tf.constant(0)))) > old


def test_a_tap_that_is_not_there_is_named(isp):
    for wrong in ({"domain": {"weight": 1.0, "features": "neck"}}, {"levels": {"neck": "l1"}}):
        with pytest.raises(UserError, match=r"no tapped features 'neck'.*body, bottleneck"):
            trained(isp, tapped, with_(**wrong))


def test_bokeh_losses_train_on_photographs_and_not_on_raw(isp, bokeh):
    loss = {"l1": 1.0, "bokeh_edge": 0.005, "bokeh_blur": 0.1, "bokeh_foreground": 0.005}
    _, _, moved = trained(bokeh, tiny_bokeh, with_(loss=loss), channels=3)
    assert all(moved)
    with pytest.raises(UserError, match="needs RGB inputs"):
        trained(isp, tapped, with_(loss=loss))


def test_the_same_recipe_gives_the_same_weights(either):
    task = either.pairs.meta.task
    network, channels = (tapped, 4) if task == "isp" else (tiny_bokeh, 3)
    settings = {"adversarial": {"weight": 0.01, "depths": [2], "width": 8}}
    settings["stages"] = [{"masked": 0.3}, {}]
    first, second = (
        trained(either, network, with_(**settings), channels)[0].get_weights() for _ in range(2)
    )
    for a, b in zip(first, second, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
