"""Studies that probe before they train, by the real driver on a simulated clock."""

import json
import statistics
from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from search.attributes import RESULT
from search.errors import UserError
from search.replay import ReplayPool, read_probes, replay, study_of
from search.study.driver import search
from search.study.job import DataSource
from search.study.observer import Silent
from search.study.results import read_results
from search.study.run import StudyRun
from search.study.storage import directions_of

SAMPLERS = ["random", "tpe", "nsga2", "evolution", "latency_aware"]
PROBING = {"proxies": ["ridge_probe", "naswot"], "candidates": 3, "warm_up_trials": 3}


def study(table, sampler="latency_aware", **settings):
    options = {"startup": 3} if sampler in ("tpe", "latency_aware") else {}
    settings = {"trials": 8, "probing": PROBING, **settings}
    return study_of(table, sampler={"name": sampler, "options": options}, **settings)


def statuses(records):
    return [record.status for record in records]


class Watcher(Silent):
    """Keeps what was started."""

    def __init__(self):
        self.started_jobs = []

    def started(self, label, estimate):
        self.started_jobs.append(label)


def run(table, probes, config, stored, observer=None):
    pool = ReplayPool(table, config.workers, probes)
    data, context = DataSource("sample", Path()), config.sampling_context()
    observer = observer or Watcher()
    search(StudyRun(config, stored, config.training, data, context, pool, observer))
    return read_results(stored, config).trials


def new_study(config):
    return optuna.create_study(directions=directions_of(config))


def history(records):
    """What was trained, and what it was preferred to, in the order of the indices."""
    trained = sorted((t for t in records if t.status == "complete"), key=lambda t: t.index)
    return [(t.index, t.architecture.digest, t.psnr_db, t.probes) for t in trained]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_one_of_several_probed_candidates_is_trained(table, probes, sampler):
    watcher, config = Watcher(), study(table, sampler)
    records = run(table, probes, config, new_study(config), watcher)
    counts = {status: statuses(records).count(status) for status in set(statuses(records))}
    assert counts["complete"] == 8
    # Three are trained before there is a choice; five times two are passed over. TPE has rounds
    # in which it proposes nothing else.
    assert counts["probed"] == 10 or (sampler == "tpe" and 5 <= counts["probed"] < 10)
    looked_at = [label for label in watcher.started_jobs if label.startswith("probe")]
    trained = [label for label in watcher.started_jobs if label.startswith("trial")]
    assert len(trained) == 8
    known = {record.architecture for record in records if record.probes}
    assert len(looked_at) == len(known)  # None twice.
    for record in records:
        if record.status in ("complete", "probed"):
            assert record.probes == probes[record.architecture.digest, 0].values


def test_probes_cost_their_time(table, probes):
    replayed = replay(table, study(table, "random"), probes)
    looked_at = {record.architecture for _, record in replayed.trials if record.probes}
    trained = [t.architecture for _, t in replayed.trials if t.status == "complete"]
    trained_s = sum(table.run(architecture, 400, 0).seconds for architecture in trained)
    assert replayed.trials[-1][0] == pytest.approx(trained_s + 1.0 * len(looked_at))


def test_a_telling_proxy_makes_random_search_better(table, probes):
    def mean_db(seed, **settings):
        config = study(table, "random", trials=12, seed=seed, **settings)
        trained = [t for _, t in replay(table, config, probes).trials if t.status == "complete"]
        return statistics.fmean(t.log2_score for t in trained[3:])

    gains = [mean_db(seed) - mean_db(seed, probing=None) for seed in range(4)]
    assert min(gains) > 0


@pytest.mark.parametrize("kind", ["score", "pareto"])
def test_workers_share_a_choice(table, probes, kind):
    config = study(table, workers=3, trials=12, objective={"kind": kind})
    first, second = (replay(table, config, probes) for _ in range(2))
    assert [(s, t.architecture, t.status) for s, t in first.trials] == [
        (s, t.architecture, t.status) for s, t in second.trials
    ]
    trained = [t.architecture for _, t in first.trials if t.status == "complete"]
    assert len(trained) == len(set(trained)) == 12


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_search_goes_on_until_nearly_all_of_a_space_is_trained(table, probes, sampler):
    trials = len(table.rows) - 2
    replayed = replay(table, study(table, sampler, trials=trials), probes)
    trained = {t.architecture for _, t in replayed.trials if t.status == "complete"}
    assert len(trained) == trials


def test_a_candidate_without_numbers_may_be_trained(table, probes):
    silent = {
        key: replace(found, values=dict.fromkeys(found.values))
        for key, found in probes.items()
        if int(key[0], 16) % 2
    }
    replayed = replay(table, study(table), {**probes, **silent})
    trained = [t for _, t in replayed.trials if t.status == "complete"]
    assert len(trained) == 8
    assert {"ridge_probe": None, "naswot": None} in [t.probes for t in trained]


class Killed(BaseException):
    """Of a driver, between two of its writes."""


@pytest.fixture
def killed_at(monkeypatch):
    """Makes the driver die before its n-th write to the storage from now on."""

    def arrange(write):
        left = [write]

        def counted(method, one_with_the_last=lambda *_: False):
            def call(*arguments, **options):
                if one_with_the_last(*arguments):
                    return method(*arguments, **options)
                if left[0] == 0:
                    left[0] = -1
                    raise Killed
                left[0] -= 1
                return method(*arguments, **options)

            return call

        monkeypatch.setattr(optuna.Trial, "set_user_attr", counted(optuna.Trial.set_user_attr))
        # A result and the end of its trial are stored in one transaction.
        has_result = lambda study, number: RESULT in study.trials[number].user_attrs  # noqa: E731
        monkeypatch.setattr(optuna.Study, "tell", counted(optuna.Study.tell, has_result))
        return left

    yield arrange
    monkeypatch.undo()


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_study_that_was_killed_goes_on_as_if_it_had_not_been(
    table, probes, sampler, killed_at, monkeypatch
):
    config = study(table, sampler, trials=6)
    straight = run(table, probes, config, new_study(config))
    kills = 0
    for write in range(3, 55, 4):
        stored, watcher = new_study(config), Watcher()
        killed_at(write)
        try:
            run(table, probes, config, stored, watcher)
        except Killed:
            kills += 1
        monkeypatch.undo()
        assert history(run(table, probes, config, stored, watcher)) == history(straight), write
    assert kills == 13


def test_probing_may_begin_in_the_middle_of_a_study(table, probes):
    config = study(table, probing=None, trials=5)
    stored = new_study(config)
    run(table, probes, config, stored)
    records = run(table, probes, study(table, trials=10), stored)
    assert statuses(records).count("complete") == 10
    # After three of them that were probed there is a choice.
    assert statuses(records).count("probed") == 2 * 2


def test_probes_are_read_from_the_benchmarks_file(tmp_path):
    lines = [
        {"digest": "a", "seed": 1, "values": {"naswot": -float("inf")}, "seconds": {"naswot": 0.1}}
    ]
    path = tmp_path / "proxies.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    found = read_probes(path)["a", 1]
    assert (found.values, found.seconds) == ({"naswot": None}, {"naswot": 0.1})
    path.write_text('{"digest": "a"}')
    with pytest.raises(UserError, match=r"proxies\.jsonl holds no probes"):
        read_probes(path)


def test_what_is_not_known_is_said(table, probes):
    with pytest.raises(UserError, match="the table has no ridge_probe"):
        replay(table, study(table))
    synflow = {**PROBING, "proxies": ["synflow"]}
    with pytest.raises(UserError, match="the table has no synflow"):
        replay(table, study(table, probing=synflow), probes)
