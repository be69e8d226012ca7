"""One full frame at challenge resolution, put together from validation images."""

from __future__ import annotations

import math

import numpy as np

from search.data.pairs import Encoder, PairSource
from search.tasks import Task


def full_frame(pairs: PairSource, encode: Encoder, task: Task) -> tuple[np.ndarray, np.ndarray]:
    """Input [1, h, w, C] encoded and target [1, H, W, 3] in [0, 1] at `task`'s resolution.

    Validation images side by side, in order, cut to size: real pictures, if not one picture.
    """
    first_input, _ = pairs.read(0)
    height, width, _ = task.input_shape
    rows = math.ceil(height / first_input.shape[0])
    columns = math.ceil(width / first_input.shape[1])
    read = [pairs.read(i % len(pairs)) for i in range(rows * columns)]
    frame = _tile([encode(x) for x, _ in read], rows)[:height, :width]
    target = _tile([y for _, y in read], rows)[: task.output_shape[0], : task.output_shape[1]]
    return frame[None].astype(np.float32), target[None].astype(np.float32) / np.float32(255)


def _tile(images: list[np.ndarray], rows: int) -> np.ndarray:
    columns = len(images) // rows
    strips = [np.concatenate(images[r * columns : (r + 1) * columns], axis=1) for r in range(rows)]
    return np.concatenate(strips, axis=0)
