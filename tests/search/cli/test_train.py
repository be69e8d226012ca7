"""`lensnas train`: killed however often, it ends with the weights that it would have had."""

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from search.full_training.events import FILES, events

pytestmark = pytest.mark.slow

RECIPE = """
steps: 60
warmup_steps: 5
ema_momentum: 0.9
loss: {l1: 1, ssim: 0.2}
teacher: {system: mialgo_track1, steps: 20}
"""
STRAIGHT = Path("runs/tiny/trained/straight")
CALL = ("train", "tiny", "--recipe", "recipe.yaml")


@pytest.fixture(scope="module")
def study(workplace):
    """A terminal in the directory of a study with a trial, a checkpoint after every step."""
    file = workplace.study(trials=1, finals=None, limits={"checkpoint_seconds": 0})
    assert workplace("run", file).returncode == 0
    (workplace.folder / "recipe.yaml").write_text(RECIPE)
    (workplace.folder / "brief.yaml").write_text("steps: 6\nwarmup_steps: 2\n")
    return workplace


@pytest.fixture(scope="module")
def straight(study):
    """The record of an uninterrupted training."""
    done = study(*CALL, "-o", STRAIGHT, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def logged(folder):
    """What the log has of each step, pictures by their bytes."""
    found = [
        (event.step, value.tag, value.simple_value, value.image.encoded_image_string)
        for file in sorted(folder.glob(FILES))
        for event in events(file)
        for value in event.summary.value
    ]
    return sorted(found)


def from_tensorflow(err):
    """Lines of its log."""
    return [line for line in err.splitlines() if line[:1] in "IWE" and "0000 " in line]


def stop(study, until, checkpoint, with_signal):
    """Start the training, and send `with_signal` once it has written another checkpoint."""
    path = study.folder / "stopped" / checkpoint
    before = path.stat().st_mtime_ns if path.exists() else 0
    process = study.start(*CALL, "-o", "stopped")

    def written():
        try:
            return path.stat().st_mtime_ns > before
        except FileNotFoundError:
            return False

    try:
        assert until(lambda: process.poll() is not None or written())
        assert process.poll() is None, process.communicate()
        os.killpg(process.pid, with_signal)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert "Traceback" not in err
    assert not from_tensorflow(err)
    return process.returncode, err


def test_whatever_stops_it_it_ends_the_same(study, straight, until):
    expected, _ = straight
    assert stop(study, until, "teacher/checkpoint.npz", signal.SIGKILL)[0] == -signal.SIGKILL
    assert stop(study, until, "checkpoint.npz", signal.SIGKILL)[0] == -signal.SIGKILL
    teacher = (study.folder / "stopped/teacher/weights.npz").stat().st_mtime_ns
    code, err = stop(study, until, "checkpoint.npz", signal.SIGTERM)
    assert code == 130
    assert "going on from the checkpoint of step" in err
    assert "stopped after step" in err
    assert err.splitlines()[-1].startswith("interrupted: what was finished is stored, run the same")
    done = study(*CALL, "-o", "stopped", "--json")
    assert done.returncode == 0, done.stderr
    result, wanted = json.loads(done.stdout)["result"], expected["result"]
    for name in ("weights_sha256", "curve", "psnr_db", "ssim"):
        assert result[name] == wanted[name]
    for folder in ("", "teacher"):
        ours, theirs = (study.folder / name / folder for name in ("stopped", STRAIGHT))
        assert (ours / "weights.npz").read_bytes() == (theirs / "weights.npz").read_bytes()
        assert logged(ours) == logged(theirs)
        assert not list(ours.glob("*checkpoint*"))
    assert (study.folder / "stopped/teacher/weights.npz").stat().st_mtime_ns == teacher


def test_it_says_what_it_trained_and_logs_it(study, straight):
    record, err = straight
    assert "teacher mialgo_track1: 0 of 20 steps done" in err
    assert "trial 0: 0 of 60 steps done" in err
    assert "validation: 4 whole images, 64 x 64 pixels of input the first" in err
    assert not from_tensorflow(err)
    steps = [step for step, _ in record["result"]["curve"]]
    assert (steps[0], steps[-1], len(steps)) == (0, 60, 21)
    assert record["wanted"]["recipe"]["loss"] == {"l1": 1, "ssim": 0.2}
    log = logged(study.folder / STRAIGHT)
    numbers = {(step, tag): value for step, tag, value, _ in log}
    assert {tag for _, tag in numbers} == {
        "loss", "learning_rate", "output_and_target", "psnr_db/first_images",
        "psnr_db/all_images", "ssim/all_images",
    }  # fmt: skip
    assert [step for step, tag, *_ in log if tag == "loss"] == list(range(1, 61))
    last = numbers[60, "psnr_db/all_images"]
    assert last == pytest.approx(record["result"]["psnr_db"], rel=1e-6)
    assert numbers[5, "learning_rate"] == pytest.approx(2e-3 * (0.2 + 0.8 * 4 / 5))


def test_one_that_has_ended_is_left_as_it_is(study, straight):
    weights = study.folder / STRAIGHT / "weights.npz"
    before = weights.stat().st_mtime_ns
    again = study(*CALL, "-o", STRAIGHT)
    assert again.returncode == 0
    assert "it is trained already (--force trains it anew)" in again.stderr
    assert weights.stat().st_mtime_ns == before
    assert f"{straight[0]['result']['psnr_db']:.2f} dB" in again.stdout


def test_its_weights_are_exported(study, straight):
    done = study("export", "tiny", "--trained", STRAIGHT, "--precision", "fp32", "--json")
    assert done.returncode == 0, done.stderr
    bundle = json.loads(done.stdout)
    assert bundle["psnr_db"] == straight[0]["result"]["psnr_db"]
    assert (
        "after 60 training steps" in (study.folder / STRAIGHT / "export/model_card.md").read_text()
    )
    assert np.load(study.folder / STRAIGHT / "weights.npz")


def test_the_study_shows_it(study, straight):
    shown = json.loads(study("show", "tiny", "--json").stdout)["full_trainings"]
    result = straight[0]["result"]
    assert shown == [{"name": "straight", "origin": "trial 0", "steps": 60,
                      "psnr_db": result["psnr_db"], "ssim": result["ssim"]}]  # fmt: skip


def test_mistakes_cost_one_line(study, refused):
    refused(study("train", "tiny", "--teacher", "vgg"), "--teacher: no zoo system called 'vgg'")
    refused(study("export", "tiny", "--trained", STRAIGHT, "--trial", "0"), "--trained")


def test_force_trains_anew_what_a_folder_has(study, straight, refused):
    """By a trial's own recipe: the weights are the trial's, bit for bit."""
    other = ("train", "tiny", "--recipe", "brief.yaml", "-o", STRAIGHT)
    refused(study(*other), "holds another training", "--force")
    assert study(*other, "--force").returncode == 0
    folder = study.folder / STRAIGHT
    assert {step for step, *_ in logged(folder)} == set(range(7))
    assert not (folder / "teacher").exists()
    trial = study.folder / "runs/tiny/trials/00000/weights.npz"
    assert (folder / "weights.npz").read_bytes() == trial.read_bytes()
