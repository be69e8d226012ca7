"""The routes under /api/v1 for studies, their trials and their bundles."""

# Annotations are evaluated here: FastAPI reads them, and some name functions inside functions.

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, PlainTextResponse

from search.artifacts import log_tail
from search.config import StudyConfig
from search.live.studies import StudyOverview, UnknownStudyError
from search.live.submission import LOG
from search.study.results import Status

from . import openapi
from .bodies import JSON, MOST_DOCUMENT_BYTES, YAML, media_type, read_body
from .exports import Export
from .intake import read_study
from .problems import documented
from .service import API, Service
from .wire import ParetoDocument, StudyDocument, TrialDocument, TrialsPage

LOG_BYTES = 64_000
Name = Annotated[str, Path(description="the study's name")]
Choice = Annotated[str, Path(description="the number of a trial, or 'winner'")]


def studies_api(service: Service) -> APIRouter:
    """Submit, list, show, stop, resume and delete studies; read their trials."""
    router = APIRouter(prefix=f"{API}/studies", tags=["studies"])
    studies, supervisor = service.studies, service.supervisor

    async def submitted(request: Request) -> StudyConfig:
        kind = media_type(request, JSON, YAML)
        content = await read_body(request, MOST_DOCUMENT_BYTES)
        # It may take a moment, in which others are answered.
        return await run_in_threadpool(read_study, content, kind, service.settings)

    @router.get("", operation_id="list_studies")
    def overview() -> list[StudyOverview]:
        """All studies, in the order of the alphabet."""
        return studies.overview()

    @router.post(
        "",
        operation_id="submit_study",
        status_code=201,
        responses=documented(409, 413, 415, 422, 503),
        openapi_extra=openapi.body({JSON: openapi.of(StudyConfig), YAML: openapi.TEXT}),
    )
    def submit(
        config: Annotated[StudyConfig, Depends(submitted)], response: Response
    ) -> StudyOverview:
        """Queue a study, by the content of its file. One that was run before goes on."""
        supervisor.submit(config)
        response.headers["Location"] = f"{API}/studies/{config.name}"
        return studies.summary(config.name)

    @router.get("/{name}", operation_id="show_study", responses=documented(404, 422, 503))
    def show(name: Name) -> StudyDocument:
        """Everything of a study but its trials."""
        live = studies.results(name)
        return StudyDocument.of(live.results, live.version, studies.summary(name))

    @router.delete(
        "/{name}",
        operation_id="delete_study",
        status_code=204,
        responses=documented(404, 409, 422, 503),
    )
    def delete(name: Name) -> None:
        """Delete a study that does not run, and all that it left, for ever."""
        service.exports.require_rest(name)
        supervisor.delete(name)

    @router.post(
        "/{name}/stop", operation_id="stop_study", responses=documented(404, 409, 422, 503)
    )
    def stop(name: Name) -> StudyOverview:
        """Stop a study as Ctrl-C does; it may still be ending when this returns."""
        supervisor.stop(name)
        return studies.summary(name)

    @router.post(
        "/{name}/resume", operation_id="resume_study", responses=documented(404, 409, 422, 503)
    )
    def resume(name: Name) -> StudyOverview:
        """Queue a study again, to go on where it stopped."""
        supervisor.resume(name)
        return studies.summary(name)

    @router.get("/{name}/trials", operation_id="list_trials", responses=documented(404, 422, 503))
    def trials(
        name: Name,
        offset: Annotated[int, Query(ge=0, le=2**53)] = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        status: Annotated[Status | None, Query(description="only trials of this status")] = None,
    ) -> TrialsPage:
        """Trials in the order of their numbers, a page at a time."""
        live = studies.results(name)
        wanted = live.results.trials
        if status is not None:
            wanted = tuple(trial for trial in wanted if trial.status == status)
        page = [TrialDocument.of(trial) for trial in wanted[offset : offset + limit]]
        return TrialsPage(version=live.version, total=len(wanted), offset=offset, trials=page)

    @router.get(
        "/{name}/trials/{number}", operation_id="show_trial", responses=documented(404, 422, 503)
    )
    def trial(name: Name, number: Annotated[int, Path(ge=0, le=2**53)]) -> TrialDocument:
        """One trial."""
        found = studies.results(name).results.trials
        if number >= len(found):
            raise UnknownStudyError(f"study {name!r} has no trial {number}")
        return TrialDocument.of(found[number])

    @router.get(
        "/{name}/pareto",
        operation_id="show_pareto_set",
        response_model=ParetoDocument,
        responses=documented(404, 422, 503),
    )
    def pareto(name: Name) -> Response:
        """The trials that no other beats in both PSNR and run time."""
        live = studies.results(name)

        def make() -> bytes:
            front = [TrialDocument.of(trial) for trial in live.results.pareto_front()]
            return ParetoDocument(version=live.version, trials=front).model_dump_json().encode()

        return Response(service.kept.answer("pareto", name, live, make), media_type=JSON)

    @router.get(
        "/{name}/log",
        operation_id="show_log",
        response_class=PlainTextResponse,
        responses=documented(404, 422, 503),
    )
    def log(name: Name) -> str:
        """The last of what the study's run said, where the service runs it."""
        studies.results(name)
        return log_tail(studies.directory(name) / LOG, LOG_BYTES)

    return router


def exports_api(service: Service) -> APIRouter:
    """Make bundles, and download them."""
    router = APIRouter(prefix=API + "/studies/{name}/exports", tags=["exports"])
    exports = service.exports

    @router.post(
        "/{trial}",
        operation_id="begin_export",
        status_code=202,
        responses=documented(404, 422, 429, 503),
    )
    def begin(name: Name, trial: Choice) -> Export:
        """Make the bundle of a trial: verified .tflite files with a model card."""
        return exports.begin(name, trial)

    @router.get("/{trial}", operation_id="show_export", responses=documented(404, 422, 503))
    def show(name: Name, trial: Choice) -> Export:
        """How far it is."""
        return exports.state(name, trial)

    @router.get(
        "/{trial}/bundle.zip",
        operation_id="download_bundle",
        response_class=FileResponse,
        responses=documented(404, 422, 503)
        | {200: {"content": {"application/zip": {"schema": openapi.BYTES}}}},
    )
    def download(name: Name, trial: Choice) -> FileResponse:
        """The bundle, once its export is done."""
        path = exports.archive(name, trial)
        return FileResponse(path, media_type="application/zip", filename=f"{name}-{trial}.zip")

    return router
