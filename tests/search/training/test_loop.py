"""The loop on real sample data, with tiny networks."""

import keras
import numpy as np
import pytest
from tiny_training import RECIPE, fresh

from search.training.loop import TrainingDivergedError, averaged_weights, train


def run(data, model, recipe=RECIPE, **options):
    return train(model, recipe, data, seed=0, **options)


def test_training_improves_on_its_closed_form_start(data):
    start = run(data, fresh(), RECIPE.model_copy(update={"steps": 1, "learning_rate": 1e-9,
                                                         "warmup_steps": 0}))  # fmt: skip
    trained = run(data, fresh(), RECIPE.model_copy(update={"steps": 150}))
    assert trained.psnr_db > start.psnr_db + 0.1


def test_closed_form_start_is_better_than_none(data):
    short = {"steps": 1, "learning_rate": 1e-9, "warmup_steps": 0}
    fitted = run(data, fresh(), RECIPE.model_copy(update=short))
    plain = run(data, fresh(), RECIPE.model_copy(update={**short, "closed_form_images": 0}))
    assert fitted.psnr_db > plain.psnr_db + 3


def test_same_seed_same_weights(data):
    first, second = fresh(), fresh()
    outcomes = [run(data, model, rungs=(10,)) for model in (first, second)]
    assert outcomes[0].psnr_db == outcomes[1].psnr_db
    assert outcomes[0].curve == outcomes[1].curve
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_rungs_do_not_disturb_training(data):
    assert run(data, fresh()).psnr_db == run(data, fresh(), rungs=(0, 5, 10, 20)).psnr_db


def test_rung_0_sees_the_closed_form_start(data):
    start = RECIPE.model_copy(update={"steps": 1, "learning_rate": 1e-12, "warmup_steps": 0})
    unmoved = run(data, fresh(), start.model_copy(update={"rung_images": 1000}))
    at_0 = run(data, fresh(), start.model_copy(update={"rung_images": 1000}), rungs=(0,))
    assert at_0.curve[0] == (0, pytest.approx(unmoved.psnr_db, abs=1e-3))
    pruned = run(data, fresh(), rungs=(0, 10), keep_going=lambda step, psnr_db: False)
    assert pruned.pruned_at == 0
    assert [step for step, _ in pruned.curve] == [0]


def test_a_pruned_run_stops_at_its_rung(data):
    asked = []

    def stop_at_20(step, psnr_db):
        asked.append((step, psnr_db))
        return step < 20

    outcome = run(data, fresh(), rungs=(10, 20, 25), keep_going=stop_at_20)
    assert [step for step, _ in asked] == [10, 20]
    assert outcome.pruned_at == 20
    assert outcome.psnr_db is None
    assert outcome.curve == asked


def test_a_loss_that_is_no_number_says_when(data):
    model = fresh()

    def poison(step, psnr_db):
        kernel = model.trainable_variables[0]
        kernel.assign(np.full(kernel.shape, np.nan, np.float32))
        return True

    with pytest.raises(TrainingDivergedError, match="the loss became nan at step 6"):
        run(data, model, rungs=(5,), keep_going=poison)


def test_a_loss_that_explodes_says_when(data):
    wild = RECIPE.model_copy(update={"learning_rate": 0.99, "loss": "mse", "warmup_steps": 0})
    with pytest.raises(TrainingDivergedError, match=r"the loss became \S+ at step \d+"):
        run(data, fresh(), wild.model_copy(update={"clip_norm": 1e9, "steps": 200}))


def test_time_is_accounted_for_by_phase(data):
    seconds = run(data, fresh(), rungs=(10,)).seconds
    assert set(seconds) == {"initialise", "first_step", "steps", "validate", "wait"}
    assert all(value >= 0 for value in seconds.values())


def test_averaged_weights_are_put_back(data):
    model = fresh()
    optimizer = keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5)
    optimizer.build(model.trainable_variables)
    for _ in range(3):
        optimizer.apply([np.ones(v.shape, np.float32) for v in model.trainable_variables])
    before = [v.numpy() for v in model.trainable_variables]
    with averaged_weights(model.trainable_variables, optimizer):
        assert not np.array_equal(model.trainable_variables[0].numpy(), before[0])
    for variable, value in zip(model.trainable_variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)


def test_a_sum_of_losses_trains(data):
    several = {"l1": 1.0, "ms_ssim": 0.2, "edge": 0.1, "cosine": 0.1, "histogram": 0.01}
    outcome = run(data, fresh(), RECIPE.model_copy(update={"loss": several}))
    plain = run(data, fresh(), RECIPE.model_copy(update={"loss": "l1"}))
    assert abs(outcome.psnr_db - plain.psnr_db) < 3
    assert outcome.psnr_db != plain.psnr_db


def test_a_sum_of_one_loss_is_that_loss(data):
    short = {"steps": 5}
    one = run(data, fresh(), RECIPE.model_copy(update={**short, "loss": {"l1": 1.0}}))
    plain = run(data, fresh(), RECIPE.model_copy(update={**short, "loss": "l1"}))
    assert one.psnr_db == plain.psnr_db
