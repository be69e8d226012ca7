"""The oracle: sums, intervals, and what it says about its own doubts."""

import math
from dataclasses import replace

import pytest
from latency_graphs import GraphBuilder, mialgo

from latency import GraphError, LatencyOracle, Tensor, load_profile
from latency.profile import Fit


@pytest.fixture
def profile():
    """Round prices and a wide valid range, so that no doubt but the tested one arises."""
    everywhere = {"gmac": (0.0, 1e6), "gbyte": (0.0, 1e6), "kernels": (0.0, 1e6)}
    fit = Fit("fitted", "made up for this test", "2026-01-01", 2.0, everywhere)
    prices = {"run": 2.0, "gmac": 1.5, "gbyte": 20.0}
    shipped = load_profile("snapdragon-8-gen-1")
    return replace(shipped, coefficients=prices, learned=None, fit=fit)


def test_ms_is_the_priced_sum(profile):
    estimate = LatencyOracle(profile).predict(mialgo())
    pixels = 544 * 960
    assert estimate.ms == pytest.approx(2 + 1.5 * pixels * 3024 / 1e9 + 20 * pixels * 184 / 1e9)
    parts = [kernel.ms for kernel in estimate.kernels]
    assert estimate.ms == pytest.approx(estimate.fixed_ms + estimate.fallback_ms + math.fsum(parts))
    assert estimate.fixed_ms == 2
    assert estimate.fallback_ms == 0
    assert estimate.fully_delegated
    assert estimate.notes == ()


def test_interval_is_multiplicative(profile):
    estimate = LatencyOracle(profile).predict(mialgo())
    assert estimate.low_ms == pytest.approx(estimate.ms / 2)
    assert estimate.high_ms == pytest.approx(estimate.ms * 2)


@pytest.mark.parametrize(
    ("valid", "widening"),
    [((0.0, 1.5793 / 4), 2.0), ((1.5793 * 4, 100.0), 2.0), ((1.0, 2.0), 1.0)],
)
def test_outside_the_fitted_range_the_interval_widens(profile, valid, widening):
    # Four times beyond either end: sqrt(4) wider.
    fit = replace(profile.fit, valid_range={"gmac": valid})
    estimate = LatencyOracle(replace(profile, fit=fit)).predict(mialgo())
    assert estimate.high_ms == pytest.approx(estimate.ms * 2 * widening, rel=1e-4)
    assert bool(estimate.notes) == (widening > 1)
    if estimate.notes:
        assert "1.58 GMAC is outside the fitted" in estimate.notes[0]


def test_fallbacks_cost_and_doubt(profile):
    b = GraphBuilder((1, 64, 64, 4))
    x = b.unary("ROUND", b.conv(0, 12))
    graph = b.graph(b.depth_to_space(b.unary("RELU", b.conv(x, 12))))
    estimate = LatencyOracle(profile).predict(graph)
    assert not estimate.fully_delegated
    assert [f.kind for f in estimate.fallbacks] == ["CONV_2D", "ROUND"]
    macs, moved = 64 * 64 * 9 * 4 * 12, 64 * 64 * (4 + 12 + 12 + 12) * 2
    cpu = profile.cpu
    expected = (macs * cpu.ms_per_gmac + moved * cpu.ms_per_gbyte) / 1e9
    assert estimate.fallback_ms == pytest.approx(expected)
    assert estimate.high_ms == pytest.approx(estimate.ms * 4)
    assert "2 of 5 ops run on the CPU" in estimate.notes[0]


def test_quantised_tensors_are_noted(profile):
    graph = mialgo(8, 8)
    tensors = tuple(Tensor(t.shape, "int8") for t in graph.tensors)
    estimate = LatencyOracle(profile).predict(replace(graph, tensors=tensors))
    assert "quantised" in estimate.notes[0]
    assert estimate.fully_delegated


def test_provisional_profiles_say_so(profile):
    fit = replace(profile.fit, status="provisional")
    notes = LatencyOracle(replace(profile, fit=fit)).predict(mialgo(8, 8)).notes
    assert notes == ("provisional profile: made up for this test",)


def test_more_work_never_takes_less_time(profile):
    oracle = LatencyOracle(profile)
    times = [oracle.predict(mialgo(height, 960)).ms for height in (272, 544, 1088)]
    assert times == sorted(times)


def test_an_oracle_by_name():
    estimate = LatencyOracle("snapdragon-8-gen-1").predict(mialgo())
    # Published: 6.8 ms.
    assert estimate.low_ms < 6.8 < estimate.high_ms


def test_an_inconsistent_graph_is_an_error(profile):
    b = GraphBuilder((1, 8, 8, 4))
    x = b.conv(0, 8)
    with pytest.raises(GraphError, match="never written"):
        LatencyOracle(profile).predict(replace(b.graph(x), ops=()))


def test_a_learned_profile_flags_run_time_of_kernels_never_timed():
    b = GraphBuilder((1, 544, 960, 48))
    oracle = LatencyOracle("snapdragon-8-gen-1")
    estimate = oracle.predict(b.graph(b.depth_to_space(0, 4)))
    assert any("depth_to_space" in note and "never timed" in note for note in estimate.notes)
    assert not any("never timed" in note for note in oracle.predict(mialgo()).notes)


def test_classifier_phones_flag_images_larger_than_what_was_fitted():
    estimate = LatencyOracle("snapdragon-855").predict(mialgo())
    assert any("megapixels" in note and "outside the fitted" in note for note in estimate.notes)
    small = LatencyOracle("snapdragon-855").predict(mialgo(112, 112))
    assert estimate.high_ms / estimate.ms > small.high_ms / small.ms
