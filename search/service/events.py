"""Server-sent events: a study as it goes on, without asking again and again."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import anyio
from anyio import to_thread
from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from search.errors import UserError
from search.live.studies import Live, LiveStudies, StudyOverview
from search.study.results import TrialRecord

from . import openapi
from .api import Name
from .problems import BusyError, documented
from .service import API, Service
from .wire import Progress, TrialDocument

LOOK_EVERY_S = 0.5
ALIVE_EVERY_S = 15
"""So that proxies keep a quiet connection, and one that is broken is noticed."""
MOST_WATCHERS = 100
MEDIA_TYPE = "text/event-stream"


def events_api(service: Service) -> APIRouter:
    """Watch one study."""
    router = APIRouter(prefix=API, tags=["studies"])
    watchers = anyio.CapacityLimiter(MOST_WATCHERS)

    @router.get(
        "/studies/{name}/events",
        operation_id="watch_study",
        response_class=StreamingResponse,
        responses=documented(404, 422, 429, 503)
        | {200: {"content": {MEDIA_TYPE: {"schema": openapi.TEXT}}}},
    )
    async def watch(name: Name) -> StreamingResponse:
        """Events `progress`, whose data are a Progress document: one at once, then one whenever
        anything changed. A study that is deleted ends the stream."""
        await to_thread.run_sync(service.studies.results, name)  # Or 404, before the stream.
        if watchers.available_tokens <= 0:
            raise BusyError(f"{MOST_WATCHERS} watch already")
        return StreamingResponse(
            _watched(service, name, watchers),
            media_type=MEDIA_TYPE,
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    return router


async def _watched(
    service: Service, name: str, watchers: anyio.CapacityLimiter
) -> AsyncIterator[str]:
    known: tuple[TrialRecord, ...] | None = None
    said: StudyOverview | None = None
    said_at = time.monotonic()
    async with watchers:
        while True:
            try:
                overview, live = await to_thread.run_sync(_look, service.studies, name)
            except UserError:
                return  # Deleted, or its storage is away: whoever asks again is told.
            trials = live.results.trials
            if overview != said or trials is not known:
                event = Progress(
                    overview=overview, version=live.version, trials=_changed(known, trials)
                )
                yield f"event: progress\nid: {live.version}\ndata: {event.model_dump_json()}\n\n"
                said, known, said_at = overview, trials, time.monotonic()
            elif time.monotonic() - said_at > ALIVE_EVERY_S:
                yield ": still here\n\n"
                said_at = time.monotonic()
            await anyio.sleep(LOOK_EVERY_S)


def _look(studies: LiveStudies, name: str) -> tuple[StudyOverview, Live]:
    return studies.summary(name), studies.results(name)


def _changed(
    before: tuple[TrialRecord, ...] | None, now: tuple[TrialRecord, ...]
) -> list[TrialDocument]:
    """Trials that are new or other than before; none at first, for that may be thousands."""
    if before is None:
        return []
    return [
        TrialDocument.of(trial)
        for number, trial in enumerate(now)
        if number >= len(before) or trial is not before[number]
    ]
