from dataclasses import replace

from search.report.choices import MIN_TRIALS, importances, parallel_choices
from search.study.results import StudyResults


def with_score(results, log2_score):
    trials = tuple(
        replace(t, log2_score=log2_score(t.architecture.choices)) if t.status == "complete" else t
        for t in results.trials
    )
    return StudyResults(results.config, trials, ())


def test_the_choice_that_decides_the_score_is_the_most_important(make_results):
    results = with_score(make_results(complete=60), lambda chosen: float(chosen["width_0"]))
    shares = importances(results)
    assert next(iter(shares)) == "width_0"
    assert abs(sum(shares.values()) - 1) < 1e-6


def test_a_condition_is_no_obstacle(make_results):
    results = with_score(
        make_results(complete=60),
        lambda chosen: {"add": 9.0, "concat": 5.0}.get(chosen.get("skip"), 1),
    )
    assert "skip" in list(importances(results))[:3]


def test_too_few_trials_have_no_importances(make_results):
    assert importances(make_results(complete=MIN_TRIALS - 1)) == {}
    assert importances(make_results(complete=MIN_TRIALS + 4))


def test_choices_that_never_varied_are_left_out(make_results):
    results = make_results(complete=20)
    first = results.complete[0]
    same = tuple(replace(first, number=i) for i in range(10))
    assert importances(StudyResults(results.config, same, ())) == {}


def test_a_line_leaves_the_axis_where_a_choice_does_not_exist(make_results):
    results = make_results(complete=20)
    figure = parallel_choices(results)
    rows = list(figure.layout.yaxis.ticktext)
    row = rows.index("down")
    flat = [t for t in results.complete if t.architecture.choices["levels"] == 0]
    outside = [
        x
        for trace in figure.data[:-1]
        for x, y in zip(trace.x, trace.y, strict=True)
        if y == row and x < -0.05
    ]
    assert flat
    assert len(outside) == len(flat)
