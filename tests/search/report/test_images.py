import base64
import io

import numpy as np
import pytest
from PIL import Image

from search.artifacts import load_preview, save_preview
from search.report.images import MAX_SIDE, data_uri, strips, strips_html
from search.study.driver import trial_directory


def opened(uri):
    return Image.open(io.BytesIO(base64.b64decode(uri.split(",", 1)[1])))


def test_strips_hold_input_target_and_the_finalists_with_their_psnr(make_results):
    results = make_results(complete=6, finals=True, pictures=True)
    shown = strips(results)
    assert len(shown) == 2
    first = shown[0]
    assert [p.caption for p in first[:2]] == ["input (quick look)", "target"]
    assert len(first) == 2 + len(results.finalists())
    for picture in first[2:]:
        error = picture.pixels.astype(float) - first[1].pixels
        assert picture.psnr_db == pytest.approx(10 * np.log10(255**2 / np.mean(error**2)))


def test_without_finals_the_best_trials_are_shown(make_results):
    results = make_results(complete=6, pictures=True)
    names = [p.caption for p in strips(results)[0][2:]]
    assert len(names) == 2


def test_a_network_that_saw_other_images_is_left_out(make_results):
    results = make_results(complete=6, pictures=True)
    second = trial_directory(results.config, results.complete[1].number)
    preview = load_preview(second)
    save_preview(second, preview | {"target": preview["target"][::-1].copy()})
    assert len(strips(results)[0]) == 3


def test_no_pictures_is_no_error(make_results):
    assert strips(make_results(complete=3)) == []
    assert strips_html(make_results()) == ""


def test_pictures_are_capped_and_faithful():
    rows = np.linspace(0, 255, 1000, dtype=np.uint8)
    pixels = np.stack([np.tile(rows, (500, 1))] * 3, axis=-1)
    image = opened(data_uri(pixels))
    assert image.size == (MAX_SIDE, MAX_SIDE // 2)
    small = np.full((64, 64, 3), (200, 30, 90), np.uint8)
    decoded = np.asarray(opened(data_uri(small)), dtype=int)
    assert np.abs(decoded - small).max() <= 3
