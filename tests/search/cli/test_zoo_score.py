"""`lensnas zoo score`, run as a user does, on sample data."""

import json
import math
import re

import pytest
from typer.testing import CliRunner

from search.cli.zoo import app
from search.errors import UserError

pytestmark = pytest.mark.slow


def run(*arguments):
    result = CliRunner().invoke(app, arguments)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_score_trains_and_ranks_and_keeps_what_it_found(tmp_path, data_root):
    arguments = (
        "score", "--task", "isp", "--budget", "25steps", "--systems", "mincho,mialgo_track1",
        "--data", str(data_root), "-o", str(tmp_path / "zoo"), "--json",
    )  # fmt: skip
    first = run(*arguments)
    documents = json.loads(first.stdout)
    assert [document["system"] for document in documents] == ["mincho", "mialgo_track1"]
    for document in documents:
        assert document["steps"] == 25
        assert 5 < document["psnr_db"] < 40
        assert document["log2_score"] == pytest.approx(
            2 * document["psnr_db"] - math.log2(document["runtime_ms"]) - 40
        )
    stored = tmp_path / "zoo" / "isp" / "mincho.json"
    before = stored.stat().st_mtime_ns
    assert json.loads(run(*arguments).stdout) == documents
    assert stored.stat().st_mtime_ns == before
    # MINCHO's second loss needs weights that were not given.
    table = run(*arguments[:-1]).stdout
    assert "mialgo_track1" in table
    assert "Without their perceptual losses (--weights): mincho" in table


def test_lpips_beside_psnr_and_the_published_one(tmp_path, data_root, lpips_file):
    arguments = (
        "score", "--task", "bokeh", "--budget", "2steps", "--systems", "antins_cv",
        "--data", str(data_root), "-o", str(tmp_path / "zoo"),
    )  # fmt: skip
    measured = run(*arguments, "--lpips", str(lpips_file))
    [stored] = (tmp_path / "zoo" / "bokeh").iterdir()
    before = stored.stat().st_mtime_ns
    lpips = json.loads(stored.read_text())["entry"]["lpips"]
    assert 0 < lpips < 10
    assert f"{lpips:.4f}" in measured.stdout
    assert "LPIPS*" in measured.stdout
    assert "0.2693" in measured.stdout
    assert max(map(len, measured.stdout.splitlines())) <= 80
    # Not asked for, it is not shown, and nothing is trained again for that.
    plain = run(*arguments)
    assert "LPIPS" not in plain.stdout
    assert json.loads(run(*arguments, "--json").stdout)[0]["lpips"] is None
    assert stored.stat().st_mtime_ns == before
    again = run(*arguments, "--lpips", str(lpips_file), "--json")
    assert json.loads(again.stdout)[0]["lpips"] == lpips
    assert stored.stat().st_mtime_ns == before


def test_an_lpips_file_that_will_not_do_is_refused_at_once(tmp_path):
    with pytest.raises(UserError, match=r"LPIPS: no file .*none\.npz"):
        run("score", "--data", str(tmp_path), "--lpips", str(tmp_path / "none.npz"))
    assert not list(tmp_path.iterdir())


def test_what_cannot_make_enough_steps_in_its_time_is_said(tmp_path, data_root):
    result = run(
        "score", "--task", "isp", "--budget", "0.01s", "--systems", "mialgo_track1",
        "--data", str(data_root), "-o", str(tmp_path),
    )  # fmt: skip
    assert re.search(r"mialgo_track1: not trained: \d+ steps within the budget", result.stdout)
