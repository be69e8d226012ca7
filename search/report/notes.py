"""The sentences that say what a number is: of which data, after which training, how sure.

No number of a study is shown without one of these beside it.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from latency import DeviceProfile, load_profile
from search.study.results import StudyResults

_DATASETS = {
    "fujifilm": "Fujifilm UltraISP",
    "zurich": "Zurich RAW to RGB",
    "ebb": "EBB! (Everything is Better with Bokeh)",
}
_SAMPLE = {"isp": "synthetic RAW", "bokeh": "synthetic bokeh"}


def dataset_name(results: StudyResults) -> str:
    """For example "sample data (synthetic RAW)"."""
    dataset = results.config.data.dataset
    if dataset != "sample":
        return _DATASETS.get(dataset, dataset)
    return f"sample data ({_SAMPLE.get(results.config.task, 'synthetic')})"


def data_note(results: StudyResults) -> str:
    """What PSNR and its like were measured on, and what they must not be compared with."""
    name = dataset_name(results)
    measures = "PSNR, SSIM and LPIPS (lower is better)" if results.with_lpips else "PSNR and SSIM"
    return (
        f"{measures}: validation part of the {name}, not the challenge's hidden test set, so "
        "neither they nor scores made of them compare with the published ones."
    )


def search_budget(results: StudyResults) -> str:
    """How long a trial was trained."""
    return f"{results.config.training.steps:,} steps, 1 seed"


def finals_budget(results: StudyResults) -> str:
    """How long a finalist was trained; of what has been run, not of what is planned."""
    finalists, finals = results.finalists(), results.config.finals
    if finals is None or not finalists:
        return "not run"
    return f"{finals.steps:,} steps, {seeds_text([len(f.psnrs_db) for f in finalists])}"


def seeds_text(counts: Sequence[int]) -> str:
    """For example "2 seeds", or "2 to 6 seeds" of finals that were run again with more."""
    fewest, most = min(counts), max(counts)
    shown = f"{most}" if fewest == most else f"{fewest} to {most}"
    return f"{shown} seed" if most == 1 else f"{shown} seeds"


def runtime_note(results: StudyResults) -> str:
    """Where run times come from and how wrong they may be."""
    task = results.config.task_facts
    height, width, channels = task.input_shape
    return (
        f"Run times of ours are predicted, not measured: one {height}x{width}x{channels} frame on "
        f"the GPU of {results.config.device}. {profile_note(load_profile(results.config.device))}"
    )


def runtime_brief(results: StudyResults) -> str:
    """`runtime_note` in a line, for a terminal."""
    device = results.config.device
    return f"ms: predicted for {device}, 90 % interval. {_leave_one_out(load_profile(device))}"


def profile_note(profile: DeviceProfile) -> str:
    """The fit behind a device profile and its leave-one-out error."""
    fit = profile.fit
    return (
        f"Profile: {fit.status}; {fit.source} ({fit.date}). {_leave_one_out(profile)} "
        f"90 % interval: a factor of {fit.interval_factor:.3g} either way, or wider."
    )


def leave_one_out_errors(profile: DeviceProfile) -> list[float]:
    """Shares by which predictions missed timings that they were not fitted on."""
    return [
        abs(row.held_out_ms / row.measured_ms - 1)
        for row in profile.fit.rows
        if row.held_out_ms is not None
    ]


def _leave_one_out(profile: DeviceProfile) -> str:
    errors = leave_one_out_errors(profile)
    if not errors:
        return "Its leave-one-out error is not known."
    return (
        f"Leave-one-out error over its {len(errors)} timings: "
        f"median {statistics.median(errors):.0%}, worst {max(errors):.0%}."
    )


def published_note(results: StudyResults) -> str:
    """What stands beside ours."""
    task = results.config.task_facts
    note = (
        f"Published rows: the result table of the Mobile AI & AIM 2022 report ({task.title}), "
        f"challenge test data, run time measured on {task.device}'s GPU."
    )
    if results.config.device != task.device:
        note += f" This study predicts for another device, {results.config.device}."
    return note


SELECTION_NOTE = (
    "Candidates are chosen by the validation images they are scored on, so the best PSNR of a "
    "search is slightly optimistic; the finals retrain the best few from fresh seeds."
)
