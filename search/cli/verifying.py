"""`lensnas export --verify`: a bundle checked again."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from .arguments import load_results
from .errors import FAILED

if TYPE_CHECKING:
    from search.config import StudyConfig
    from search.export.record import StoredBundle
    from search.export.verification.again import Finding


def verify_bundle(
    folder: Path, study: str | None, runs: Path, images: int, *, as_json: bool
) -> None:
    """Print what is found, a line a file. Exit code 1 where something is wrong.

    With `study`, its data and the bundle's weights are used too, at full resolution, unless
    something is wrong already.
    """
    from search.export.record import read_bundle
    from search.export.verification.again import verify_again

    bundle = read_bundle(folder)
    config = None if study is None else load_results(study, runs).config
    if config is not None:
        bundle.require_study(config.name, config.task_facts)
    findings = verify_again(bundle)
    if config is not None:
        findings += _on_study(bundle, config, images, findings)
    _show(folder, findings, as_json)
    if any(finding.problems for finding in findings):
        raise typer.Exit(FAILED)


def _on_study(
    bundle: StoredBundle, config: StudyConfig, images: int, findings: list[Finding]
) -> list[Finding]:
    from search.export.verification.again import Finding

    if any(finding.problems for finding in findings):
        return [Finding(f"data of study {config.name}", "not used, for something is wrong already")]
    from search.study.quiet import native_stderr_hidden

    with native_stderr_hidden():
        from search.export.verification.full_check import verify_on_study

        return verify_on_study(bundle, config, images)


def _show(folder: Path, findings: list[Finding], as_json: bool) -> None:
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
        return
    failed = sum(bool(finding.problems) for finding in findings)
    for finding in findings:
        print(finding.line)
    print(f"{folder}: " + (f"{failed} FAILED" if failed else "verified again, nothing has changed"))
