"""Figures of how a search went, beyond those of its trials' order."""

from dataclasses import replace

import numpy as np
import pytest

from search.report.pareto import pareto
from search.report.progress import cpu_seconds_by_trial, hypervolume_over, score_history
from search.report.slices import slices
from search.report.surrogate import FEWEST, surrogate_errors
from search.report.thin import CELLS


@pytest.fixture
def with_cpu(make_results):
    """Each training took as many CPU seconds as its trial's number."""
    results = make_results(complete=20)
    trials = tuple(
        replace(t, seconds={**t.seconds, "cpu": float(t.number)}) if t.seconds else t
        for t in results.trials
    )
    return replace(results, trials=trials)


def test_pruned_trials_are_paid_for(with_cpu):
    spent = cpu_seconds_by_trial(with_cpu)
    trained = [t.number for t in with_cpu.trials if t.seconds]
    assert {"pruned", "complete"} == {t.status for t in with_cpu.trials if t.seconds}
    assert list(spent) == trained
    assert list(spent.values()) == np.cumsum(trained).tolist()


def test_over_cpu_time_the_end_is_the_same(with_cpu):
    for figure in (score_history, hypervolume_over):
        by_trial, by_time = (figure(with_cpu, over).data[-1].y for over in ("trial", "CPU s"))
        assert by_time[-1] == pytest.approx(by_trial[-1])


def test_a_box_is_of_the_trials_with_that_value(make_results):
    results = make_results(complete=30)
    box = next(b for b in slices(results).data if b.name == "levels")
    for label, lowest, median, highest in zip(
        box.x, box.lowerfence, box.median, box.upperfence, strict=True
    ):
        scores = [
            t.log2_score
            for t in results.complete
            if str(t.architecture.choices.get("levels")) == label
        ]
        assert lowest == pytest.approx(min(scores))
        assert median == pytest.approx(np.median(scores))
        assert highest == pytest.approx(max(scores))


def test_what_follows_from_the_network_is_foretold_better_than_by_the_mean(make_results):
    results = make_results(complete=40)
    # A PSNR that the run time gives is no secret to a surrogate that knows run times.
    trials = tuple(
        replace(t, psnr_db=20 + 3 * np.log2(t.estimate.runtime_ms)) if t.psnr_db else t
        for t in results.trials
    )
    figure = surrogate_errors(replace(results, trials=trials))
    text = figure.layout.annotations[-1].text
    ours, mean = (float(w) for w in text.replace(";", "").split() if w.replace(".", "").isdigit())
    assert ours < 0.3 * mean
    # The published system among the trials is of another space, or the first of the known.
    assert len(figure.data[0].x) in (40 - FEWEST, 39 - FEWEST)


def test_a_large_study_draws_few_marks_and_all_of_its_front(make_results):
    results = make_results(complete=40)
    rng = np.random.default_rng(0)
    many = tuple(
        replace(t, number=n, index=n, psnr_db=t.psnr_db and t.psnr_db + rng.normal())
        for n, t in enumerate(results.trials * 60)
    )
    large = replace(results, trials=many)
    figure = pareto(large)
    drawn = next(t for t in figure.data if t.name and t.name.startswith("trials ("))
    assert len(drawn.x) <= CELLS[0] * CELLS[1]
    assert f"of {sum(t.baseline is None for t in large.complete):,} drawn" in drawn.name
    front = next(t for t in figure.data if t.name == "Pareto front")
    assert len(front.x) == len(large.pareto_front())
