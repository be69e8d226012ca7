"""Full frames at one resolution, put together from validation images."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable

import numpy as np

from search.data.pairs import Encoder, Pair, PairSource
from search.tasks import Task


def full_frame(
    pairs: PairSource, encode: Encoder, task: Task, number: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Input [1, h, w, C] encoded and target [1, H, W, 3] in [0, 1] at `task`'s resolution.

    Validation images side by side, in order, cut to size: real pictures, if not one picture. An
    image that is as large as the frame is the frame. `number`: which frame, of `frame_count`.
    """
    height, width, _ = task.input_shape
    rows, _ = _grid(pairs, task)
    indices = images_of(pairs, task, number)
    first, _ = pairs.read(indices[0])
    read = [_like(pairs.read(i), first.shape, task.scale) for i in indices]
    frame = _tile([encode(x) for x, _ in read], rows)[:height, :width]
    target = _tile([y for _, y in read], rows)[: task.output_shape[0], : task.output_shape[1]]
    return frame[None].astype(np.float32), target[None].astype(np.float32) / np.float32(255)


def frame_count(pairs: PairSource, task: Task) -> int:
    """How many frames differ in more than the order of their images: at least one."""
    return max(1, len(pairs) // math.prod(_grid(pairs, task)))


def images_of(pairs: PairSource, task: Task, number: int = 0) -> list[int]:
    """The images that a frame is made of; in a small set they come again."""
    count = math.prod(_grid(pairs, task))
    return [(number * count + i) % len(pairs) for i in range(count)]


def content_sha256(pairs: PairSource, indices: Iterable[int]) -> str:
    """Of the stored integers of these pairs: whether data are still the same."""
    digest = hashlib.sha256()
    for index in indices:
        for part in pairs.read(index):
            digest.update(repr((part.shape, part.dtype.str)).encode())
            digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()


def _grid(pairs: PairSource, task: Task) -> tuple[int, int]:
    """Images below and beside each other."""
    shape = pairs.read(0)[0].shape
    return math.ceil(task.input_shape[0] / shape[0]), math.ceil(task.input_shape[1] / shape[1])


def _like(pair: Pair, shape: tuple[int, ...], scale: int) -> Pair:
    """`pair` at the size of the others: cut, or mirrored at its end."""
    height, width = shape[:2]
    given, target = pair
    return _sized(given, height, width), _sized(target, scale * height, scale * width)


def _sized(image: np.ndarray, height: int, width: int) -> np.ndarray:
    image = image[:height, :width]
    missing = (height - image.shape[0], width - image.shape[1])
    if missing == (0, 0):
        return image
    return np.pad(image, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="symmetric")


def _tile(images: list[np.ndarray], rows: int) -> np.ndarray:
    columns = len(images) // rows
    strips = [np.concatenate(images[r * columns : (r + 1) * columns], axis=1) for r in range(rows)]
    return np.concatenate(strips, axis=0)
