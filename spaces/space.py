"""`SearchSpace`: declared choices with conditions, and everything that follows from them.

A space is data: an ordered list of choices, each with its values and the
conditions under which it exists, and one function that turns the active values
into a network. Sampling, mutation, crossover, encoding and counting are written
here once and hold for every space.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from latency.graph import Graph

from .architecture import Architecture, Value
from .ops.trace import trace
from .registry import Registry


class Trial(Protocol):
    """The part of `optuna.Trial` that a space needs."""

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """One of `choices`."""
        ...

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1) -> int:
        """A whole number from `low` to `high`."""
        ...


@dataclass(frozen=True)
class Choice:
    """One decision. Active only where every name in `when` is active with a listed value."""

    name: str
    values: tuple[Value, ...]
    when: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash((self.name, self.values))  # `when` has no hash.

    @property
    def step(self) -> int | None:
        """The step of an evenly spaced whole-number range of three or more values, else None."""
        if len(self.values) < 3 or not all(type(v) is int for v in self.values):
            return None
        steps = {int(b) - int(a) for a, b in zip(self.values, self.values[1:], strict=False)}
        return steps.pop() if len(steps) == 1 and min(steps) > 0 else None

    def active(self, chosen: Mapping[str, Value]) -> bool:
        """Whether the earlier choices `chosen` bring this one into being."""
        for name, values in self.when.items():
            if name not in chosen or chosen[name] not in values:
                return False
        return True


@dataclass(frozen=True)
class SearchSpace:
    """A named space: `choices` in order (conditions look back only) and the `network` they make.

    `network(ops, x, choices)` builds against any `Ops`. `input_channels` is C of
    the input; H and W must be multiples of `multiple`.
    """

    name: str
    choices: tuple[Choice, ...]
    network: Callable[[Any, Any, Mapping[str, Value]], Any]
    input_channels: int
    multiple: int
    doc: str = ""

    def __post_init__(self) -> None:
        known: dict[str, Choice] = {}
        for choice in self.choices:
            for name, values in choice.when.items():
                if name not in known:
                    raise ValueError(f"{choice.name} depends on {name}, which is not before it")
                if not set(values) & set(known[name].values) and choice.values:
                    raise ValueError(f"{choice.name} can never be active")
            known[choice.name] = choice

    # -- making architectures ------------------------------------------------

    def complete(self, pick: Callable[[Choice], Value]) -> Architecture:
        """Walk the choices in order, asking `pick` for each that is active."""
        chosen: dict[str, Value] = {}
        for choice in self.choices:
            if choice.active(chosen):
                chosen[choice.name] = pick(choice)
        return Architecture.of(self.name, chosen)

    def suggest(self, trial: Trial) -> Architecture:
        """An architecture from an Optuna trial; evenly spaced numbers stay numbers for it."""

        def pick(choice: Choice) -> Value:
            step = choice.step
            if step is None:
                value: Value = trial.suggest_categorical(choice.name, choice.values)
                return value
            low, high = int(choice.values[0]), int(choice.values[-1])
            return trial.suggest_int(choice.name, low, high, step=step)

        return self.complete(pick)

    def sample(self, rng: np.random.Generator) -> Architecture:
        """Each active choice uniformly."""
        return self.complete(lambda choice: draw(choice.values, rng))

    def mutate(self, parent: Architecture, rng: np.random.Generator) -> Architecture:
        """Change one active choice; what that brings into being is drawn anew."""
        old = parent.choices
        open_choices = [c for c in self.choices if c.name in old and len(c.values) > 1]
        if not open_choices:
            return parent
        target = open_choices[int(rng.integers(len(open_choices)))]

        def pick(choice: Choice) -> Value:
            if choice.name == target.name:
                return draw(_neighbours(choice, old[choice.name]), rng)
            if choice.name in old:
                return old[choice.name]
            return draw(choice.values, rng)

        return self.complete(pick)

    def crossover(
        self, first: Architecture, second: Architecture, rng: np.random.Generator
    ) -> Architecture:
        """Uniform crossover: each active choice from a random parent that has it."""

        def pick(choice: Choice) -> Value:
            donors = [p.choices[choice.name] for p in (first, second) if choice.name in p.choices]
            return draw(tuple(donors) or choice.values, rng)

        return self.complete(pick)

    def architecture(self, choices: Mapping[str, Value]) -> Architecture:
        """Validate a complete assignment; ValueError names the choice that is wrong."""
        rest = dict(choices)

        def pick(choice: Choice) -> Value:
            if choice.name not in rest:
                raise ValueError(f"{self.name}: choice {choice.name!r} is missing")
            value = rest.pop(choice.name)
            if not any(value == v and type(value) is type(v) for v in choice.values):
                raise ValueError(
                    f"{self.name}: {choice.name}={value!r} is not one of {list(choice.values)}"
                )
            return value

        made = self.complete(pick)
        if rest:
            raise ValueError(f"{self.name}: no active choice is called {', '.join(sorted(rest))}")
        return made

    def narrow(self, allowed: Mapping[str, Sequence[Value]]) -> SearchSpace:
        """The same space with some choices limited to `allowed` values (of those it has)."""
        by_name = {c.name: c for c in self.choices}
        for name, values in allowed.items():
            if name not in by_name:
                raise ValueError(
                    f"{self.name} has no choice {name!r}; there are: {', '.join(by_name)}"
                )
            unknown = [v for v in values if v not in by_name[name].values]
            if unknown or not values:
                raise ValueError(
                    f"{self.name}: {name} may be {list(by_name[name].values)}, not {list(values)}"
                )
        narrowed = tuple(
            replace(c, values=tuple(v for v in c.values if v in allowed[c.name]))
            if c.name in allowed
            else c
            for c in self.choices
        )
        reachable = tuple(c for c in narrowed if _reachable(c, {n.name: n for n in narrowed}))
        return replace(self, choices=reachable)

    # -- looking at the space -------------------------------------------------

    def size(self) -> int:
        """The exact number of architectures."""
        switches = {name for choice in self.choices for name in choice.when}

        def count(index: int, chosen: dict[str, Value]) -> int:
            # Choices that nothing depends on only multiply; switches branch.
            factor = 1
            for i in range(index, len(self.choices)):
                choice = self.choices[i]
                if not choice.active(chosen):
                    continue
                if choice.name in switches:
                    branches = (count(i + 1, {**chosen, choice.name: v}) for v in choice.values)
                    return factor * sum(branches)
                factor *= len(choice.values)
            return factor

        return count(0, {})

    def every(self) -> Iterator[Architecture]:
        """All architectures, always in the same order; `size` says how many."""

        def rest(index: int, chosen: dict[str, Value]) -> Iterator[Architecture]:
            if index == len(self.choices):
                yield Architecture.of(self.name, chosen)
                return
            choice = self.choices[index]
            if not choice.active(chosen):
                yield from rest(index + 1, chosen)
                return
            for value in choice.values:
                yield from rest(index + 1, {**chosen, choice.name: value})

        return rest(0, {})

    def encode(self, architecture: Architecture) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Vector of fixed length: numbers scaled to [0, 1], names one-hot, inactive choices -1."""
        chosen = architecture.choices
        parts: list[float] = []
        for choice in self.choices:
            value = chosen.get(choice.name)
            if choice.step is not None:
                low, high = int(choice.values[0]), int(choice.values[-1])
                parts.append(-1.0 if value is None else (int(value) - low) / (high - low))
            else:
                for option in choice.values:
                    parts.append(-1.0 if value is None else float(value == option))
        return np.array(parts)

    def describe(self) -> str:
        """A readable listing: every choice, its values and conditions, and the size."""
        lines = [f"{self.name}: {self.size():.3g} architectures. {self.doc}".rstrip()]
        for choice in self.choices:
            values = ", ".join(str(v) for v in choice.values)
            when = " and ".join(f"{n} in {_listing(v)}" for n, v in choice.when.items())
            lines.append(f"  {choice.name}: {values}" + (f"   (when {when})" if when else ""))
        return "\n".join(lines)

    # -- building --------------------------------------------------------------

    def bind(self, architecture: Architecture) -> Callable[[Any, Any], Any]:
        """The network function of one architecture, for any backend."""
        choices = architecture.choices
        return lambda ops, x: self.network(ops, x, choices)

    def trace(self, architecture: Architecture, height: int, width: int) -> Graph:
        """The graph of `architecture` on an input of `height` x `width`."""
        if height % self.multiple or width % self.multiple:
            raise ValueError(
                f"{self.name} needs an input of multiples of {self.multiple}, not {height}x{width}"
            )
        return trace(self.bind(architecture), (height, width, self.input_channels))


SPACES: Registry[SearchSpace] = Registry("search space")


def draw(values: Sequence[Value], rng: np.random.Generator) -> Value:
    """One of `values`, uniformly."""
    return values[int(rng.integers(len(values)))]


def _neighbours(choice: Choice, value: Value) -> tuple[Value, ...]:
    """Values to mutate to: the adjacent ones of a number, any other one of a name."""
    if choice.step is None or value not in choice.values:
        return tuple(v for v in choice.values if v != value)
    at = choice.values.index(value)
    return tuple(choice.values[i] for i in (at - 1, at + 1) if 0 <= i < len(choice.values))


def _reachable(choice: Choice, by_name: Mapping[str, Choice]) -> bool:
    """Whether some assignment activates `choice` (its conditions are met by possible values)."""
    return all(
        _reachable(by_name[name], by_name) and set(values) & set(by_name[name].values)
        for name, values in choice.when.items()
    )


def _listing(values: Sequence[Value]) -> str:
    return "/".join(str(v) for v in values)
