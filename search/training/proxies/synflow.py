"""How much passes through a network, whatever the data."""

from __future__ import annotations

import tensorflow as tf

from .registry import register
from .subject import Subject, log2_or_infinite


@register("synflow", begun=False)
def synflow(subject: Subject) -> float:
    """log2 of the sum over weights of |w * dR/dw|, R the sum of outputs for inputs of ones.

    Tanaka et al., "Pruning neural networks without any data by iteratively conserving synaptic
    flow", NeurIPS 2020, equations 2 and 3: all weights are taken by their absolute values. The
    input has the size of the recipe's crop.
    """
    model = subject.model
    x, _ = subject.crops
    weights = model.trainable_variables
    signed = [w.numpy() for w in weights]
    for w in weights:
        w.assign(abs(w))
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(model(tf.ones((1, *x.shape[1:])), training=False))
    gradients = tape.gradient(total, weights)
    flow = sum(
        float(tf.reduce_sum(tf.abs(w * g)))
        for w, g in zip(weights, gradients, strict=True)
        if g is not None
    )
    for w, value in zip(weights, signed, strict=True):
        w.assign(value)
    return log2_or_infinite(flow)
