"""`PROXIES`: what is measured of an untrained network, by the name that a study gives it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from spaces.registry import Registry

from .subject import Subject


@dataclass(frozen=True)
class Proxy:
    """`measure(subject)` is a number, infinite or NaN where the network has none.

    `begun`: it looks at the network as training begins it, with its output layers solved; else at
    its weights as they are drawn.
    """

    measure: Callable[[Subject], float]
    begun: bool


PROXIES: Registry[Proxy] = Registry("proxy")


def register(name: str, *, begun: bool) -> Callable[[Callable[[Subject], float]], Proxy]:
    """Decorator that makes a registered `Proxy` of a function."""
    return lambda measure: PROXIES.add(name, Proxy(measure, begun))


def measured(names: Sequence[str], subject: Subject) -> dict[str, float | None]:
    """What the proxies `names` say of the network; None for what is no finite number.

    KeyError for a name that is none. The model ends as drawn, or as training begins it.
    """
    values = {}
    # Those that look at drawn weights come first: beginning a training changes them.
    for name in sorted(names, key=lambda name: PROXIES[name].begun):
        values[name] = PROXIES[name].measure(subject)
    return {name: values[name] if math.isfinite(values[name]) else None for name in names}
