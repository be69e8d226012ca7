import pytest

from search.objective import score
from search.report.rows import leaderboard, pareto_rows, published, published_front
from search.tasks import TASKS


def test_finalists_come_first_and_are_not_listed_twice(make_results):
    results = make_results(complete=12, finals=True)
    rows = leaderboard(results, trials=5)
    finals = [r for r in rows if r.stage == "finals"]
    trials = [r for r in rows if r.stage == "search"]
    assert rows == finals + trials
    assert [r.rank for r in finals] == list(range(1, len(finals) + 1))
    assert len(trials) == 5
    assert not {r.architecture for r in finals} & {r.architecture for r in trials}
    for group in (finals, trials):
        scores = [r.log2_score for r in group]
        assert scores == sorted(scores, reverse=True)


def test_a_finalist_is_the_mean_of_its_seeds_with_its_budget(make_results):
    results = make_results(complete=4, finals=True)
    row = next(r for r in leaderboard(results) if r.published_system)
    runs = [r for r in results.finals if r.architecture == row.architecture]
    assert row.psnr_db == pytest.approx((runs[0].psnr_db + runs[1].psnr_db) / 2)
    # The sample standard deviation of two values is their distance over the root of two.
    assert row.spread_db == pytest.approx(abs(runs[0].psnr_db - runs[1].psnr_db) / 2**0.5)
    assert (row.seeds, row.steps) == (2, 2000)


def test_every_row_has_its_own_seeds_and_its_rank_by_the_mean(finals_of_uneven_seeds):
    rows = [r for r in leaderboard(finals_of_uneven_seeds) if r.stage == "finals"]
    assert [r.seeds for r in rows] == [6, 2, *[6] * (len(rows) - 2)]
    assert [r.log2_score for r in rows] == sorted((r.log2_score for r in rows), reverse=True)


def test_published_systems_are_told_from_what_was_found(make_results):
    rows = leaderboard(make_results(complete=4, finals=True))
    names = {r.name for r in rows if r.published_system}
    assert names == {"MiAlgo, track 1: three convolutions", "MicroISP 0.5 (baseline)"}


def test_trials_keep_their_rank_in_the_search(make_results):
    results = make_results(complete=12, finals=True)
    for row in leaderboard(results):
        if row.stage == "search":
            assert results.complete[row.rank - 1].architecture == row.architecture


def test_pareto_rows_are_exactly_the_undominated_trials(make_results):
    results = make_results(complete=25)
    points = [(t.estimate.runtime_ms, t.psnr_db, t.architecture) for t in results.complete]
    undominated = {
        a
        for ms, db, a in points
        if not any(
            o_ms <= ms and o_db >= db and (o_ms, o_db) != (ms, db) for o_ms, o_db, _ in points
        )
    }
    rows = pareto_rows(results)
    assert {r.architecture for r in rows} == undominated
    assert [r.runtime_ms for r in rows] == sorted(r.runtime_ms for r in rows)


def test_no_complete_trial_gives_no_rows(make_results):
    assert leaderboard(make_results()) == []
    assert pareto_rows(make_results()) == []


@pytest.mark.parametrize(("task", "best"), [("isp", "Multimedia"), ("bokeh", "Antins_cv")])
def test_published_rows_are_those_with_a_gpu_time_best_first(task, best):
    rows = published(TASKS[task])
    assert rows[0].team == best
    assert all(row.gpu_ms for row in rows)
    printed = [row for row in rows if row.score is not None]
    # The reports print the score to two or three digits and the time to one decimal.
    for row in printed:
        formula = score(row.psnr_db, row.gpu_ms, TASKS[task].log2_c)
        assert formula == pytest.approx(row.score, rel=0.03, abs=0.05)


def test_the_published_front_is_undominated_and_rising():
    front = published_front(published(TASKS["isp"]))
    assert [r.team for r in front] == ["MiAlgo (track 1)", "Multimedia", "PyNET-V2 Mobile"]
