"""Pairs from two cameras are never quite aligned: how far each is off, and the best of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from search.data.pairs import DepthMap, Pair, PairMeta, PairSource


def misalignment(pair: Pair) -> float:
    """Distance in target pixels by which the target is shifted against the input.

    By phase correlation of their edges' strength: Kuglin and Hines, 1975. Brightness and colour
    do not matter.
    """
    network_input, target = pair
    raw = network_input.shape[0] != target.shape[0]
    first = network_input.astype(np.float32).mean(axis=-1)
    second = target.astype(np.float32).mean(axis=-1)
    if raw:
        height, width = first.shape
        second = second.reshape(height, 2, width, 2).mean(axis=(1, 3))
    spectra = [np.fft.rfft2(_windowed_edges(image)) for image in (first, second)]
    cross = spectra[0] * np.conj(spectra[1])
    peak = np.fft.irfft2(cross / np.maximum(np.abs(cross), 1e-9), s=first.shape)
    index = np.unravel_index(int(np.argmax(peak)), peak.shape)
    shift = [min(i, length - i) for i, length in zip(index, peak.shape, strict=True)]
    return float(np.hypot(*shift)) * (2 if raw else 1)


def _windowed_edges(image: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Gradient strength without its mean, faded out towards the borders, which do not wrap."""
    strength = np.hypot(*np.gradient(np.sqrt(np.maximum(image, 0))))
    window = np.outer(np.hanning(image.shape[0]), np.hanning(image.shape[1]))
    return np.asarray((strength - strength.mean()) * window, np.float32)


class Chosen:
    """Some pairs of a source, in the order of `indices`."""

    def __init__(self, source: PairSource, indices: Sequence[int]) -> None:
        self._source, self._indices = source, indices
        self.meta: PairMeta = source.meta
        self.decodes_files = source.decodes_files

    def __len__(self) -> int:
        return len(self._indices)

    def read(self, index: int) -> Pair:
        """See `PairSource.read`."""
        return self._source.read(self._indices[index])

    def depth(self, index: int) -> DepthMap | None:
        """See `PairSource.depth`."""
        return self._source.depth(self._indices[index])


def best_aligned(
    source: PairSource, share: float, progress: Callable[[int], None] = lambda done: None
) -> list[int]:
    """Which `share` of the pairs has the least misalignment, in their old order.

    MiAlgo removed misaligned pairs from the challenge's data, for 0.3 dB; how, the report does
    not say. Reads every pair once; `progress(pairs done)` is called as it goes.
    """
    found = []
    for index in range(len(source)):
        found.append(misalignment(source.read(index)))
        progress(index + 1)
    kept = np.argsort(found, kind="stable")[: max(1, round(share * len(source)))]
    return sorted(int(index) for index in kept)
