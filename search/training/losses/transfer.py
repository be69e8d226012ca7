"""Learning from another network or another domain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf


def feature_distillation_loss(student: Sequence[Any], teacher: Sequence[Any]) -> Any:
    """Sum over levels of the mean |student - teacher|; the teacher gets no gradient.

    CASIA, Mobile AI 2022 report. Raises ValueError where the levels do not match.
    """
    pairs = zip(student, teacher, strict=True)
    return tf.add_n([tf.reduce_mean(tf.abs(s - tf.stop_gradient(t))) for s, t in pairs])


def reverse_gradient(features: Any, strength: float = 1.0) -> Any:
    """The features, whose gradient comes back times -`strength`.

    Before a domain classifier it makes features that tell the domains apart as little as they
    can. Ganin and Lempitsky, ICML 2015; DANN-ISP uses a strength of 1.
    """

    @tf.custom_gradient
    def reversed_(x: Any) -> Any:
        return tf.identity(x), lambda gradient: -strength * gradient

    return reversed_(features)
