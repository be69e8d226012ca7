"""Probes by real worker processes: what is stored, and what happens where one fails."""

import os
import signal

import pytest

from search.config import PROXY_NAMES
from search.study.directories import probe_directory, trial_directory
from search.study.driver import run_study
from search.study.frame import trials_frame
from search.study.observer import Silent

pytestmark = pytest.mark.slow

LATENCY_AWARE = {"name": "latency_aware", "options": {"startup": 2}}


class Recorder(Silent):
    """Keeps what it is told; `on_start` may interfere with a job."""

    def __init__(self, on_start=lambda label: None):
        self.warnings, self.on_start = [], on_start

    def started(self, label, estimate):
        self.on_start(label)

    def warn(self, message):
        self.warnings.append(message)


def probing(config_of, name="tiny", **changes):
    settings = {"proxies": list(PROXY_NAMES), "candidates": 2, "warm_up_trials": 2}
    return config_of(name, sampler=LATENCY_AWARE, finals=None, probing=settings, **changes)


def test_what_was_probed_is_stored_and_only_the_chosen_are_trained(tiny_config):
    # Every training shows its rung 0, and passes it.
    config = probing(tiny_config, pruning={"rungs": [0], "keep": 1.0, "margin_db": 90.0})
    results = run_study(config, Silent())
    assert [t.status for t in results.trials].count("probed") == 1
    assert results.trained == len(results.complete) == 3
    for trial in results.trials:
        assert set(trial.probes) == set(PROXY_NAMES)
        # Of dark crops all switch alike, which NASWOT has no finite number for.
        assert {name for name, value in trial.probes.items() if value is None} <= {"naswot"}
        assert (probe_directory(config, trial.number) / "log.txt").exists()
        assert trial_directory(config, trial.number).exists() == (trial.status == "complete")
    for trial in results.complete:
        assert trial.curve[0] == (0, trial.probes["ridge_probe"])
    frame = trials_frame(results)
    assert frame["probe.synflow"].tolist() == [t.probes["synflow"] for t in results.trials]


def test_killed_while_it_probes_a_study_goes_on_as_if_it_had_not_been(tiny_config):
    def interrupt(label):
        if label == "probe of trial 3":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_study(probing(tiny_config), Recorder(interrupt))
    resumed = run_study(probing(tiny_config), Silent())
    straight = run_study(probing(tiny_config, "straight"), Silent())
    ended = [
        [(t.index, t.architecture, t.psnr_db, t.probes) for t in results.complete]
        for results in (resumed, straight)
    ]
    assert ended[0] == ended[1]


def test_a_probe_that_dies_leaves_its_candidate_without_values(tiny_config, worker_pids):
    def kill_worker(label):
        if label == "probe of trial 0":
            for pid in worker_pids():
                os.kill(pid, signal.SIGKILL)

    recorder = Recorder(kill_worker)
    config = probing(tiny_config, trials=1, limits={"retries": 0})
    results = run_study(config, recorder)
    assert recorder.warnings[0].startswith("the probe of trial 0 failed: the worker was killed")
    (trial,) = results.complete
    assert trial.probes == dict.fromkeys(PROXY_NAMES)


def test_two_workers_probe_and_train_at_the_same_time(tiny_config):
    results = run_study(probing(tiny_config, workers=2, trials=4), Silent())
    assert results.trained == len({t.architecture for t in results.complete}) == 4
