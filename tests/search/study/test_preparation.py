"""What a study makes once for all its candidates: a teacher's weights, the choice of pairs."""

import os
import signal

import numpy as np
import pytest

from search.artifacts import load_weights
from search.errors import UserError
from search.study.directories import preparation_directory
from search.study.driver import run_study
from search.study.observer import Silent

pytestmark = pytest.mark.slow

TEACHER = {"system": "mialgo_track1", "steps": 4, "output": 1.0}


class Stages(Silent):
    """Keeps the titles of stages; `on_start` may interfere with a training run."""

    def __init__(self, on_start=lambda label: None):
        self.titles, self.on_start = [], on_start

    def stage(self, title, done, total):
        self.titles.append(title)

    def started(self, label, estimate):
        self.on_start(label)


def psnrs(results):
    return [trial.psnr_db for trial in results.complete]


def test_a_teacher_is_trained_once_and_then_read(tiny_config, tmp_path):
    config = tiny_config(trials=1, finals=None, training={"teacher": TEACHER})
    first = Stages()
    run_study(config, first)
    assert "Teacher mialgo_track1" in first.titles
    directory = preparation_directory(config, "teacher")
    before = load_weights(directory)
    made = (directory / "weights.npz").stat().st_mtime_ns

    # More trials and finals: the same teacher.
    longer = tiny_config(trials=2, training={"teacher": TEACHER})
    again = Stages()
    results = run_study(longer, again)
    assert "Teacher mialgo_track1" not in again.titles
    assert (directory / "weights.npz").stat().st_mtime_ns == made

    # Another study that is given its weights learns the same from it.
    path = tmp_path / "teacher.npz"
    np.savez(path, **{f"{i:04d}": w for i, w in enumerate(before)})
    given = tiny_config(
        "given", trials=2, finals=None, training={"teacher": TEACHER | {"weights": str(path)}}
    )
    assert psnrs(run_study(given, Silent())) == psnrs(results)
    alone = tiny_config("alone", trials=2, finals=None)
    assert psnrs(run_study(alone, Silent())) != psnrs(results)


def test_a_teacher_that_cannot_be_trained_ends_the_study_before_it_begins(tiny_config, worker_pids):
    def kill(label):
        for pid in worker_pids():
            os.kill(pid, signal.SIGKILL)

    settings = {"finals": None, "training": {"teacher": TEACHER}}
    config = tiny_config(**settings, limits={"retries": 0})
    with pytest.raises(UserError, match=r"the teacher mialgo_track1 could not be trained: .*kill"):
        run_study(config, Stages(kill))
    # Run again, it is trained.
    assert run_study(config, Silent()).trained == 3


def test_pairs_are_aligned_once(tiny_config):
    config = tiny_config(trials=1, finals=None, training={"keep_pairs": 0.5})
    first, again = Stages(), Stages()
    run_study(config, first)
    assert first.titles.count("Aligning pairs") == 16
    results = run_study(tiny_config(trials=2, finals=None, training={"keep_pairs": 0.5}), again)
    assert "Aligning pairs" not in again.titles
    assert results.trained == 2
    every_pair = run_study(tiny_config("all", trials=2, finals=None), Silent())
    assert psnrs(every_pair) != psnrs(results)
