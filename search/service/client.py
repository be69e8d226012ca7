"""A client of `lensnas serve`, with the same nouns: studies, results, bundles.

    client = Client("http://127.0.0.1:8080", token)
    client.submit(Path("studies/quickstart_isp.yaml").read_bytes())
    for progress in client.watch("quickstart_isp"):
        print(progress.overview.trained)
    best = client.results("quickstart_isp").best

Nothing but the standard library is needed for it. Every error is a `UserError` of one line: the
server's own words, or that it cannot be reached.
"""

from __future__ import annotations

import http.client
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import IO, Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

from pydantic import TypeAdapter, ValidationError

from search.artifacts import write_bytes
from search.errors import UserError
from search.live.studies import StudyOverview
from search.study.results import StudyResults
from spaces.architecture import Architecture

from .exports import WINNER, Export
from .wire import (
    ArchitectureDocument,
    ParetoDocument,
    PredictArchitecture,
    Prediction,
    Progress,
    StudyDocument,
    TrialDocument,
    TrialsPage,
)

TOKEN_VARIABLE = "LENSNAS_TOKEN"
PAGE = 1000
TIMEOUT_S = 60
AWAY_S = 60
"""How long a watched server may be away, for example to be restarted."""
_PASSING = (502, 503, 504)
"""What a proxy answers while its server is restarted, or a server whose storage is away."""
T = TypeVar("T")


class RefusedError(UserError):
    """The server's answer is an error, with this HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class UnreachableError(UserError):
    """Nobody answers."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect is an error: the token is for the server that was named."""

    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirects)


class Client:
    """One server. `token`: by default that of the environment variable LENSNAS_TOKEN."""

    def __init__(self, url: str, token: str | None = None) -> None:
        if not _is_server(url):
            raise UserError(f"a server is http://HOST:PORT or https://HOST, not {url!r}")
        self.url = url.rstrip("/")
        self._token = (token or os.environ.get(TOKEN_VARIABLE, "")).strip()
        if not (self._token.isascii() and self._token.isprintable()):
            raise UserError(f"{TOKEN_VARIABLE} is no token of 'lensnas serve --new-token'")

    def studies(self) -> list[StudyOverview]:
        """All studies."""
        return self._parsed(list[StudyOverview], self._get("/studies"))

    def submit(self, study: bytes) -> StudyOverview:
        """Queue the study of a YAML file, given by its content."""
        sent = self._call("POST", "/studies", study, "application/yaml")
        return self._parsed(StudyOverview, sent)

    def show(self, study: str) -> StudyDocument:
        """All of a study but its trials."""
        return self._parsed(StudyDocument, self._get(_of(study)))

    def stop(self, study: str) -> StudyOverview:
        """Stop it as Ctrl-C does."""
        return self._parsed(StudyOverview, self._call("POST", _of(study, "stop")))

    def resume(self, study: str) -> StudyOverview:
        """Queue it again."""
        return self._parsed(StudyOverview, self._call("POST", _of(study, "resume")))

    def delete(self, study: str) -> None:
        """Delete it, and all that it left."""
        self._call("DELETE", _of(study))

    def trials(self, study: str) -> Iterator[TrialDocument]:
        """All trials, a page at a time."""
        offset = 0
        while True:
            asked = urlencode({"offset": offset, "limit": PAGE})
            answer = self._get(f"{_of(study, 'trials')}?{asked}")
            page = self._parsed(TrialsPage, answer)
            yield from page.trials
            offset += PAGE
            if offset >= page.total:
                return

    def pareto(self, study: str) -> ParetoDocument:
        """Trials that no other beats in both PSNR and run time."""
        return self._parsed(ParetoDocument, self._get(_of(study, "pareto")))

    def results(self, study: str) -> StudyResults:
        """The whole study, as `read_results` has it where it is stored."""
        return self.show(study).results(list(self.trials(study)))

    def log(self, study: str) -> str:
        """The last of what its run said."""
        return self._get(_of(study, "log")).decode()

    def watch(self, study: str) -> Iterator[Progress]:
        """Its progress until it has ended: finished, failed or stopped.

        A server that is restarted meanwhile is waited for, up to `AWAY_S`.
        """
        away_since: float | None = None
        while True:
            try:
                with self._open("GET", _of(study, "events")) as events:
                    away_since = None
                    for event in _data_of(events):
                        progress = self._parsed(Progress, event)
                        yield progress
                        if progress.overview.state not in ("queued", "running"):
                            return
            except (UserError, OSError, http.client.HTTPException) as error:
                if isinstance(error, UserError) and not _may_pass(error):
                    raise
                away_since = away_since or time.monotonic()
                if time.monotonic() - away_since > AWAY_S:
                    raise UnreachableError(str(error)) from None
            time.sleep(0.5)

    def predict_file(self, model: bytes, device: str) -> Prediction:
        """The run time of a .tflite file."""
        path = f"/predict?{urlencode({'device': device})}"
        answer = self._call("POST", path, model, "application/octet-stream")
        return self._parsed(Prediction, answer)

    def predict(
        self, architecture: Architecture, device: str, task: str | None = None
    ) -> Prediction:
        """The run time of an architecture."""
        asked = PredictArchitecture(
            architecture=ArchitectureDocument.of(architecture), task=task
        ).model_dump_json()
        path = f"/predict?{urlencode({'device': device})}"
        answer = self._call("POST", path, asked.encode(), "application/json")
        return self._parsed(Prediction, answer)

    def export(self, study: str, trial: int | None = None) -> bytes:
        """The bundle of a trial, by default of the winner, as a zip file."""
        path = _of(study, "exports", WINNER if trial is None else str(trial))
        export = self._parsed(Export, self._call("POST", path))
        while export.state == "running":
            time.sleep(0.5)
            export = self._parsed(Export, self._get(path))
        if export.state == "failed":
            raise UserError(export.message or "the export failed")
        return self._get(f"{path}/bundle.zip")

    def save_export(self, study: str, path: Path, trial: int | None = None) -> None:
        """`export` into a file, whole or not at all."""
        write_bytes(path, self.export(study, trial))

    def _parsed(self, kind: type[T], answer: bytes) -> T:
        named: Any = kind  # mypy takes no type variable for hashable.
        try:
            parsed: T = _adapter(named).validate_json(answer)
        except ValidationError:
            raise UserError(
                f"{self.url} answers otherwise than expected: is it 'lensnas serve' of this "
                "version?"
            ) from None
        return parsed

    def _get(self, path: str) -> bytes:
        return self._call("GET", path)

    def _call(
        self, method: str, path: str, body: bytes | None = None, kind: str | None = None
    ) -> bytes:
        try:
            with self._open(method, path, body, kind) as response:
                content: bytes = response.read()
                return content
        except (OSError, http.client.HTTPException) as error:
            raise UnreachableError(f"the connection to {self.url} broke: {error}") from None

    def _open(
        self, method: str, path: str, body: bytes | None = None, kind: str | None = None
    ) -> Any:
        headers = {"Accept": "application/json"}
        if kind is not None:
            headers["Content-Type"] = kind
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        request = urllib.request.Request(f"{self.url}/api/v1{path}", body, headers, method=method)
        try:
            return _OPENER.open(request, timeout=TIMEOUT_S)
        except urllib.error.HTTPError as error:
            with error:
                raise RefusedError(error.code, _reason(error)) from None
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise UnreachableError(f"no server answers at {self.url}: {reason}") from None


def _of(study: str, *parts: str) -> str:
    return "/".join(["/studies", *(quote(part, safe="") for part in (study, *parts))])


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.loads(error.read())["detail"])
    except (ValueError, KeyError, TypeError, OSError):
        return f"the server answers {error.code} {error.reason}"


def _data_of(events: IO[bytes]) -> Iterator[bytes]:
    """The data of each event; our server writes them in one line."""
    for line in events:
        if line.startswith(b"data: "):
            yield line.removeprefix(b"data: ")


def _may_pass(error: UserError) -> bool:
    """Whether it may be another answer in a moment."""
    if isinstance(error, RefusedError):
        return error.status in _PASSING
    return isinstance(error, UnreachableError)


def _is_server(url: str) -> bool:
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and parts.port != 0
    except ValueError:  # Of a port, or of brackets.
        return False
    return known and bool(parts.hostname) and not (parts.query or parts.fragment)


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
