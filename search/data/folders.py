"""The real data sets in their published folder layouts, decoded lazily.

A new data set is one more entry of `LAYOUTS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from search.data.pairs import DepthMap, Pair, PairMeta, Split, TaskName
from search.data.raw import Sensor, pack_bayer
from search.errors import UserError

DatasetName = Literal["fujifilm", "zurich", "ebb"]
Broken = tuple[Path, str]
"""A file and what is wrong with it."""

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"})

CHALLENGE_SENSOR = Sensor(bit_depth=10, black_level=0, white_level=1023)
"""10 bits is what the published loaders imply (raw / (4 * 255)); no paper states the bit depth,
black level or gains, so none is assumed. Give `open_dataset` a `sensor` if you know better."""


@dataclass(frozen=True)
class SplitFolders:
    """Where one split lies: two folders with the same file stems, filtered by `keep`.

    Depth maps may stand beside the inputs, in a folder of their name and `_depth`: grey images of
    any size, near is bright, as PyNET's authors keep them.
    """

    inputs: str
    targets: str
    keep: Callable[[str], bool] = lambda stem: True


@dataclass(frozen=True)
class Layout:
    """One published data set on disk.

    `sensor`: for RAW inputs. `resize`: (height, width) that both images are brought to, for data
    sets whose pairs differ in size; elsewhere sizes must agree.
    """

    title: str
    task: TaskName
    splits: Mapping[Split, SplitFolders]
    sensor: Sensor | None = None
    resize: tuple[int, int] | None = None


def _in_val294(stem: str) -> bool:
    """EBB!'s usual validation set: the pairs 4400..4693 of the training folder."""
    return stem.isdecimal() and 4400 <= int(stem) <= 4693


LAYOUTS: Mapping[DatasetName, Layout] = {
    "fujifilm": Layout(
        title="Fujifilm UltraISP",
        task="isp",
        splits={
            "train": SplitFolders("raw_images/train/mediatek_raw", "raw_images/train/fujifilm"),
            "val": SplitFolders("raw_images/val/mediatek_raw", "raw_images/val/fujifilm"),
        },
        sensor=CHALLENGE_SENSOR,
    ),
    "zurich": Layout(
        title="Zurich RAW-to-RGB",
        task="isp",
        splits={
            "train": SplitFolders("train/huawei_raw", "train/canon"),
            "val": SplitFolders("test/huawei_raw", "test/canon"),
        },
        sensor=CHALLENGE_SENSOR,
    ),
    "ebb": Layout(
        title="EBB!",
        task="bokeh",
        splits={
            "train": SplitFolders(
                "Training/original", "Training/bokeh", lambda stem: not _in_val294(stem)
            ),
            "val": SplitFolders("Training/original", "Training/bokeh", _in_val294),
        },
        resize=(1024, 1536),
    ),
}


@dataclass(frozen=True)
class FilePair:
    """Input and target file of one stem, and its depth map where there is one."""

    stem: str
    input: Path
    target: Path
    depth: Path | None = None


@dataclass(frozen=True)
class FolderPairs:
    """A `PairSource` over image files: `read` decodes one pair.

    `unpaired`: files without a partner. `skipped`: pairs left out by `open_dataset`, and why.
    """

    meta: PairMeta
    files: tuple[FilePair, ...]
    resize: tuple[int, int] | None
    unpaired: tuple[Broken, ...] = ()
    skipped: tuple[Broken, ...] = ()
    decodes_files = True

    def __len__(self) -> int:
        return len(self.files)

    def read(self, index: int) -> Pair:
        """Decode one pair, RAW packed, RGB at the common size; `UserError` names a broken file."""
        network_input, target = self.read_original(index)
        if self.meta.sensor is not None:
            return pack_bayer(network_input), target
        if self.resize is None:
            return network_input, target
        return _resized(network_input, self.resize), _resized(target, self.resize)

    def depth(self, index: int) -> DepthMap | None:
        """Decode one depth map at the size of `read`'s input; `UserError` names a broken file."""
        path = self.files[index].depth
        if path is None:
            return None
        try:
            return decode_depth(path, self.resize or self.read(index)[0].shape[:2])
        except ImageError as error:
            raise UserError(str(error)) from error

    def read_original(self, index: int) -> Pair:
        """Decode one pair as stored: the mosaic [H, W] or RGB [H, W, 3], and the target.

        EBB! is trained at a common size, but scored at the original one.
        """
        pair = self.files[index]
        decode = decode_mosaic if self.meta.sensor is not None else decode_rgb
        try:
            return decode(pair.input), decode_rgb(pair.target)
        except ImageError as error:
            raise UserError(str(error)) from error

    def without(self, broken: tuple[Broken, ...]) -> FolderPairs:
        """The same source without the pairs of these files, which are kept in `skipped`."""
        paths = {path for path, _ in broken}
        return replace(
            self,
            files=tuple(p for p in self.files if not paths & {p.input, p.target, p.depth}),
            unpaired=(),
            skipped=self.skipped + broken,
        )


class ImageError(Exception):
    """A file that is not the image it should be; the message names the file and the reason."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path, self.reason = path, reason


def list_pairs(
    name: DatasetName, root: Path, split: Split, sensor: Sensor | None = None
) -> FolderPairs:
    """List a split without decoding anything; stems may be any names.

    Raises `UserError` for a missing directory and for a split without a single pair.
    """
    if name not in LAYOUTS:
        raise UserError(f"unknown data set {name!r}: choose {', '.join(LAYOUTS)}")
    layout = LAYOUTS[name]
    if split not in layout.splits:
        raise UserError(f"unknown split {split!r} of {layout.title}: choose train or val")
    folders = layout.splits[split]
    where = _folder(root, folders.inputs, layout.title)
    inputs, targets = (
        {stem: path for stem, path in _images_by_stem(folder).items() if folders.keep(stem)}
        for folder in (where, _folder(root, folders.targets, layout.title))
    )
    depths = where.with_name(f"{where.name}_depth")
    depth_of = _images_by_stem(depths) if depths.is_dir() else {}
    stems = sorted(inputs.keys() & targets.keys(), key=_natural)
    if not stems:
        raise UserError(
            f"{layout.title}: no {split} pairs in {root}: {len(inputs)} images in "
            f"{folders.inputs}, {len(targets)} in {folders.targets}, no common names"
        )
    return FolderPairs(
        meta=PairMeta(layout.title, layout.task, split, sensor or layout.sensor),
        files=tuple(FilePair(s, inputs[s], targets[s], depth_of.get(s)) for s in stems),
        resize=layout.resize,
        unpaired=tuple(
            [(inputs[s], "no target") for s in sorted(inputs.keys() - targets.keys())]
            + [(targets[s], "no input") for s in sorted(targets.keys() - inputs.keys())]
        ),
    )


def detect_dataset(root: Path) -> DatasetName | None:
    """The data set whose layout `root` has, if any."""
    for name, layout in LAYOUTS.items():
        if any((root / folders.inputs).is_dir() for folders in layout.splits.values()):
            return name
    return None


def decode_mosaic(path: Path) -> npt.NDArray[np.uint16]:
    """Decode a one-channel 8- or 16-bit image to [H, W] uint16; raises `ImageError`.

    The stored type says nothing of the sensor: dark Zurich crops are 8-bit files of 10-bit data.
    """
    pixels = _decode(path)
    if pixels.ndim != 2 or not np.issubdtype(pixels.dtype, np.integer):
        raise ImageError(path, f"not a one-channel RAW image ({_layout_of(pixels)})")
    if pixels.min() < 0 or pixels.max() > 65535:
        raise ImageError(path, f"values {pixels.min()}..{pixels.max()} do not fit 16 bits")
    return pixels.astype(np.uint16)


def decode_rgb(path: Path) -> npt.NDArray[np.uint8]:
    """Decode an 8-bit RGB image to [H, W, 3]; raises `ImageError`."""
    pixels = _decode(path)
    if pixels.ndim != 3 or pixels.shape[-1] != 3 or pixels.dtype != np.uint8:
        raise ImageError(path, f"not an 8-bit RGB image ({_layout_of(pixels)})")
    return pixels


def decode_grey(path: Path) -> npt.NDArray[np.uint8]:
    """Decode an 8-bit grey image to [H, W]; raises `ImageError`."""
    pixels = _decode(path)
    if pixels.ndim != 2 or pixels.dtype != np.uint8:
        raise ImageError(path, f"not an 8-bit grey image ({_layout_of(pixels)})")
    return pixels


def decode_depth(path: Path, size: tuple[int, ...]) -> DepthMap:
    """Decode a depth map of any size to `size` (H, W); raises `ImageError`."""
    return _resized(decode_grey(path), size)


def _decode(path: Path) -> npt.NDArray[Any]:
    try:
        with Image.open(path) as image:
            return np.asarray(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        # Pillow's own messages repeat the path.
        reason = "not an image" if isinstance(error, UnidentifiedImageError) else str(error)
        raise ImageError(path, f"unreadable ({reason})") from error


def _layout_of(pixels: npt.NDArray[Any]) -> str:
    channels = 1 if pixels.ndim == 2 else pixels.shape[-1]
    return f"{channels} channels of {pixels.dtype}"


def _resized(pixels: npt.NDArray[np.uint8], size: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    if pixels.shape[:2] == size:
        return pixels
    height, width = size
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC))


def _folder(root: Path, sub: str, title: str) -> Path:
    """The folder, also where `root` already is its first part (raw_images/ of Fujifilm)."""
    inner = Path(sub)
    for candidate in (root / inner, root / inner.relative_to(inner.parts[0])):
        if candidate.is_dir() and (candidate == root / inner or root.name == inner.parts[0]):
            return candidate
    raise UserError(f"{title}: {root / inner} is missing; the published layout is expected there")


def _images_by_stem(folder: Path) -> dict[str, Path]:
    return {
        path.stem: path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    }


def _natural(stem: str) -> tuple[int, str]:
    """Numbers in numeric order, then names."""
    return (int(stem), "") if stem.isdecimal() else (2**63, stem)
