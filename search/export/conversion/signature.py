"""The serving signature of exported files, and LiteRT running one by it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from ai_edge_litert.interpreter import Interpreter

INPUT, OUTPUT = "image", "rgb"
"""Tensor names of the serving signature."""


def run_tflite(file: bytes) -> Callable[[np.ndarray], np.ndarray]:
    """`file` as a function of one input frame."""
    interpreter = Interpreter(model_content=file, num_threads=2)
    runner = interpreter.get_signature_runner()
    return lambda frame: np.array(runner(**{INPUT: frame.astype(np.float32)})[OUTPUT])
