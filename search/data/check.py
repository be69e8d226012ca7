"""Find what is wrong with a data set before training starts, not at step 40,000."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from search.data.folders import (
    Broken,
    DatasetName,
    FilePair,
    FolderPairs,
    ImageError,
    decode_grey,
    decode_mosaic,
    decode_rgb,
    list_pairs,
)
from search.data.pairs import PairSource, Split
from search.data.raw import Sensor
from search.errors import UserError

DECODING_THREADS = 4
NAMED_FILES = 3
Shape = tuple[int, ...]


@dataclass(frozen=True)
class DatasetReport:
    """What a check found.

    `pairs`: pairs in all. `input_shapes`, `target_shapes`: how many images as read have which
    shape (EBB!: as stored). `input_range`, `target_range`: lowest and highest stored value.
    `broken`: files that cannot be used, and why.
    """

    pairs: int
    input_shapes: dict[Shape, int]
    target_shapes: dict[Shape, int]
    input_range: tuple[int, int]
    target_range: tuple[int, int]
    broken: tuple[Broken, ...]


@dataclass(frozen=True)
class _Checked:
    shapes: tuple[Shape, Shape]
    ranges: tuple[tuple[int, int], tuple[int, int]]


def open_dataset(
    name: DatasetName,
    root: Path,
    split: Split,
    *,
    allow_broken: int = 0,
    verify: bool = True,
    sensor: Sensor | None = None,
) -> FolderPairs:
    """Open a split of a published data set, checked: every pair that it offers can be read.

    `verify`: decode every file once (about 10 ms a pair); without it only names are compared and
    a broken file raises `UserError` when it is read. Up to `allow_broken` broken files are left
    out and listed in `.skipped`. `sensor`: instead of the layout's own settings.

    Raises one `UserError` with the count and the first broken files, or for a missing directory.
    """
    source = list_pairs(name, root, split, sensor)
    broken = check_dataset(source).broken if verify else source.unpaired
    if len(broken) > allow_broken:
        raise UserError(_complaint(source, broken, allow_broken))
    sound = source.without(broken)
    if len(sound) == 0:
        raise UserError(f"{source.meta.dataset}: all {len(source)} {split} pairs are broken")
    return sound


def check_dataset(
    source: PairSource, progress: Callable[[int, int], None] | None = None
) -> DatasetReport:
    """Read every pair and report; raises nothing for broken files, they are in the report.

    For files: unpaired and unreadable ones, wrong channels, RAW values above the sensor's white
    level (a wrong bit depth), odd or differing sizes. `progress(done, pairs)` is called as it
    goes. Prepared sets are only measured.
    """
    check = _checker(source)
    found: list[_Checked] = []
    indices: list[int] = []
    broken = list(source.unpaired) if isinstance(source, FolderPairs) else []
    with ThreadPoolExecutor(DECODING_THREADS) as pool:
        for index, outcome in enumerate(pool.map(check, range(len(source)))):
            if isinstance(outcome, _Checked):
                found.append(outcome)
                indices.append(index)
            else:
                broken.append(outcome)
            if progress:
                progress(index + 1, len(source))
    if isinstance(source, FolderPairs) and source.resize is None:
        broken += _odd_ones_out([source.files[index] for index in indices], found)
    return _report(len(source), found, tuple(broken))


def _checker(source: PairSource) -> Callable[[int], _Checked | Broken]:
    if isinstance(source, FolderPairs):
        return lambda index: _check_files(source, source.files[index])
    return lambda index: _measure(*source.read(index))


def _check_files(source: FolderPairs, pair: FilePair) -> _Checked | Broken:
    sensor = source.meta.sensor
    try:
        decoded = decode_rgb(pair.input) if sensor is None else decode_mosaic(pair.input)
        target = decode_rgb(pair.target)
        if pair.depth is not None:
            decode_grey(pair.depth)
    except ImageError as error:
        return error.path, error.reason
    if sensor is not None:
        if decoded.max() > sensor.white_level:
            return pair.input, (
                f"RAW values up to {decoded.max()} exceed the white level "
                f"{sensor.white_level:g}: not {sensor.bit_depth}-bit data"
            )
        if decoded.shape[0] % 2 or decoded.shape[1] % 2:
            return pair.input, f"odd size {_size(decoded.shape)}: not whole Bayer cells"
    if source.resize is None and decoded.shape[:2] != target.shape[:2]:
        return pair.target, (f"target is {_size(target.shape)}, its input {_size(decoded.shape)}")
    return _measure(decoded, target)


def _measure(network_input: npt.NDArray[Any], target: npt.NDArray[Any]) -> _Checked:
    return _Checked(
        shapes=(network_input.shape, target.shape),
        ranges=(
            (int(network_input.min()), int(network_input.max())),
            (int(target.min()), int(target.max())),
        ),
    )


def _odd_ones_out(pairs: list[FilePair], found: list[_Checked]) -> list[Broken]:
    """Pairs whose size is not that of the most: crops of one data set have one size."""
    if not found:
        return []
    common = Counter(checked.shapes[0] for checked in found).most_common(1)[0][0]
    return [
        (pair.input, f"size {_size(checked.shapes[0])}, most are {_size(common)}")
        for pair, checked in zip(pairs, found, strict=True)
        if checked.shapes[0] != common
    ]


def _report(pairs: int, found: list[_Checked], broken: tuple[Broken, ...]) -> DatasetReport:
    def span(side: int) -> tuple[int, int]:
        if not found:
            return (0, 0)
        lows, highs = zip(*(checked.ranges[side] for checked in found), strict=True)
        return min(lows), max(highs)

    return DatasetReport(
        pairs=pairs,
        input_shapes=dict(Counter(checked.shapes[0] for checked in found)),
        target_shapes=dict(Counter(checked.shapes[1] for checked in found)),
        input_range=span(0),
        target_range=span(1),
        broken=broken,
    )


def _complaint(source: FolderPairs, broken: tuple[Broken, ...], allowed: int) -> str:
    named = "; ".join(f"{path}: {reason}" for path, reason in broken[:NAMED_FILES])
    more = f"; and {len(broken) - NAMED_FILES} more" if len(broken) > NAMED_FILES else ""
    return (
        f"{source.meta.dataset}, {source.meta.split}: {len(broken)} broken files "
        f"({allowed} allowed, {len(source)} pairs): {named}{more}"
    )


def _size(shape: Shape) -> str:
    return f"{shape[0]}x{shape[1]}"
