"""Figures of where run time goes, and of how well it is predicted."""

import pytest

from latency import LatencyOracle, device_names, load_profile
from search.report.devices import predicted_against_measured
from search.report.kernels import latency_by_op
from search.report.roofline import roofline
from spaces.zoo import ZOO

DEVICE = "snapdragon-8-gen-1"


@pytest.fixture(scope="module")
def estimates():
    oracle = LatencyOracle(DEVICE)
    return {name: oracle.predict(ZOO[name].trace()) for name in ("mialgo_track1", "jmu_cvlab")}


def test_ops_and_sizes_add_up_to_the_prediction(estimates):
    for name, estimate in estimates.items():
        bars = latency_by_op([(name, estimate)]).data
        assert sum(sum(bar.x) for bar in bars) == pytest.approx(estimate.ms)
        assert "1088 x 1920" in {bar.name for bar in bars}


def test_networks_beside_each_other_keep_their_sums(estimates):
    bars = latency_by_op(list(estimates.items())).data
    for index, estimate in enumerate(estimates.values()):
        assert sum(bar.x[index] for bar in bars) == pytest.approx(estimate.ms)
    # Only one of the two leaves ops to the CPU.
    (on_cpu,) = (bar.x for bar in bars if bar.name == "ops on the CPU")
    assert [ms > 0 for ms in on_cpu] == [False, True]


def test_a_kernel_stands_at_its_intensity_and_speed(estimates):
    estimate = estimates["mialgo_track1"]
    figure = roofline(estimate, load_profile(DEVICE))
    *roofs, kernels = figure.data
    assert [roof.name for roof in roofs] == ["fp16 peak, 2,500 GMAC/s", "DRAM, 51.2 GB/s"]
    heaviest = max(estimate.kernels, key=lambda e: e.kernel.padded_macs)
    gmac_per_s = heaviest.kernel.padded_macs / 1e9 / (heaviest.ms / 1e3)
    assert any(y == pytest.approx(gmac_per_s) for y in kernels.y)
    assert all(y < 2500 for y in kernels.y)


def test_a_gpu_without_published_peaks_has_no_roof(estimates):
    figure = roofline(estimates["mialgo_track1"], load_profile("snapdragon-855"))
    assert len(figure.data) == 1
    assert "no peak" in figure.layout.annotations[0].text


@pytest.mark.parametrize("device", device_names())
def test_every_timing_of_a_device_is_a_point(device):
    profile = load_profile(device)
    *_, points = predicted_against_measured(profile).data
    rows = [row for row in profile.fit.rows if row.held_out_ms]
    assert list(points.x) == [row.measured_ms for row in rows]
    assert list(points.y) == [row.held_out_ms for row in rows]
