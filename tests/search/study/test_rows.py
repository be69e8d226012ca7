import math

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from search.study.rows import RowStorage, insert_trials


@pytest.fixture
def url(tmp_path):
    """Of a database with two studies of two objectives, "s" with a trial of every kind."""
    url = f"sqlite:///{tmp_path}/study.db"
    studies = {
        name: optuna.create_study(
            storage=RDBStorage(url), study_name=name, directions=["maximize", "minimize"]
        )
        for name in ("s", "other")
    }
    study = studies["s"]
    complete, pruned, failed, running = (study.ask() for _ in range(4))
    for trial in (complete, pruned):
        trial.suggest_categorical("conv", ["conv3", None, True, 8])
        trial.suggest_int("width", 8, 64, log=True)
        trial.suggest_float("rate", 0.0, 1.0)
    complete.set_user_attr("result", {"psnr_db": 31.5, "notes": ["é", None]})
    complete.set_constraint("limit", -1.0)
    study.tell(complete.number, (math.inf, -math.inf))
    study.tell(pruned.number, state=TrialState.PRUNED)
    study.tell(failed.number, state=TrialState.FAIL)
    running.set_user_attr("index", 3)
    study.enqueue_trial({"conv": "conv3"}, user_attrs={"index": 4})
    study.add_trial(
        optuna.trial.create_trial(
            values=[1.0, 2.0], intermediate_values={5: math.inf, 1: 0.5, 9: -math.inf},
            params={"width": 8}, distributions={"width": IntDistribution(8, 64, log=True)},
        )
    )  # fmt: skip
    studies["other"].ask().set_user_attr("index", 0)
    return url


def test_whole_trials_are_read_as_optuna_reads_them(url):
    theirs, ours = RDBStorage(url), RowStorage(url)
    assert len(ours.get_all_trials(1)) == 6
    for study_id in (1, 2):
        assert ours.get_all_trials(study_id) == theirs.get_all_trials(study_id)
    ended = (TrialState.COMPLETE, TrialState.PRUNED)
    assert ours.get_all_trials(1, states=ended) == theirs.get_all_trials(1, states=ended)
    # Through the cache of finished trials, twice.
    study = optuna.load_study(study_name="s", storage=ours)
    for _ in range(2):
        assert study.trials == optuna.load_study(study_name="s", storage=theirs).trials


def test_some_trials_are_read_with_what_we_say_of_them(url):
    storage = RowStorage(url)
    whole = storage.get_all_trials(1)
    some = storage.trials_since(1, {whole[0]._trial_id, whole[3]._trial_id}, whole[4]._trial_id)
    assert [trial.number for trial in some] == [0, 3, 5]
    for trial in some:
        same = whole[trial.number]
        assert (trial._trial_id, trial.state) == (same._trial_id, same.state)
        assert trial.datetime_complete == same.datetime_complete
        assert trial.user_attrs == same.user_attrs
    assert storage.trials_since(1, (), whole[-1]._trial_id) == []


def test_a_study_that_is_not_there_has_no_trials_to_read(url):
    with pytest.raises(KeyError):
        RowStorage(url).trials_since(3, (), -1)


def test_what_is_written_is_read_again(url, tmp_path):
    written = RowStorage(url).get_all_trials(1)
    copy = RowStorage(f"sqlite:///{tmp_path}/copy.db")
    optuna.create_study(storage=copy, study_name="s", directions=["maximize", "minimize"])
    with copy.engine.begin() as connection:
        insert_trials(connection, 1, written)
    assert copy.get_all_trials(1) == written


def test_distributions_are_read_as_what_they_are(url):
    distributions = RowStorage(url).get_all_trials(1)[0].distributions
    assert distributions == {
        "conv": CategoricalDistribution(("conv3", None, True, 8)),
        "width": IntDistribution(8, 64, log=True),
        "rate": FloatDistribution(0.0, 1.0),
    }
