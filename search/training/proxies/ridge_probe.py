"""How far the untrained body's features go by themselves."""

from __future__ import annotations

from .registry import register
from .subject import Subject


@register("ridge_probe", begun=True)
def ridge_probe(subject: Subject) -> float:
    """Validation PSNR in dB with the output layers solved in closed form.

    Ridge regression on frozen features, as linear probes are (Alain and Bengio, "Understanding
    intermediate layers using linear classifier probes", 2016); here of features nobody trained.
    A training has it at rung 0, on the recipe's `rung_images`.
    """
    return subject.begun_db
