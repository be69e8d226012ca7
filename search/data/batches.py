"""Training batches that depend on (seed, step) only, and the fixed validation arrays."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from search.data.pairs import Encoder, Pair, PairSource
from search.data.raw import flip_packed, flip_target, transpose_packed
from search.data.sample import evenly_spaced
from search.errors import UserError

Batch = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]

DECODING_THREADS = 2
BATCHES_AHEAD = 4
VALIDATION_LIMIT_BYTES = 4 * 2**30
_ORDER, _CROPS = 0, 1
"""Streams of random numbers under one seed."""


@dataclass(frozen=True)
class BatchPlan:
    """What decides the batches: `crop` in target pixels, `batch` pairs a step."""

    crop: int
    batch: int
    seed: int
    augment: bool


def train_batches(
    source: PairSource,
    encode: Encoder,
    *,
    crop: int,
    batch: int,
    steps: int,
    seed: int,
    augment: bool = True,
    start: int = 0,
) -> Iterator[Batch]:
    """Batches of steps `start` .. `steps` - 1.

    x: float32 [batch, crop/2, crop/2, 4] encoded RAW, or [batch, crop, crop, 3] for RGB
    inputs, 4 with depth;
    y: float32 [batch, crop, crop, 3] in 0..1. Every pair is seen once an epoch, in an order drawn
    per epoch. Batch `step` is the same whether or not the run was interrupted, and for every
    network trained with the same seed. `augment`: flips and transposition that keep the Bayer
    phase; a RAW flip needs 2 pixels around the crop, so full-size crops are only transposed.

    Memory-mapped pairs are cropped and encoded on the spot (a cache of encoded images would
    cost four times the memory and save tenths of a millisecond); files are decoded by threads
    some batches ahead. Raises `UserError` at once if the crop does not fit the data.
    """
    if len(source) == 0:
        raise UserError(f"{source.meta.dataset}: the {source.meta.split} split is empty")
    if batch < 1 or not 0 <= start <= steps:
        raise UserError(f"cannot make batches: batch={batch}, start={start}, steps={steps}")
    _check_crop(source, crop)
    plan = BatchPlan(crop, batch, seed, augment)
    if source.decodes_files:
        return _decoded_ahead(source, encode, plan, range(start, steps))
    return (make_batch(source, encode, plan, step) for step in range(start, steps))


def make_batch(source: PairSource, encode: Encoder, plan: BatchPlan, step: int) -> Batch:
    """The batch of one step: a pure function of its arguments."""
    draws = np.random.default_rng([plan.seed, _CROPS, step]).random((plan.batch, 5))
    inputs, targets = [], []
    for row, draw in enumerate(draws):
        index = _pair_index(len(source), plan.seed, step * plan.batch + row)
        network_input, target = cut(source.read(index), plan.crop, draw, augment=plan.augment)
        inputs.append(network_input)
        targets.append(target)
    y = np.multiply(np.stack(targets), np.float32(1 / 255), dtype=np.float32)
    return encode(np.stack(inputs)), y


def cut(pair: Pair, crop: int, draw: npt.NDArray[np.float64], *, augment: bool) -> Pair:
    """One crop: of the target `crop` pixels square, of the input what belongs to it.

    `draw`: five numbers in 0..1, for top, left, flip rows, flip columns, transpose.
    """
    network_input, target = pair
    cell = target.shape[0] // network_input.shape[0]  # target pixels per input pixel
    raw = cell == 2
    spare = min(target.shape[:2]) - crop
    ring = 1 if raw and augment and spare >= 2 else 0  # a RAW flip loses one cell
    side = crop // cell + ring
    top, left = (
        int(position * (length - side + 1))
        for position, length in zip(draw[:2], network_input.shape[:2], strict=True)
    )
    x = network_input[top : top + side, left : left + side]
    top, left, side = top * cell, left * cell, side * cell
    y = target[top : top + side, left : left + side]
    if not raw:
        return _augment_rgb(x, y, draw) if augment else (x, y)
    return _augment_raw(x, y, draw, crop, can_flip=ring == 1) if augment else (x, y)


def validation_arrays(
    source: PairSource, encode: Encoder, limit: int | None = None
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    """The fixed validation set: x [N, ...] encoded float32, y [N, H, W, 3] uint8.

    `limit`: that many pairs, evenly spread. Raises `UserError` where sizes differ, or where the
    arrays would need more than 4 GiB.
    """
    if len(source) == 0:
        raise UserError(f"{source.meta.dataset}: the {source.meta.split} split is empty")
    if limit is not None and limit < 1:
        raise UserError(f"the validation limit must be at least 1, got {limit}")
    chosen = evenly_spaced(len(source), limit)
    first_input, first_target = source.read(chosen[0])
    encoded = encode(first_input)
    needed = len(chosen) * (encoded.nbytes + first_target.size)
    if needed > VALIDATION_LIMIT_BYTES:
        raise UserError(
            f"{len(chosen)} validation pairs need {needed / 2**30:.0f} GiB of memory: limit them "
            f"to {VALIDATION_LIMIT_BYTES * len(chosen) // needed}"
        )
    x = np.empty((len(chosen), *encoded.shape), np.float32)
    y = np.empty((len(chosen), *first_target.shape), np.uint8)
    for row, index in enumerate(chosen):
        network_input, target = source.read(index)
        if network_input.shape != first_input.shape or target.shape != y.shape[1:]:
            raise UserError(
                f"{source.meta.dataset}: validation pair {index} is {target.shape[:2]}, "
                f"the first is {first_target.shape[:2]}; they must be of one size"
            )
        x[row], y[row] = encode(network_input), target
    return x, y


def _check_crop(source: PairSource, crop: int) -> None:
    network_input, target = source.read(0)
    smallest = min(target.shape[:2])
    if not 2 <= crop <= smallest:
        raise UserError(f"crop {crop} does not fit the {smallest} px of {source.meta.dataset}")
    if network_input.shape[-1] == 4 and crop % 2:
        raise UserError(f"a crop of RAW data must be even (whole Bayer cells), got {crop}")


def _pair_index(pairs: int, seed: int, position: int) -> int:
    """The pair at a position in the endless sequence of shuffled epochs."""
    epoch, rank = divmod(position, pairs)
    return int(_epoch_order(pairs, seed, epoch)[rank])


@lru_cache(maxsize=8)
def _epoch_order(pairs: int, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng([seed, _ORDER, epoch]).permutation(pairs)


def _augment_raw(
    x: npt.NDArray[Any],
    y: npt.NDArray[np.uint8],
    draw: npt.NDArray[np.float64],
    crop: int,
    *,
    can_flip: bool,
) -> Pair:
    if can_flip:
        if draw[2] < 0.5:
            x, y = flip_packed(x, 0), flip_target(y, 0)
        if draw[3] < 0.5:
            x, y = flip_packed(x, 1), flip_target(y, 1)
    if draw[4] < 0.5:
        x, y = transpose_packed(x), y.swapaxes(0, 1)
    return x[: crop // 2, : crop // 2], y[:crop, :crop]


def _augment_rgb(
    x: npt.NDArray[Any], y: npt.NDArray[np.uint8], draw: npt.NDArray[np.float64]
) -> Pair:
    for axis in (0, 1):
        if draw[2 + axis] < 0.5:
            x, y = np.flip(x, axis), np.flip(y, axis)
    return (x.swapaxes(0, 1), y.swapaxes(0, 1)) if draw[4] < 0.5 else (x, y)


def _decoded_ahead(
    source: PairSource, encode: Encoder, plan: BatchPlan, steps: range
) -> Iterator[Batch]:
    """Batches in order, made by threads (Pillow decodes without the GIL); errors come through."""
    pool = ThreadPoolExecutor(DECODING_THREADS, thread_name_prefix="decode")
    pending: deque[Future[Batch]] = deque()
    try:
        for step in steps:
            pending.append(pool.submit(make_batch, source, encode, plan, step))
            if len(pending) > BATCHES_AHEAD:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
