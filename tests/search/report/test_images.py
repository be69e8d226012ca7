import base64
import io
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from search.artifacts import load_preview, save_preview
from search.report.images import (
    ERROR_LEVELS,
    MAX_SIDE,
    Kind,
    data_uri,
    error_map,
    picture_png,
    strips,
    strips_html,
    trial_pictures,
)
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


def test_an_error_map_is_black_where_nothing_is_wrong_and_bright_where_all_is():
    target = np.full((2, 3, 3), 100, dtype=np.uint8)
    output = target.copy()
    output[0, 1] += ERROR_LEVELS // 2
    output[1, 2] = 255
    shown = error_map(output, target).sum(axis=-1)
    assert shown[0, 0] < 10
    assert shown[0, 0] < shown[0, 1] < shown[1, 2]
    assert shown[1, 2] > 600


def test_pictures_of_a_trial_are_whole_and_a_damaged_file_is_none(make_results):
    results = make_results(complete=6, pictures=True)
    best = results.complete[0]
    pictures = trial_pictures(results, best)
    assert (len(pictures), pictures.size) == (2, (128, 128))
    for kind in get_args(Kind):
        png = Image.open(io.BytesIO(picture_png(pictures, 1, kind)))
        assert png.size == ((64, 64) if kind == "input" else (128, 128))
    output = np.asarray(Image.open(io.BytesIO(picture_png(pictures, 1, "output"))))
    assert np.array_equal(output, pictures.output[1])
    path = trial_directory(results.config, best.number) / "preview.npz"
    path.write_bytes(path.read_bytes()[:-100])
    assert trial_pictures(results, best) is None
    assert trial_pictures(results, results.complete[-1]) is None
