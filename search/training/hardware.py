"""What a training takes of its machine, its precision, and whether XLA compiles it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from spaces.ops.keras_backend import Network

from .recipe import Precision

Step = Callable[[Any, Any, Any], Any]


def use_machine(threads: int, seed: int) -> None:
    """Before the first operation of a process: its share of the cores, results that repeat, and
    the random state of `seed`.
    """
    for gpu in tf.config.list_physical_devices("GPU"):
        # TensorFlow's way is to take all of a GPU's memory, and others wait.
        tf.config.experimental.set_memory_growth(gpu, True)
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(seed)


def compiled(step: Step, *, xla: bool) -> Step:
    """`step` as one TensorFlow graph, which XLA fuses into few kernels where `xla` says so."""
    # Without autograph, which would wrap the errors that users should read.
    return tf.function(step, autograph=False, jit_compile=xla)


def taps_in(model: Network, precision: Precision, x: Any) -> tuple[Any, dict[str, Any]]:
    """`model.taps(x, training=True)`, computed in `precision` and handed back as float32.

    Weights, the loss, the optimiser and moving statistics stay float32, so that small updates are
    not rounded away. bfloat16 has float32's range: no loss has to be scaled.
    """
    if precision == "float32":
        return model.taps(x, training=True)
    with _computing_in(model, f"mixed_{precision}"):
        output, taps = model.taps(tf.cast(x, precision), training=True)
    return _float32(output), {name: _float32(tap) for name, tap in taps.items()}


@contextmanager
def _computing_in(model: Network, policy: str) -> Iterator[None]:
    """Within, layers cast what they compute with by this policy of Keras."""
    layers = list(model._flatten_layers())
    before = [layer.dtype_policy for layer in layers]
    for layer in layers:
        layer.dtype_policy = keras.DTypePolicy(policy)
    try:
        yield
    finally:
        for layer, its_own in zip(layers, before, strict=True):
            layer.dtype_policy = its_own


def _float32(x: Any) -> Any:
    return tf.cast(x, tf.float32)
