from dataclasses import dataclass, field

import numpy as np
import pytest

from search.data.batches import BatchPlan, cut, make_batch, train_batches, validation_arrays
from search.data.pairs import PairMeta, PreparedPairs, encoder_for
from search.data.raw import Sensor, pack_bayer, unpack_bayer
from search.errors import UserError

SENSOR = Sensor(16, 0, 65535)


@dataclass
class Coordinates:
    """Pairs whose every value says where it came from: 1000 * pair + 32 * row + column.

    The RAW mosaic holds the value as it is; the target holds row, column and pair.
    """

    pairs: int = 5
    side: int = 24
    raw: bool = True
    decodes_files: bool = False
    meta: PairMeta = field(init=False)

    def __post_init__(self):
        self.meta = PairMeta("coordinates", "isp", "train", SENSOR if self.raw else None)

    def __len__(self):
        return self.pairs

    def read(self, index):
        rows, columns = np.mgrid[: self.side, : self.side].astype(np.uint16)
        target = np.stack([rows, columns, np.full_like(rows, index)], -1).astype(np.uint8)
        mosaic = (1000 * index + 32 * rows + columns).astype(np.uint16)
        return (pack_bayer(mosaic) if self.raw else target), target


def plain(stored):
    return stored.astype(np.float32)


def batches(source, **settings):
    settings = {"crop": 8, "batch": 4, "steps": 6, "seed": 3, **settings}
    return list(train_batches(source, plain, **settings))


@pytest.mark.parametrize("crop", [8, 22, 24])
@pytest.mark.parametrize("augment", [False, True])
def test_every_raw_value_lies_under_its_target_pixel_and_keeps_its_colour(crop, augment):
    for x, y in batches(Coordinates(), crop=crop, augment=augment, steps=30):
        assert x.shape == (4, crop // 2, crop // 2, 4)
        assert y.shape == (4, crop, crop, 3)
        for packed, target in zip(x, np.rint(255 * y).astype(int), strict=True):
            mosaic = unpack_bayer(packed)
            rows, columns, pair = np.moveaxis(target, -1, 0)
            np.testing.assert_array_equal(mosaic, 1000 * pair + 32 * rows + columns)
            # Where the crop has red, the scene had red: phase is kept by every augmentation.
            for cell in (rows[0::2, 0::2], columns[0::2, 0::2]):
                assert not (cell % 2).any()


def test_all_eight_orientations_occur_for_raw():
    seen = set()
    for _, y in batches(Coordinates(), steps=60):
        rows, columns = y[..., 0], y[..., 1]
        for r, c in zip(rows, columns, strict=True):
            transposed = bool(r[0, 0] == r[1, 0])
            down = c[1, 0] > c[0, 0] if transposed else r[1, 0] > r[0, 0]
            right = r[0, 1] > r[0, 0] if transposed else c[0, 1] > c[0, 0]
            seen.add((transposed, bool(down), bool(right)))
    assert len(seen) == 8


def test_rgb_crops_and_flips_move_both_images_alike():
    for x, y in batches(Coordinates(raw=False), crop=9, steps=20):
        assert x.shape == y.shape == (4, 9, 9, 3)
        np.testing.assert_allclose(x, 255 * y, atol=1e-3)


def test_crops_reach_every_corner():
    tops = {int(np.rint(255 * y[0, 0, 0, 0])) for _, y in batches(Coordinates(), augment=False,
            batch=1, crop=20, steps=200)}  # fmt: skip
    assert tops == {0, 2, 4}


def test_cut_at_the_extremes_of_the_draw():
    pair = Coordinates().read(0)
    for draw, corner in ((0.0, 0), (1 - 1e-12, 16)):
        _, target = cut(pair, 8, np.full(5, draw), augment=False)
        assert target[0, 0].tolist() == [corner, corner, 0]


def test_a_restart_continues_with_the_same_batches():
    whole = batches(Coordinates(), steps=9)
    resumed = batches(Coordinates(), steps=9, start=5)
    for before, after in zip(whole[5:], resumed, strict=True):
        np.testing.assert_array_equal(before[0], after[0])
        np.testing.assert_array_equal(before[1], after[1])


def test_the_seed_decides():
    first, again, other = (batches(Coordinates(), seed=seed)[0][0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_an_epoch_shows_every_pair_once():
    source = Coordinates(pairs=12)
    seen = [int(p) for _, y in batches(source, steps=6) for p in np.rint(255 * y[:, 0, 0, 2])]
    assert sorted(seen[:12]) == sorted(seen[12:]) == list(range(12))
    assert seen[:12] != seen[12:]


def test_files_are_decoded_ahead_but_come_in_order():
    lazy = batches(Coordinates(decodes_files=True), steps=12)
    for (x, y), (x_now, y_now) in zip(lazy, batches(Coordinates(), steps=12), strict=True):
        np.testing.assert_array_equal(x, x_now)
        np.testing.assert_array_equal(y, y_now)


def test_errors_of_decoding_threads_reach_the_reader():
    class Broken(Coordinates):
        def read(self, index):
            if index == 3:
                raise UserError("3.png is truncated")
            return super().read(index)

    with pytest.raises(UserError, match=r"3\.png is truncated"):
        batches(Broken(decodes_files=True), steps=50)


def test_leaving_early_stops_the_threads():
    stream = train_batches(Coordinates(decodes_files=True), plain, crop=8, batch=2, steps=10**9,
                           seed=0)  # fmt: skip
    next(stream)
    stream.close()
    with pytest.raises(StopIteration):
        next(stream)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"crop": 26}, "crop 26 does not fit the 24 px"),
        ({"crop": 7}, "must be even"),
        ({"batch": 0}, "batch=0"),
        ({"start": 7}, "start=7"),
    ],
)
def test_impossible_batches_are_refused_at_once(settings, message):
    with pytest.raises(UserError, match=message):
        train_batches(Coordinates(), plain,
                      **{"crop": 8, "batch": 4, "steps": 6, "seed": 3, **settings})  # fmt: skip


def test_empty_sources_are_refused():
    with pytest.raises(UserError, match="train split is empty"):
        batches(Coordinates(pairs=0))
    with pytest.raises(UserError, match="train split is empty"):
        validation_arrays(Coordinates(pairs=0), plain)


def test_prepared_batches_are_encoded_and_scaled(isp_set):
    source = PreparedPairs(isp_set, "train")
    encode = encoder_for(source.meta)
    x, y = make_batch(source, encode, BatchPlan(crop=32, batch=8, seed=0, augment=True), 0)
    assert x.dtype == y.dtype == np.float32
    assert x.min() >= 0
    assert 0.1 < x.mean() < x.max() < 1.5
    assert y.min() >= 0
    assert y.max() <= 1


def test_validation_arrays(isp_set):
    source = PreparedPairs(isp_set, "val")
    x, y = validation_arrays(source, encoder_for(source.meta))
    assert (x.shape, x.dtype) == ((40, 48, 48, 4), np.float32)
    assert (y.shape, y.dtype) == ((40, 96, 96, 3), np.uint8)
    np.testing.assert_array_equal(y, source.targets)
    limited, _ = validation_arrays(source, encoder_for(source.meta), limit=4)
    np.testing.assert_array_equal(limited, x[[0, 10, 20, 30]])
    with pytest.raises(UserError, match="at least 1"):
        validation_arrays(source, encoder_for(source.meta), limit=0)


def test_validation_that_would_fill_the_memory_is_refused():
    with pytest.raises(UserError, match="GiB of memory: limit them to"):
        validation_arrays(Coordinates(pairs=2 * 10**6), plain)


def test_validation_needs_one_size():
    class Growing(Coordinates):
        def read(self, index):
            self.side = 24 + 2 * index
            return super().read(index)

    with pytest.raises(UserError, match=r"pair 1 is .26, 26., the first is .24, 24."):
        validation_arrays(Growing(), plain)
