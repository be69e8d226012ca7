"""Sizes that files are exported for, as one names them: by the picture that comes out."""

from __future__ import annotations

import re
from collections.abc import Sequence

from latency.receptive_field import NotLocalError, locality
from search.errors import UserError
from search.networks import Candidate
from search.tasks.task import Task

LARGEST_SIDE = 16_384
"""Of a picture: what the GPUs here have textures for."""

SMALLEST_SIDE = 11
"""Of a picture: the window of SSIM, by which files are verified."""

_ANY_NETWORK = 32
"""No network halves its input more than five times."""


def input_sizes(texts: Sequence[str], task: Task, network: Candidate) -> list[tuple[int, int]]:
    """(H, W) of the inputs for pictures of `texts`, as 1920x1080: width x height.

    Raises UserError for what is no size, or none that the network's levels divide.
    """
    own = task.input_shape[:2]
    steps = _steps(network, own)
    return [_input_size(text.strip(), task, own, steps) for text in texts]


def _input_size(
    text: str, task: Task, own: tuple[int, int], steps: tuple[int, int]
) -> tuple[int, int]:
    written = re.fullmatch(r"([1-9][0-9]{0,5})x([1-9][0-9]{0,5})", text)
    if written is None:
        raise UserError(f"resolution {text!r}: write WIDTHxHEIGHT of the picture, like 1920x1080")
    width, height = (int(side) for side in written.groups())
    if max(width, height) > LARGEST_SIDE:
        raise UserError(f"resolution {text}: no side may be longer than {LARGEST_SIDE}")
    if (height, width) == task.output_shape[:2]:
        return own
    sides = (("height", height, steps[0]), ("width", width, steps[1]))
    for name, side, step in sides:
        multiple = step * task.scale
        if side % multiple:
            below = side // multiple * multiple
            near = " or ".join(str(n) for n in (below, below + multiple) if n)
            raise UserError(
                f"resolution {text}: this network needs a {name} that is a multiple of "
                f"{multiple}: {near}"
            )
    if min(width, height) < SMALLEST_SIDE:
        raise UserError(f"resolution {text}: no side may be shorter than {SMALLEST_SIDE}")
    return height // task.scale, width // task.scale


def _steps(network: Candidate, own: tuple[int, int]) -> tuple[int, int]:
    """What rows and columns of the input must be multiples of."""
    try:
        return locality(network.trace(*own)).step
    except NotLocalError:
        return _ANY_NETWORK, _ANY_NETWORK
