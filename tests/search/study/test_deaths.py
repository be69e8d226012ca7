"""Studies whose workers and drivers die: nothing that was told is lost, nothing counts twice."""

import os
import signal
import time

import pytest
from tiny_study import tiny_study

from search.config import parse_config
from search.study import ledger
from search.study.directories import final_directory, trial_directory
from search.study.driver import run_study
from search.study.observer import Silent
from search.study.storage import load_study

pytestmark = pytest.mark.slow

FINALS = {"top": 1, "steps": 60, "seeds": 1}
SETTINGS = {
    "trials": 2,
    "finals": FINALS,
    "training": {"steps": 12},
    "pruning": {"rungs": [4, 8], "warm_up_trials": 1, "margin_db": 20.0},
    "limits": {"checkpoint_seconds": 0},
}


class Interfering(Silent):
    """Calls `interfere` at the start of every job (step None) and at its rungs."""

    def __init__(self, interfere=lambda label, step: None):
        self.interfere = interfere
        self.warnings, self.rungs, self.trials = [], [], []

    def started(self, label, estimate):
        self.interfere(label, None)

    def rung(self, label, step, psnr_db):
        self.rungs.append((label, step))
        self.interfere(label, step)

    def trial(self, record):
        self.trials.append(record)

    def warn(self, message):
        self.warnings.append(message)


def told(results):
    """What training found. A trial that was lost with its driver has another number."""
    return [
        (t.index, t.status, t.architecture.digest, t.psnr_db, t.curve, t.weights_sha256)
        for t in sorted(results.trials, key=lambda t: t.index)
        if t.status != "interrupted"
    ]


def measured_finals(results):
    return [(f.psnr_db, f.ssim, f.curve, f.weights_sha256) for f in results.finals]


def log_of(config, number):
    return (trial_directory(config, number) / "log.txt").read_text()


def stored_trials(config):
    return load_study(config.storage_url, config.name)[0].get_trials()


def intermediate_values(config):
    return [trial.intermediate_values for trial in stored_trials(config)]


def left(config):
    """Checkpoints and half-written files anywhere in the study's folder."""
    files = [path for path in config.directory.rglob("*.npz*") if path.is_file()]
    return [path for path in files if path.name not in ("weights.npz", "preview.npz")]


@pytest.fixture(scope="module")
def straight(tmp_path_factory, data_root):
    """The study of `SETTINGS` and its finals where nothing dies."""
    document = tiny_study("straight", SETTINGS, output=str(tmp_path_factory.mktemp("straight")))
    document["data"] = {"root": str(data_root), **document["data"]}
    return run_study(parse_config(document, "test"), Silent())


def test_killed_workers_trials_and_finals_end_as_if_nothing_had_been(
    tiny_config, straight, worker_pids
):
    config = tiny_config(**SETTINGS)
    final = final_directory(config, straight.winner, config.seed, FINALS["steps"])
    killed = []

    def kill(label, step):
        at_trial = (label, step) == ("trial 1", 8)
        if "seed" in label:
            while not (final / "checkpoint.npz").exists():
                time.sleep(0.001)
        if ("seed" in label or at_trial) and label not in killed:
            killed.append(label)
            [pid] = worker_pids()
            os.kill(pid, signal.SIGKILL)

    observer = Interfering(kill)
    results = run_study(config, observer)
    assert len(killed) == len(observer.warnings) == 2
    assert told(results) == told(straight)
    assert [t.number for t in results.trials] == [0, 1]
    assert [t.status for t in observer.trials] == ["complete", "complete"]
    assert observer.warnings[0].startswith("trial 1: the worker was killed (signal 9)")
    assert "going on from the checkpoint of step 7" in log_of(config, 1)
    # It was at both rungs twice, and counts once.
    assert observer.rungs == [(f"trial {n}", step) for n in (0, 1) for step in (4, 8)]
    assert intermediate_values(config) == intermediate_values(straight.config)
    assert "going on from the checkpoint of step" in (final / "log.txt").read_text()
    assert measured_finals(results) == measured_finals(straight)
    assert left(config) == []


def test_a_trial_that_kills_every_worker_fails_also_across_drivers(tiny_config, worker_pids):
    config = tiny_config(**SETTINGS | {"finals": None})
    deaths = []

    def kill(label, step):
        if label != "trial 1" and step is None:
            [pid] = worker_pids()
            os.kill(pid, signal.SIGKILL)
            deaths.append(label)

    class Ending(Interfering):
        """Ends with the driver after the first death."""

        def warn(self, message):
            super().warn(message)
            if len(deaths) == 1:
                raise KeyboardInterrupt

    # Warned of after it is recorded, or the restart would begin to count anew.
    with pytest.raises(KeyboardInterrupt):
        run_study(config, Ending(kill))
    [lost] = stored_trials(config)
    assert lost.user_attrs["deaths"] == 1

    def keep_killing(label, step):
        if label == "trial 1":
            [pid] = worker_pids()
            os.kill(pid, signal.SIGKILL)

    class Killing(Interfering):
        def warn(self, message):
            super().warn(message)
            keep_killing("trial 1", None)

    observer = Killing(lambda label, step: keep_killing(label, step) if step is None else None)
    results = run_study(config, observer)
    assert [t.status for t in results.trials] == ["interrupted", "failed", "complete"]
    assert results.trials[1].reason.endswith("(3 times)")
    assert len(observer.warnings) == 1
    assert results.trained == 2
    assert left(config) == []


def test_a_trial_lost_with_its_driver_goes_on_under_its_new_number(tiny_config, straight):
    config = tiny_config(**SETTINGS | {"finals": None})

    def interrupt(label, step):
        if (label, step) == ("trial 0", 8):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_study(config, Interfering(interrupt))
    observer = Interfering()
    results = run_study(config, observer)
    assert told(results) == told(straight)
    assert "going on from the checkpoint of step 7" in log_of(config, 1)
    # Under its new number it was at all of its rungs.
    assert observer.rungs == [(f"trial {n}", step) for n in (1, 2) for step in (4, 8)]
    assert left(config) == []


def test_a_trial_that_ends_its_driver_every_time_does_not_for_ever(tiny_config, monkeypatch):
    monkeypatch.setattr(ledger, "MOST_LOSSES", 2)
    config = tiny_config(**SETTINGS | {"trials": 1, "finals": None})

    def interrupt(label, step):
        raise KeyboardInterrupt

    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            run_study(config, Interfering(interrupt))
    results = run_study(config, Interfering(interrupt))
    assert [t.status for t in results.trials] == ["interrupted"] * 3 + ["failed"]
    assert results.trials[-1].reason == "the driver ended 3 times while it was running"


def test_a_trial_over_a_limit_fails_with_the_reason(tiny_config):
    short = SETTINGS | {"finals": None}
    config = tiny_config(**short | {"limits": {"memory_gb": 0.1}, "trials": 1})
    results = run_study(config, Silent())
    [trial] = results.trials
    assert (trial.status, trial.reason) == (
        "failed", "its worker allocated more than limits.memory_gb: 0.1"
    )  # fmt: skip
    # Limits are no part of what a trial's numbers mean.
    again = run_study(tiny_config(**short), Silent())
    assert [t.status for t in again.trials] == ["failed", "complete"]
