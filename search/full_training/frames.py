"""Validation on whole images of any size: what a network needs of memory is that of a tile."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from latency.graph import GraphError
from latency.receptive_field import Locality, NotLocalError, locality
from search.data.pairs import Encoder, PairSource
from search.errors import UserError
from search.metrics import psnr_db_of
from search.networks import Candidate
from search.render.frame import Frame
from search.render.tiling import Floats, Layout, layout, whole
from search.training.evaluation import predict_images, predictor
from search.training.ssim import ssim_in_pieces
from spaces.ops.keras_backend import Network

Size = tuple[int, int]
Predictor = Callable[[Floats], Floats]
"""Encoded input [1, h, w, C] -> picture [1, H, W, 3], clipped to [0, 1]."""

TILE = 512
"""Sides of a tile, in pixels of the network's input."""
HALVABLE = 64
"""A frame whose sides a network cannot halve is mirrored at its end up to a multiple of this."""
BLOCK = 512
"""Rows that are compared at a time."""
SAMPLE = 128
"""Sides of what is shown of an image, in pixels of the input, at most."""
GRAPHS = 8
"""Sizes of tiles, at most, for which the model is made a graph."""


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
        self._graphs: dict[Size, Predictor] = {}
        self._sample = np.empty((0, 0, 3), np.uint8)

    def measure(self, limit: int | None, with_ssim: bool) -> tuple[np.ndarray, np.ndarray]:
        """See `search.training.evaluation.Measure`.

        Raises UserError where memory does not hold what a tile takes.
        """
        psnrs, ssims = [], []
        for index in self._chosen[:limit]:
            stored, target = self._source.read(index)
            output = self.output(stored)
            if index == self._chosen[0]:
                self._sample = _middles(output, target, side=SAMPLE * len(target) // len(stored))
            psnrs.append(_psnr_db(target, output))
            if with_ssim:
                ssims.append(ssim_in_pieces(target, output))
        return np.array(psnrs), np.array(ssims)

    def output(self, stored: npt.NDArray[Any]) -> Floats:
        """The picture [H, W, 3] in [0, 1] of an input [h, w, C] as the data store it."""
        frame = Frame(stored, self._encode)
        cut = self._cut_of(frame.size)
        picture = np.concatenate(list(self._strips(cut, frame)))
        rows, columns = (cut.scale * side for side in frame.size)
        return picture[:rows, :columns]

    def sample(self) -> npt.NDArray[np.uint8]:
        """The middle of the first image [H, 2 W, 3] when they were last measured: what was made of
        it beside its target."""
        return self._sample

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
        size = cut.layout.size

        def run(corner: Size) -> Floats:
            try:
                return self._predictor(size)(frame.window(corner, size))
            except tf.errors.ResourceExhaustedError:
                message = (
                    f"a validation image, of which {size[1]} x {size[0]} pixels are run at once"
                )
                raise UserError(f"out of memory for {message}") from None

        if cut.found is None or cut.layout.count == 1:
            yield run((0, 0))[0]
        else:
            yield from cut.layout.strips(cut.found.spans[cut.output], run)

    def _predictor(self, size: Size) -> Predictor:
        """The model for inputs of `size`: as a graph, which spares most of a small network's time.

        Data whose images have many sizes get graphs of the first few, as each takes seconds to make
        and memory to keep.
        """
        if size not in self._graphs and len(self._graphs) < GRAPHS:
            graph = predictor(self._model)
            self._graphs[size] = lambda inputs: graph(inputs).numpy()
        return self._graphs.get(size, lambda inputs: predict_images(self._model, inputs))


def _middles(output: Floats, target: npt.NDArray[np.uint8], side: int) -> npt.NDArray[np.uint8]:
    """The middle of both beside each other, [side, 2 side, 3] or what there is of it."""
    middle = tuple(slice(max(n - side, 0) // 2, (n + side) // 2) for n in target.shape[:2])
    shown = np.round(output[middle] * 255.0).astype(np.uint8)
    return np.concatenate([shown, target[middle]], axis=1)


def _psnr_db(target: npt.NDArray[np.uint8], output: Floats) -> float:
    """As `search.metrics.psnr_db`, some rows at a time."""
    squares = 0.0
    for first in range(0, len(target), BLOCK):
        rows = slice(first, first + BLOCK)
        error = output[rows] - _unit(target[rows])
        squares += float(np.sum(np.square(error, dtype=np.float64)))
    return float(psnr_db_of(squares / target.size))


def _unit(target: npt.NDArray[np.uint8]) -> Floats:
    return target.astype(np.float32) / np.float32(255)
