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
    from search.export.verification.again import Finding


def verify_bundle(
    folder: Path, study: str | None, runs: Path, images: int, *, as_json: bool
) -> None:
    """Print what is found, a line a file. Exit code 1 where something is wrong.

    With `study`, its data and the bundle's weights are used too, at full resolution.
    """
    from search.export.record import read_bundle
    from search.export.verification.again import verify_again

    bundle = read_bundle(folder)
    config = None if study is None else load_results(study, runs).config
    findings = verify_again(bundle)
    if config is not None and not any(finding.problems for finding in findings):
        from search.study.quiet import native_stderr_hidden

        with native_stderr_hidden():
            from search.export.verification.full_check import verify_on_study

            findings += verify_on_study(bundle, config, images)
    _show(folder, findings, as_json)
    if any(finding.problems for finding in findings):
        raise typer.Exit(FAILED)


def _show(folder: Path, findings: list[Finding], as_json: bool) -> None:
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
        return
    failed = sum(bool(finding.problems) for finding in findings)
    for finding in findings:
        print(finding.line)
    print(f"{folder}: " + (f"{failed} FAILED" if failed else "verified again, nothing has changed"))
