"""What is trained, by which recipe and where: decided before anything heavy is loaded."""

import io
import subprocess
import sys
from dataclasses import replace

import pytest
from rich.console import Console

from search.artifacts import WEIGHTS
from search.cli.training_progress import TrainingScreen
from search.errors import UserError
from search.full_training import start
from search.full_training.plan import LONGER, Wishes, planned
from search.full_training.record import (
    RECORD,
    Result,
    finished,
    read_record,
    started,
    trainings_of,
)
from search.full_training.start import TEACHER, full_training
from search.networks import zoo_architecture
from search.study.observer import Silent
from search.study.ownership import driver_lock
from search.training.checkpoint import CHECKPOINT

RESULT = Result(31.5, 0.9, ((0, 30.0), (40, 31.5)), "2 whole images", 900, {"total": 4.0}, "ab12")


@pytest.fixture
def results(make_results):
    return make_results(complete=8, finals=True)


def plan_of(results, **wishes):
    return planned(results, Wishes(**wishes))


def test_by_default_the_winner_ten_times_as_long_as_the_finals(results):
    plan = plan_of(results)
    config = results.config
    assert plan.architecture == results.winner
    assert plan.recipe.steps == LONGER * config.finals.steps
    assert (
        plan.recipe.model_copy(
            update={"steps": config.training.steps, "warmup_steps": config.training.warmup_steps}
        )
        == config.training
    )
    assert plan.directory.parent == config.directory / "trained"
    assert plan.directory.name.startswith(results.origin(plan.architecture).replace(" ", "-"))
    brief = replace(results, config=config.model_copy(update={"finals": None}))
    assert plan_of(brief).recipe.steps == LONGER * config.training.steps


def test_a_trial_of_any_status(results):
    pruned = next(t for t in results.trials if t.status == "pruned")
    plan = plan_of(results, trial=pruned.number)
    assert (plan.architecture, plan.origin) == (pruned.architecture, f"trial {pruned.number}")


def test_a_trial_that_is_not_trained_has_the_name_that_it_will_have(results):
    trial = results.complete[-1]
    trials = tuple(
        replace(t, status="running") if t.number == trial.number else t for t in results.trials
    )
    before = plan_of(replace(results, trials=trials), trial=trial.number)
    assert before.origin == f"trial {trial.number}"
    assert before.directory == plan_of(results, trial=trial.number).directory


def test_a_recipe_file_replaces_settings_and_options_replace_those(results, tmp_path):
    file = tmp_path / "recipe.yaml"
    file.write_text("loss: {l1: 1, ssim: 0.5}\nsteps: 500\nwarmup_steps: 50\nbatch: 4\n")
    plan = plan_of(results, recipe=file)
    assert plan.recipe.loss == {"l1": 1, "ssim": 0.5}
    assert (plan.recipe.steps, plan.recipe.warmup_steps, plan.recipe.batch) == (500, 50, 4)
    assert plan.recipe.learning_rate == results.config.training.learning_rate
    told = plan_of(
        results, recipe=file, steps=700, teacher="mialgo_track1", precision="bfloat16", seed=7
    )
    assert (told.recipe.steps, told.recipe.precision, told.seed) == (700, "bfloat16", 7)
    assert told.recipe.teacher.system == "mialgo_track1"
    assert told.directory != plan.directory


def test_a_short_training_warms_up_for_a_tenth(results):
    assert plan_of(results, steps=30).recipe.warmup_steps == 3


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"trial": 9999}, "has no trial 9999"),
        ({"seed": -1}, "--seed -1: seeds are 0 to 2147483647"),
        ({"steps": -3}, r"^--steps: steps: Input should be greater than or equal to 1 .got -3.$"),
        ({"teacher": "alexnet"}, "--teacher: no zoo system called 'alexnet'"),
        ({"teacher": "miaigo"}, "--teacher: teacher: miaigo is not of the task isp"),
        ({"precision": "fp8"}, "--precision: precision: Input should be 'float32'"),
    ],
)
def test_what_cannot_be_is_named_by_its_option(results, wishes, message):
    with pytest.raises(UserError, match=message):
        plan_of(results, **wishes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lerning_rate: 1", "recipe.yaml: there is no setting lerning_rate"),
        ("learning_rate: 3", "recipe.yaml: learning_rate: Input should be less than 1"),
        ("steps: many", "recipe.yaml: steps: Input should be a valid integer"),
        ("loss: l7", "recipe.yaml: loss: no loss called 'l7'"),
        ("- steps", "must hold a mapping of settings, such as 'steps: 5000'"),
        ("a: [", "is not YAML"),
    ],
)
def test_a_bad_recipe_file_is_one_line(results, tmp_path, text, message):
    file = tmp_path / "recipe.yaml"
    file.write_text(text)
    with pytest.raises(UserError, match=message) as found:
        plan_of(results, recipe=file)
    assert "\n" not in str(found.value)


def test_a_recipe_file_that_is_not_there(results, tmp_path):
    with pytest.raises(UserError, match="cannot read the recipe file"):
        plan_of(results, recipe=tmp_path / "none.yaml")


def test_a_record_comes_back_and_says_whether_there_is_work(results):
    plan = plan_of(results, steps=40)
    assert finished(plan) is None
    begun = started(plan, "some data")
    begun.write(plan.directory)
    assert finished(plan) is None
    assert begun.versions["tensorflow"] != "missing"
    replace(begun, result=RESULT).write(plan.directory)
    (plan.directory / WEIGHTS).touch()
    assert finished(plan).result == RESULT


def test_one_whose_weights_are_gone_is_not_taken_for_trained(results):
    plan = plan_of(results, steps=40)
    replace(started(plan, "some data"), result=RESULT).write(plan.directory)
    with pytest.raises(UserError, match=r"the weights in .* are gone: --force"):
        finished(plan)


def test_what_a_kill_after_the_record_has_left_is_removed(results):
    plan = plan_of(results, steps=40)
    replace(started(plan, "some data"), result=RESULT).write(plan.directory)
    for name in (WEIGHTS, CHECKPOINT):
        (plan.directory / name).touch()
    assert full_training(plan, TrainingScreen(Console()), Silent()).result == RESULT
    assert (plan.directory / WEIGHTS).exists()
    assert not (plan.directory / CHECKPOINT).exists()


def test_another_training_in_the_folder_is_refused(results):
    plan = plan_of(results, steps=40)
    replace(started(plan, "some data"), result=RESULT).write(plan.directory)
    other = planned(results, Wishes(steps=50, seed=3, directory=plan.directory))
    with pytest.raises(UserError, match=r"another training \(its steps, warmup_steps, seed differ"):
        finished(other)


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_of_something_else_is_refused_and_left_as_it_was(results, tmp_path, force):
    folder = tmp_path / "pictures"
    folder.mkdir()
    photo = folder / "photo.jpg"
    photo.write_bytes(b"mine")
    for directory, message in ((folder, "holds other things"), (photo, "is no folder")):
        plan = plan_of(results, directory=directory)
        with pytest.raises(UserError, match=message):
            full_training(plan, TrainingScreen(Console()), Silent(), force=force)
    assert list(folder.iterdir()) == [photo]


def test_a_folder_that_is_cleared_is_a_trainings_at_every_moment(results, monkeypatch):
    """Killed between the removal of the old training and the record of the new one."""
    plan = plan_of(results, steps=40)
    replace(started(plan, "some data"), result=RESULT).write(plan.directory)
    teacher = plan.directory / TEACHER
    for file in (teacher / WEIGHTS, plan.directory / WEIGHTS, plan.directory / "export/a.tflite"):
        file.parent.mkdir(exist_ok=True)
        file.touch()
    (plan.directory / "events.out.tfevents.1").touch()
    text = io.StringIO()

    def killed():
        raise KeyboardInterrupt

    monkeypatch.setattr(start, "prepare_data", lambda *_: None)
    monkeypatch.setattr(start, "native_stderr_hidden", killed)
    with pytest.raises(KeyboardInterrupt):
        full_training(plan, TrainingScreen(Console(file=text)), Silent(), force=True)
    assert not teacher.exists()
    assert not (plan.directory / WEIGHTS).exists()
    assert (plan.directory / "export/a.tflite").exists()
    assert "export is of the weights that were here, and stays" in text.getvalue()
    start.require_own_folder(plan.directory)
    assert finished(plan) is None


def test_a_folder_is_one_training_at_a_time(results):
    plan = plan_of(results)
    with (
        driver_lock(plan.directory, by="lensnas train"),
        pytest.raises(UserError, match="another 'lensnas train' is working on"),
    ):
        full_training(plan, TrainingScreen(Console()), Silent())


def test_a_damaged_record_is_named(results):
    plan = plan_of(results)
    started(plan, "some data").write(plan.directory)
    path = plan.directory / RECORD
    path.write_text(path.read_text()[:-20])
    with pytest.raises(UserError, match=r"training\.json is damaged"):
        read_record(plan.directory)


def test_trainings_of_a_study_are_listed_by_their_folders(results):
    assert trainings_of(results.config) == {}
    plan, other = (plan_of(results, steps=steps) for steps in (40, 50))
    ended = replace(started(plan, "some data"), result=RESULT)
    ended.write(plan.directory)
    started(other, "some data").write(other.directory)
    for name, text in (("damaged", "{"), ("strange", '{"result": null, "wanted": {}}')):
        (plan.directory.with_name(name)).mkdir()
        (plan.directory.with_name(name) / RECORD).write_text(text)
    found = trainings_of(results.config)
    assert found.keys() == {plan.directory.name, other.directory.name}
    assert found[plan.directory.name].result == RESULT
    assert {record.steps for record in found.values()} == {40, 50}


def test_all_of_it_is_checked_without_tensorflow():
    code = (
        "import sys; import search.cli.train, search.full_training.start, search.export.source;"
        "import search.training.onlooker; sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_weights_of_a_folder_are_a_source_for_export(results):
    from search.export.source import fully_trained

    plan = plan_of(results, trial=results.complete[0].number, steps=40, seed=5)
    with pytest.raises(UserError, match="holds no training"):
        fully_trained(results, plan.directory)
    begun = started(plan, "some data")
    begun.write(plan.directory)
    with pytest.raises(UserError, match="is not trained yet"):
        fully_trained(results, plan.directory)
    replace(begun, result=RESULT).write(plan.directory)
    study, source = fully_trained(results, plan.directory)
    assert study.config.training == plan.recipe
    assert source.architecture == plan.architecture != zoo_architecture("mialgo_track1")
    assert (source.steps, source.seed, source.sha256) == (40, 5, "ab12")
    recipe = {"steps": 40, "batch": "many"}
    damaged = replace(begun, wanted=begun.wanted | {"recipe": recipe}, result=RESULT)
    damaged.write(plan.directory)
    with pytest.raises(UserError, match="is damaged"):
        fully_trained(results, plan.directory)
    replace(begun, result=RESULT).write(plan.directory)
    other = replace(results, config=results.config.model_copy(update={"name": "other"}))
    with pytest.raises(UserError, match="is a training of study"):
        fully_trained(other, plan.directory)
