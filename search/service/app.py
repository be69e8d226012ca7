"""`create_app`: the API, the dashboard and what guards them, as one ASGI application."""

from __future__ import annotations

import importlib.metadata
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI
from pydantic import BaseModel

from search.dashboard import pages
from search.study.ownership import service_lock

from . import openapi
from .api import exports_api, studies_api
from .events import events_api
from .guards import Guard, HeadAsGet
from .login import login_pages
from .metrics import Metrics, Timed
from .predict import predict_api
from .problems import documented, handle_errors
from .service import API, Service
from .settings import Settings, check_settings
from .tokens import Gate


class Health(BaseModel):
    """The service answers."""

    status: str = "ok"
    version: str


def create_app(settings: Settings) -> FastAPI:
    """The service over `settings.runs`; studies are run while its lifespan lasts.

    Raises UserError for settings that are not safe together.
    """
    check_settings(settings)
    service = Service.of(settings)
    gate = Gate(settings.runs) if settings.with_token else None
    metrics = Metrics(service.studies)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with service_lock(settings.runs), service.at_work():
            yield

    app = FastAPI(
        title="LensNAS",
        version=importlib.metadata.version("lensnas"),
        summary="Neural architecture search with a latency oracle: studies over HTTP.",
        lifespan=lifespan,
        openapi_url=f"{API}/openapi.json",
        docs_url=None,  # Their scripts come from elsewhere.
        redoc_url=None,
        responses=documented(401, 403, 421),
    )
    describe = app.openapi
    app.openapi = lambda: openapi.completed(describe())  # type: ignore[method-assign]
    app.state.service = service
    handle_errors(app)
    for part in (studies_api, exports_api, events_api, predict_api):
        app.include_router(part(service))
    app.include_router(_health())
    app.include_router(metrics.routes())
    if gate is not None:
        app.include_router(login_pages(service, gate))
    _mount_dashboard(app, service)
    app.add_middleware(HeadAsGet)
    app.add_middleware(Guard, settings=settings, gate=gate)
    app.add_middleware(Timed, metrics=metrics)
    return app


def _health() -> APIRouter:
    router = APIRouter(tags=["operation"])

    @router.get("/health", operation_id="health")
    async def health() -> Health:  # Not in a thread: those may all be reading studies.
        """Whether the service answers; needs no token."""
        return Health(version=importlib.metadata.version("lensnas"))

    return router


def _mount_dashboard(app: FastAPI, service: Service) -> None:
    """The pages at "/"."""
    app.include_router(pages(service.studies, api=API))
