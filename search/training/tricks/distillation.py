"""Knowledge distillation: a trained teacher's output, and its features, are imitated."""

from __future__ import annotations

import tensorflow as tf

from search.errors import UserError
from search.training.losses.transfer import feature_distillation_loss
from search.training.recipe import Teacher
from spaces.ops.keras_backend import Network

from .trick import Sight, Trick


def distillation(settings: Teacher, teacher: Network) -> Trick:
    """Mean |difference| to the teacher's output and to its taps of the same names.

    CASIA, Mobile AI 2022. Raises UserError where features are asked for and none are shared.
    """

    def loss(sight: Sight) -> tf.Tensor:
        output, taps = teacher.taps(sight.x)
        total = settings.output * feature_distillation_loss([sight.prediction], [output])
        if settings.features:
            names = shared_taps(sight.taps, taps, settings.system)
            pairs = [sight.taps[name] for name in names], [taps[name] for name in names]
            total += settings.features * feature_distillation_loss(*pairs)
        return total

    return Trick(loss)


def shared_taps(
    student: dict[str, tf.Tensor], teacher: dict[str, tf.Tensor], system: str
) -> list[str]:
    """Names of features that both have in the same shape."""
    names = [n for n in student if n in teacher and student[n].shape == teacher[n].shape]
    if not names:
        raise UserError(f"teacher.features: the network shares no tapped features with {system}")
    return names
