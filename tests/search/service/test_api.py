"""The routes, asked as their OpenAPI document says and as it does not."""

import errno
import io
import json
import zipfile

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import positive_data_acceptance
from tiny_study import TINY

from search.live.submission import LOG
from search.service.api import LOG_BYTES
from search.service.exports import _zipped
from search.service.wire import ParetoDocument, TrialsPage
from search.study.results import read_results
from spaces import SPACES
from spaces.zoo import ZOO

STUDIES = "/api/v1/studies"
BODIES = settings(max_examples=6, suppress_health_check=[HealthCheck.filter_too_much])


NOT_PROMISED = [positive_data_acceptance]
"""A schema cannot say all that makes a study, or a .tflite file."""
LEFT_OUT = ("watch_study", "begin_export")
"""A stream has no end; bundles and their processes are looked at in test_end_to_end."""


def test_every_answer_is_as_documented(serve, written):
    written(trials=3)
    host = {"Host": "localhost"}
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", serve().app, headers=host)
    seen = set()
    for result in schema.get_all_operations():
        operation = result.ok()
        name = operation.definition.raw["operationId"]
        if name in LEFT_OUT:
            continue
        seen.add(name)

        @BODIES
        @given(case=operation.as_strategy(), there=st.booleans())
        def is_as_documented(case, there):
            if there and case.method == "GET" and "name" in case.path_parameters:
                case.path_parameters["name"] = "tiny"
            case.call_and_validate(headers=host, excluded_checks=NOT_PROMISED)

        is_as_documented()
    assert {"submit_study", "predict", "list_trials", "show_pareto_set", "metrics"} <= seen


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=5,
)
SETTINGS = {
    **TINY, "name": "x", "objective": {"kind": "score"}, "limits": {}, "runner": "local",
    "probing": {"candidates": 3}, "pruning": {"rungs": [2]}, "reuse": {"kind": "parents"},
    "evaluation": {}, "baselines": ["mialgo_track1"], "workers": 1, "seed": 0, "device": "",
    "storage": None, "storage_wait_s": 1,
}  # fmt: skip


@st.composite
def study_documents(draw):
    """Studies of which one or two settings, of any depth, are something else."""
    document = json.loads(json.dumps(SETTINGS))
    for _ in range(draw(st.integers(1, 2))):
        place = document
        while True:
            key = draw(st.sampled_from([*place, "unheard_of"]))
            if isinstance(place.get(key), dict) and place[key] and draw(st.booleans()):
                place = place[key]
                continue
            place[key] = draw(VALUES)
            break
    return document


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=study_documents())
def test_no_study_document_is_an_error_of_the_service(client, document):
    body = json.dumps(document).encode()
    response = client.post(STUDIES, content=body, headers={"Content-Type": "application/json"})
    assert response.status_code in (201, 409, 422), response.text
    assert "Traceback" not in response.text
    if response.status_code != 201:
        assert "\n" not in response.json()["detail"]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_no_bytes_are_an_error_of_the_service(client, submit, content):
    assert submit(client, content=content).status_code == 422


def test_trials_are_paged_and_whole(client, written):
    study = written(trials=5)
    study.begin()
    stored = read_results(study.study, study.config).trials
    pages = [
        TrialsPage.model_validate_json(
            client.get(f"{STUDIES}/tiny/trials", params={"offset": offset, "limit": 2}).text
        )
        for offset in range(0, len(stored) + 2, 2)
    ]
    assert {page.total for page in pages} == {len(stored)}
    assert pages[-1].trials == []
    assert tuple(t.record() for page in pages for t in page.trials) == stored
    complete = client.get(f"{STUDIES}/tiny/trials", params={"status": "complete"}).json()
    assert (complete["total"], len(complete["trials"])) == (5, 5)
    number = complete["trials"][-1]["number"]
    assert client.get(f"{STUDIES}/tiny/trials/{number}").json() == complete["trials"][-1]


def test_the_pareto_set_follows_its_study(client, written, monkeypatch):
    monkeypatch.setattr("search.live.reader.READ_EVERY_S", 0.0)
    study = written()
    versions = []
    for count in range(3):
        answer = ParetoDocument.model_validate_json(client.get(f"{STUDIES}/tiny/pareto").text)
        again = ParetoDocument.model_validate_json(client.get(f"{STUDIES}/tiny/pareto").text)
        front = read_results(study.study, study.config).pareto_front()
        assert tuple(t.record() for t in answer.trials) == front
        assert again == answer
        assert bool(front) == bool(count)
        versions.append(answer.version)
        study.trials(1)
    assert versions == sorted(set(versions))


def test_only_the_last_of_a_log_is_sent(client, written, runs):
    written()
    assert client.get(f"{STUDIES}/tiny/log").text == ""
    (runs / "tiny" / LOG).write_text("x" * LOG_BYTES + "the end")
    sent = client.get(f"{STUDIES}/tiny/log").text
    assert len(sent) == LOG_BYTES
    assert sent.endswith("the end")


def predicted(client, architecture, **more):
    body = {"architecture": architecture, **more}
    return client.post("/api/v1/predict", json=body)


def test_architectures_are_predicted_for_their_task(client, refused):
    zoo = predicted(client, {"space": "zoo", "choices": {"system": "mialgo_track1"}}).json()
    assert zoo["low_ms"] < zoo["predicted_ms"] < zoo["high_ms"]
    assert sum(kernel["ms"] for kernel in zoo["kernels"]) <= zoo["predicted_ms"]
    drawn = ZOO["mialgo_track1"].architecture
    ours = predicted(client, {"space": drawn.space, "choices": drawn.choices}).json()
    assert ours == zoo
    for wrong, part in (
        ({"space": "zoo", "choices": {"system": "nobody"}}, "nobody"),
        ({"space": "zoo", "choices": {}}, "system"),
        ({"space": "moon", "choices": {}}, "moon"),
        ({"space": next(iter(SPACES)), "choices": {"levels": 99}}, "missing"),
        ({"space": 1}, "space"),
    ):
        refused(predicted(client, wrong), 422, part)
    bokeh = predicted(client, {"space": drawn.space, "choices": drawn.choices}, task="bokeh")
    refused(bokeh, 422, "bokeh")


def test_metrics_count_studies_and_requests_by_route(client, written):
    written(trials=2)
    client.get(f"{STUDIES}/tiny")
    client.get(f"{STUDIES}/nobody")
    text = client.get("/metrics").text
    assert 'lensnas_studies{state="stopped"} 1.0' in text
    assert 'lensnas_trials{status="complete",study="tiny"} 2.0' in text
    counted = 'lensnas_request_seconds_count{method="GET",route="/api/v1/studies/{name}",status='
    assert f'{counted}"200"}} 1.0' in text
    assert f'{counted}"404"}} 1.0' in text
    assert "nobody" not in text


def test_errors_of_the_service_itself_are_counted(client, monkeypatch):
    monkeypatch.setattr("search.service.predict.device_names", lambda: 1 / 0)
    assert client.get("/api/v1/devices").status_code == 500
    counted = 'count{method="GET",route="/api/v1/devices",status="500"} 1.0'
    assert counted in client.get("/metrics").text


def test_a_full_disk_is_named(client, submit, monkeypatch, refused):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("search.service.supervisor.write_bytes", full)
    refused(submit(client), 507, "no space is left")


@pytest.mark.parametrize("path", ["/health", "/", STUDIES, f"{STUDIES}/tiny/events", "/metrics"])
def test_head_is_get_without_a_body(client, written, path):
    written()
    head = client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["cache-control"] in ("no-store", "no-cache")
    assert client.head(f"{STUDIES}/nobody").status_code == 404


def test_a_bundle_is_there_when_it_is_made(client, written, refused):
    written(trials=1)
    refused(client.get(f"{STUDIES}/tiny/exports/0"), 404, "asked for")
    refused(client.post(f"{STUDIES}/tiny/exports/7"), 422, "trial 7")
    refused(client.get(f"{STUDIES}/nobody/exports/winner"), 404, "nobody")


def test_a_bundle_has_nothing_that_was_not_exported(tmp_path):
    for name in ("model_card.md", "bundle.zip", ".bundle.zip.half"):
        (tmp_path / name).write_text("x")
    for folder in ("pictures", ".winner.half"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.jpg").write_text("x")
    archive = zipfile.ZipFile(io.BytesIO(_zipped(tmp_path, "tiny-winner")))
    assert archive.namelist() == ["tiny-winner/model_card.md", "tiny-winner/pictures/a.jpg"]
