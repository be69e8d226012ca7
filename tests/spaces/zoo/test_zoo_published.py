"""The published tables: read whole, and consistent with the challenge's score."""

import math

import pytest

from spaces.zoo.published import published_row, published_rows

SCORE_CONSTANT = {"isp": 2**40, "bokeh": 2**34.5}
SCORED = [
    (task, row)
    for task in ("isp", "bokeh")
    for row in published_rows(task)
    if row.score is not None
]


def _decimals(score):
    """Digits after the point in print: two for small scores, none for the largest."""
    text = repr(score)
    return 0 if text.endswith(".0") else len(text.split(".")[1])


def test_the_tables_are_whole():
    assert len(published_rows("isp")) == 17
    assert len(published_rows("bokeh")) == 7
    assert len(SCORED) == 19


@pytest.mark.parametrize(("task", "row"), SCORED, ids=[row.team for _, row in SCORED])
def test_every_printed_score_follows_from_psnr_and_run_time(task, row):
    """2 ** (2 PSNR) / (C t), within what rounding of the printed PSNR, time and score allows."""
    half_digit = 0.5 * 10 ** -_decimals(row.score)
    time_digit = 0.5 if row.gpu_ms == int(row.gpu_ms) else 0.05

    def score(psnr_db, gpu_ms):
        return 2 ** (2 * psnr_db) / (SCORE_CONSTANT[task] * gpu_ms)

    lowest = score(row.psnr_db - 0.005, row.gpu_ms + time_digit)
    highest = score(row.psnr_db + 0.005, row.gpu_ms - time_digit)
    assert lowest - half_digit <= row.score <= highest + half_digit


def test_most_scores_recompute_to_the_printed_digits():
    """From the printed PSNR and time alone; a wrong constant would fail nearly all."""
    exact = [
        math.isclose(
            2 ** (2 * row.psnr_db) / (SCORE_CONSTANT[task] * row.gpu_ms),
            row.score,
            abs_tol=0.5 * 10 ** -_decimals(row.score) + 1e-9,
        )
        for task, row in SCORED
    ]
    assert sum(exact) == len(SCORED)


def test_empty_cells_are_none():
    row = published_row("bokeh", "ZJUT-Vision")
    assert row.cpu_ms is None
    assert row.gpu_ms is None
    assert row.score is None
    assert row.lpips == 0.1907
    assert published_row("isp", "rainbow").mos is None


def test_rows_of_the_isp_table_have_no_lpips():
    assert {row.lpips for row in published_rows("isp")} == {None}


def test_an_unknown_team_is_named():
    with pytest.raises(KeyError, match="Nobody"):
        published_row("isp", "Nobody")
