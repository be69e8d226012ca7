import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.objective import log2_score, score
from search.tasks import TASKS
from spaces.zoo.published import published_rows


@pytest.mark.parametrize("task", list(TASKS))
def test_every_published_score_recomputes_within_rounding(task):
    rows = [r for r in published_rows(task) if r.score is not None]
    assert len(rows) >= 4
    for row in rows:
        digits = len(repr(row.score).split(".")[1]) if row.score % 1 else 0
        ours = score(row.psnr_db, row.gpu_ms, TASKS[task].log2_c)
        # The printed PSNR is itself rounded to 0.005 dB, 0.7 % of a score, and the time to 0.05 ms.
        slack = 0.5 * 10.0**-digits + ours * (0.007 + 0.05 / row.gpu_ms)
        assert abs(ours - row.score) <= slack, row.team


def test_mialgo_by_hand():
    # 2 ** (2 * 23.33) / (2 ** 40 * 6.8)
    assert score(23.33, 6.8, 40.0) == pytest.approx(14.87, abs=0.005)


@given(psnr=st.floats(1, 60), ms=st.floats(0.1, 1e5))
def test_half_the_run_time_is_worth_half_a_decibel(psnr, ms):
    assert math.isclose(log2_score(psnr, ms / 2, 40), log2_score(psnr + 0.5, ms, 40), abs_tol=1e-9)


def test_no_overflow_where_the_score_itself_would():
    assert math.isfinite(log2_score(600.0, 1e-3, 0.0))


@pytest.mark.parametrize("ms", [0.0, -1.0, math.nan])
def test_a_run_time_that_is_none_is_refused(ms):
    with pytest.raises(ValueError, match="run time must be positive"):
        log2_score(20.0, ms, 40.0)
