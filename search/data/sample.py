"""`prepare_sample`: a data set out of photographs, so that everything runs without a download."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from search.data import bokeh, isp
from search.data.baselines import FIT_PAIRS, bokeh_baselines, isp_baselines
from search.data.pairs import PARTS, SPLITS, Pair, Split, TaskName
from search.data.photographs import (
    Photograph,
    PhotoSet,
    PhotoSplit,
    builtin_photos,
    split_photographs,
)
from search.data.storage import NpyWriter, atomic_directory, user_errors
from search.errors import UserError

GENERATOR_VERSION = 4
"""Raise it whenever the same settings would give other bytes."""

DEFAULT_PAIRS: dict[TaskName, dict[Split, int]] = {
    "isp": {"train": 500, "val": 90},
    "bokeh": {"train": 200, "val": 40},
}
MIN_PATCH, PHOTOS_IN_MEMORY = 32, 16

Progress = Callable[[Split, int, int], None]
"""Called as progress(split, pairs done, pairs in all)."""


@dataclass(frozen=True)
class SampleSettings:
    """Everything that decides the bytes of a sample data set."""

    task: TaskName
    seed: int
    train: int
    val: int
    patch: int
    photographs: tuple[str, ...]
    generator_version: int = GENERATOR_VERSION

    @property
    def directory_name(self) -> str:
        """For example "sample-isp-3f29ab01c7d2"; other settings, other name."""
        canonical = json.dumps(vars(self), sort_keys=True)
        return f"sample-{self.task}-{hashlib.sha256(canonical.encode()).hexdigest()[:12]}"


def prepare_sample(
    task: TaskName,
    root: Path,
    *,
    seed: int = 0,
    train: int | None = None,
    val: int | None = None,
    patch: int = 256,
    photos: PhotoSet | None = None,
    progress: Progress | None = None,
) -> Path:
    """Generate a sample data set under `root` and return its directory; at once if it exists.

    `train`, `val`: pairs per split (default `DEFAULT_PAIRS`). `patch`: side of the target in
    pixels. `photos`: the photographs to use, by default the 14 shipped ones. The same settings
    give the same bytes. The directory appears only when complete; it holds {train,val}_input.npy,
    {train,val}_target.npy, for bokeh {train,val}_depth.npy, and meta.json, for `PreparedPairs`.

    Raises `UserError` for settings that cannot be met, photographs that cannot be read, a
    directory that cannot be written or a full disk.
    """
    if task not in DEFAULT_PAIRS:
        raise UserError(f"unknown task {task!r}: choose isp or bokeh")
    photos = photos or builtin_photos()
    settings = SampleSettings(
        task=task,
        seed=seed,
        train=DEFAULT_PAIRS[task]["train"] if train is None else train,
        val=DEFAULT_PAIRS[task]["val"] if val is None else val,
        patch=patch,
        photographs=tuple(photo.sha256 for photo in photos.photographs),
    )
    _check(settings)
    final = root / settings.directory_name
    with user_errors(root):
        prepared = (final / "meta.json").exists()
    if not prepared:
        with atomic_directory(final) as directory:
            _write(directory, settings, photos, progress)
    return final


def _check(settings: SampleSettings) -> None:
    if settings.seed < 0:
        raise UserError(f"the seed must not be negative, got {settings.seed}")
    if settings.train < 1 or settings.val < 1:
        raise UserError(f"at least one pair a split: train={settings.train}, val={settings.val}")
    if settings.patch < MIN_PATCH or settings.patch % 2:
        raise UserError(f"patch must be even and at least {MIN_PATCH}, got {settings.patch}")


def _write(
    directory: Path, settings: SampleSettings, photos: PhotoSet, progress: Progress | None
) -> None:
    split = split_photographs(photos.photographs, settings.seed)
    for name in SPLITS:
        count = getattr(settings, name)
        pairs = _generate(settings, getattr(split, name), count)
        first = next(pairs)
        with ExitStack() as files:
            writers = [
                files.enter_context(
                    NpyWriter(directory / f"{name}_{part}.npy", (count, *array.shape), array.dtype)
                )
                for part, array in zip(PARTS, first, strict=False)
            ]
            for done, arrays in enumerate(itertools.chain([first], pairs), start=1):
                for writer, array in zip(writers, arrays, strict=True):
                    writer.append(array)
                if progress:
                    progress(name, done, count)
    description = _describe(settings, photos, split, _baselines(directory, settings))
    # Written last: its presence marks a complete set.
    (directory / "meta.json").write_text(json.dumps(description, indent=2) + "\n")


def _generate(
    settings: SampleSettings, photographs: Sequence[Photograph], count: int
) -> Iterator[tuple[npt.NDArray[Any], ...]]:
    """Of each pair as many of `PARTS` as its task has."""
    if settings.task == "isp":
        return _isp_pairs(settings, photographs, count)
    return _bokeh_pairs(settings, photographs, count)


def _isp_pairs(
    settings: SampleSettings, photographs: Sequence[Photograph], count: int
) -> Iterator[Pair]:
    """As evenly over the photographs as their sizes allow; one camera and seed per patch."""
    patches = [_usable_patches(photo.read(), settings.patch) for photo in photographs]
    quotas = share_evenly(count, [len(usable) for usable in patches])
    if sum(quotas) < count:
        raise UserError(
            f"{len(photographs)} photographs give {sum(quotas)} patches of {settings.patch} px, "
            f"not {count}: ask for fewer pairs or a smaller patch, or give more photographs"
        )
    for photo, usable, quota in zip(photographs, patches, quotas, strict=True):
        pixels = photo.read() if quota else np.empty(0, np.uint8)
        for index, patch in usable[:quota]:
            rng = np.random.default_rng([settings.seed, photo.key, index])
            yield isp.render_pair(pixels, patch, rng)


def _usable_patches(photo: npt.NDArray[np.uint8], size: int) -> list[tuple[int, isp.Patch]]:
    grid = isp.grid_patches((photo.shape[0], photo.shape[1]), size)
    return [(index, patch) for index, patch in enumerate(grid) if isp.has_contrast(photo, patch)]


def share_evenly(count: int, capacities: Sequence[int]) -> list[int]:
    """Hand out `count` items one by one in turn, to each at most its capacity."""
    shares = [0] * len(capacities)
    left = min(count, sum(capacities))
    while left:
        for index, capacity in enumerate(capacities):
            if left and shares[index] < capacity:
                shares[index] += 1
                left -= 1
    return shares


def _bokeh_pairs(
    settings: SampleSettings, photographs: Sequence[Photograph], count: int
) -> Iterator[tuple[npt.NDArray[np.uint8], ...]]:
    """Backgrounds in turn over the photographs, subjects from any photograph of the split."""

    @lru_cache(PHOTOS_IN_MEMORY)
    def pixels(index: int) -> npt.NDArray[np.uint8]:
        return photographs[index].read()

    for scene in range(count):
        background = scene % len(photographs)
        key = photographs[background].key
        rng = np.random.default_rng([settings.seed, key, scene // len(photographs)])

        def subject(rng: np.random.Generator = rng) -> npt.NDArray[np.uint8]:
            return pixels(int(rng.integers(len(photographs))))

        yield bokeh.render_pair(pixels(background), subject, settings.patch, rng)


def _baselines(directory: Path, settings: SampleSettings) -> dict[str, float]:
    def load(split: Split, limit: int | None = None) -> list[Pair]:
        inputs = np.load(directory / f"{split}_input.npy", mmap_mode="r")
        targets = np.load(directory / f"{split}_target.npy", mmap_mode="r")
        chosen = evenly_spaced(len(inputs), limit)
        return [(inputs[index], targets[index]) for index in chosen]

    train, val = load("train", FIT_PAIRS[settings.task]), load("val")
    if settings.task == "isp":
        return isp_baselines(train, val, isp.SENSOR)
    return bokeh_baselines(train, val)


def evenly_spaced(length: int, limit: int | None) -> list[int]:
    """At most `limit` of the indices 0..length-1, spread evenly: all photographs take part."""
    if limit is None or limit >= length:
        return list(range(length))
    return [math.floor(index * length / limit) for index in range(limit)]


def _describe(
    settings: SampleSettings, photos: PhotoSet, split: PhotoSplit, baselines: dict[str, float]
) -> dict[str, Any]:
    kind = "RAW" if settings.task == "isp" else "bokeh"
    return {
        "dataset": f"sample data (synthetic {kind} from {len(photos.photographs)} photographs)",
        "task": settings.task,
        "seed": settings.seed,
        "generator_version": settings.generator_version,
        "patch": settings.patch,
        "counts": {name: getattr(settings, name) for name in SPLITS},
        "sensor": isp.SENSOR.to_dict() if settings.task == "isp" else None,
        "photographs": {name: [photo.name for photo in getattr(split, name)] for name in SPLITS},
        "licence": photos.licence,
        "baselines_psnr_db": baselines,
    }
