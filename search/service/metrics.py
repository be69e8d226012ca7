"""What Prometheus reads: the studies as they are, and the requests."""

from __future__ import annotations

import time
from collections import Counter as Counts
from collections.abc import Iterator

from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from search.live.studies import LiveStudies, State

from . import openapi

STATES: tuple[State, ...] = ("running", "queued", "stopped", "finished", "failed")


class Metrics:
    """One server's own registry."""

    def __init__(self, studies: LiveStudies) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(_OfStudies(studies))
        self.requests = Histogram(
            "lensnas_request_seconds",
            "Time until the response began",
            ["method", "route", "status"],
            registry=self.registry,
        )

    def routes(self) -> APIRouter:
        """/metrics."""
        router = APIRouter(tags=["operation"])

        @router.get(
            "/metrics",
            operation_id="metrics",
            response_class=Response,
            responses={200: {"content": {"text/plain": {"schema": openapi.TEXT}}}},
        )
        def metrics() -> Response:
            """Metrics of the service and its studies, for Prometheus."""
            return Response(generate_latest(self.registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)

        return router


class Timed:
    """ASGI middleware: counts requests by the route that answered, and how long it took."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()

        def count(status: int) -> None:
            # Not the path: clients could invent names without end.
            route = getattr(scope.get("route"), "path", "none")
            labels = (_known_method(scope["method"]), route, str(status))
            self._metrics.requests.labels(*labels).observe(time.perf_counter() - begun)

        async def send_timed(message: Message) -> None:
            if message["type"] == "http.response.start":
                count(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, send_timed)
        except Exception:
            count(500)  # What is answered outside of all middleware.
            raise


class _OfStudies(Collector):
    def __init__(self, studies: LiveStudies) -> None:
        self._studies = studies

    def describe(self) -> list[Metric]:
        return []  # Or it would read all studies to know its names.

    def collect(self) -> Iterator[Metric]:
        found = self._studies.overview()
        states = GaugeMetricFamily("lensnas_studies", "Studies by state", labels=["state"])
        counts = Counts(study.state for study in found)
        for state in STATES:
            states.add_metric([state], counts[state])
        yield states
        labels = ["study", "status"]
        trials = GaugeMetricFamily("lensnas_trials", "Trials of a study by status", labels=labels)
        best = GaugeMetricFamily(
            "lensnas_best_log2_score", "log2 of the best score in brief training", labels=["study"]
        )
        for study in found:
            for status, count in study.counts.items():
                trials.add_metric([study.name, status], count)
            if study.best_log2_score is not None:
                best.add_metric([study.name], study.best_log2_score)
        yield trials
        yield best


def _known_method(method: str) -> str:
    return method if method in ("GET", "HEAD", "POST", "DELETE", "OPTIONS") else "other"
