"""A challenge's archive of a real file on real pictures."""

import shutil
import zipfile

import numpy as np
import pytest
from bundles import make_bundle, random_network
from PIL import Image

from latency.measurements import Measurement, MeasurementError, append_measurements
from search.data.pairs import PreparedPairs, encoder_for
from search.data.sample import prepare_sample
from search.errors import UserError
from search.export.conversion.convert import convert
from search.export.conversion.signature import run_tflite
from search.export.record import MEASUREMENTS, read_bundle
from search.metrics import psnr_db
from search.networks import candidate, zoo_architecture
from search.objective import score
from search.submission.archive import submit

SHAPE = (544, 960)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_bundle(tmp_path_factory.mktemp("bundles") / "isp", SHAPE, precisions=["fp32"])


@pytest.fixture(scope="module")
def data(data_root):
    return prepare_sample("isp", data_root, train=16, val=4, patch=128)


def entries(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_archive_holds_the_file_its_pictures_and_the_score(made, data, tmp_path):
    bundle = read_bundle(made)
    done = submit(bundle, data, tmp_path / "first.zip")
    held = entries(tmp_path / "first.zip")
    assert list(held) == ["model.tflite", "score.txt", *[f"results/000{i}.png" for i in range(4)]]
    assert held["model.tflite"] == bundle.content(bundle.file())
    predicted = bundle.file().predicted_ms
    lines = held["score.txt"].decode().splitlines()
    assert lines[0].startswith("score = 2^(2 PSNR) / (2^40 x run time in ms) = ")
    assert float(lines[0].split()[-1]) == pytest.approx(
        score(done.psnr_db, predicted, 40), rel=1e-4
    )
    assert "predicted for snapdragon-8-gen-1, not measured" in lines[2]
    assert "mean over 4 pictures" in lines[3]
    assert "not the challenge's hidden test set" in lines[3]
    assert done.psnr_db == pytest.approx(_psnr_db(held, data), abs=1e-6)
    assert done.text == held["score.txt"].decode()
    with zipfile.ZipFile(tmp_path / "first.zip") as archive:
        assert {entry.external_attr >> 16 & 0o777 for entry in archive.infolist()} == {0o644}
    submit(bundle, data, tmp_path / "second.zip")
    assert (tmp_path / "second.zip").read_bytes() == (tmp_path / "first.zip").read_bytes()


def _psnr_db(held, data):
    """Of the stored pictures."""
    pairs = PreparedPairs(data, "val")
    values = []
    for index in range(len(pairs)):
        (path := data.parent / "picture.png").write_bytes(held[f"results/{index:04d}.png"])
        picture = np.asarray(Image.open(path))[None] / 255
        values.append(psnr_db(pairs.read(index)[1][None] / 255, picture)[0])
    return np.mean(values)


def test_a_patch_is_run_at_its_own_size(made, data, tmp_path):
    """Not as part of a larger frame, whose surroundings would be invented."""
    bundle = read_bundle(made)
    submit(bundle, data, tmp_path / "x.zip")
    pairs = PreparedPairs(data, "val")
    network = candidate(zoo_architecture("mialgo_track1"))
    own = convert(random_network(network.network, 4), (64, 64, 4))
    encoded = encoder_for(pairs.meta)(pairs.read(0)[0])[None]
    expected = np.rint(np.clip(run_tflite(own)(encoded)[0], 0, 1) * 255)
    (tmp_path / "0.png").write_bytes(entries(tmp_path / "x.zip")["results/0000.png"])
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "0.png")), expected)


def test_a_measured_run_time_takes_the_place_of_the_predicted_one(made, tmp_path):
    bundle = read_bundle(made)
    inputs = tmp_path / "inputs"
    inputs.mkdir()
    mosaic = np.random.default_rng(0).integers(64, 1024, (64, 48)).astype(np.uint16)
    Image.fromarray(mosaic).save(inputs / "night.png")
    times = [
        Measurement("model_fp32", "Pixel 8", 5.5, sha256=bundle.file().sha256, method="adb"),
        Measurement("model_fp32", "here", 50, sha256=bundle.file().sha256, accelerator="cpu"),
    ]
    append_measurements(made / MEASUREMENTS, times)
    try:
        done = submit(bundle, inputs, tmp_path / "x.zip")
        with pytest.raises(MeasurementError, match="no measurement of 'Tab'; there are Pixel 8"):
            submit(bundle, inputs, tmp_path / "x.zip", device="Tab")
    finally:
        (made / MEASUREMENTS).unlink()
    assert (done.run_time.ms, done.psnr_db, done.pictures) == (5.5, None, 1)
    assert "run time 5.5 ms: measured on Pixel 8, gpu, adb" in done.text
    assert "unknown without targets" in done.text
    assert list(entries(tmp_path / "x.zip")) == ["model.tflite", "score.txt", "results/night.png"]


def test_a_stray_image_does_not_hide_a_data_set(made, data, tmp_path):
    shutil.copytree(data, tmp_path / "data")
    Image.new("L", (8, 8)).save(tmp_path / "data" / "overview.png")
    done = submit(read_bundle(made), tmp_path / "data", tmp_path / "x.zip")
    assert done.pictures == 4
    assert done.psnr_db is not None


def test_inputs_of_one_name_are_refused(made, tmp_path):
    for name in ("night.png", "night.tif"):
        Image.new("L", (8, 8)).save(tmp_path / name)
    with pytest.raises(UserError, match=r"night.png and night.tif have one name: rename one"):
        submit(read_bundle(made), tmp_path, tmp_path / "x.zip")


def test_a_file_of_another_size_is_refused(data, tmp_path):
    bundle = read_bundle(make_bundle(tmp_path / "small", (32, 48), precisions=["fp32"]))
    with pytest.raises(UserError, match=r"takes 1x32x48x4, the challenge asks for 1x544x960: exp"):
        submit(bundle, data, tmp_path / "x.zip")


@pytest.mark.parametrize(
    ("data", "output", "problem"),
    [
        ("nowhere", "x.zip", "nowhere is not a directory"),
        (".", "x.zip", "neither a prepared data set nor in the layout of"),
        (".", "x.tar", "a submission's name ends in .zip"),
    ],
)
def test_what_cannot_be_submitted_is_named(made, tmp_path, data, output, problem):
    with pytest.raises(UserError, match=problem):
        submit(read_bundle(made), tmp_path / data, tmp_path / output)
    assert not list(tmp_path.iterdir())
