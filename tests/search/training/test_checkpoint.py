"""A training that is stopped goes on from its checkpoint to the result it would have had."""

import json

import keras
import numpy as np
import pytest

from search.artifacts import read_arrays, write_arrays
from search.training.checkpoint import Checkpoints, remove_checkpoint
from search.training.loop import train
from search.training.onlooker import Nobody, TrainingStoppedError
from search.training.recipe import Adversarial, Domain, Recipe, Stage, Teacher
from search.training.teaching import make_teacher
from spaces.ops.keras_backend import Network

PLAIN = Recipe(steps=9, batch=2, warmup_steps=2, closed_form_images=4, rung_images=2)
EVERYTHING = PLAIN.model_copy(
    update={
        "weight_decay": 0.01,
        "keep_pairs": 0.75,
        "levels": {"body": "l1"},
        "stages": (Stage(loss="l1", masked=0.3), Stage(share=2)),
        "adversarial": Adversarial(weight=0.01, depths=(2,), width=8),
        "domain": Domain(weight=0.1),
        "teacher": Teacher(system="mialgo_track1", steps=2),
    }
)
RECIPES = {"plain": PLAIN, "everything": EVERYTHING}
RUNGS = (0, 2, 6)


def tapped(ops, x):
    """Small, with moving statistics, and with everything that a trick may look at."""
    x = ops.activation(ops.conv(x, 8, branches="repvgg"), "relu")
    x = ops.tap(ops.conv(x, 8), "body")
    y = ops.tap(ops.max_pool(x), "bottleneck")
    x = ops.add(x, ops.resize(y, 2))
    return ops.depth_to_space(ops.conv(x, 12, name="head"), 2)


class StopError(Exception):
    pass


def run(data, recipe, keep_going=lambda step, psnr_db: True, checkpoints=None, **watched):
    """(what was measured, the weights): as a worker does it, all of it anew."""
    keras.utils.set_random_seed(0)
    model = Network(tapped, 4)
    teacher = make_teacher(recipe, data, seed=0)
    outcome = train(
        model, recipe, data, seed=0, teacher=teacher, rungs=RUNGS, keep_going=keep_going,
        checkpoints=checkpoints, **watched,
    )  # fmt: skip
    measured = outcome.curve, outcome.psnr_db, outcome.ssim, outcome.pruned_at
    return measured, [np.array(w) for w in model.get_weights()]


def stopped_at(data, recipe, path, rung):
    """The checkpoint that a training leaves which is stopped at this rung."""

    def keep_going(step, psnr_db):
        if step == rung:
            raise StopError
        return True

    with pytest.raises(StopError):
        run(data, recipe, keep_going, Checkpoints(path, "job", 0))
    return path


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_it_goes_on_bit_for_bit(data, tmp_path, name, capfd):
    recipe = RECIPES[name]
    straight = run(data, recipe)
    path = stopped_at(data, recipe, tmp_path / "checkpoint.npz", 6)
    asked = []

    def keep_going(step, psnr_db):
        asked.append((step, psnr_db))
        return True

    measured, weights = run(data, recipe, keep_going, Checkpoints(path, "job", 3600))
    assert "going on from the checkpoint of step 5" in capfd.readouterr().err
    assert measured == straight[0]
    for ours, theirs in zip(weights, straight[1], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    # Whoever decides hears of all rungs, also of those behind it, and only once.
    assert asked == measured[0][:-1]


def test_one_that_is_no_longer_wanted_ends_at_the_rung_it_had_passed(data, tmp_path):
    path = stopped_at(data, PLAIN, tmp_path / "checkpoint.npz", 6)
    measured, _ = run(data, PLAIN, lambda step, _: step < 2, Checkpoints(path, "job", 0))
    curve, psnr_db, _, pruned_at = measured
    assert (psnr_db, pruned_at) == (None, 2)
    assert [step for step, _ in curve] == [0, 2]


class Impatient(Nobody):
    """Hears of all steps, and wants none after the fourth."""

    def __init__(self):
        self.heard = []

    def begins(self, step):
        self.heard.append(("begins", step))

    def stepped(self, step, loss):
        assert np.isfinite(loss)
        self.heard.append(step)

    def stops(self):
        return self.heard[-1] == 4


def test_an_onlooker_stops_it_with_a_checkpoint_that_is_not_due(data, tmp_path):
    straight = run(data, PLAIN)
    path, onlooker = tmp_path / "checkpoint.npz", Impatient()
    with pytest.raises(TrainingStoppedError, match="stopped after step 4") as stopped:
        run(data, PLAIN, checkpoints=Checkpoints(path, "job", 3600), onlooker=onlooker)
    assert stopped.value.kept
    assert onlooker.heard == [("begins", 0), 1, 2, 3, 4]
    onlooker.heard.clear()
    resumed = run(data, PLAIN, checkpoints=Checkpoints(path, "job", 3600), onlooker=onlooker)
    assert onlooker.heard == [("begins", 4), 5, 6, 7, 8, 9]
    assert resumed[0] == straight[0]


def test_validation_may_be_somebody_elses(data):
    asked = []

    def measure(limit, with_ssim):
        asked.append((limit, with_ssim))
        return np.array([20.0, 30.0]), np.array([0.5])

    measured, _ = run(data, PLAIN, measure=measure)
    assert asked == [(2, False)] * 3 + [(None, True)]
    assert measured == ([(0, 25.0), (2, 25.0), (6, 25.0), (9, 25.0)], 25.0, 0.5, None)


@pytest.fixture
def written(tmp_path):
    """A checkpoint of some variables."""
    path = tmp_path / "checkpoint.npz"
    variables = [keras.Variable(np.full((3, 2), 0.5, np.float32)), keras.Variable(7)]
    assert Checkpoints(path, "job", 0).save_if_due(4, [(2, 21.25)], variables)
    return path


def test_a_checkpoint_comes_back_as_it_was(written):
    found = Checkpoints(written, "job", 60).load()
    assert (found.step, found.curve) == (4, ((2, 21.25),))
    variables = [keras.Variable(np.zeros((3, 2), np.float32)), keras.Variable(0)]
    found.restore(variables)
    np.testing.assert_array_equal(variables[0].numpy(), np.full((3, 2), 0.5))
    assert int(variables[1].numpy()) == 7
    with pytest.raises(ValueError, match="shorter"):
        found.restore(variables * 2)


def test_another_jobs_checkpoint_is_not_read(written):
    assert Checkpoints(written, "another", 60).load() is None


def test_a_torn_one_is_not_read_wherever_it_is_torn(written):
    content = written.read_bytes()
    for length in range(0, len(content), 13):
        written.write_bytes(content[:length])
        assert Checkpoints(written, "job", 60).load() is None


def test_a_damaged_one_is_not_read(written):
    content = written.read_bytes()
    whole = Checkpoints(written, "job", 60).load()
    for place in range(0, len(content), 13):
        damaged = bytearray(content)
        damaged[place] ^= 0xFF
        written.write_bytes(damaged)
        found = Checkpoints(written, "job", 60).load()
        # A byte that nothing reads, such as a date of the archive's, may be any.
        assert found is None or (found.step, found.curve) == (whole.step, whole.curve)
        assert found is None or np.array_equal(found.values[0], whole.values[0])


def test_one_put_together_from_two_is_not_read(written):
    arrays = read_arrays(written)
    facts = json.loads(arrays["facts"].tobytes()) | {"step": 5}
    arrays["facts"] = np.frombuffer(json.dumps(facts).encode(), np.uint8)
    write_arrays(written, arrays)
    assert Checkpoints(written, "job", 60).load() is None


def test_it_is_written_when_it_is_due(tmp_path):
    path = tmp_path / "checkpoint.npz"
    assert not Checkpoints(path, "job", 3600).save_if_due(1, [], [])
    assert not path.exists()


def test_a_disk_that_takes_none_does_not_end_the_training(tmp_path, capfd):
    path = tmp_path / "file" / "checkpoint.npz"
    path.parent.write_text("no directory")
    assert not Checkpoints(path, "job", 0).save_if_due(1, [], [])
    assert "no checkpoint at step 1: " in capfd.readouterr().err


def test_what_a_kill_left_goes_with_it(written):
    (written.parent / ".checkpoint.npz.k1ll3d").write_bytes(b"half")
    (written.parent / "weights.npz").write_bytes(b"whole")
    remove_checkpoint(written)
    remove_checkpoint(written)
    assert [path.name for path in written.parent.iterdir()] == ["weights.npz"]
