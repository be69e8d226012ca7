"""A study's trials as a pandas data frame, for notebooks and spreadsheets."""

from __future__ import annotations

import pandas as pd

from .results import StudyResults


def trials_frame(results: StudyResults) -> pd.DataFrame:
    """One row a trial, in order of number; choices ("choice.levels") and what proxies said
    ("probe.naswot") in columns of their own.

    Run times are predicted; PSNR, SSIM and LPIPS (where the study asks for it)
    are of its own validation data.
    """
    rows = []
    for trial in results.trials:
        known = trial.estimate
        row = {
            "number": trial.number,
            "index": trial.index,
            "status": trial.status,
            "reason": trial.reason,
            "baseline": trial.baseline,
            "digest": trial.architecture.digest if trial.architecture else None,
            "predicted_ms": known.runtime_ms if known else None,
            "low_ms": known.low_ms if known else None,
            "high_ms": known.high_ms if known else None,
            "gmac": known.gmac if known else None,
            "parameters": known.parameters if known else None,
            "psnr_db": trial.psnr_db,
            "ssim": trial.ssim,
            "lpips": trial.lpips,
            "log2_score": trial.log2_score,
            "inherited": trial.inherited,
            "parent": trial.parent,
            "total_s": trial.seconds.get("total"),
        }
        choices = trial.architecture.choices if trial.architecture else {}
        probes = {f"probe.{name}": value for name, value in trial.probes.items()}
        rows.append(row | probes | {f"choice.{name}": value for name, value in choices.items()})
    return pd.DataFrame(rows)
