"""A study that probes, from its file to its report."""

import json

import pytest

pytestmark = pytest.mark.slow


def test_a_study_that_probes_runs_and_shows_what_was_passed_over(terminal):
    settings = {"proxies": ["gradient_norm", "ridge_probe"], "candidates": 2, "warm_up_trials": 2}
    file = terminal.study(trials=3, finals=None, probing=settings)
    done = terminal("run", file, "--json")
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert results["counts"] == {"complete": 3, "probed": 1}
    assert results["trained"] == 3
    for trial in results["trials"]:
        assert list(trial["probes"]) == ["gradient_norm", "ridge_probe"]
    assert len([line for line in done.stderr.splitlines() if line.startswith("trial ")]) == 3
    [listed] = json.loads(terminal("studies", "--json").stdout)
    assert listed["trained"] == 3
    shown = terminal("show", "tiny")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert terminal("report", "tiny").returncode == 0
    page = (terminal.folder / "runs/tiny/report.html").read_text()
    assert "3 of 3 trained (3 complete, 1 probed)" in page
    assert "random, among 2 probed candidates" in page


def test_a_proxy_that_is_none_is_named(terminal, refused):
    file = terminal.study(probing={"proxies": ["zen_score"]})
    refused(terminal("run", file), "no proxy called 'zen_score'; there are: gradient_norm")
