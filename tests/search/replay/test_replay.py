"""Studies on a simulated clock, by the real driver."""

import pytest

from search.errors import UserError
from search.replay import replay, study_of
from search.study.pruning import FEWEST_COMPLETE


def finished(replayed, status="complete"):
    return [(clock_s, trial) for clock_s, trial in replayed.trials if trial.status == status]


def test_one_worker_takes_the_time_of_all_its_trainings(table):
    replayed = replay(table, study_of(table, trials=6, sampler={"name": "random"}))
    trials = finished(replayed)
    assert len(trials) == 6
    total_s = sum(table.run(trial.architecture, 400, 0).seconds for _, trial in trials)
    assert trials[-1][0] == pytest.approx(total_s)
    for _, trial in trials:
        assert trial.psnr_db == table.run(trial.architecture, 400, 0).psnr_db


def test_the_study_is_the_same_every_time(table):
    config = study_of(table, trials=8, workers=3, sampler={"name": "latency_aware"})
    first, second = (replay(table, config) for _ in range(2))
    assert [(t, r.architecture) for t, r in first.trials] == [
        (t, r.architecture) for t, r in second.trials
    ]


def test_workers_work_at_the_same_time(table):
    """No list scheduling of jobs ends later than an even share and the longest job."""
    config = study_of(table, trials=9, workers=3, sampler={"name": "random"})
    trials = finished(replay(table, config))
    seconds = [table.run(trial.architecture, 400, 0).seconds for _, trial in trials]
    assert sum(seconds) / 3 <= trials[-1][0] <= sum(seconds) / 3 + max(seconds)
    clocks = [clock_s for clock_s, _ in trials]
    assert clocks == sorted(clocks)


def test_pruned_trainings_cost_their_share(table):
    pruning = {"rungs": [0, 50, 200], "keep": 0.3, "warm_up_trials": 2, "margin_db": 0.0}
    config = study_of(table, trials=12, pruning=pruning, sampler={"name": "random"})
    replayed = replay(table, config)
    pruned = finished(replayed, "pruned")
    assert {trial.curve[-1][0] for _, trial in pruned} >= {0, 50}
    spent_s = 0.0
    for _, trial in replayed.trials:
        run = table.run(trial.architecture, 400, 0)
        if trial.status == "pruned":
            step, psnr_db = trial.curve[-1]
            assert dict(run.curve)[step] == psnr_db
            spent_s += 1 + (run.seconds - 1) * step / 400
        elif trial.status == "complete":
            spent_s += run.seconds
    assert replayed.trials[-1][0] == pytest.approx(spent_s)


def test_two_objectives_prune_once_enough_are_complete(table):
    pruning = {"rungs": [50, 200], "warm_up_trials": 1, "margin_db": 0.0}
    config = study_of(
        table, trials=30, objective={"kind": "pareto"}, pruning=pruning, sampler={"name": "random"}
    )
    trials = [trial for _, trial in replay(table, config).trials]
    ended = [t.status for t in trials if t.status in ("complete", "pruned")]
    assert ended[:FEWEST_COMPLETE] == ["complete"] * FEWEST_COMPLETE
    for number, trial in enumerate(trials):
        if trial.status == "pruned":
            step, psnr_db = trial.curve[-1]
            assert any(
                dict(other.curve).get(step, 0.0) > psnr_db
                and other.estimate.runtime_ms <= trial.estimate.runtime_ms
                for other in trials[:number]
            )
    assert "pruned" in ended


def test_brackets_skip_rungs_in_turns(table):
    pruning = {"rungs": [50, 200], "keep": 0.3, "warm_up_trials": 2, "margin_db": 0.0}
    config = study_of(
        table, trials=12, pruning={**pruning, "brackets": 3}, sampler={"name": "random"}
    )
    trained = [t for _, t in replay(table, config).trials if t.status in ("complete", "pruned")]
    for trial in trained:
        reached = [step for step, _ in trial.curve]
        assert reached == [50, 200, 400][trial.index % 3 :][: len(reached)]
        assert trial.status == "pruned" or reached[-1] == 400
    assert {t.index % 3 for t in trained if t.status == "pruned"} == {0, 1}


def test_a_study_may_train_by_a_smaller_budget(table):
    config = study_of(table, trials=2, training={"steps": 100}, sampler={"name": "random"})
    for _, trial in finished(replay(table, config)):
        assert trial.psnr_db == table.run(trial.architecture, 100, 0).psnr_db


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "evolution", "latency_aware"])
def test_a_search_goes_on_until_nearly_all_of_a_space_is_trained(table, sampler):
    trials = len(table.rows) - 2
    replayed = replay(table, study_of(table, trials=trials, sampler={"name": sampler}))
    assert len({trial.architecture for _, trial in finished(replayed)}) == trials


def test_what_the_table_lacks_is_said(table):
    with pytest.raises(UserError, match="no training of 60 steps"):
        replay(table, study_of(table, trials=2, training={"steps": 60}))
    with pytest.raises(UserError, match="no PSNR at step 33"):
        replay(table, study_of(table, trials=2, pruning={"rungs": [33]}))
