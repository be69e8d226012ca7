"""One test for each rule that keeps strangers out."""

import json
import stat
from urllib.parse import parse_qs, urlsplit

import pytest

from search.config import StudyConfig
from search.errors import UserError
from search.service.app import create_app
from search.service.guards import COOKIE, RateLimit
from search.service.problems import BusyError
from search.service.settings import Settings
from search.service.tokens import new_token, token_file

STUDIES = "/api/v1/studies"


@pytest.fixture
def locked(serve):
    return serve(token=True)


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


# -- who may start it ------------------------------------------------------------


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "nas.example"])
def test_other_machines_are_let_in_by_a_token_alone(runs, host):
    with pytest.raises(UserError, match="--new-token"):
        create_app(Settings(runs=runs, host=host))
    new_token(runs)
    create_app(Settings(runs=runs, host=host))


def test_a_proxy_needs_a_token_too(runs):
    with pytest.raises(UserError, match="--proxy"):
        create_app(Settings(runs=runs, proxy=True))


@pytest.mark.parametrize("place", ["file", "folder"])
def test_a_token_that_everybody_could_replace_is_refused(runs, place):
    new_token(runs)
    (token_file(runs) if place == "file" else runs).chmod(0o777)
    with pytest.raises(UserError, match="everybody may write"):
        create_app(Settings(runs=runs))


def test_a_damaged_token_file_is_no_open_door(runs):
    token_file(runs).write_text("")
    with pytest.raises(UserError, match="damaged"):
        create_app(Settings(runs=runs))


def test_data_roots_hold_no_runs(runs, tmp_path):
    (runs / "other").mkdir()
    for root in (tmp_path, runs, runs / "other"):
        with pytest.raises(UserError, match="--data-root"):
            create_app(Settings(runs=runs, data_roots=(root,)))


def test_one_service_has_a_folder(serve):
    with serve(), pytest.raises(UserError, match="another 'lensnas serve'"), serve():
        pass


# -- who may come in -------------------------------------------------------------


def test_the_token_is_kept_as_a_hash_and_the_newest_counts(runs, serve, refused):
    old = new_token(runs)
    client = serve(token=True)
    assert client.token not in token_file(runs).read_text()
    assert stat.S_IMODE(token_file(runs).stat().st_mode) == 0o600
    assert client.get(STUDIES, headers=bearer(client.token)).status_code == 200
    for wrong in (old, "", client.token[:-1], client.token + "x", "é"):
        headers = {"Authorization": f"Bearer {wrong}".encode()}
        refused(client.get(STUDIES, headers=headers), 401, "token")


@pytest.mark.parametrize(
    "path", [STUDIES, "/metrics", "/api/v1/openapi.json", "/api/v1/devices", "/", "/logout"]
)
def test_nothing_but_health_is_open(locked, refused, path):
    refused(locked.get(path), 401, "token")
    assert locked.get("/health").status_code == 200


def test_a_browser_logs_in_with_a_cookie_that_pages_cannot_read(locked, refused):
    browser = {"Accept": "text/html"}
    led = locked.get("/studies/x", headers=browser, follow_redirects=False)
    assert led.headers["location"] == "/login?next=/studies/x"
    wrong = locked.post("/login", data={"token": "guess"})
    assert (wrong.status_code, "Set-Cookie" in wrong.headers) == (401, False)
    fields = {"token": locked.token, "next": "/api/v1/studies"}
    deep = locked.get("/studies/x?status=complete&page=2", headers=browser, follow_redirects=False)
    assert "page=2" in parse_qs(urlsplit(deep.headers["location"]).query)["next"][0]
    done = locked.post("/login", data=fields, follow_redirects=False)
    assert done.headers["location"] == "/api/v1/studies"
    cookie = done.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert locked.token not in cookie
    assert locked.get(STUDIES).status_code == 200
    session = locked.cookies[COOKIE]
    locked.post("/logout", follow_redirects=False)
    refused(locked.get(STUDIES, headers={"Cookie": f"{COOKIE}={session}"}), 401)


@pytest.mark.parametrize("away", ["//evil.example", "https://evil.example", "/\\evil.example"])
def test_a_login_leads_nowhere_else(locked, away):
    fields = {"token": locked.token, "next": away}
    done = locked.post("/login", data=fields, follow_redirects=False)
    assert done.headers["location"] == "/"
    form = locked.get("/login", params={"next": '/"><script>'})
    assert "<script>" not in form.text


def test_tokens_are_not_guessed_at_leisure(locked, refused):
    for _ in range(10):
        locked.post("/login", data={"token": "guess"})
    refused(locked.post("/login", data={"token": locked.token}), 429)


# -- pages elsewhere -------------------------------------------------------------


def test_a_name_that_was_made_to_lead_here_is_refused(serve, refused):
    client = serve(hosts=("nas.example",))
    for host in ("evil.example", "localhost.evil.example", "", "nas.example.", "[", "a@b:c"):
        refused(client.get(STUDIES, headers={"Host": host}), 421)
    for host in ("localhost:8080", "127.0.0.1", "[::1]:8080", "NAS.example:443"):
        assert client.get(STUDIES, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:9999"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_a_page_elsewhere_changes_nothing(client, submit, refused, headers):
    refused(client.post(f"{STUDIES}/x/stop", headers=headers), 403, "another origin")
    refused(client.delete(f"{STUDIES}/x", headers=headers), 403, "another origin")


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_what_a_form_can_send_is_no_study(client, study_yaml, refused, kind):
    done = client.post(STUDIES, content=study_yaml(), headers={"Content-Type": kind})
    refused(done, 415, "application/json")


def test_no_other_origin_is_told_that_it_may_read(client):
    headers = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    for response in (
        client.get(STUDIES, headers=headers),
        client.options(STUDIES, headers=headers),
    ):
        assert not [name for name in response.headers if name.startswith("access-control")]
    assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
    assert response.headers["x-content-type-options"] == "nosniff"


# -- how much --------------------------------------------------------------------


def test_a_body_is_counted_while_it_comes(client, refused):
    taken = []

    def endless():
        for _ in range(1000):
            taken.append(1)
            yield b"x" * 10_000

    kind = {"Content-Type": "application/yaml"}
    refused(client.post(STUDIES, content=endless(), headers=kind), 413)
    announced = kind | {"Content-Length": "100000000"}
    refused(client.post(STUDIES, content=b"a: 1", headers=announced), 413)
    model = {"Content-Type": "application/octet-stream", "Content-Length": "64000001"}
    refused(client.post("/api/v1/predict", content=b"", headers=model), 413)


def test_what_was_sent_is_quoted_within_limits(client, submit, refused):
    answer = submit(client, task="x" * 90_000)
    refused(answer, 422, "no task called")
    assert len(answer.text) < 2000


def test_predictions_are_limited_a_client(client, refused):
    kind = {"Content-Type": "application/octet-stream"}
    answers = [client.post("/api/v1/predict", content=b"x", headers=kind) for _ in range(60)]
    refused(answers[0], 422, "not a TensorFlow Lite file")
    refused(answers[-1], 429)
    assert answers[-1].headers["retry-after"]


def test_a_limit_is_of_each_client_and_fills_again():
    limit = RateLimit(burst=2, per_s=1e9)
    for _ in range(5):
        limit.take("a")
    slow = RateLimit(burst=1, per_s=0.0)
    slow.take("a")
    slow.take("b")
    with pytest.raises(BusyError):
        slow.take("a")


# -- what a study may name -------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"a: &a [x]\nb: *a", "anchors"),
        (b"&a {a: 1}", "anchors"),
        (b"[" * 10_000, "in one another"),
        (b"a: " + b"[" * 50 + b"]" * 50, "in one another"),
        (b"a: [" + b"1," * 30_000 + b"]", "values"),
        (b"!!python/object/apply:os.system [id]", "YAML"),
        (b"a: !!binary aGk=", "bytes"),
        (b"a: 2020-01-01", "date"),
        (b"a: !!bool x", "YAML"),
        (b"a: " + b"9" * 5000, ""),
        (b"1: 2", "name of a setting"),
        (b"- 1", "mapping"),
        (b"\xff\xfe\x00", ""),
        (b"{a: 1, {b: 1}: 2}", ""),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_yaml_bomb_is_refused(client, submit, refused, content, part):
    refused(submit(client, content=content), 422, part)


@pytest.mark.parametrize("content", [b"[" * 90_000, b'{"a": NaN', b"", b'"x"', b'{"a": 1e999}'])
def test_json_that_is_no_study_is_refused(client, refused, content):
    kind = {"Content-Type": "application/json"}
    refused(client.post(STUDIES, content=content, headers=kind), 422)


@pytest.mark.parametrize(
    "changes",
    [
        {"data": {"dataset": "zurich", "root": "/etc"}},
        {"data": {"dataset": "zurich", "root": "DATA/../../etc"}},
        {"data": {"dataset": "zurich", "root": "DATA/link"}},
        {"data": {"dataset": "zurich", "root": "RUNS/other"}},
        {"data": {"root": "/tmp/elsewhere"}},
        {"data": {"root": ["/etc"]}},
        {"data": {"root": "nul\0"}},
        {"device": "/etc/passwd.toml"},
        {"device": "../../x.toml"},
        {"evaluation": {"lpips": "/etc/passwd"}},
        {"training": {"teacher": {"system": "casia_teacher", "weights": "/etc/passwd"}}},
        {"training": {"loss": "vgg", "perceptual_weights": {"vgg": "/etc/passwd"}}},
        {"output": "/tmp"},
    ],
    ids=str,
)
def test_a_study_names_no_files_but_those_it_may_read(
    serve, submit, refused, runs, tmp_path, changes
):
    data = tmp_path / "data"
    data.mkdir()
    (data / "link").symlink_to("/etc")
    (runs / "other").mkdir()
    placed = json.loads(json.dumps(changes).replace("DATA", str(data)).replace("RUNS", str(runs)))
    answer = submit(serve(data_roots=(data,)), **placed)
    refused(answer, 422)
    # Neither whether the file is there, nor what is in it.
    assert "--data-root" in answer.json()["detail"] or "output" in answer.json()["detail"]
    assert list(runs.glob("tiny")) == []


def settings_that_name_files(schema, defs, place=""):
    """Every setting of a model's schema whose value is a path, by its place."""
    for name, part in schema.get("properties", {}).items():
        kinds = [part, *part.get("anyOf", [])]
        if any(kind.get("format") == "path" for kind in kinds):
            yield f"{place}{name}"
        for kind in kinds:
            inner = defs.get(kind.get("$ref", "").rpartition("/")[2], {})
            yield from settings_that_name_files(inner, defs, f"{place}{name}.")


def test_every_setting_that_names_a_file_is_known_to_the_intake():
    schema = StudyConfig.model_json_schema()
    found = set(settings_that_name_files(schema, schema["$defs"]))
    assert found == {"data.root", "evaluation.lpips", "output"}  # Others: add them to `_files`.


def test_nothing_is_made_in_a_data_root(serve, submit, refused, tmp_path):
    (tmp_path / "data").mkdir()
    client = serve(data_roots=(tmp_path / "data",))
    refused(submit(client, data={"root": str(tmp_path / "data")}), 422, "sample data are made")
    assert submit(client, data={"root": str(tmp_path / "runs" / "data" / "x")}).status_code == 201


def test_a_study_may_read_its_data_root(serve, submit, tmp_path):
    (tmp_path / "data").mkdir()
    client = serve(data_roots=(tmp_path / "data",))
    root = {"dataset": "zurich", "root": str(tmp_path / "data" / "zurich")}
    assert submit(client, data=root).status_code == 201


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"storage": "postgresql://user@10.0.0.1/x"}, "--allow-storage"),
        ({"storage": "sqlite:////etc/x.db"}, "--allow-storage"),
        ({"runner": {"kind": "ray", "address": "10.0.0.1:6379"}}, "--allow-ray"),
        ({"workers": 200}, "--most-workers"),
        ({"storage_wait_s": float("inf")}, "inf"),
        ({"objective": {"max_runtime_ms": "inf"}}, "inf"),
        ({"name": "data"}, "sample data"),
        ({"name": "../x"}, "name"),
        ({"name": ".x"}, "name"),
    ],
    ids=str,
)
def test_a_study_has_no_means_that_were_not_given(client, submit, refused, changes, part):
    name = changes.pop("name", "tiny")
    refused(submit(client, name=name, **changes), 422, part)


def test_a_database_from_afar_is_postgresql_without_options(serve, submit, refused):
    client = serve(storages=True)
    for url in ("sqlite:////tmp/x.db", "postgresql://u@h/d?passfile=/etc/passwd"):
        refused(submit(client, storage=url), 422, "storage")
    assert submit(client, storage="postgresql://user:secret@127.0.0.1:1/x").status_code == 201
    assert "secret" not in client.get(f"{STUDIES}/tiny").text


@pytest.mark.parametrize(
    "name", ["..", "%2e%2e", "..%2fx", ".service-token", "x%0a", "%00", "a" * 99]
)
@pytest.mark.parametrize("rest", ["", "/log", "/exports/winner/bundle.zip", "/trials"])
def test_no_path_leads_out_of_the_runs(client, name, rest):
    response = client.get(f"{STUDIES}/{name}{rest}")
    assert response.status_code in (307, 404)
    assert client.delete(f"{STUDIES}/{name}").status_code in (307, 404, 405)


@pytest.mark.parametrize("trial", ["..", "%2e%2e%2f%2e%2e", "-1", "1e3", "winner%0a"])
def test_no_trial_leads_out_of_its_study(client, submit, trial):
    submit(client)
    assert client.post(f"{STUDIES}/tiny/exports/{trial}").status_code in (404, 405)


def test_predict_reads_no_files(client, refused):
    kind = {"Content-Type": "application/octet-stream"}
    path = "/api/v1/predict?device=/etc/passwd.toml"
    refused(client.post(path, content=b"x", headers=kind), 422, "unknown device")
