"""`record`: the decorator of the small records that a graph is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(cls: type[T]) -> type[T]:
    """A dataclass with slots that type checkers treat as frozen, though Python does not.

    A search makes some three hundred of these for each architecture it looks at,
    and `frozen=True` makes each four times as slow to construct: one
    `object.__setattr__` a field. That was a fifth of the whole estimate.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)
