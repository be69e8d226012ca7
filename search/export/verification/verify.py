"""Running an exported file as its user will, and holding it against Keras and the target."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from latency import LatencyEstimate, LatencyOracle, read_tflite
from latency.graph import Graph, Shape
from search.export.variant import Variant

from .bounds import BOUNDS, not_for_gpu, too_far
from .check import Checked
from .delegation import CheckedOp, checked_ops, left_to_cpu, unsound_ops
from .quality import Quality, mean_quality, quality
from .reference import Reference, References
from .running import run_file


@dataclass(frozen=True)
class Verification:
    """What was found of one file. `failures` is empty where the export may be trusted.

    `max_error`, `mean_error`: of its pictures against Keras's, in units of [0, 1], clipped to it.
    `psnr_db`, `ssim`: against the targets, mean over `images` full frames of validation data;
    `keras_` of the trained network's own. `loss_db`: PSNR below Keras in fp32, `loss_to_fp32_db`
    below the fp32 file of the same size (None without one). Run times are predicted, in ms.
    `check`: of the check picture, for later.
    """

    variant: Variant
    output_shape: Shape
    size_bytes: int
    sha256: str
    images: int
    finite: bool
    max_error: float
    mean_error: float
    psnr_db: float
    ssim: float
    keras_psnr_db: float
    keras_ssim: float
    ops: tuple[CheckedOp, ...]
    kernels: int
    same_kernels: bool
    predicted_ms: float
    low_ms: float
    high_ms: float
    notes: tuple[str, ...]
    failures: tuple[str, ...] = ()
    loss_to_fp32_db: float | None = None
    check: Checked | None = None

    @property
    def loss_db(self) -> float:
        """Below Keras in fp32."""
        return self.keras_psnr_db - self.psnr_db

    @property
    def fallbacks(self) -> tuple[str, ...]:
        """The ops that the GPU delegate leaves to the CPU, and why."""
        return left_to_cpu(self.ops)

    @property
    def delegated(self) -> bool:
        """Whether the GPU runs every op."""
        return not self.fallbacks

    def to_dict(self) -> dict[str, Any]:
        """For JSON, which has no number for what is not finite."""
        found = asdict(self)
        variant = found.pop("variant")
        found |= {"loss_db": self.loss_db, "delegated": self.delegated}
        bounds = {"max_loss_db": BOUNDS[self.variant.precision].loss_db}
        return variant | bounds | {name: _finite(value) for name, value in found.items()}


@dataclass(frozen=True)
class _Pictures:
    """What a file made of the frames, held against Keras and the targets."""

    finite: bool
    max_error: float
    mean_error: float
    quality: Quality


def verify(
    variant: Variant,
    file: bytes,
    references: References,
    traced: Graph,
    oracle: LatencyOracle,
) -> Verification:
    """Run `file` on the frames of `references` with LiteRT and compare, op by op and pixel by
    pixel.

    `traced`: the graph that the search priced. The pictures stay beside the frames. Raises
    UserError for a file that LiteRT cannot run.
    """
    graph = read_tflite(file)
    frames = references.frames
    outputs = [frame.output(variant.label) for frame in frames]
    run_file(file, [frame.input for frame in frames], outputs, variant.file_name)
    pictures = _mean([_compared(frame, variant.label) for frame in frames])
    latency = oracle.predict(graph)
    keras = references.keras_quality
    found = Verification(
        variant=variant,
        output_shape=graph.tensors[graph.outputs[0]].shape,
        size_bytes=len(file),
        sha256=hashlib.sha256(file).hexdigest(),
        images=len(frames),
        finite=pictures.finite,
        max_error=pictures.max_error,
        mean_error=pictures.mean_error,
        psnr_db=pictures.quality.psnr_db,
        ssim=pictures.quality.ssim,
        keras_psnr_db=keras.psnr_db,
        keras_ssim=keras.ssim,
        ops=checked_ops(graph, oracle.profile.gpu),
        kernels=len(latency.kernels),
        same_kernels=latency.launches == oracle.predict(traced).launches,
        predicted_ms=latency.ms,
        low_ms=latency.low_ms,
        high_ms=latency.high_ms,
        notes=_notes(latency),
    )
    failures = [f"not a sound export: {flaw}" for flaw in unsound_ops(graph)]
    return replace(found, failures=(*failures, *failures_of(found)))


def signed(loss_db: float) -> str:
    """With four decimals, and no sign for nothing."""
    return f"{loss_db:+.4f}" if abs(loss_db) >= 5e-5 or math.isnan(loss_db) else "0.0000"


def failures_of(found: Verification) -> list[str]:
    """Where a file is past the bound of its precision."""
    bound = BOUNDS[found.variant.precision]
    failures = []
    if not found.finite:
        failures.append("the output is not finite")
    failures += too_far(found.variant.precision, found.max_error)
    if not found.loss_db <= bound.loss_db:  # Not-a-number fails, too.
        failures.append(f"loses {found.loss_db:.3f} dB, more than {bound.loss_db:g} dB")
    if bound.for_gpu:
        failures += not_for_gpu(found.fallbacks, found.same_kernels)
    return failures


def against_fp32(found: Sequence[Verification]) -> tuple[Verification, ...]:
    """`found`, each with its loss to the fp32 file of its size, if that is one of them."""
    fp32 = {v.variant.input_shape: v.psnr_db for v in found if v.variant.precision == "fp32"}
    return tuple(
        replace(v, loss_to_fp32_db=fp32[v.variant.input_shape] - v.psnr_db)
        if v.variant.input_shape in fp32
        else v
        for v in found
    )


def _compared(frame: Reference, label: str) -> _Pictures:
    output, keras = np.load(frame.output(label)), np.load(frame.keras)
    error = np.abs(np.clip(output, 0, 1) - keras)
    return _Pictures(
        bool(np.isfinite(output).all()),
        float(error.max()),
        float(error.mean(dtype=np.float64)),
        quality(np.load(frame.target), output),
    )


def _mean(found: Sequence[_Pictures]) -> _Pictures:
    """Over the frames; of errors the largest."""
    return _Pictures(
        all(one.finite for one in found),
        float(np.max([one.max_error for one in found])),  # `max` may pass over a NaN.
        float(np.mean([one.mean_error for one in found])),
        mean_quality([one.quality for one in found]),
    )


def _notes(latency: LatencyEstimate) -> tuple[str, ...]:
    """What the oracle says against its prediction."""
    return latency.notes + ((latency.failure,) if latency.failure else ())


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
