"""Which channels each layer of a network reads and writes, so that layers of two networks compare.

A layer is known by the parts it lies in (`Ops.part`), its kind and its number there; a channel by
the two outermost parts that it was written in, and its number. A wider network then has the
channels of a narrower one and more, and what follows a level reads the same channels however many
blocks the level has.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from .ops.trace import TraceOps

Label = tuple[Hashable, ...]
"""Of a channel. ("input", 2); ("at_1/level_0", 7); before a `depth_to_space` with the number of the
pixel that it goes to in between."""

LAYERS = (
    "conv", "depthwise", "transposed_conv", "dilated_depthwise", "channel_bias", "instance_norm",
    "layer_norm", "channel_gates", "attend",
)  # fmt: skip
"""The ops that make a layer, as "activation" does with "prelu"."""

_WRITING = ("conv", "transposed_conv")
"""Those whose channels are others than what they read."""

_SIDE = 128
"""Of the image that networks are run on, as their Keras models are."""


@dataclass(frozen=True)
class Wired:
    """One layer: `reads` and `writes` name the channels, `kernel` is a side's length in pixels,
    `arguments` are all of its op's but the tensors."""

    key: str
    op: str
    reads: tuple[Label, ...]
    writes: tuple[Label, ...]
    kernel: int = 1
    arguments: Mapping[str, Any] = field(default_factory=dict, compare=False)


def wiring(network: Callable[[Any, Any], Any], input_channels: int) -> tuple[Wired, ...]:
    """The layers of `network` in their order: that of `Network.parts`."""
    ops = TraceOps()
    x = ops.input((1, _SIDE, _SIDE, input_channels))
    wires = _Wires(ops)
    wires.labels[x] = tuple(("input", channel) for channel in range(input_channels))
    network(wires, x)
    return tuple(wires.layers)


class _Wires:
    """`TraceOps` that follow every channel of every tensor."""

    def __init__(self, ops: TraceOps) -> None:
        self.layers: list[Wired] = []
        self.labels: dict[int, tuple[Label, ...]] = {}
        self._ops = ops
        self._path: list[str] = []
        self._made: Counter[str] = Counter()
        self._writers: dict[int, int] = {}

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        self._path.append(name)
        try:
            yield
        finally:
            self._path.pop()

    def channels(self, x: int) -> int:
        return self._ops.channels(x)

    def height(self, x: int) -> int:
        return self._ops.height(x)

    def __getattr__(self, op: str) -> Any:
        def followed(*given: Any, **options: Any) -> int:
            y: int = getattr(self._ops, op)(*given, **options)
            self._follow(op, y, given, options)
            return y

        return followed

    def _follow(self, op: str, y: int, given: tuple[Any, ...], options: dict[str, Any]) -> None:
        reads = self._read(op, given)
        writes = self._written(op, y, reads, given)
        if y not in self.labels:
            self.labels[y] = writes
        if op not in LAYERS and op != "activation":
            return
        arguments = _arguments(op, given, options)
        if op in LAYERS or arguments["kind"] == "prelu":
            self._writers[y] = len(self.layers)
            kernel = arguments.get("kernel", 1)
            self.layers.append(Wired(self._new_key(op), op, reads, writes, kernel, arguments))

    def _read(self, op: str, given: tuple[Any, ...]) -> tuple[Label, ...]:
        if op in ("concat", "stack"):
            return _told_apart([label for tensor in given[0] for label in self.labels[tensor]])
        return self.labels[given[2 if op == "attend" else 0]]

    def _written(
        self, op: str, y: int, reads: tuple[Label, ...], given: tuple[Any, ...]
    ) -> tuple[Label, ...]:
        shape = self._ops.tensors[y].shape
        count = 1 if len(shape) < 4 else shape[3]
        if op == "space_to_depth":
            return tuple(("moved", offset, label) for offset in range(given[1] ** 2)
                         for label in reads)  # fmt: skip
        if op == "depth_to_space":
            return self._shuffled(given[0], count)
        if op in ("channel", "channel_range"):
            return reads[given[1] : given[1] + count]
        if op not in _WRITING and len(reads) == count:
            return reads
        return self._fresh(range(count))

    def _shuffled(self, x: int, count: int) -> tuple[Label, ...]:
        """Of `depth_to_space`. What wrote its input is told which pixel each channel goes to: a
        wider one has its channels elsewhere."""
        if x in self._writers:
            offsets = range(len(self.labels[x]) // count)
            writes = tuple(
                (self._stage, offset, channel) for offset in offsets for channel in range(count)
            )
            self.layers[self._writers[x]] = replace(self.layers[self._writers[x]], writes=writes)
        return self._fresh(range(count))

    def _fresh(self, numbers: range) -> tuple[Label, ...]:
        return tuple((self._stage, number) for number in numbers)

    @property
    def _stage(self) -> str:
        return "/".join(self._path[:2])

    def _new_key(self, op: str) -> str:
        name = "/".join([*self._path, op])
        self._made[name] += 1
        return f"{name}_{self._made[name] - 1}"


def _told_apart(labels: Sequence[Label]) -> tuple[Label, ...]:
    """Each once: those that come again are numbered."""
    seen: Counter[Label] = Counter()
    found = []
    for label in labels:
        found.append((*label, "again", seen[label]) if seen[label] else label)
        seen[label] += 1
    return tuple(found)


def _arguments(op: str, given: tuple[Any, ...], options: dict[str, Any]) -> dict[str, Any]:
    """By their names, those left out too."""
    bound = _signature(op).bind(None, *given, **options)
    bound.apply_defaults()
    return dict(list(bound.arguments.items())[2:])


@cache
def _signature(op: str) -> inspect.Signature:
    return inspect.signature(getattr(TraceOps, op))
