"""How much of the loss the untrained body could still take away."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from search.training.goal import goals
from search.training.tricks import Sight

from .registry import register
from .subject import Subject, log2_or_infinite


@register("gradient_norm", begun=True)
def gradient_norm(subject: Subject) -> float:
    """log2 of the Euclidean norm of the loss's gradient, behind the closed-form start.

    Abdelfattah et al., "Zero-Cost Proxies for Lightweight NAS", ICLR 2021, section 3.1. With the
    output layers solved, what is left is mostly the body's: a network that leaves a large gradient
    has much to gain. The loss is that of the recipe's first stage, on 16 crops.
    """
    _ = subject.begun_db  # For what it does to the model.
    x, y = subject.crops
    model = subject.model
    goal, *_ = goals(subject.recipe, model, x, teacher=subject.teacher, seed=subject.seed)

    def run(x: Any) -> Any:
        return model.taps(x, training=True)

    first = tf.constant(0)
    with tf.GradientTape() as tape:
        prediction, taps = run(goal.shown(tf.constant(x), first))
        loss = goal.total(Sight(x, goal.wanted(x, y), prediction, taps, run, first))
    gradients = tape.gradient(loss, model.trainable_variables)
    norm = tf.linalg.global_norm([g for g in gradients if g is not None])
    return log2_or_infinite(float(norm))
