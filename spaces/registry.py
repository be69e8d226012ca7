"""A plain registry: names to values, with clear errors for unknown and double names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

V = TypeVar("V")


class Registry(Generic[V]):
    """Values by name, in order of registration. `noun` is what error messages call them."""

    def __init__(self, noun: str) -> None:
        self.noun = noun
        self._values: dict[str, V] = {}

    def add(self, name: str, value: V) -> V:
        """Register `value`; a taken name is a programming error (ValueError)."""
        if name in self._values:
            raise ValueError(f"{self.noun} {name!r} is registered twice")
        self._values[name] = value
        return value

    def register(self, name: str) -> Callable[[V], V]:
        """Decorator form of `add`."""
        return lambda value: self.add(name, value)

    def __getitem__(self, name: str) -> V:
        """The value, or KeyError naming what is known."""
        try:
            return self._values[name]
        except KeyError:
            known = ", ".join(self._values)
            raise KeyError(f"no {self.noun} called {name!r}; there are: {known}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __contains__(self, name: object) -> bool:
        return name in self._values
