"""Validation on whole images of any size: what a network needs of memory is that of a tile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from latency.graph import GraphError
from latency.receptive_field import Locality, NotLocalError, locality
from search.data.pairs import Encoder, PairSource
from search.errors import UserError
from search.metrics import psnr_db_of
from search.networks import Candidate
from search.render.frame import Frame
from search.render.tiling import Floats, Layout, layout, whole
from search.training.evaluation import predict_images
from search.training.ssim import WINDOW, ssim_of_channels
from spaces.ops.keras_backend import Network

Size = tuple[int, int]

TILE = 512
"""Sides of a tile, in pixels of the network's input."""
HALVABLE = 64
"""A frame whose sides a network cannot halve is mirrored at its end up to a multiple of this."""
BLOCK = 512
"""Pixels a side that are compared at a time."""
SAMPLE = 128
"""Sides of what is shown of an image, in pixels of the input, at most."""


@dataclass(frozen=True)
class Cut:
    """How frames of one size are run. `found`: of a tile's graph, None where there is one tile.

    `scale`: pixels a side of the output for one of the input. `whole_because`: why a frame that
    is larger than a tile is run in one piece all the same.
    """

    layout: Layout
    found: Locality | None
    output: int
    scale: int
    whole_because: str | None = None


def cut_of(network: Candidate, frame: Size, tile: int = TILE) -> Cut:
    """Tiles of a `frame` (rows, columns) of input whose outputs are those of the whole frame.

    Networks that take means over the frame, or let all pixels look at all, are run in one piece.
    """
    own = frame
    try:
        graph = network.trace(*own)
    except GraphError:
        own = _up(frame[0]), _up(frame[1])
        graph = network.trace(*own)
    output = graph.outputs[0]
    scale = graph.tensors[output].shape[1] // own[0]
    if max(own) <= tile:
        return Cut(whole(own), None, output, scale)
    try:
        found = locality(graph)
    except NotLocalError as error:
        return Cut(whole(own), None, output, scale, str(error))
    if found.pools:
        return Cut(whole(own), None, output, scale, "it takes means over the whole frame")
    tiles = layout(graph, found, own, (tile, tile))
    return Cut(tiles, locality(network.trace(*tiles.size)), output, scale)


def _up(side: int) -> int:
    return -(-side // HALVABLE) * HALVABLE


class WholeImages:
    """The validation images of a source, read one by one, and what a model makes of them.

    `network`: that of `model`. `chosen`: which images, by their index. `tile`: as of `cut_of`.
    Raises UserError for none.
    """

    def __init__(
        self,
        model: Network,
        network: Candidate,
        source: PairSource,
        encode: Encoder,
        chosen: Sequence[int],
        tile: int = TILE,
    ) -> None:
        if not chosen:
            raise UserError(f"{source.meta.dataset}: the {source.meta.split} split is empty")
        self._model, self._source, self._encode, self._chosen = model, source, encode, chosen
        self._cut_of = cache(lambda frame: cut_of(network, frame, tile))

    def measure(self, limit: int | None, with_ssim: bool) -> tuple[np.ndarray, np.ndarray]:
        """See `search.training.evaluation.Measure`."""
        psnrs, ssims = [], []
        for index in self._chosen[:limit]:
            stored, target = self._source.read(index)
            output = self.output(stored)
            psnrs.append(_psnr_db(target, output))
            if with_ssim:
                ssims.append(_ssim(target, output))
        return np.array(psnrs), np.array(ssims)

    def output(self, stored: npt.NDArray[Any]) -> Floats:
        """The picture [H, W, 3] in [0, 1] of an input [h, w, C] as the data store it."""
        frame = Frame(stored, self._encode)
        cut = self._cut_of(frame.size)
        picture = np.concatenate(list(self._strips(cut, frame)))
        rows, columns = (cut.scale * side for side in frame.size)
        return picture[:rows, :columns]

    def sample(self) -> npt.NDArray[np.uint8]:
        """The middle of the first image [H, 2 W, 3]: what is made of it beside its target."""
        stored, target = self._source.read(self._chosen[0])
        scale = len(target) // len(stored)
        rows, columns = (_middle(side) for side in stored.shape[:2])
        output = self.output(stored[rows, columns])
        rows, columns = (slice(scale * p.start, scale * p.stop) for p in (rows, columns))
        shown = np.round(output * 255.0).astype(np.uint8)
        return np.concatenate([shown, target[rows, columns]], axis=1)

    def described(self) -> str:
        """How the images are run, by the first of them."""
        rows, columns = self._source.read(self._chosen[0])[0].shape[:2]
        cut = self._cut_of((rows, columns))
        count = len(self._chosen)
        images = f"{count} whole images" if count > 1 else "a whole image"
        size = f"{images}, {columns} x {rows} pixels of input the first"
        if cut.whole_because:
            return f"{size}, in one piece: {cut.whole_because}"
        if cut.layout.count > 1:
            high, wide = cut.layout.size
            return f"{size}, in {cut.layout.count} tiles of {wide} x {high}"
        return size

    def _strips(self, cut: Cut, frame: Frame) -> Iterator[Floats]:
        # Eagerly: a graph would be traced anew for every size that images have.
        def run(corner: Size) -> Floats:
            return predict_images(self._model, frame.window(corner, cut.layout.size))

        if cut.found is None or cut.layout.count == 1:
            yield run((0, 0))[0]
        else:
            yield from cut.layout.strips(cut.found.spans[cut.output], run)


def _middle(side: int) -> slice:
    shown = min(side, SAMPLE)
    return slice((side - shown) // 2, (side - shown) // 2 + shown)


def _psnr_db(target: npt.NDArray[np.uint8], output: Floats) -> float:
    """As `search.metrics.psnr_db`, some rows at a time."""
    squares = 0.0
    for first in range(0, len(target), BLOCK):
        rows = slice(first, first + BLOCK)
        error = output[rows] - _unit(target[rows])
        squares += float(np.sum(np.square(error, dtype=np.float64)))
    return float(psnr_db_of(squares / target.size))


def _ssim(target: npt.NDArray[np.uint8], output: Floats) -> float:
    """As `search.training.ssim`, some windows at a time."""
    rows, columns = (list(_windows(side)) for side in target.shape[:2])
    total = counted = 0.0
    for y, high in rows:
        for x, wide in columns:
            block = slice(y, y + high + WINDOW - 1), slice(x, x + wide + WINDOW - 1)
            found = ssim_of_channels(_unit(target[block])[None], output[block][None])[0]
            total += high * wide * float(np.mean(found))
            counted += high * wide
    return total / counted


def _windows(side: int) -> Iterator[tuple[int, int]]:
    """Where blocks of SSIM's windows along a side begin, and how many each has."""
    # One at least: an image that is too small is refused by SSIM itself.
    windows = max(side - WINDOW + 1, 1)
    for first in range(0, windows, BLOCK):
        yield first, min(BLOCK, windows - first)


def _unit(target: npt.NDArray[np.uint8]) -> Floats:
    return target.astype(np.float32) / np.float32(255)
