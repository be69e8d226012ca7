"""`Task`: the facts of one challenge that studies, exports and reports need."""

from __future__ import annotations

from dataclasses import dataclass

from search.data.pairs import TaskName
from spaces.registry import Registry

ImageShape = tuple[int, int, int]
"""(H, W, C)"""


@dataclass(frozen=True)
class Task:
    """One image-to-image task.

    `input_shape`, `output_shape`: one frame at the challenge's resolution, (H, W, C).
    `log2_c`: log2 of the score's constant C. `device`: the challenge's phone.
    `published`: name of the table of published rows. `input_note`, `output_note`:
    what the tensors hold, for model cards.
    """

    name: TaskName
    title: str
    input_shape: ImageShape
    output_shape: ImageShape
    log2_c: float
    device: str
    default_space: str
    input_note: str
    output_note: str

    @property
    def scale(self) -> int:
        """Output pixels a side per input pixel."""
        return self.output_shape[0] // self.input_shape[0]


TASKS: Registry[Task] = Registry("task")
