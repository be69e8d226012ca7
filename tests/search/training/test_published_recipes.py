"""The recipe of every published system: it can be read, and it trains its network."""

import os

import keras
import numpy as np
import pytest
import tensorflow as tf

from search.config import parse_config
from search.data.pairs import TaskName
from search.errors import UserError
from search.training.goal import goals
from search.training.published import left_out, system_recipe
from search.training.recipe import PERCEPTUAL_NAMES, Recipe
from search.training.tricks import Sight
from spaces.ops.keras_backend import Network
from spaces.zoo import ZOO

EVERYTHING = bool(os.environ.get("LENSNAS_EVERYTHING"))
SYSTEMS = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            ZOO[name].parameters > 1_000_000 and not EVERYTHING,
            reason="large; LENSNAS_EVERYTHING=1 trains all systems",
        ),
    )
    for name in ZOO
]


@pytest.mark.parametrize("name", list(ZOO))
def test_a_recipe_is_one_and_says_how_it_was_trained(name):
    system = ZOO[name]
    recipe = system_recipe(system)
    assert isinstance(recipe, Recipe)
    assert not recipe.loss_names & set(PERCEPTUAL_NAMES)
    assert len(system.training) > 20
    # Short budgets are budgets too.
    assert recipe.shortened(30).steps == 30


def test_perceptual_losses_stay_where_there_are_weights():
    system = ZOO["mincho"]
    recipe = system_recipe(system, {"vgg19": "vgg.h5"})
    assert "vgg19" in recipe.stages[1].loss
    assert recipe.perceptual_weights == {"vgg19": "vgg.h5"}
    assert left_out(system, {}) == ["vgg19"]
    assert left_out(system, {"vgg19": "vgg.h5"}) == []
    assert left_out(ZOO["mialgo_track1"], {}) == []


def loss_of(goal, model, x, y):
    def run(inputs):
        return model.taps(inputs, training=True)

    prediction, taps = run(goal.shown(x, 0))
    return goal.total(Sight(x, goal.wanted(x, y), prediction, taps, run, tf.constant(0)))


def loss_and_gradients(goal, model, x, y, variables):
    @tf.function(autograph=False)
    def measured():
        with tf.GradientTape() as tape:
            loss = loss_of(goal, model, x, y)
        return loss, tape.gradient(loss, variables)

    return measured


@pytest.mark.slow
@pytest.mark.parametrize("name", SYSTEMS)
def test_a_step_along_the_gradient_lowers_every_stages_loss(name):
    system = ZOO[name]
    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    model = Network(system.network, system.input_shape[2])
    rng = np.random.default_rng(0)
    isp = system.task == "isp"
    recipe = system_recipe(system).shortened(100).model_copy(update={"teacher": None})
    side = recipe.crop // 2 if isp else recipe.crop
    x = rng.random((1, side, side, system.input_shape[2]), np.float32)
    y = rng.random((1, recipe.crop, recipe.crop, 3), np.float32)
    for goal in goals(recipe, model, x, teacher=None, seed=0):
        variables = [*model.trainable_variables, *(v for t in goal.tricks for v in t.variables)]

        measured = loss_and_gradients(goal, model, x, y, variables)
        before, gradients = measured()
        pairs = [(v, g) for v, g in zip(variables, gradients, strict=True) if g is not None]
        length = float(tf.linalg.global_norm([g for _, g in pairs]))
        assert np.isfinite(length)
        assert length > 0
        # A gradient reversal is meant to raise the classifier's share of the loss.
        pushed = [] if recipe.domain is None or not goal.tricks else [recipe.domain]
        start = [tf.identity(v) for v, _ in pairs]
        for distance in (1e-1, 1e-2, 1e-3, 1e-4, 1e-5):
            for (variable, gradient), value in zip(pairs, start, strict=True):
                variable.assign(value - distance * gradient / length)
            if float(measured()[0]) < float(before):
                break
        else:
            assert pushed, f"no step lowers the loss of {name}"


def study(**training):
    return {"name": "s", "task": "isp", "trials": 1, "training": training}


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ({"loss": "vgg19", "perceptual_weights": {"vgg19": "/none.h5"}}, "no file /none.h5"),
        ({"loss": {"l1": 1, "bokeh_edge": 1}}, "bokeh_edge needs photographs as inputs"),
        ({"teacher": {"system": "nobody"}}, "no zoo system called 'nobody'"),
        ({"teacher": {"system": "antins_cv"}}, "antins_cv is not of the task isp"),
        ({"teacher": {"system": "mincho", "weights": "/none.npz"}}, "no file /none.npz"),
        ({"stages": [{"loss": "l3"}]}, "no loss called 'l3'"),
        ({"stages": [{"share": 0}]}, "greater than 0"),
        ({"steps": 30, "stages": [{}] * 31}, "31 stages need more than 30 steps"),
        ({"keep_pairs": 0}, "greater than 0"),
    ],
)
def test_what_a_recipe_lacks_is_said_before_a_study_starts(training, message):
    with pytest.raises(UserError, match=message):
        parse_config(study(**training), "x.yaml")


def test_tasks_have_recipes():
    assert {ZOO[name].task for name in ZOO} == set(TaskName.__args__)
