"""The first page: all studies."""

from __future__ import annotations

import hashlib

from search.live.studies import LiveStudies

from .view import View


def overview_view(studies: LiveStudies) -> View:
    """Every study with how far it is; running ones first."""
    found = sorted(studies.overview(), key=lambda study: (study.state != "running", study.name))
    version = hashlib.sha256(repr(found).encode()).hexdigest()[:16]
    context = {"studies": found, "runs": studies.runs}
    return View("overview.html", "Studies", version, context, figures_url="/live", live=True)
