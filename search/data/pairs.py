"""`PairSource`: what training and validation read, whether prepared or decoded from files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from search.data.raw import RawEncoding, Sensor, encode_raw
from search.errors import UserError

TaskName = Literal["isp", "bokeh"]
Split = Literal["train", "val"]
SPLITS: tuple[Split, Split] = ("train", "val")
PARTS = ("input", "target", "depth")
"""What is kept of a pair; depth where there is one."""
Encoding = Literal["sensor_sqrt", "linear", "rgb"]
Encoder = Callable[[npt.NDArray[Any]], npt.NDArray[np.float32]]
Pair = tuple[npt.NDArray[Any], npt.NDArray[np.uint8]]
DepthMap = npt.NDArray[np.uint8]
"""Inverse depth [H, W] of an RGB input: 0 is far, 255 near."""


@dataclass(frozen=True)
class PairMeta:
    """What every table, plot and report about this data must be able to say.

    `dataset`: name for the reader; sample data says so in it. `sensor`: how RAW inputs are to be
    read, None for RGB inputs. `baselines_psnr_db`: classical baselines measured on the whole
    validation split, mean over images; empty where nobody measured.
    """

    dataset: str
    task: TaskName
    split: Split
    sensor: Sensor | None = None
    baselines_psnr_db: Mapping[str, float] = field(default_factory=dict)


class PairSource(Protocol):
    """Pairs of network input and target, as stored integers.

    RAW inputs are packed [H/2, W/2, 4] uint16 in the order B, Gb, R, Gr; RGB inputs are
    [H, W, 3] uint8. Targets are [H, W, 3] uint8. `decodes_files` tells readers that `read` is
    slow (milliseconds) and worth a thread.
    """

    @property
    def meta(self) -> PairMeta:
        """Name, task, split, sensor and baselines."""
        ...

    @property
    def decodes_files(self) -> bool:
        """True if `read` decodes image files."""
        ...

    def __len__(self) -> int: ...

    def read(self, index: int) -> Pair:
        """Input and target of one pair; the arrays must not be written to."""
        ...

    def depth(self, index: int) -> DepthMap | None:
        """The depth map of one input, None where the data have none."""
        ...


class PreparedPairs:
    """One split of a directory that `prepare_sample` wrote, memory-mapped.

    Raises `UserError` if the directory is not a prepared set or a file is incomplete.
    """

    decodes_files = False

    def __init__(self, root: Path, split: Split) -> None:
        description = read_description(root)
        sensor = description["sensor"]
        self.root = root
        self.description: Mapping[str, Any] = description
        self.meta = PairMeta(
            dataset=description["dataset"],
            task=description["task"],
            split=split,
            sensor=None if sensor is None else Sensor.from_dict(sensor),
            baselines_psnr_db=description["baselines_psnr_db"],
        )
        self.inputs = _open_array(root / f"{split}_input.npy")
        self.targets = _open_array(root / f"{split}_target.npy")
        if len(self.inputs) != len(self.targets):
            raise UserError(
                f"{root}: {len(self.inputs)} {split} inputs but {len(self.targets)} targets; "
                "delete the directory and prepare it again"
            )
        depths = root / f"{split}_depth.npy"
        self.depths = _open_array(depths) if depths.exists() else None

    def __len__(self) -> int:
        return len(self.inputs)

    def read(self, index: int) -> Pair:
        """Views into the memory-mapped arrays."""
        return self.inputs[index], self.targets[index]

    def depth(self, index: int) -> DepthMap | None:
        """A view too; None but for bokeh."""
        return None if self.depths is None else self.depths[index]


class WithDepth:
    """A source of RGB inputs with their depth as a fourth channel, zero where there is none."""

    def __init__(self, source: PairSource) -> None:
        self._source = source
        self.meta = source.meta
        self.decodes_files = source.decodes_files

    def __len__(self) -> int:
        return len(self._source)

    def read(self, index: int) -> Pair:
        """Input [H, W, 4] uint8 and target."""
        rgb, target = self._source.read(index)
        depth = self.depth(index)
        plane = np.zeros_like(rgb[..., 0]) if depth is None else depth
        return np.concatenate([rgb, plane[..., None]], axis=-1), target

    def depth(self, index: int) -> DepthMap | None:
        """See `PairSource.depth`."""
        return self._source.depth(index)


def read_description(root: Path) -> dict[str, Any]:
    """The meta.json of a prepared set; raises `UserError` if there is none or it is broken."""
    path = root / "meta.json"
    try:
        description = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise UserError(
            f"{root} is not a prepared data set (no meta.json): run `lensnas data prepare`"
        ) from error
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path}: {error}") from error
    missing = {"dataset", "task", "sensor", "baselines_psnr_db"} - set(description)
    if missing:
        raise UserError(f"{path} lacks {', '.join(sorted(missing))}: prepare the data set again")
    return dict(description)


def default_encoding(sensor: Sensor | None) -> Encoding:
    """Of inputs for which no other is asked: RAW, or RGB where there is no `sensor`."""
    return "rgb" if sensor is None else "sensor_sqrt"


def encoder_for(source: PairMeta | Sensor | None, encoding: Encoding | None = None) -> Encoder:
    """The function from stored inputs to network inputs, float32 of the same shape.

    Default: "sensor_sqrt" for RAW, "rgb" (value / 255) for RGB; see `encode_raw` for the others.
    Raises `UserError` for an encoding that does not fit the data.
    """
    sensor = source.sensor if isinstance(source, PairMeta) else source
    chosen = encoding or default_encoding(sensor)
    if chosen not in ("sensor_sqrt", "linear", "rgb"):
        raise UserError(f"unknown encoding {chosen!r}: choose sensor_sqrt, linear or rgb")
    if (chosen == "rgb") != (sensor is None):
        kind, fitting = ("RGB", "rgb") if sensor is None else ("RAW", "sensor_sqrt or linear")
        raise UserError(f"encoding {chosen!r} does not fit {kind} inputs: choose {fitting}")
    if sensor is None:
        return _encode_rgb
    raw_encoding: RawEncoding = "linear" if chosen == "linear" else "sensor_sqrt"
    return lambda packed: encode_raw(packed, sensor, raw_encoding)


def for_channels(source: PairSource, channels: int) -> PairSource:
    """`source` for a network of `channels` inputs: RGB gets its depth where the network wants it.

    Raises `UserError` where the channels do not fit otherwise.
    """
    found = 3 if source.meta.sensor is None else 4
    if channels == found:
        return source
    if (found, channels) != (3, 4):
        raise UserError(f"{source.meta.dataset} has {found} channels, the network takes {channels}")
    return WithDepth(source)


def _encode_rgb(rgb: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    return rgb.astype(np.float32) / np.float32(255)


def _open_array(path: Path) -> npt.NDArray[Any]:
    try:
        # A plain array over the map: slicing np.memmap objects costs more than small crops do.
        array: npt.NDArray[Any] = np.load(path, mmap_mode="r").view(np.ndarray)
    except (OSError, ValueError) as error:
        raise UserError(
            f"cannot read {path}: {error}; delete the directory and prepare it again"
        ) from error
    return array
