"""A network that needs as much memory at once as one that failed is expected to fail."""

import dataclasses

import pytest
from latency_graphs import GraphBuilder

from latency import LatencyOracle, ProfileError, load_profile, write_profile
from latency.oracle import kernel_mb
from latency.profile import Failure

PROFILE = load_profile("snapdragon-8-gen-1")


def wide(channels):
    b = GraphBuilder((1, 128, 128, 4))
    return b.graph(b.unary("RELU", b.conv(b.conv(0, channels), 4)))


def knowing(megabytes):
    return dataclasses.replace(PROFILE, failures=(Failure("Big", megabytes), Failure("Huge", 900)))


def test_the_hungriest_kernel_counts():
    # 128 x 128 pixels of 68 channels in, 4 out, two bytes each
    lowering = LatencyOracle(PROFILE).predict(wide(68))
    assert max(k.kernel.read_bytes + k.kernel.write_bytes for k in lowering.kernels) == (
        128 * 128 * (68 + 4) * 2
    )


def test_at_the_known_failure_and_above():
    oracle = LatencyOracle(knowing(128 * 128 * 72 * 2 / 1e6))
    assert oracle.predict(wide(64)).failure is None
    for channels in (68, 72):
        failure = oracle.predict(wide(channels)).failure
        assert "Big, which needs 2 MB, failed on this GPU" in failure
    assert (
        LatencyOracle(dataclasses.replace(PROFILE, failures=())).predict(wide(500)).failure is None
    )


def test_nothing_lowered_needs_nothing():
    from latency import Lowering

    assert kernel_mb(Lowering(())) == 0


def test_failures_are_written_and_read(tmp_path):
    write_profile(knowing(3.5), tmp_path / "x.toml")
    assert load_profile(tmp_path / "x.toml").failures == knowing(3.5).failures


def test_a_failure_that_needs_nothing_is_refused():
    with pytest.raises(ProfileError, match="Big failed at 0 MB"):
        knowing(0)
