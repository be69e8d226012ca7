"""A bundle verified again as when it was exported: at full resolution, on its study's data."""

from __future__ import annotations

import tempfile
from pathlib import Path

from search.artifacts import WEIGHTS, read_weights
from search.config import StudyConfig
from search.errors import UserError
from search.export.record import StoredBundle
from search.export.source import Trained
from search.export.trained_model import open_model

from .again import Finding
from .checker import Checker, images_verified_on
from .frame import content_sha256
from .verify import Verification, signed


def verify_on_study(bundle: StoredBundle, config: StudyConfig, images: int) -> list[Finding]:
    """Every file of `bundle` against Keras with the bundle's weights, on up to `images` frames.

    Raises UserError for weights that cannot be read.
    """
    path = bundle.directory / WEIGHTS
    try:
        weights = read_weights(path, bundle.contents.get(WEIGHTS))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise UserError(f"{path} is damaged: {error}") from None
    source = Trained(bundle.architecture, bundle.directory, bundle.origin, bundle.psnr_db, 0, 0)
    # A training of one network to the end may have been by another recipe than the study's.
    recipe = config.training.model_copy(update={"encoding": bundle.encoding})
    trained = open_model(config.model_copy(update={"training": recipe}), source, weights)
    verifications: list[Verification] = []
    findings = []
    with tempfile.TemporaryDirectory(prefix="lensnas-") as folder:
        checker = Checker(trained, None, images, Path(folder))
        for file in bundle.files.values():
            found = checker.verified(file.variant, bundle.content(file))
            verifications.append(found)
            findings.append(Finding(found.variant.file_name, _told(found), found.failures))
    indices = images_verified_on(trained, verifications)
    same = content_sha256(trained.held_out, indices) == bundle.data_sha256
    told = "those of the export" if same else "others than at the export, or another number"
    return [*findings, Finding(f"{len(indices)} validation images", told)]


def _told(found: Verification) -> str:
    frames = f"{found.images} full frame{'s' * (found.images != 1)}"
    return (
        f"{frames}, PSNR {found.psnr_db:.2f} dB, SSIM {found.ssim:.4f}, loss "
        f"{signed(found.loss_db)} dB, largest error {found.max_error:.1e}"
    )
