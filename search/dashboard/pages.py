"""`pages`: the dashboard as routes that only read."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.datastructures import QueryParams
from starlette.responses import FileResponse

from search.errors import UserError
from search.live.studies import LiveStudies, StorageAwayError, UnknownStudyError
from search.report.images import Kind, picture_png, trial_pictures
from search.study.directories import trial_directory

from .assets import assets, digest
from .overview import overview_view
from .query import compared_numbers
from .reference import UnknownNameError, oracle_view, zoo_view
from .replies import SAFE, forever, reply
from .study import pareto_view, search_view, seen_study
from .trial import FILES, LOG, UnknownTrialError, compare_view, trial_of, trial_view
from .view import View

JSON = "application/json"
StudyPage = Literal["pareto", "search", "trial", "compare"]
_DRAWN_KEPT = 64
"""Documents of figures, each of them for all who look at the same page."""
_NOT_DRAWN = {"version", "selected", "sort", "page"}
"""Parts of an address that change no figure."""


def pages(studies: LiveStudies, *, api: str | None = None) -> APIRouter:
    """The dashboard of `studies`, to be mounted at "/".

    `api`: the path under which exports are asked for, None where there is no such service.
    """
    router = APIRouter(route_class=_Readable, include_in_schema=False)
    drawn = _Drawn()

    @router.get("/")
    def overview(request: Request) -> Response:
        return reply(request, overview_view(studies).page())

    @router.get("/studies/{study}")
    def pareto(request: Request, study: str) -> Response:
        return reply(request, pareto_view(studies, study, request.query_params).page())

    @router.get("/studies/{study}/search")
    def search(request: Request, study: str) -> Response:
        return reply(request, search_view(studies, study).page())

    @router.get("/studies/{study}/trials/{number}")
    def trial(request: Request, study: str, number: int) -> Response:
        return reply(request, trial_view(studies, study, number, api=api).page())

    @router.get("/studies/{study}/compare")
    def compare(request: Request, study: str) -> Response:
        numbers = compared_numbers(request.query_params)
        return reply(request, compare_view(studies, study, numbers).page())

    @router.get("/oracle")
    def oracle(request: Request, device: str | None = None) -> Response:
        return reply(request, oracle_view(device).page())

    @router.get("/zoo")
    def zoo(request: Request, task: str | None = None) -> Response:
        return reply(request, zoo_view(studies, task).page())

    @router.get("/live")
    def overview_changes(request: Request, version: str = "") -> Response:
        return reply(request, _unless_known(version, overview_view(studies)), JSON)

    @router.get("/live/{study}")
    def study_figures(
        request: Request,
        study: str,
        view: StudyPage = "pareto",
        trial: int = 0,
        version: str = "",
    ) -> Response:
        query = request.query_params
        makers: dict[StudyPage, Callable[[], View]] = {
            "pareto": lambda: pareto_view(studies, study, query),
            "search": lambda: search_view(studies, study),
            "trial": lambda: trial_view(studies, study, trial, api=api),
            "compare": lambda: compare_view(studies, study, compared_numbers(query)),
        }
        now = seen_study(studies, study).version
        if version == now:
            return reply(request, _version_alone(now), JSON)
        asked = [pair for pair in query.multi_items() if pair[0] not in _NOT_DRAWN]
        page = f"{study}?{QueryParams(asked)}"
        return reply(request, drawn.figures(page, now, makers[view]), JSON)

    @router.get("/figures/oracle")
    def oracle_figures(request: Request, device: str | None = None) -> Response:
        return reply(request, oracle_view(device).figures(), JSON)

    @router.get("/figures/zoo")
    def zoo_figures(request: Request, task: str | None = None) -> Response:
        return reply(request, zoo_view(studies, task).figures(), JSON)

    @router.get("/studies/{study}/trials/{number}/pictures/{index}/{kind}.png")
    def picture(study: str, number: int, index: int, kind: Kind) -> Response:
        results = studies.results(study).results
        record = trial_of(results, number)
        pictures = trial_pictures(results, record)
        if pictures is None or not 0 <= index < len(pictures):
            raise UnknownTrialError(f"trial {number} of study {study} has no picture {index}")
        png = picture_png(pictures, index, kind)
        return forever(png, "image/png", gzipped=False)

    @router.get("/studies/{study}/trials/{number}/files/{name}")
    def artifact(study: str, number: int, name: str) -> Response:
        results = studies.results(study).results
        trial_of(results, number)
        if name not in FILES:
            raise UnknownTrialError(f"a trial has no file {name[:40]!r}")
        path = trial_directory(results.config, number) / name
        if not path.is_file():
            raise UnknownTrialError(f"trial {number} of study {study} has left no {FILES[name]}")
        media = "text/plain; charset=utf-8" if name == LOG else "application/octet-stream"
        download = f"{study}-trial-{number}-{name}"
        return FileResponse(path, headers=SAFE, media_type=media, filename=download)

    @router.get("/assets/{version}/{name}")
    def asset(version: str, name: str) -> Response:
        found = assets().get(name) if version == digest() else None
        if found is None:
            raise UnknownNameError(f"no asset {name[:40]!r} of this version: load the page again")
        return forever(found.gzipped, found.media_type, gzipped=True)

    return router


class _Drawn:
    """The figures of the pages that were last asked for, drawn once for a version of a study."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, _Page] = OrderedDict()

    def figures(self, page: str, version: str, make: Callable[[], View]) -> str:
        with self._lock:
            kept = self._kept.setdefault(page, _Page())
            self._kept.move_to_end(page)
            while len(self._kept) > _DRAWN_KEPT:
                self._kept.popitem(last=False)
        with kept.lock:  # Who comes while another draws it waits for that.
            if kept.version != version:
                view = make()
                # It may have grown since it was asked.
                kept.version, kept.document = view.version, view.figures()
            return kept.document


@dataclass
class _Page:
    """`document`: its figures as of `version`."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    version: str | None = None
    document: str = ""


class _Readable(APIRoute):
    """Routes whose refusals are pages, too."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()

        async def answer_or_say(request: Request) -> Response:
            try:
                return await answer(request)
            except UserError as error:
                return error_page(request, _status_of(error), str(error))
            except RequestValidationError:
                return error_page(request, 404, "There is no such page.")

        return answer_or_say


def error_page(request: Request, status: int, message: str) -> Response:
    """Why there is nothing to see, in a line."""
    view = View("error.html", _TITLES.get(status, "Not possible"), "", {"message": message})
    return reply(request, view.page(), status=status)


_TITLES = {404: "Not found", 503: "Not now"}


def _status_of(error: UserError) -> int:
    if isinstance(error, UnknownStudyError | UnknownNameError):
        return 404
    return 503 if isinstance(error, StorageAwayError) else 422


def _unless_known(version: str, view: View) -> str:
    return _version_alone(version) if version == view.version else view.figures()


def _version_alone(version: str) -> str:
    return json.dumps({"version": version})
