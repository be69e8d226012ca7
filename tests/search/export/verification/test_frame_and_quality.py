"""Frames put together of images, and their quality in pieces."""

from dataclasses import replace

import numpy as np
import pytest

from search.data.pairs import PairMeta, encoder_for
from search.export.verification.check import CheckPicture, make_check
from search.export.verification.frame import content_sha256, frame_count, full_frame, images_of
from search.export.verification.quality import quality
from search.metrics import psnr_db
from search.tasks import TASKS
from search.training.ssim import ssim, ssim_in_pieces

TASK = replace(TASKS["bokeh"], input_shape=(20, 30, 3), output_shape=(20, 30, 3))


class Images:
    """RGB pairs of given sizes; the image of number n is all n, its target 100 + n."""

    decodes_files = False
    meta = PairMeta("numbers", "bokeh", "val")

    def __init__(self, *sizes):
        self.sizes = sizes

    def __len__(self):
        return len(self.sizes)

    def read(self, index):
        image = np.full((*self.sizes[index], 3), index, np.uint8)
        return image, image + 100

    def depth(self, index):
        return None


def frame(pairs, number=0):
    given, target = full_frame(pairs, encoder_for(pairs.meta), TASK, number)
    assert given.shape == target.shape == (1, 20, 30, 3)
    np.testing.assert_allclose(target - given, 100 / 255, rtol=1e-6)
    return np.rint(255 * given[0, :, :, 0]).astype(int)


def test_images_lie_side_by_side_in_order_and_cut_to_size():
    found = frame(Images(*[(16, 16)] * 3))
    assert found[0, [0, 15, 16, 29]].tolist() == [0, 0, 1, 1]
    assert found[16, [0, 15, 16, 29]].tolist() == [2, 2, 0, 0]


def test_later_frames_have_the_next_images():
    pairs = Images(*[(16, 16)] * 9)
    assert frame_count(pairs, TASK) == 2
    assert [images_of(pairs, TASK, number) for number in (0, 1)] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert np.unique(frame(pairs, 1)).tolist() == [4, 5, 6, 7]


def test_images_that_are_full_frames_are_the_frames():
    pairs = Images((20, 30), (24, 40))
    assert frame_count(pairs, TASK) == 2
    assert np.unique(frame(pairs, 0)).tolist() == [0]
    assert np.unique(frame(pairs, 1)).tolist() == [1]


def test_images_of_other_sizes_fit_in():
    found = frame(Images((16, 16), (8, 40), (16, 16), (30, 9)))
    assert np.unique(found[:16, 16:]).tolist() == [1]
    assert np.unique(found[16:, 16:]).tolist() == [3]


def test_changed_data_have_another_digest():
    pairs = Images((16, 16), (16, 16))
    assert content_sha256(pairs, [0, 1]) == content_sha256(Images((16, 16), (16, 16)), [0, 1])
    others = {content_sha256(pairs, indices) for indices in ([0], [1], [0, 1], [1, 0])}
    assert len(others) == 4


@pytest.mark.parametrize("size", [(11, 12), (64, 530), (530, 540)])
def test_ssim_in_pieces_is_ssim(size):
    rng = np.random.default_rng(0)
    target = rng.random((1, *size, 3), np.float32)
    # Worse to the right and below, so that pieces differ.
    ramp = np.linspace(0, 0.3, size[1])[:, None] * np.linspace(0, 1, size[0])[:, None, None]
    picture = np.clip(target + ramp * rng.standard_normal(target.shape), 0, 1).astype(np.float32)
    assert ssim_in_pieces(target[0], picture[0]) == pytest.approx(
        float(ssim(target, picture)[0]), abs=1e-5
    )
    found = quality(target, 3 * picture - 1)
    assert found.psnr_db == pytest.approx(float(psnr_db(target, 3 * picture - 1)[0]))
    assert found.ssim == ssim_in_pieces(target[0], np.clip(3 * picture[0] - 1, 0, 1))


def test_the_check_picture_fills_frames_of_every_size(tmp_path):
    from search.export.verification.check import read_check

    pairs = Images((16, 300))
    doubled = lambda frame, training: 2 * frame  # noqa: E731
    made = make_check(doubled, pairs, encoder_for(pairs.meta), 1, [(8, 400), (40, 30)])
    assert made.input.shape == made.target.shape == (8, 30, 3)
    assert {k: v.shape for k, v in made.keras.items()} == {
        "8x400": (8, 30, 3), "40x30": (8, 30, 3)
    }  # fmt: skip
    assert made.frame(encoder_for(pairs.meta), (40, 400)).shape == (1, 40, 400, 3)
    made.write(tmp_path)
    read = read_check(tmp_path)
    assert isinstance(read, CheckPicture)
    np.testing.assert_array_equal(read.target, made.target)
    assert read.keras.keys() == made.keras.keys()
