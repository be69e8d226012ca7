"""A photograph's file to a picture's file, in the process that the command starts."""

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from bundles import make_bundle
from dng_files import write_dng
from PIL import ExifTags, Image
from processes import wait_for

from search.data.isp import SENSOR
from search.data.raw import encode_raw, pack_bayer
from search.errors import UserError
from search.export.conversion.signature import run_tflite
from search.export.record import read_bundle
from search.networks import zoo_architecture
from search.render.frame import Frame
from search.render.photo import open_photo
from search.render.png import write_png
from search.render.render import render_photo
from search.render.request import Request

TILE = (40, 56)
MOSAIC = np.random.default_rng(0).integers(64, 1024, (80, 112)).astype(np.uint16)


@pytest.fixture(scope="module")
def isp(tmp_path_factory):
    return make_bundle(tmp_path_factory.mktemp("bundles") / "isp", TILE)


@pytest.fixture(scope="module")
def bokeh(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles") / "bokeh"
    architecture = zoo_architecture("antins_cv")
    return make_bundle(folder, (64, 64), architecture, ["fp32"], "bokeh")


def request(photo, **changes):
    fields = {"model": "", "photo": str(photo), "output": "", "encoding": "sensor_sqrt",
              "channels": 4, "sensor": SENSOR.to_dict()}  # fmt: skip
    return Request(**(fields | changes))


def test_a_dng_becomes_what_the_network_makes_of_its_cells(isp, tmp_path):
    """Of the file's own size: what is left to compare are reading, encoding and writing."""
    gains = (2.0, 1.0, 1.6)
    write_dng(tmp_path / "x.dng", MOSAIC, gains=gains, orientation=6)
    bundle = read_bundle(isp)
    done = render_photo(bundle, tmp_path / "x.dng", tmp_path / "out.png", precision="fp16")
    assert (done.width, done.height, done.tiles, done.passes) == (112, 80, 1, 1)
    assert done.note == "x.dng: 112 x 80 RAW, black 64, white 1023, gains 2, 1, 1.6"
    scaled = encode_raw(pack_bayer(MOSAIC), SENSOR, "linear") * np.float32(255 * 4)
    signal = np.maximum((scaled - 64) / (1023 - 64), 0) * np.array([1.6, 1, 2.0, 1], np.float32)
    (expected,) = run_tflite(bundle.content(bundle.file("fp16")))(np.sqrt(signal)[None])
    with Image.open(tmp_path / "out.png") as picture:
        found = np.asarray(picture).astype(int)
        assert picture.getexif()[ExifTags.Base.Orientation] == 6
    # The file has the gains as fractions of four digits.
    assert np.abs(found - np.rint(np.clip(expected, 0, 1) * 255)).max() <= 1


def test_other_levels_and_a_larger_frame(isp, tmp_path):
    """The same light by a sensor of 14 bits, in tiles: the same picture but for its rounding."""
    frame = np.tile(MOSAIC, (2, 2))[:150, :200]
    Image.fromarray(frame).save(tmp_path / "ten.png")
    Image.fromarray(frame * np.uint16(16)).save(tmp_path / "fourteen.png")
    bundle = read_bundle(isp)
    ten = render_photo(bundle, tmp_path / "ten.png", tmp_path / "a.png")
    assert (ten.tiles, ten.tile, ten.overlap, ten.added) == (6, (29, 53), (6, 6), (0, 0))
    fourteen = render_photo(
        bundle, tmp_path / "fourteen.png", tmp_path / "b.png", black_level=64 * 16,
        white_level=1023 * 16, largest=(200, 200),
    )  # fmt: skip
    assert fourteen.tiles == 1
    first, second = (np.asarray(Image.open(tmp_path / f"{name}.png")) for name in "ab")
    assert first.shape == (150, 200, 3)
    assert np.abs(first.astype(int) - second).max() <= 1


def test_a_bokeh_network_takes_rgb(bokeh, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (70, 100, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "x.png")
    done = render_photo(read_bundle(bokeh), tmp_path / "x.png", tmp_path / "out.png")
    assert (done.width, done.height) == (100, 70)
    assert done.note == "x.png: 100 x 70 RGB"
    with pytest.raises(UserError, match="--pattern and levels are for RAW photographs"):
        render_photo(
            read_bundle(bokeh), tmp_path / "x.png", tmp_path / "out.png", pattern="RGGB"
        )  # fmt: skip


def test_a_turned_photograph_stays_turned(bokeh, tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 8
    Image.new("RGB", (64, 64)).save(tmp_path / "x.jpg", exif=exif)
    render_photo(read_bundle(bokeh), tmp_path / "x.jpg", tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as picture:
        assert picture.getexif()[ExifTags.Base.Orientation] == 8


@pytest.mark.parametrize("damage", [b"Exif\0\0no directory", b"Exif\0\0MM\0*\xff\xff\xff\xff"])
def test_damaged_exif_leaves_the_photograph_upright(tmp_path, damage):
    Image.new("RGB", (8, 8)).save(tmp_path / "x.jpg", exif=damage)
    opened = open_photo(request(tmp_path / "x.jpg", encoding="rgb", sensor=None, channels=3))
    assert opened.orientation == 1


def test_depth_is_a_fourth_channel(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (8, 12, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "x.png")
    Image.fromarray(np.full((4, 6), 51, np.uint8)).save(tmp_path / "depth.png")
    rgb = {"encoding": "rgb", "sensor": None}
    opened = open_photo(request(tmp_path / "x.png", depth=str(tmp_path / "depth.png"), **rgb))
    window = opened.frame.window((0, 0), (8, 12))[0]
    np.testing.assert_array_equal(window[..., :3], pixels.astype(np.float32) / 255)
    np.testing.assert_allclose(window[..., 3], 0.2)
    opened = open_photo(request(tmp_path / "x.png", **rgb))
    assert opened.note.endswith("without depth (--depth)")
    assert not opened.frame.window((0, 0), (8, 12))[..., 3].any()


def test_a_window_beyond_the_frame_is_mirrored():
    frame = Frame(np.arange(12).reshape(3, 4, 1), lambda stored: stored.astype(np.float32))
    window = frame.window((1, 2), (4, 3))[0, ..., 0]
    np.testing.assert_array_equal(window, [[6, 7, 7], [10, 11, 11], [10, 11, 11], [6, 7, 7]])
    # The same values wherever a window begins, also where a frame is mirrored over and over.
    all_of_it = frame.window((0, 0), (14, 9))
    for corner, size in [((2, 3), (6, 6)), ((2, 3), (12, 1)), ((0, 3), (1, 6))]:
        ends = [slice(start, start + side) for start, side in zip(corner, size, strict=True)]
        np.testing.assert_array_equal(frame.window(corner, size), all_of_it[:, *ends])


def test_a_picture_in_strips_is_the_picture(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3)).astype(np.uint8)
    path = tmp_path / "x.png"
    write_png(path, (9, 7), [pixels[:4], pixels[4:5], pixels[5:]])
    with Image.open(path) as image:
        np.testing.assert_array_equal(np.asarray(image), pixels)
        assert not image.getexif()
    with pytest.raises(ValueError, match="2 rows are missing"):
        write_png(path, (9, 7), [pixels[:7]])
    with pytest.raises(ValueError, match="in a picture 8 wide"):
        write_png(path, (9, 8), [pixels])
    with Image.open(path) as image:
        np.testing.assert_array_equal(np.asarray(image), pixels)
    assert [p.name for p in tmp_path.iterdir()] == ["x.png"]


@pytest.mark.parametrize(
    ("photo", "output", "options", "problem"),
    [
        ("none.dng", "out.png", {}, "none.dng is not there"),
        ("x.png", "out.jpg", {}, "pictures are written as .png"),
        ("x.png", "x.png", {}, "x.png is what is to be rendered"),
        ("x.dng", "x.png", {"depth": "x.png"}, "x.png is what is to be rendered"),
        ("x.png", "out.png", {"precision": "int8"}, "has no int8 file: it holds fp32, fp16"),
        ("text.dng", "out.png", {}, "cannot render text.dng: .*not a RAW file"),
        ("x.png", "out.png", {"pattern": "RRRR"}, "unknown Bayer pattern 'RRRR'"),
        ("x.png", "out.png", {"white_level": math.inf}, "white-level inf: images hold no more"),
        ("x.dng", "out.png", {"black_level": 64}, "a RAW file says its pattern and levels itself"),
        ("x.png", "folder.png", {}, "folder.png is a folder"),
    ],
)
def test_what_cannot_be_rendered_is_named(isp, tmp_path, photo, output, options, problem):
    Image.fromarray(MOSAIC).save(tmp_path / "x.png")
    write_dng(tmp_path / "x.dng", MOSAIC)
    (tmp_path / "text.dng").write_text("hello")
    (tmp_path / "folder.png").mkdir()
    before = sorted(tmp_path.iterdir())
    if depth := options.get("depth"):
        options = options | {"depth": tmp_path / depth}
    with pytest.raises(UserError, match=problem) as caught:
        render_photo(read_bundle(isp), tmp_path / photo, tmp_path / output, **options)
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.iterdir()) == before


def test_a_rendering_that_is_stopped_leaves_nothing(isp, tmp_path):
    """Its process is killed, whatever it is at."""
    photo, output = tmp_path / "x.png", tmp_path / "out.png"
    Image.fromarray(np.tile(MOSAIC, (20, 20))).save(photo)
    command = [sys.executable, "-m", "search.cli.main", "render", isp, photo, "-o", output]
    path = os.pathsep.join([str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")])
    running = subprocess.Popen(
        [*command, "--tile", "8x8"], env=os.environ | {"PYTHONPATH": path}, stderr=subprocess.PIPE
    )  # fmt: skip
    assert wait_for(lambda: list(tmp_path.glob(".out.png.*")) or running.poll() is not None)
    running.terminate()
    _, said = running.communicate(timeout=60)
    assert (running.returncode, said.count(b"\n")) == (130, 1)
    assert list(tmp_path.iterdir()) == [photo]
