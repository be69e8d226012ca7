"""The file of LPIPS' weights, read and checked without TensorFlow; docs/losses.md makes one."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from search.errors import UserError

LAYERS = ((11, 3, 64), (5, 64, 192), (3, 192, 384), (3, 384, 256), (3, 256, 256))
"""Kernel, channels in, channels out of AlexNet's convolutions as in torchvision."""

Weights = npt.NDArray[np.float32]


@dataclass(frozen=True)
class LpipsWeights:
    """Of each layer: `kernels` [k, k, in, out], `biases` [out], and in the distance `linear` [out].

    `digest`: twelve hexadecimal digits that tell one file from another.
    """

    kernels: tuple[Weights, ...]
    biases: tuple[Weights, ...]
    linear: tuple[Weights, ...]
    digest: str


def read_lpips_weights(path: str | Path) -> LpipsWeights:
    """An .npz of `conv1_kernel`, `conv1_bias`, `linear1` to 5.

    Raises UserError for a file that does not hold them.
    """
    held = _arrays(Path(path))
    for index, (kernel, channels, width) in enumerate(LAYERS, start=1):
        wanted = {
            f"conv{index}_kernel": (kernel, kernel, channels, width),
            f"conv{index}_bias": (width,),
            f"linear{index}": (width,),
        }
        for name, shape in wanted.items():
            if name not in held or held[name].shape != shape:
                found = held[name].shape if name in held else "nothing"
                raise UserError(f"LPIPS: {path} has {found} as {name}, not {shape}")
            if not np.isfinite(held[name]).all():
                raise UserError(f"LPIPS: {path} has values in {name} that are not finite")

    def every(form: str) -> tuple[Weights, ...]:
        return tuple(held[form.format(index)] for index in range(1, len(LAYERS) + 1))

    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()[:12]
    return LpipsWeights(every("conv{}_kernel"), every("conv{}_bias"), every("linear{}"), digest)


def _arrays(path: Path) -> dict[str, Weights]:
    if not path.exists():
        raise UserError(f"LPIPS: no file {path}")
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name].astype(np.float32) for name in arrays.files}
    # A file of one array is not a context; a damaged one fails in its own ways.
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"LPIPS: cannot read {path} as .npz: {error}") from None
