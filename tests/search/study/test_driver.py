"""Whole studies: real training in real worker processes on a real SQLite storage."""

import json

import pytest

from search.artifacts import load_preview, load_weights
from search.documents import results_document
from search.errors import UserError
from search.study import driver
from search.study.directories import final_directory, trial_directory
from search.study.driver import run_study
from search.study.frame import trials_frame
from search.study.observer import Silent
from search.study.ownership import driver_lock
from search.study.results import read_results
from search.study.storage import load_study

pytestmark = pytest.mark.slow


class Recorder(Silent):
    """Keeps what it is told; `on_start` may interfere with a training run."""

    def __init__(self, on_start=None):
        self.trials, self.finals, self.warnings, self.rungs = [], [], [], []
        self.on_start = on_start

    def started(self, label, estimate):
        if self.on_start:
            self.on_start(label)

    def trial(self, record):
        self.trials.append(record)

    def final(self, run):
        self.finals.append(run)

    def rung(self, label, step, psnr_db):
        self.rungs.append((label, step))

    def warn(self, message):
        self.warnings.append(message)


def measured(results):
    return [(t.index, t.architecture.digest, t.psnr_db, t.curve) for t in results.complete]


def test_a_study_runs_to_its_winner_and_leaves_its_artifacts(tiny_config):
    config = tiny_config(baselines=["mialgo_track1"], trials=2)
    recorder = Recorder()
    results = run_study(config, recorder)
    assert [t.status for t in recorder.trials] == ["complete", "complete"]
    # One searched finalist and the baseline, or the baseline alone, with two seeds each.
    assert len(results.finals) == len(recorder.finals) in (2, 4)
    assert results.winner == results.finalists()[0].architecture
    assert all(len(f.psnrs_db) == 2 for f in results.finalists())
    for trial in results.complete:
        directory = trial_directory(config, trial.number)
        assert sum(w.size for w in load_weights(directory)) == trial.estimate.parameters
        assert load_preview(directory)["output"].shape == (3, 128, 128, 3)
        assert trial.seconds["steps"] > 0
    for run in results.finals:
        assert load_weights(final_directory(config, run.architecture, run.seed, run.steps))

    # Run again: nothing is trained, nothing is lost.
    again = Recorder()
    assert run_study(config, again) == results
    assert again.trials == again.finals == []


def test_same_seed_same_architectures_and_same_psnr(tiny_config):
    first = run_study(tiny_config("first", finals=None), Silent())
    second = run_study(tiny_config("second", finals=None), Silent())
    assert measured(first) == measured(second)
    other = run_study(tiny_config("third", finals=None, seed=1), Silent())
    assert measured(other) != measured(first)


def test_raising_the_total_goes_on_instead_of_starting_over(tiny_config):
    short = run_study(tiny_config(trials=1, finals=None), Silent())
    recorder = Recorder()
    longer = run_study(tiny_config(trials=3, finals=None), recorder)
    assert len(recorder.trials) == 2
    assert longer.trained == 3
    assert measured(short)[0] in measured(longer)
    straight = run_study(tiny_config("straight", trials=3, finals=None), Silent())
    assert measured(straight) == measured(longer)


@pytest.mark.parametrize("brackets", [1, 2])
def test_interrupted_mid_trial_it_resumes_to_the_same_end(tiny_config, brackets):
    rungs = {"rungs": [2, 4], "warm_up_trials": 1, "margin_db": 0.0, "brackets": brackets}

    def interrupt(label):
        if label == "trial 1":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_study(tiny_config(finals=None, pruning=rungs), Recorder(interrupt))
    resumed = run_study(tiny_config(finals=None, pruning=rungs), Silent())
    straight = run_study(tiny_config("straight", finals=None, pruning=rungs), Silent())
    assert measured(resumed) == measured(straight)
    curves = {t.index: t.curve for t in resumed.trials if t.status in ("complete", "pruned")}
    assert curves == {t.index: t.curve for t in straight.trials}
    # Trial 1 is the first of the second bracket, which skips the rung at step 2.
    assert curves[0][0][0] == 2
    assert curves[1][0][0] == (4 if brackets == 2 else 2)
    assert [t.status for t in resumed.trials].count("interrupted") == 1


def test_exploding_training_fails_the_trial_and_the_study_goes_on(tiny_config):
    config = tiny_config(
        trials=2,
        finals=None,
        training={"learning_rate": 0.99, "steps": 40, "loss": "mse", "clip_norm": 1e9},
    )
    results = run_study(config, Silent())
    assert results.trained == 2
    for trial in results.trials:
        if trial.status == "failed":
            assert "the loss became" in trial.reason


@pytest.mark.parametrize("kind", ["score", "pareto"])
def test_rungs_are_reported_and_prune(tiny_config, kind):
    config = tiny_config(
        trials=6,
        seed=3,
        finals=None,
        objective={"kind": kind},
        pruning={"rungs": [0, 2, 4], "keep": 0.25, "warm_up_trials": 1, "margin_db": 0.0},
    )
    recorder = Recorder()
    results = run_study(config, recorder)
    assert results.trained == 6
    assert {("trial 0", 0), ("trial 0", 2)} <= set(recorder.rungs)
    pruned = [t for t in results.trials if t.status == "pruned"]
    # With two objectives too few are complete to know how far a rung errs.
    assert bool(pruned) == (kind == "score")
    assert all(t.psnr_db is None and t.curve[-1][0] in (0, 2, 4) for t in pruned)


def test_two_workers_train_two_at_a_time(tiny_config):
    results = run_study(tiny_config(trials=4, workers=2, finals=None), Silent())
    assert results.trained == 4
    assert len({t.architecture for t in results.complete}) == 4


def test_an_impossible_budget_is_a_clear_error(tiny_config, monkeypatch):
    monkeypatch.setattr(driver, "PATIENCE", 20)
    config = tiny_config(objective={"max_runtime_ms": 0.01}, finals=None)
    with pytest.raises(UserError, match="widen the space or the run-time budget"):
        run_study(config, Silent())


def test_an_exhausted_space_ends_the_search_with_a_warning(tiny_config, monkeypatch):
    monkeypatch.setattr(driver, "PATIENCE", 20)
    choices = tiny_config().space.choices | {
        "levels": [0], "width_0": [8], "stem": ["conv3"], "activation": ["relu"],
        "stem_activation": ["same"], "attention_0": [False], "global_path": ["none"],
    }  # fmt: skip
    recorder = Recorder()
    config = tiny_config(space={"choices": choices}, trials=5, finals=None)
    results = run_study(config, recorder)
    assert results.trained == 1
    assert "the search ends early" in recorder.warnings[0]


def test_two_drivers_on_one_study_are_refused(tiny_config):
    config = tiny_config()
    with driver_lock(config.directory), pytest.raises(UserError, match="another 'lensnas run'"):
        run_study(config, Silent())


def test_an_unknown_baseline_is_named(tiny_config):
    with pytest.raises(UserError, match="no published system called 'alexnet'"):
        run_study(tiny_config(baselines=["alexnet"]), Silent())


def test_a_missing_data_set_is_named_before_training(tiny_config, tmp_path):
    config = tiny_config(data={"dataset": "zurich", "root": str(tmp_path / "nowhere")})
    with pytest.raises(UserError, match="nowhere"):
        run_study(config, Silent())


def test_results_are_read_back_from_storage_alone(tiny_config):
    config = tiny_config(trials=1, finals={"top": 1, "steps": 8, "seeds": 1})
    results = run_study(config, Silent())
    assert read_results(*load_study(config.storage_url, config.name)) == results
    json.dumps([t.seconds for t in results.trials])


def test_a_bokeh_study_runs_and_exports(tiny_config, tmp_path):
    from search.export.bundle import export_trial

    config = tiny_config(
        task="bokeh",
        trials=2,
        finals=None,
        objective={"kind": "pareto"},
        data={"train": 8, "val": 2, "patch": 128},
        space={"choices": {"packing": [4], "levels": [1], "stacks": [1], "width_1": [8]}},
    )
    results = run_study(config, Silent())
    assert [t.status for t in results.complete] == ["complete", "complete"]
    bundle = export_trial(results, tmp_path / "bundle", precisions=["fp32"])
    [found] = bundle.verifications
    assert found.failures == ()
    assert found.delegated
    assert "1024, 1024, 3" in (tmp_path / "bundle" / "model_card.md").read_text()


def test_lpips_of_trials_and_finals_where_it_is_asked_for(tiny_config, lpips_file):
    before = run_study(tiny_config(trials=1, finals=None), Silent())
    config = tiny_config(trials=2, evaluation={"lpips": str(lpips_file)})
    results = run_study(config, Silent())
    old, new = results.trials
    assert (old, old.lpips) == (before.trials[0], None)
    assert new.lpips == pytest.approx(measured_again(config, new), rel=1e-5)
    assert new.lpips > 0.001
    assert all(run.lpips > 0.001 for run in results.finals)
    document = results_document(results)
    assert [trial["lpips"] for trial in document["trials"]] == [None, new.lpips]
    assert document["finalists"][0]["lpips"] == results.finalists()[0].lpips
    assert trials_frame(results)["lpips"].tolist()[1] == new.lpips
    [finalist] = results.finalists()
    assert finalist.lpips == pytest.approx(sum(run.lpips for run in results.finals) / 2)
    # It decides nothing: the same study without it trains to the same numbers.
    plain = run_study(tiny_config("plain", trials=2), Silent())
    assert measured(plain) == measured(results)
    assert not plain.with_lpips


def measured_again(config, trial):
    """From the weights that a trial left."""
    from search.networks import candidate
    from search.study.data import open_pairs, prepare_data
    from search.training.data import training_data
    from search.training.lpips import mean_lpips
    from spaces.ops.keras_backend import Network

    source = prepare_data(config)
    data = training_data(open_pairs(source, "train"), open_pairs(source, "val"), 4)
    network = candidate(trial.architecture)
    model = Network(network.network, network.input_channels)
    model.set_weights(load_weights(trial_directory(config, trial.number)))
    return mean_lpips(model, data.validation, config.evaluation.lpips)


@pytest.mark.parametrize("content", [None, b"text"])
def test_an_lpips_file_that_will_not_do_is_said_before_anything(tiny_config, tmp_path, content):
    path = tmp_path / "alex.npz"
    if content is not None:
        path.write_bytes(content)
    config = tiny_config(evaluation={"lpips": str(path)})
    with pytest.raises(UserError, match=r"LPIPS: (no file|cannot read) .*alex\.npz"):
        run_study(config, Silent())
    assert not config.directory.exists()
