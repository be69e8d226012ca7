import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from search.report.notes import profile_note, seeds_text
from search.report.tables import count_text, leaderboard_table, pareto_table


def printed(table, width=80):
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(table)
    return console.export_text()


@pytest.mark.parametrize("table", [leaderboard_table, pareto_table])
@pytest.mark.parametrize(
    "study",
    [
        {},
        {"complete": 1},
        {"complete": 8, "finals": True},
        {"complete": 8, "finals": True, "lpips": True},
        {"task": "bokeh", "complete": 4, "lpips": True},
    ],
)
def test_tables_fit_a_terminal_and_name_their_data(make_results, table, study):
    text = printed(table(make_results(**study)))
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "sample data" in text
    assert "predicted" in text


def test_the_leaderboard_shows_the_seeds_of_each_row(finals_of_uneven_seeds):
    text = printed(leaderboard_table(finals_of_uneven_seeds), 120)
    assert "finals: 2,000 steps, 2 to 6 seeds" in text
    seeds = [re.findall(r"  (\d)  +[\d.]+ ± ", line) for line in text.splitlines()]
    assert [number for found in seeds for number in found][:3] == ["6", "2", "6"]
    assert "seeds" not in printed(pareto_table(finals_of_uneven_seeds), 120)


@pytest.mark.parametrize(
    ("counts", "text"), [([1], "1 seed"), ([2, 2], "2 seeds"), ([6, 1, 2], "1 to 6 seeds")]
)
def test_seeds_are_counted_as_they_are(counts, text):
    assert seeds_text(counts) == text


def test_the_pareto_table_stands_beside_the_published_rows(make_results):
    text = printed(pareto_table(make_results(complete=8)), 120)
    assert "published: challenge data; ms measured on snapdragon-8-gen-1" in text
    assert "21.24" in text  # Multimedia's score, as printed in the report


def test_lpips_has_a_column_where_it_was_measured(make_results):
    results = make_results(complete=8, finals=True, lpips=True)
    text = printed(leaderboard_table(results), 120)
    assert "LPIPS (lower is better)" in text
    assert "0.3000" in text  # The mean of the finals' 0.25 and 0.35.
    trial = next(t for t in results.complete if t.number and t.lpips)
    assert f"{trial.lpips:.4f}" in printed(leaderboard_table(results), 120) + printed(
        pareto_table(results), 120
    )
    for table in (leaderboard_table, pareto_table):
        assert "LPIPS" not in printed(table(make_results(complete=8, finals=True)), 120)


def test_the_published_lpips_of_bokeh_stands_beside(make_results):
    text = printed(pareto_table(make_results("bokeh", complete=4, lpips=True)), 120)
    assert "0.2693" in text  # Antins_cv
    assert "0.2693" not in printed(pareto_table(make_results("bokeh", complete=4)), 120)


def test_a_mean_over_some_of_the_seeds_is_none(make_results):
    results = make_results(complete=8, finals=True, lpips=True)
    runs = [replace(run, lpips=None) if run.seed else run for run in results.finals]
    finalists = replace(results, finals=tuple(runs)).finalists()
    assert finalists
    assert all(finalist.lpips is None for finalist in finalists)


def test_names_are_not_markup(make_results):
    results = make_results(complete=2, name="a.b")
    config = results.config.model_copy(update={"name": "[red]x[/red]"})
    text = printed(leaderboard_table(type(results)(config, results.trials, ())))
    assert "[red]x[/red]" in text


@pytest.mark.parametrize(
    ("count", "text"), [(12, "12"), (6780, "6.78k"), (816_000, "816k"), (4_500_000, "4.5M")]
)
def test_counts_are_short(count, text):
    assert count_text(count) == text


def test_a_profile_names_its_leave_one_out_error():
    from latency import load_profile

    profile = load_profile("snapdragon-8-gen-1")
    errors = [abs(r.held_out_ms / r.measured_ms - 1) for r in profile.fit.rows]
    assert f"worst {max(errors):.0%}" in profile_note(profile)
