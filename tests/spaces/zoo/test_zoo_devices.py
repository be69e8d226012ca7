"""The shipped device profiles against the published run times they were fitted to."""

import dataclasses
import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest

from latency import LatencyOracle, load_profile
from latency.fit import fit_profile
from latency.profile import ProfileError
from latency.validation import spearman
from spaces.zoo import ZOO

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "fit_devices.py"
DEVICES = {"isp": "snapdragon-8-gen-1", "bokeh": "kirin-9000"}


@pytest.fixture(scope="module")
def fit_devices():
    spec = importlib.util.spec_from_file_location("fit_devices", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _fitted_systems(device):
    rows = {row.name: row for row in load_profile(device).fit.rows}
    task = {name: key for key, name in DEVICES.items()}[device]
    systems = {ZOO[n].published_team: ZOO[n] for n in ZOO if ZOO[n].task == task}
    return [(systems[name], row) for name, row in rows.items()]


@pytest.mark.parametrize("device", DEVICES.values())
def test_shipped_profile_is_what_the_fit_gives_today(device, fit_devices):
    """Fails when the lowering or a system changes and the profiles were not fitted anew."""
    refit = {p.name: p for p in (fit_devices.fit_snapdragon(), fit_devices.fit_kirin())}[device]
    shipped = load_profile(device)
    fit = dataclasses.replace(refit.fit, date=shipped.fit.date)
    assert dataclasses.replace(refit, fit=fit) == shipped


@pytest.mark.parametrize("device", DEVICES.values())
def test_oracle_reproduces_the_fitted_rows(device):
    oracle = LatencyOracle(device)
    for system, row in _fitted_systems(device):
        estimate = oracle.predict(system.trace())
        assert row.measured_ms == system.published.gpu_ms
        assert estimate.ms == pytest.approx(row.fitted_ms, rel=2e-3)
        assert estimate.low_ms < system.published.gpu_ms < estimate.high_ms
        assert not [note for note in estimate.notes if "outside the fitted" in note]


def test_snapdragon_orders_all_exact_rows_by_held_out_prediction():
    rows = sorted(load_profile("snapdragon-8-gen-1").fit.rows, key=lambda row: row.measured_ms)
    assert [r.held_out_ms for r in rows] == sorted(r.held_out_ms for r in rows)


def test_snapdragon_errs_less_than_the_direct_model(fit_devices):
    """Leave-one-out, against three prices that know nothing of the delegate's kernels."""
    _, held_out_ms = fit_devices.fit_direct_model()
    rows = load_profile("snapdragon-8-gen-1").fit.rows
    direct = [math.log(ms / row.measured_ms) for ms, row in zip(held_out_ms, rows, strict=True)]
    shipped = [math.log(row.held_out_ms / row.measured_ms) for row in rows]
    assert math.hypot(*shipped) < 0.7 * math.hypot(*direct)
    assert max(map(abs, shipped)) < 0.7 * max(map(abs, direct))


@pytest.mark.parametrize("device", DEVICES.values())
def test_no_kernel_is_free(device):
    oracle = LatencyOracle(device)
    for name in ZOO:
        for estimate in oracle.predict(ZOO[name].trace((128, 96))).kernels:
            if not estimate.kernel.kind.endswith("_conversion"):
                assert estimate.ms >= 0.001


def test_known_prices_are_kept_and_not_fitted():
    gpu = load_profile("snapdragon-8-gen-1").gpu
    timings = [(name, ZOO[name].trace(), 10.0) for name in ("mialgo_track1", "mincho", "rainbow")]
    prices = {"launch": 0.25}
    profile = fit_profile(
        "x", gpu, timings, feature_names=("run",), known_prices=prices, source="a test"
    )
    assert profile.coefficients["launch"] == 0.25
    # Three launches more are three prices more; all else is the fixed cost of the run.
    fitted = {row.name: row.fitted_ms for row in profile.fit.rows}
    launches = {n: len(LatencyOracle(profile).predict(g).kernels) for n, g, _ in timings}
    difference = launches["rainbow"] - launches["mincho"]
    assert fitted["rainbow"] - fitted["mincho"] == pytest.approx(0.25 * difference)
    with pytest.raises(ProfileError, match="launch"):
        fit_profile(
            "x", gpu, timings, feature_names=("launch",), known_prices=prices, source="a test"
        )


@pytest.mark.parametrize("name", list(ZOO))
def test_what_failed_on_the_phone_is_expected_to_fail_and_what_ran_is_not(name):
    """The rule is calibrated on these very systems: it must tell them apart at least."""
    system = ZOO[name]
    estimate = LatencyOracle(DEVICES[system.task]).predict(system.trace())
    ran = system.published.gpu_ms is not None
    if name in ("vic", "zjut_vision"):
        # Ops that the delegate refuses keep most of them off the GPU.
        assert len(estimate.fallbacks) > 100
    else:
        assert ran == (estimate.failure is None)


def test_all_timed_rows_of_the_isp_challenge_stand_nearly_in_order():
    oracle = LatencyOracle("snapdragon-8-gen-1")
    timed = [ZOO[n] for n in ZOO if ZOO[n].task == "isp" and ZOO[n].published.gpu_ms]
    published = np.array([system.published.gpu_ms for system in timed])
    predicted = np.array([oracle.predict(system.trace()).ms for system in timed])
    assert len(timed) == 15
    assert spearman(predicted, published) >= 0.95
