"""Calibration finds the model that made the times, whatever was measured of them."""

import math

import numpy as np
import pytest
from latency_graphs import ADRENO_640, ADRENO_730, GraphBuilder

from latency import GraphError, LatencyOracle, lower
from latency.calibrate import MIN_KERNELS, CalibrationRow, calibrate, held_out_error
from latency.profile import load_lender
from latency.profile_error import ProfileError

FAMILIES = ("wide", "deep", "thin", "tall", "flat")


def network(size, width, depth):
    """Convolutions of several kinds, so that no two prices always go together."""
    b = GraphBuilder((1, size, size, 4))
    x = b.conv(0, width)
    for level in range(depth):
        x = b.depthwise(x) if level % 3 == 2 else b.conv(x, width, kernel=(3, 1)[level % 2])
    return b.graph(b.depth_to_space(b.conv(x, 12)))


def networks(count, seed=0):
    rng = np.random.default_rng(seed)
    sizes, widths = rng.choice([64, 128, 256], count), rng.choice([8, 12, 24, 40, 64], count)
    return [
        network(int(s), int(w), int(d))
        for s, w, d in zip(sizes, widths, rng.integers(1, 9, count), strict=True)
    ]


def timed(graphs, gpu, seconds, kernels=None):
    return [
        CalibrationRow(
            f"{FAMILIES[i % 5]}_{i}",
            graph,
            seconds(lower(graph, gpu)),
            0.0,
            tuple(map(kernels, lower(graph, gpu).kernels)) if kernels else (),
        )
        for i, graph in enumerate(graphs)
    ]


def linear_ms(lowering):
    moved = sum(k.read_bytes + k.write_bytes for k in lowering.kernels)
    return 1.5 + 2.0 * lowering.padded_macs / 1e9 + 40 * moved / 1e9


def test_linear_times_give_linear_prices():
    rows = timed(networks(16), ADRENO_730, linear_ms)
    best = calibrate("here", ADRENO_730, rows, source="made up")[0]
    assert "prices" in best.name
    assert best.error < 0.04
    for row in timed(networks(8, seed=1), ADRENO_730, linear_ms):
        assert LatencyOracle(best.profile).predict(row.graph).ms == pytest.approx(row.ms, rel=0.05)


def test_a_relative_of_a_known_gpu_borrows_its_kernels():
    """Times that are those of the Adreno 640's own kernels, twice as fast, plus 2 ms a run."""
    lender = load_lender("adreno-640")

    def twice_as_fast(lowering):
        return 2.0 + math.fsum(map(lender.model.kernel_ms, lowering.kernels)) / 2

    rows = timed(networks(12), ADRENO_640, twice_as_fast)
    candidates = calibrate("cousin", ADRENO_640, rows, [lender], source="made up")
    assert candidates[0].name == "kernels of adreno-640"
    assert candidates[0].error < 0.03
    assert [c.error for c in candidates] == sorted(c.error for c in candidates)


def test_kernel_times_make_a_kernel_model_of_the_phones_own():
    def kernel_ms(kernel):
        return 0.02 + kernel.padded_macs / 4e8 + (kernel.read_bytes + kernel.write_bytes) / 2e7

    def run_ms(lowering):
        return 1.0 + math.fsum(map(kernel_ms, lowering.kernels))

    rows = timed(networks(60), ADRENO_640, run_ms, kernel_ms)
    assert sum(len(row.kernel_ms) for row in rows) >= MIN_KERNELS
    candidates = {c.name: c for c in calibrate("mine", ADRENO_640, rows, source="made up")}
    assert candidates["own kernel model"].error < 0.1
    too_few = calibrate("mine", ADRENO_640, rows[:8], source="made up")
    assert "own kernel model" not in {c.name for c in too_few}


def test_the_error_is_of_networks_left_out():
    candidates = calibrate("x", ADRENO_730, timed(networks(9), ADRENO_730, linear_ms), source="m")
    for candidate in candidates:
        assert all(row.held_out_ms is not None for row in candidate.profile.fit.rows)
        assert candidate.error == held_out_error(candidate.profile)


def test_partly_delegated_networks_do_not_count():
    b = GraphBuilder((1, 8, 8, 4))
    refused = b.graph(b.op("TOPK_V2", (0,), (1, 8, 8, 4)))
    rows = timed(networks(2), ADRENO_730, linear_ms)
    rows += [CalibrationRow(f"refused{i}", refused, 1.0) for i in range(5)]
    with pytest.raises(ProfileError, match="2 of 7 measured networks run wholly"):
        calibrate("x", ADRENO_730, rows, source="made up")


def test_an_inconsistent_graph_is_named():
    b = GraphBuilder((1, 8, 8, 4))
    graph = b.graph(b.op("RELU", (7,), (1, 8, 8, 4)))
    with pytest.raises(GraphError, match="RELU reads tensor 7"):
        calibrate("x", ADRENO_730, [CalibrationRow("bad", graph, 1.0)] * 3, source="made up")
