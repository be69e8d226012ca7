import json
import math
from dataclasses import replace

import pytest

from search.report.figures import PANELS
from search.report.kernels import SHOWN, kernel_latency
from search.report.pareto import pareto
from search.report.plane import iso_score_levels
from search.report.published import published_pareto
from search.report.style import log_ticks, trial_hover
from search.tasks import TASKS

STUDIES = {
    "empty": {},
    "one trial": {"complete": 1},
    "no finals": {"complete": 9},
    "finals": {"complete": 20, "finals": True},
    "bokeh": {"complete": 9, "finals": True, "task": "bokeh"},
}


@pytest.mark.parametrize("study", STUDIES.values(), ids=STUDIES)
@pytest.mark.parametrize("name", PANELS)
def test_every_figure_of_every_study_is_one_and_is_valid_json(make_results, name, study):
    figure = PANELS[name].draw(make_results(**study))
    document = json.loads(figure.to_json())
    shown = document["data"] or document["layout"]["annotations"]
    assert shown, "a figure without traces must say why"
    assert "NaN" not in figure.to_json()


def test_infeasible_candidates_are_drawn_without_a_psnr(make_results):
    results = make_results(complete=20)
    refused = [t for t in results.trials if t.status == "infeasible"]
    assert refused
    (rug,) = [t for t in pareto(results).data if t.y is not None and "infeasible" in t.y]
    assert list(rug.x) == [t.estimate.runtime_ms for t in refused]
    assert rug.yaxis == "y2"


@pytest.mark.parametrize(
    ("parent", "said"), [(7, "with 87 % of its weights from trial 7"), (None, "a super-network")]
)
def test_a_trial_says_whose_weights_it_started_from(make_results, parent, said):
    trial = make_results(complete=1).complete[0]
    assert "weights" not in trial_hover(trial)
    assert said in trial_hover(replace(trial, inherited=0.874, parent=parent))


def test_probed_candidates_are_drawn_apart_and_count_as_nothing_trained(make_results):
    results = make_results(complete=12)
    assert not [t for t in pareto(results).data if t.y is not None and "probed" in t.y]
    last = results.complete[-1]
    passed_over = replace(
        last, status="probed", psnr_db=None, ssim=None, log2_score=None, curve=(), seconds={},
        reason="trial 3 promised more", probes={"synflow": 17.25, "naswot": None},
    )  # fmt: skip
    trials = tuple(passed_over if t is last else t for t in results.trials)
    probed = replace(results, trials=trials)
    (rug,) = [t for t in pareto(probed).data if t.y is not None and "probed" in t.y]
    assert list(rug.x) == [last.estimate.runtime_ms]
    assert "synflow 17.25" in rug.hovertext[0]
    assert "naswot" not in rug.hovertext[0]
    assert probed.trained == results.trained - 1
    assert len(PANELS["score"].draw(probed).data[0].x) == 11
    assert "probed (1)" in [bar.name for bar in PANELS["timeline"].draw(probed).data]


def test_a_study_with_nothing_but_infeasible_candidates_has_a_plot(make_results):
    results = make_results(complete=20)
    refused = tuple(t for t in results.trials if t.status == "infeasible")
    figure = pareto(type(results)(results.config, refused, ()))
    assert any("no complete trial" in a.text for a in figure.layout.annotations)


def test_finals_show_the_interval_and_the_spread_of_the_seeds(make_results):
    results = make_results(complete=8, finals=True)
    ours = next(t for t in pareto(results).data if t.name and t.name.startswith("finals"))
    assert ours.name == "finals (2,000 steps, 2 seeds)"
    finalists = {f.psnr_db: f for f in results.finalists()}
    for x, y, up, down, spread in zip(
        ours.x, ours.y, ours.error_x.array, ours.error_x.arrayminus, ours.error_y.array, strict=True
    ):
        finalist = finalists[y]
        assert x + up == pytest.approx(finalist.estimate.high_ms)
        assert x - down == pytest.approx(finalist.estimate.low_ms)
        assert spread == finalist.spread_db


def test_the_published_panel_shares_no_point_with_the_study(make_results):
    own = pareto(make_results(complete=8, finals=True))
    teams = {text for trace in published_pareto(TASKS["isp"]).data for text in trace.text or ()}
    assert "Multimedia" in teams
    assert not teams & {text for trace in own.data for text in trace.text or () if text}


def test_points_on_an_iso_line_have_its_score():
    levels = iso_score_levels(40.0, (5.0, 500.0), (22.0, 26.0))
    assert 3 <= len(levels) <= 7
    # 2 dB more and four times the run time is the same score as 1 dB more alone.
    assert all(2 * 22.0 - 9 - 40 <= level <= 2 * 26.0 - 2 - 40 for level in levels)
    line = published_pareto(TASKS["isp"]).data[0]
    for x, y in zip(line.x, line.y, strict=True):
        if x is not None:
            ratio = 2 ** (2 * y - 40) / x
            assert ratio == pytest.approx(2.0 ** round(math.log2(ratio)))


def test_kernel_bars_add_up_to_the_prediction(make_results):
    from latency import LatencyOracle
    from spaces.zoo import ZOO

    for name in ("mialgo_track1", "pynet_v2_mobile"):
        estimate = LatencyOracle("snapdragon-8-gen-1").predict(ZOO[name].trace())
        bars, *_ = kernel_latency(estimate).data
        assert sum(bars.x) == pytest.approx(estimate.ms)
        assert len(bars.x) <= SHOWN + 3


@pytest.mark.parametrize("low", [0.3, 1.0, 1.05, 2.1, 4.1, 6.5, 10.5, 55.0])
def test_half_a_decade_always_has_two_ticks(low):
    ticks = log_ticks(low, low * 10**0.5)
    assert len(ticks) >= 2
    assert low <= min(ticks) < max(ticks) <= low * 10**0.5


def test_many_decades_have_ticks_at_powers_of_ten_only():
    assert log_ticks(0.7, 4e5) == [1, 10, 100, 1000, 10_000, 100_000]
