from pathlib import Path

import pytest

from search.config import RunnerConfig, load_config, parse_config
from search.errors import UserError

STUDIES = Path(__file__).parents[2] / "studies"


@pytest.mark.parametrize("path", sorted(STUDIES.glob("*.yaml")), ids=lambda p: p.stem)
def test_every_shipped_study_is_valid(path):
    config = load_config(path)
    assert config.name == path.stem
    assert config.search_space().size() > config.trials


def test_a_task_knows_its_phone_and_space():
    config = parse_config({"name": "x", "task": "bokeh", "trials": 1}, "test")
    assert config.device == "kirin-9000"
    assert config.space.name == "unet_bokeh"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trails": 5}, "there is no setting trails"),
        ({"training": {"stpes": 5}}, "there is no setting training.stpes"),
        ({"trials": "many"}, r"trials: .*valid integer.* \(got 'many'\)"),
        ({"trials": 0}, "trials: Input should be greater than or equal to 1"),
        ({"training": {"steps": -1}}, "training.steps: Input should be greater"),
        ({"training": {"crop": 50}}, "crop must be a multiple of 64"),
        ({"training": {"loss": "l7"}}, "training.loss: .*no loss called 'l7'; there are: psnr"),
        ({"training": {"loss": {"l1": 1, "l7": 1}}}, "training.loss: .*no loss called 'l7'"),
        ({"training": {"loss": {"l1": -1}}}, "training.loss: .*the weight of l1 is -1, not above"),
        ({"training": {"loss": "vgg19"}}, r"training: .*vgg19 needs perceptual_weights: {vgg19: F"),
        (
            {"training": {"perceptual_weights": {"vgg19": "x"}}},
            "training: .*perceptual_weights of vgg19, which is no loss",
        ),
        ({"training": {"loss": {}}}, "training.loss: .*no loss at all"),
        ({"limits": {"minutes": 0}}, r"limits.minutes: .*greater than 0 \(got 0\)"),
        ({"limits": {"memory_gb": "inf"}}, r"limits.memory_gb: .*finite number \(got 'inf'\)"),
        ({"limits": {"retries": -1}}, "limits.retries: .*greater than or equal to 0"),
        ({"limits": {"hours": 1}}, "there is no setting limits.hours"),
        ({"runner": "slurm"}, "runner.kind: Input should be 'local' or 'ray'"),
        ({"runner": {"cpus": 2}}, r"runner: cpus: only the ray runner has this \(kind: ray\)"),
        ({"runner": {"kind": "ray", "gpus": 1.5}}, "runner: gpus must be whole, or a share"),
        ({"runner": {"kind": "ray", "address": "head"}}, "runner.address: String should match"),
        ({"task": "portrait"}, "no task called 'portrait'"),
        ({"device": "nokia-3310"}, "nokia-3310"),
        ({"space": {"name": "resnet"}}, "no search space called 'resnet'"),
        ({"space": {"name": "unet_bokeh"}}, "does not take the input of task isp"),
        ({"space": {"choices": {"levels": [7]}}}, r"levels may be \[0, 1, 2, 3, 4\], not \[7\]"),
        ({"space": {"choices": {"depth": [1]}}}, "has no choice 'depth'"),
        ({"sampler": {"name": "magic"}}, "no sampler called 'magic'; there are: .*random"),
        ({"sampler": {"name": "tpe", "options": {"speed": 3}}}, "sampler.options: .*'speed'"),
        ({"pruning": {"rungs": [30, 20]}}, "rungs must be ascending"),
        ({"pruning": {"rungs": [-1, 20]}}, "rungs must be ascending"),
        (
            {"pruning": {"rungs": [0]}, "training": {"closed_form_images": 0}},
            "0 needs a closed-form start",
        ),
        ({"pruning": {"rungs": [20], "brackets": 3}}, "pruning: 3 brackets need at least 2 rungs"),
        ({"pruning": {"rungs": [20], "brackets": 0}}, "pruning.brackets: .*greater than or equal"),
        ({"pruning": {"rungs": [10_000]}}, "pruning.rungs must lie below training.steps"),
        (
            {"probing": {"proxies": ["zen"]}},
            "probing.proxies: .*no proxy called 'zen'; there a",
        ),
        ({"probing": {"proxies": []}}, "probing.proxies: "),
        ({"probing": {"proxies": ["naswot", "naswot"]}}, "probing.proxies: .*named twice"),
        ({"probing": {"candidates": 1}}, "probing.candidates: .*greater than or equal to 2"),
        ({"probing": {"warm_up_trials": 0}}, "probing.warm_up_trials: .*greater than or equal"),
        (
            {"probing": {"proxies": ["ridge_probe"]}, "training": {"closed_form_images": 0}},
            "ridge_probe needs a closed-form start",
        ),
        ({"objective": {"max_runtime_ms": 0}}, "objective.max_runtime_ms: .*greater than 0"),
        ({"evaluation": {"lpips": 3}}, "evaluation.lpips: Input is not a valid path"),
        ({"evaluation": {"fid": "x"}}, "there is no setting evaluation.fid"),
        ({"name": "../escape"}, "name: String should match pattern"),
    ],
)
def test_every_mistake_is_named_in_one_line(changes, message):
    document = {"name": "x", "task": "isp", "trials": 3, **changes}
    with pytest.raises(UserError, match=message) as caught:
        parse_config(document, "study.yaml")
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("study.yaml: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: [", "is not YAML"),
        ("- a\n- b", "must hold a mapping"),
        ("", "must hold a mapping"),
        ("a: !!python/object:os.system x", "is not YAML"),
        ("\x00", "is not YAML"),
        ("a: !!bool x", "is not YAML"),
    ],
)
def test_a_file_that_is_no_study_is_named(tmp_path, text, message):
    path = tmp_path / "study.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        load_config(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"cannot read the study file .*No such file"):
        load_config(tmp_path / "nowhere.yaml")


def test_a_runner_may_be_given_by_its_name_alone(tiny_config):
    assert tiny_config(runner="ray").runner == RunnerConfig(kind="ray")
    assert tiny_config().runner == tiny_config(runner="local").runner
