"""Results and predictions as JSON documents, for scripts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latency import Graph, LatencyEstimate
from search.full_training.record import TrainingRecord
from search.live.studies import StudyOverview
from search.study.results import Finalist, StudyResults, TrialRecord


def results_document(
    results: StudyResults, trainings: Mapping[str, TrainingRecord] | None = None
) -> dict[str, Any]:
    """One study: counts, trials, Pareto front and finalists, and full trainings by their folders.

    Run times are predicted.
    """
    config = results.config
    statuses = [t.status for t in results.trials]
    return {
        "study": config.name,
        "task": config.task,
        "device": config.device,
        "data": config.data.dataset,
        "trials_planned": config.trials,
        "trained": results.trained,
        "counts": {status: statuses.count(status) for status in sorted(set(statuses))},
        "trials": [_trial(t) for t in results.trials if t.status not in ("waiting", "interrupted")],
        "pareto_front": [t.number for t in results.pareto_front()],
        "finalists": [_finalist(f) for f in results.finalists()],
        "winner": results.winner.digest if results.winner else None,
        "full_trainings": [_training(name, t) for name, t in (trainings or {}).items()],
    }


def study_document(study: StudyOverview) -> dict[str, Any]:
    """One line of the list of studies."""
    return {
        "study": study.name,
        "state": study.state,
        "task": study.task,
        "device": study.device,
        "data": study.dataset,
        "trained": study.trained,
        "trials": study.trials,
        "best_log2_score": study.best_log2_score,
    }


def prediction_document(device: str, graph: Graph, estimate: LatencyEstimate) -> dict[str, Any]:
    """What the oracle says of one network on one device, kernel by kernel."""
    return {
        "device": device,
        "predicted_ms": estimate.ms,
        "low_ms": estimate.low_ms,
        "high_ms": estimate.high_ms,
        "gmac": graph.macs / 1e9,
        "parameters": graph.parameters,
        "kernels": [
            {"kernel": k.kernel.kind, "chain": list(k.kernel.chain), "ms": k.ms}
            for k in estimate.kernels
        ],
        "fallbacks": [
            {"op": f.op_index, "kind": f.kind, "reason": f.reason} for f in estimate.fallbacks
        ],
        "failure": estimate.failure,
        "notes": list(estimate.notes),
    }


def _trial(trial: TrialRecord) -> dict[str, Any]:
    return {
        "number": trial.number,
        "index": trial.index,
        "status": trial.status,
        "reason": trial.reason,
        "baseline": trial.baseline,
        "digest": trial.architecture.digest if trial.architecture else None,
        "choices": trial.architecture.choices if trial.architecture else None,
        "predicted_ms": trial.estimate.runtime_ms if trial.estimate else None,
        "psnr_db": trial.psnr_db,
        "ssim": trial.ssim,
        "lpips": trial.lpips,
        "log2_score": trial.log2_score,
        "curve": trial.curve,
        "probes": trial.probes,
        "inherited": trial.inherited,
        "parent": trial.parent,
    }


def _training(name: str, record: TrainingRecord) -> dict[str, Any]:
    return {
        "name": name,
        "origin": record.origin,
        "steps": record.steps,
        "psnr_db": record.result.psnr_db if record.result else None,
        "ssim": record.result.ssim if record.result else None,
    }


def _finalist(finalist: Finalist) -> dict[str, Any]:
    return {
        "origin": finalist.origin,
        "digest": finalist.architecture.digest,
        "psnrs_db": finalist.psnrs_db,
        "psnr_db": finalist.psnr_db,
        "spread_db": finalist.spread_db,
        "ssim": finalist.ssim,
        "lpips": finalist.lpips,
        "predicted_ms": finalist.estimate.runtime_ms,
        "low_ms": finalist.estimate.low_ms,
        "high_ms": finalist.estimate.high_ms,
        "log2_score": finalist.log2_score,
    }
