"""Pairs that are shifted against each other are found, and dropped."""

import numpy as np
import pytest

from search.data.alignment import Chosen, best_aligned, misalignment
from search.data.pairs import PairMeta


def scene(seed, size=96):
    """Soft blobs, so that neighbouring pixels have something in common."""
    rng = np.random.default_rng(seed)
    image = np.zeros((size, size, 3))
    rows, columns = np.mgrid[:size, :size]
    for _ in range(40):
        y, x, radius = rng.uniform(0, size), rng.uniform(0, size), rng.uniform(2, 8)
        inside = np.hypot(rows - y, columns - x) < radius
        image[inside] = rng.random(3)
    return image


def pair(seed, shift, raw):
    image = scene(seed)
    target = np.roll(image, shift, (0, 1))
    if raw:
        small = image.reshape(48, 2, 48, 2, 3).mean((1, 3))
        network_input = (4000 * small[..., [2, 1, 0, 1]] ** 2.2).astype(np.uint16)
    else:
        network_input = (255 * image).astype(np.uint8)
    return network_input, (255 * target).astype(np.uint8)


@pytest.mark.parametrize(("raw", "shift"), [(False, (5, 0)), (False, (3, 4)), (True, (6, 8))])
def test_the_shift_is_found(raw, shift):
    assert misalignment(pair(0, (0, 0), raw)) == 0
    assert misalignment(pair(0, shift, raw)) == pytest.approx(np.hypot(*shift), abs=1e-6)


class Source:
    """Four pairs, of which the second is off."""

    meta = PairMeta("test", "bokeh", "train")
    decodes_files = False

    def __len__(self):
        return 4

    def read(self, index):
        return pair(index, (7, 0) if index == 1 else (0, 0), raw=False)


def test_the_worst_pairs_are_left_out_and_the_order_stays():
    source = Source()
    seen = []
    indices = best_aligned(source, 0.75, seen.append)
    assert indices == [0, 2, 3]
    assert seen == [1, 2, 3, 4]
    kept = Chosen(source, indices)
    assert len(kept) == 3
    for position, index in enumerate((0, 2, 3)):
        np.testing.assert_array_equal(kept.read(position)[1], source.read(index)[1])
