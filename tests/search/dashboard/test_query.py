import pytest
from starlette.datastructures import QueryParams

from search.dashboard.query import PAGE_ROWS, Filter, compared_numbers
from search.errors import UserError


@pytest.mark.parametrize(
    "address",
    ["", "?status=complete&status=pruned", "?max_ms=20&min_db=21.5&text=conv3&sort=psnr&page=3"],
)
def test_an_address_says_all_of_a_state(address):
    assert Filter.of(QueryParams(address.removeprefix("?"))).address() == address


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("sort=best", "unknown order 'best'"),
        ("status=fine", "unknown status 'fine'"),
        ("max_ms=fast", "max_ms must be a number"),
        ("max_ms=nan", "max_ms must be a number"),
        ("page=1e99", "page must be a number"),
        ("min_db=-3", "min_db must be a number"),
    ],
)
def test_what_an_address_cannot_mean_is_said(query, message):
    with pytest.raises(UserError, match=message):
        Filter.of(QueryParams(query))


def test_a_filter_keeps_what_passes_all_of_it(make_results):
    results = make_results(complete=20)
    limit = sorted(t.estimate.runtime_ms for t in results.complete)[10]
    kept = Filter(("complete", "pruned"), max_ms=limit, min_db=20.0, text="conv3").kept(results)
    assert 0 < len(kept.trials) < len(results.trials)
    for trial in kept.trials:
        assert trial.status == "complete"  # A pruned one has no PSNR that could pass.
        assert trial.estimate.runtime_ms <= limit
        assert trial.psnr_db >= 20.0
    assert Filter(sort="newest").kept(results) is results


def test_rows_come_in_order_and_in_pages(make_results):
    results = make_results(complete=PAGE_ROWS + 5)
    trials = results.trials
    best = Filter(sort="score").rows(trials)
    assert len(best) == PAGE_ROWS
    assert [t.number for t in best] == [t.number for t in results.complete[:PAGE_ROWS]]
    last = Filter(sort="score", page=2).rows(trials)
    assert {t.status for t in last[5:]} <= {"infeasible", "pruned", "failed"}
    runtimes = [t.estimate.runtime_ms for t in Filter(sort="runtime").rows(trials)]
    assert runtimes == sorted(runtimes)


@pytest.mark.parametrize("query", ["trials=1,2,3", "trials=1&trials=2&trials=3", "trials=1,2,2,3,"])
def test_numbers_to_compare(query):
    assert compared_numbers(QueryParams(query)) == [1, 2, 3]


@pytest.mark.parametrize("query", ["", "trials=1", "trials=1,2,3,4,5,6", "trials=a,b"])
def test_too_few_too_many_or_none_that_are_numbers(query):
    with pytest.raises(UserError, match="compare"):
        compared_numbers(QueryParams(query))
