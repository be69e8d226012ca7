"""What files are held against: full frames, and what Keras makes of them, kept on disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from search.artifacts import save_array
from search.data.pairs import Encoder, PairSource
from search.tasks import Task

from .frame import frame_count, full_frame
from .quality import Quality, mean_quality, quality

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Reference:
    """One frame: .npy files of the input [1, h, w, C], the target and Keras's picture
    [1, H, W, 3], all in [0, 1]. A frame of 4K takes some 400 MB, so one is read at a time."""

    folder: Path
    number: int
    keras_quality: Quality

    @property
    def input(self) -> Path:
        """The encoded input."""
        return self.folder / f"{self.number}_input.npy"

    @property
    def target(self) -> Path:
        """What should come out."""
        return self.folder / f"{self.number}_target.npy"

    @property
    def keras(self) -> Path:
        """What Keras makes of it, clipped."""
        return self.folder / f"{self.number}_keras.npy"

    def output(self, label: str) -> Path:
        """Where the picture that a file makes is kept."""
        return self.folder / f"{self.number}_{label}.npy"


@dataclass(frozen=True)
class References:
    """The frames of one resolution."""

    frames: tuple[Reference, ...]

    @cached_property
    def keras_quality(self) -> Quality:
        """The mean over the frames."""
        return mean_quality([frame.keras_quality for frame in self.frames])


def make_references(
    model: Callable[..., Any],
    pairs: PairSource,
    encode: Encoder,
    task: Task,
    images: int,
    folder: Path,
) -> References:
    """Up to `images` frames at `task`'s resolution in `folder`, which is made.

    Fewer where the validation part has no more: see `frame_count`.
    """
    folder.mkdir(parents=True)
    count = min(images, frame_count(pairs, task))
    return References(
        tuple(
            make_reference(model, *full_frame(pairs, encode, task, number), folder, number)
            for number in range(count)
        )
    )


def make_reference(
    model: Callable[..., Any], frame: Floats, target: Floats, folder: Path, number: int = 0
) -> Reference:
    """One frame in `folder`."""
    picture = np.clip(np.asarray(model(frame, training=False)), 0, 1)
    reference = Reference(folder, number, quality(target, picture))
    save_array(reference.input, frame)
    save_array(reference.target, target)
    save_array(reference.keras, picture)
    return reference
