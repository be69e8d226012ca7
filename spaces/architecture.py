"""`Architecture`: one point of a search space, hashable and stable across machines."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

Value = str | int | bool
"""What one choice may hold."""


@dataclass(frozen=True)
class Architecture:
    """A space's name and the values of the choices that are active in it.

    Two architectures are equal when their canonical JSON is. Build them with
    `Architecture.of`; `items` is sorted by name.
    """

    space: str
    items: tuple[tuple[str, Value], ...]

    @classmethod
    def of(cls, space: str, choices: Mapping[str, Value]) -> Architecture:
        """From a mapping in any order."""
        return cls(space, tuple(sorted(choices.items())))

    @classmethod
    def from_json(cls, text: str) -> Architecture:
        """Inverse of `to_json`; ValueError for anything else."""
        document = json.loads(text)
        if not isinstance(document, dict) or set(document) != {"space", "choices"}:
            raise ValueError("an architecture is a JSON object of 'space' and 'choices'")
        return cls.of(document["space"], document["choices"])

    @cached_property
    def choices(self) -> dict[str, Value]:
        """The active choices by name."""
        return dict(self.items)

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no white space."""
        return json.dumps(
            {"space": self.space, "choices": self.choices}, sort_keys=True, separators=(",", ":")
        )

    @cached_property
    def digest(self) -> str:
        """Twelve hex digits of SHA-256 of the canonical JSON: the identity in storage."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:12]
