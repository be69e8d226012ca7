"""Running an exported file as its user will, and holding it against Keras and the target."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from latency import LatencyOracle, read_tflite
from latency.graph import Graph
from search.metrics import psnr_db

from .convert import INPUT, OUTPUT, unsound_ops
from .variant import Precision


@dataclass(frozen=True)
class Bound:
    """How far a file may be from Keras: `max_error` in units of [0, 1], `psnr_loss_db` in dB."""

    max_error: float
    psnr_loss_db: float


BOUNDS: dict[Precision, Bound] = {"fp32": Bound(1e-4, 0.001), "fp16": Bound(1e-2, 0.02)}
"""fp32 differs by rounding (6e-7 measured), fp16 by its weights (4e-4 measured)."""


@dataclass(frozen=True)
class Verification:
    """What was found of one file. `failures` is empty where the export may be trusted.

    PSNRs are of one full frame of `data`, in dB against its target. Run times are predicted.
    """

    precision: Precision
    size_bytes: int
    sha256: str
    max_error: float
    psnr_db: float
    keras_psnr_db: float
    delegated: bool
    fallbacks: tuple[str, ...]
    kernels: int
    predicted_ms: float
    low_ms: float
    high_ms: float
    failures: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON, which has no number for what is not finite."""
        return {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in asdict(self).items()
        }


def verify(
    file: bytes,
    precision: Precision,
    frame: np.ndarray,
    target: np.ndarray,
    keras_output: np.ndarray,
    traced: Graph,
    oracle: LatencyOracle,
) -> Verification:
    """Run `file` on `frame` [1, h, w, C] with LiteRT and compare, op by op and pixel by pixel.

    `target` [1, H, W, 3] in [0, 1]; `keras_output` the model's own output of the frame; `traced`
    the graph that the search priced.
    """
    graph = read_tflite(file)
    output = run_tflite(file)(frame)
    latency = oracle.predict(graph)
    error = float(np.max(np.abs(output - keras_output)))
    own, keras = (float(psnr_db(target, image)[0]) for image in (output, keras_output))
    fallbacks = tuple(f"op {f.op_index} {f.kind}: {f.reason}" for f in latency.fallbacks)
    bound = BOUNDS[precision]
    failures = [f"not a sound export: {found}" for found in unsound_ops(graph)]
    if not np.isfinite(output).all():
        failures.append("the output is not finite")
    if not error <= bound.max_error:
        failures.append(f"differs from Keras by {error:.2g}, more than {bound.max_error:g}")
    if not keras - own <= bound.psnr_loss_db:
        failures.append(f"loses {keras - own:.3f} dB, more than {bound.psnr_loss_db:g} dB")
    failures += [f"left to the CPU by the GPU delegate: {f}" for f in fallbacks]
    if latency.launches != oracle.predict(traced).launches:
        failures.append("lowers to other kernels than the search priced")
    return Verification(
        precision=precision,
        size_bytes=len(file),
        sha256=hashlib.sha256(file).hexdigest(),
        max_error=error,
        psnr_db=own,
        keras_psnr_db=keras,
        delegated=not fallbacks,
        fallbacks=fallbacks,
        kernels=len(latency.kernels),
        predicted_ms=latency.ms,
        low_ms=latency.low_ms,
        high_ms=latency.high_ms,
        failures=tuple(failures),
    )


def run_tflite(file: bytes) -> Callable[[np.ndarray], np.ndarray]:
    """`file` as a function of one input frame."""
    interpreter = Interpreter(model_content=file, num_threads=2)
    runner = interpreter.get_signature_runner()
    return lambda frame: np.array(runner(**{INPUT: frame.astype(np.float32)})[OUTPUT])
