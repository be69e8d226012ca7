import math

import pytest

from search.config import PruningConfig
from search.study.pruning import (
    FEWEST_COMPLETE,
    AtRung,
    learned_margin_db,
    passes,
    rungs_of,
)

RULE = PruningConfig(rungs=[100], keep=0.5, warm_up_trials=3, margin_db=0.2)
OTHERS = [AtRung(26.0, 5.0), AtRung(25.0, 5.0), AtRung(24.0, 5.0)]


@pytest.mark.parametrize(
    ("own", "goes_on"),
    [
        # Ranked 26, 25, own, 24 or below: the best half of four ends at 25 dB.
        (AtRung(25.5, 5.0), True),
        (AtRung(24.85, 5.0), True),  # behind by less than the margin
        (AtRung(24.75, 5.0), False),
        # 0.5 dB behind, but twice as fast: the same score.
        (AtRung(24.5, 2.5), True),
        (AtRung(24.5, 4.9), False),
        (AtRung(25.5, 10.0), True),
        (AtRung(25.5, 20.0), False),
    ],
)
def test_one_objective_prunes_by_score(own, goes_on):
    assert passes(own, OTHERS, RULE, pareto=False) is goes_on


def completed(*gains_db):
    """Ten that all had 26 dB here and 5 ms, and ended with `gains_db` more in turns."""
    return [AtRung(26.0, 5.0, 26.0 + gains_db[i % len(gains_db)]) for i in range(FEWEST_COMPLETE)]


@pytest.mark.parametrize(
    ("own", "goes_on"),
    [
        (AtRung(25.9, 5.0), True),  # dominated, but within the noise
        (AtRung(25.7, 5.0), False),
        (AtRung(20.0, 4.9), True),  # the fastest so far: nothing dominates it
        (AtRung(25.7, 6.0), False),
    ],
)
def test_two_objectives_prune_what_is_clearly_dominated(own, goes_on):
    assert passes(own, completed(1.0), RULE, pareto=True) is goes_on


@pytest.mark.parametrize(
    ("own", "goes_on"), [(AtRung(25.1, 5.0), True), (AtRung(25.0, 5.0), False)]
)
def test_the_margin_is_three_times_what_the_rung_errs_by(own, goes_on):
    # Gains of 0.7 and 1.3 dB: five and five have a standard deviation of 0.3 x root(10 / 9).
    others = completed(0.7, 1.3)
    assert learned_margin_db(others, 0.2) == pytest.approx(0.9 * (10 / 9) ** 0.5)
    assert passes(own, others, RULE, pareto=True) is goes_on


def test_what_a_rung_foretells_is_no_error():
    """Who is a dB ahead here gains 0.3 dB less, each of them: no margin but the least is needed."""
    others = [AtRung(24 + i / 5, 5.0, 26 + 0.7 * i / 5) for i in range(20)]
    assert learned_margin_db(others, 0.2) == 0.2


def test_two_objectives_prune_nothing_before_the_error_is_known():
    others = [*completed(1.0)[1:], *OTHERS]
    assert learned_margin_db(others, 0.2) == math.inf
    assert passes(AtRung(1.0, 99.0), others, RULE, pareto=True)


@pytest.mark.parametrize("pareto", [False, True])
def test_nothing_is_pruned_while_there_is_little_to_compare_with(pareto):
    assert passes(AtRung(1.0, 99.0), OTHERS[:2], RULE, pareto=pareto)


def test_keep_everything_prunes_only_what_is_beyond_the_worst():
    lenient = RULE.model_copy(update={"keep": 1.0})
    assert passes(AtRung(1.0, 5.0), OTHERS, lenient, pareto=False)


@pytest.mark.parametrize(
    ("brackets", "rungs"),
    [
        (1, [(75, 200), (75, 200), (75, 200), (75, 200)]),
        (2, [(75, 200), (200,), (75, 200), (200,)]),
        (3, [(75, 200), (200,), (), (75, 200)]),  # The third is never pruned.
    ],
)
def test_each_bracket_skips_one_rung_more(brackets, rungs):
    rule = PruningConfig(rungs=[75, 200], brackets=brackets)
    assert [rungs_of(index, rule) for index in range(4)] == rungs
