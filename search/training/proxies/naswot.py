"""How differently the untrained network treats different images."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from spaces.ops.keras_backend import KerasOps
from spaces.ops.protocol import Activation

from .registry import register
from .subject import Subject


@register("naswot", begun=False)
def naswot(subject: Subject) -> float:
    """Log-determinant of the share of activations that two of 16 crops switch alike, <= 0.

    Mellor et al., "Neural Architecture Search without Training", ICML 2021, section 3, with the
    kernel divided by the number of activations, so that sizes of networks compare. Minus infinity
    where two crops switch all alike. A unit is on where the activation's input is above zero.
    """
    x, _ = subject.crops
    ops = _Switches(subject.model.parts)
    subject.network.network(ops, tf.constant(x))
    if not ops.codes:
        return -np.inf
    codes = np.concatenate(ops.codes, axis=1).astype(np.float32)
    alike = (codes @ codes.T + (1 - codes) @ (1 - codes).T) / codes.shape[1]
    return float(np.linalg.slogdet(alike.astype(np.float64))[1])


class _Switches(KerasOps):
    """`KerasOps` that keeps what its activations switch on, [crops, units] each."""

    def __init__(self, layers: list[Any]) -> None:
        super().__init__(layers)
        self.codes: list[np.ndarray] = []

    def activation(self, x: Any, kind: Activation) -> Any:
        """See `Ops.activation`."""
        self.codes.append(np.asarray(x).reshape(len(x), -1) > 0)
        return super().activation(x, kind)
