"""`Variant`: one file of a bundle, by its precision and the size of its input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from search.errors import UserError

if TYPE_CHECKING:  # The command line reads this, which must start without NumPy.
    from search.tasks.task import ImageShape

Precision = Literal["fp32", "fp16", "dynamic", "int8", "int8_qat"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "dynamic", "int8", "int8_qat")
DEFAULT_PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16")
"""What a phone's GPU runs; integers are for CPUs and NPUs, and cost quality."""

DEFAULT_FRAMES = 2
"""Full frames that files are verified on: Full HD takes a CPU seconds each."""

INTEGER: frozenset[Precision] = frozenset({"int8", "int8_qat"})
"""Those that compute in 8 bits."""

EIGHT_BITS: frozenset[Precision] = INTEGER | {"dynamic"}
"""Those with weights of 8 bits, which are rounded to what networks see: they need data."""


@dataclass(frozen=True)
class Variant:
    """One file. `input_shape`: (H, W, C) of its input.

    `at_task_size`: whether that is the task's own resolution, which a file's name leaves out.
    """

    precision: Precision
    input_shape: ImageShape
    at_task_size: bool = True

    @property
    def file_name(self) -> str:
        """In the bundle: `model_fp16.tflite`, `model_fp16_1920x1080.tflite` (of the input)."""
        height, width, _ = self.input_shape
        size = "" if self.at_task_size else f"_{width}x{height}"
        return f"model_{self.precision}{size}.tflite"

    @property
    def label(self) -> str:
        """For people: the precision and, where it is not the task's, the input's size."""
        return self.file_name.removeprefix("model_").removesuffix(".tflite").replace("_", " ")


@dataclass(frozen=True)
class Quantisation:
    """How 8-bit networks are made. `images`: crops of training pairs, for the ranges; `steps`: of
    the training in 8-bit arithmetic."""

    images: int = 128
    steps: int = 600


DEFAULT_QUANTISATION = Quantisation()


def known_precision(name: str) -> Precision:
    """`name` as a precision; UserError where there is none."""
    for known in PRECISIONS:
        if name.strip() == known:
            return known
    raise UserError(f"unknown precision {name!r}: choose one of {', '.join(PRECISIONS)}")


def variants(
    precisions: Sequence[Precision], own: ImageShape, sizes: Sequence[tuple[int, int]] = ()
) -> tuple[Variant, ...]:
    """Every precision at every size, each once, precision by precision.

    `own`: the task's input (H, W, C). `sizes`: (H, W) of inputs; without any, the task's own.
    """
    wanted = dict.fromkeys(sizes or [own[:2]])
    return tuple(
        Variant(precision, (*size, own[2]), size == own[:2])
        for precision in dict.fromkeys(precisions)
        for size in wanted
    )
