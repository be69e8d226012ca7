import gzip
import json
import re
import shutil
from importlib import import_module

import optuna
import pytest
from fastapi.testclient import TestClient
from optuna.trial import TrialState

from search.attributes import RESULT
from search.dashboard.app import dashboard
from search.dashboard.assets import assets
from search.dashboard.study import pareto_view, seen_study
from search.live.studies import LiveStudies
from search.report.page import write_report
from search.study.results import read_results
from search.study.storage import create_or_resume, load_study, url_of

PAGES = {
    "/": "/live",
    "/studies/tiny": "/live/tiny?view=pareto",
    "/studies/tiny/search": "/live/tiny?view=search",
    "/oracle": "/figures/oracle?device=snapdragon-8-gen-1",
    "/oracle?device=kirin-9000": "/figures/oracle?device=kirin-9000",
    "/zoo?task=bokeh": "/figures/zoo?task=bokeh",
}


@pytest.fixture
def results(finished_runs):
    study, config = load_study(url_of(finished_runs / "tiny"), "tiny")
    return read_results(study, config.model_copy(update={"output": finished_runs}))


@pytest.fixture
def best(results):
    return results.best.number


@pytest.mark.parametrize(("path", "figures"), PAGES.items())
def test_every_page_says_where_its_figures_are(client, path, figures):
    page = client.get(path)
    assert page.status_code == 200
    assert f'data-figures="{figures}"' in page.text.replace("&amp;", "&")
    drawn = client.get(figures).json()
    assert set(drawn["figures"]) == set(re.findall(r'data-figure="(\w+)"', page.text))
    assert f'data-version="{drawn["version"]}"' in page.text


def test_a_trial_has_its_numbers_its_network_its_pictures_and_its_files(client, results, best):
    page = client.get(f"/studies/tiny/trials/{best}").text
    trial = results.trials[best]
    assert f"{trial.psnr_db:.2f} dB after 6 steps" in page
    assert f"lensnas export tiny --trial {best}" in page
    assert 'class="diagram"' in page
    links = set(re.findall(r'(?:href|src)="(/studies/tiny/trials/[^"]+)"', page))
    pictures = [link for link in links if "/pictures/" in link]
    files = [link for link in links if "/files/" in link]
    assert {link.rsplit("/", 1)[1].split("?")[0] for link in pictures} == {
        "input.png", "output.png", "target.png", "error.png",
    }  # fmt: skip
    for link in pictures:
        png = client.get(link)
        assert png.content.startswith(b"\x89PNG")
        assert "immutable" in png.headers["cache-control"]
    assert {link.rsplit("/", 1)[1] for link in files} == {"weights.npz", "preview.npz", "log.txt"}
    for link in files:
        saved = client.get(link)
        assert saved.status_code == 200
        assert saved.headers["content-disposition"].startswith("attachment")


def test_an_infeasible_trial_is_shown_as_what_it_is(client, results):
    refused = next(t for t in results.trials if t.status == "infeasible")
    page = client.get(f"/studies/tiny/trials/{refused.number}").text
    assert refused.reason in page
    assert "lensnas export" not in page
    assert "/pictures/" not in page
    figure = client.get("/live/tiny?view=pareto").json()["figures"]["pareto"]
    numbers = {t["name"]: t.get("customdata", []) for t in figure["data"] if t.get("name")}
    below = next(t for t in figure["data"] if set(t.get("y") or []) == {"infeasible"})
    assert refused.number in below["customdata"]
    assert all(refused.number not in numbers[name] for name in numbers)


def test_comparison_has_all_its_trials(client, results):
    refused = next(t for t in results.trials if t.status == "infeasible")
    # The first trial among them, whatever became of it.
    chosen = list(dict.fromkeys((*(t.number for t in results.complete[:2]), refused.number, 0)))
    numbers = ",".join(map(str, chosen))
    page = client.get(f"/studies/tiny/compare?trials={numbers}").text
    for number in chosen:
        assert f"/studies/tiny/trials/{number}" in page
    drawn = client.get(f"/live/tiny?view=compare&trials={numbers}").json()["figures"]
    assert drawn["by_op"]["data"][0]["y"] == [f"trial {n}" for n in chosen]


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/studies/nobody", 404, "no study &#39;nobody&#39;"),
        ("/studies/..%2fetc", 404, "no such page"),
        ("/studies/tiny/trials/999", 404, "no trial 999"),
        ("/studies/tiny/trials/one", 404, "no such page"),
        ("/studies/tiny/trials/0/pictures/99/output.png", 404, "no picture 99"),
        ("/studies/tiny/trials/0/pictures/0/secret.png", 404, "no such page"),
        ("/studies/tiny/trials/0/files/study.db", 404, "no file"),
        ("/studies/tiny/trials/0/files/..%2f..%2fstudy.db", 404, "no such page"),
        ("/studies/tiny/compare?trials=1", 422, "compare 2 to 5 trials, not 1"),
        ("/studies/tiny?sort=luck", 422, "unknown order"),
        ("/oracle?device=abacus", 404, "unknown device"),
        ("/zoo?task=chess", 404, "unknown task"),
        ("/assets/0000/page.js", 404, "load the page again"),
        ("/nothing", 404, "no such page"),
    ],
)
def test_what_is_not_there_is_said_on_a_page(client, path, status, words):
    answer = client.get(path)
    assert answer.status_code == status
    assert words in answer.text
    assert "To the list of studies" in answer.text


def test_pages_can_only_be_read(client):
    for path in ("/", "/studies/tiny", "/live/tiny"):
        assert client.post(path).status_code == 405


def test_another_name_that_leads_here_is_refused(client):
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 400


def test_no_page_may_run_a_script_of_its_own_or_ask_elsewhere(client, best):
    for path in (*PAGES, f"/studies/tiny/trials/{best}", "/nothing"):
        page = client.get(path)
        policy = page.headers["content-security-policy"]
        assert "script-src 'self'" in policy
        assert "unsafe-eval" not in policy
        assert page.headers["x-content-type-options"] == "nosniff"
        assert not re.findall(r"<script(?![^>]* src=)", page.text)
        assert not re.findall(r"\son\w+=", page.text)
        assert not re.findall(r"(?:src|href)=\"(?:https?:)?//", page.text)


def test_what_a_browser_has_is_not_sent_again(client):
    for path in ("/studies/tiny", "/live/tiny?view=pareto", "/zoo"):
        first = client.get(path)
        again = client.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    version = client.get("/live/tiny").json()["version"]
    assert client.get("/live/tiny", params={"version": version}).json() == {"version": version}


def test_figures_are_drawn_once_for_all_who_look(client, monkeypatch):
    drawn = []

    def counted(*asked):
        drawn.append(asked)
        return pareto_view(*asked)

    # The package's `pages` is the function of that name.
    monkeypatch.setattr(import_module("search.dashboard.pages"), "pareto_view", counted)
    for state in ("", "&selected=0,1", "&sort=newest"):
        assert client.get(f"/live/tiny?view=pareto{state}").json()["figures"]
    assert len(drawn) == 1
    assert client.get("/live/tiny?view=pareto&max_ms=1").json()["figures"]
    assert len(drawn) == 2


def test_pages_are_compressed_where_that_is_understood(client):
    plain = client.get("/studies/tiny", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    packed = client.get("/studies/tiny", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.text == plain.text


def test_assets_are_under_their_hash_for_ever(client):
    page = client.get("/studies/tiny").text
    links = re.findall(r'(?:src|href)="(/assets/[^"]+)"', page)
    assert {link.rsplit("/", 1)[1] for link in links} >= {"plotly.js", "page.js", "style.css"}
    for link in links:
        asset = client.get(link)
        assert "immutable" in asset.headers["cache-control"]
        assert asset.content == gzip.decompress(assets()[link.rsplit("/", 1)[1]].gzipped)


def test_hostile_texts_are_escaped_everywhere(runs):
    evil = "</script><img src=x onerror=alert(1)>"
    study, _ = load_study(url_of(runs / "tiny"), "tiny")
    worst = next(t for t in study.get_trials() if t.user_attrs[RESULT]["status"] == "infeasible")
    hostile = {**worst.user_attrs, RESULT: {**worst.user_attrs[RESULT], "reason": evil}}
    study.add_trial(optuna.trial.create_trial(state=TrialState.PRUNED, user_attrs=hostile))
    number = len(study.get_trials()) - 1
    with TestClient(dashboard(LiveStudies(runs)), base_url="http://localhost") as client:
        for path in ("/studies/tiny?sort=newest", f"/studies/tiny/trials/{number}",
                     f"/studies/tiny/compare?trials=0,{number}"):  # fmt: skip
            page = client.get(path).text
            assert "&lt;img src=x" in page
            assert "<img src=x" not in page
        figures = client.get("/live/tiny?view=pareto").text
        # Plotly renders HTML in hover texts.
        assert "<img" not in json.dumps(json.loads(figures))


def test_the_report_and_the_dashboard_draw_the_same(client, results, tmp_path):
    report = write_report(results, tmp_path / "r.html").read_text(encoding="utf-8")
    found = re.findall(r'data-for="plot-(\w+)">(.*?)</script>', report, re.DOTALL)
    in_report = {name: json.loads(figure) for name, figure in found}
    for view in ("pareto", "search"):
        drawn = client.get(f"/live/tiny?view={view}").json()["figures"]
        for name, figure in drawn.items():
            assert figure["layout"].pop("uirevision") == name
            assert figure == in_report[name]


def asked(runs, *paths):
    """The dashboard's answers, which are no errors of its own."""
    with TestClient(dashboard(LiveStudies(runs)), base_url="http://localhost") as client:
        answers = [client.get(path) for path in paths]
    assert all(answer.status_code < 500 or "lead" in answer.text for answer in answers)
    return answers


EVERY_PAGE = (
    "/", "/studies/tiny", "/studies/tiny/search", "/live/tiny?view=pareto",
    "/live/tiny?view=search", "/zoo",
)  # fmt: skip


def test_a_study_without_trials_has_pages_too(results, tmp_path):
    create_or_resume(results.config.model_copy(update={"output": tmp_path}))
    answers = asked(tmp_path, *EVERY_PAGE)
    assert [answer.status_code for answer in answers] == [200] * len(EVERY_PAGE)
    assert "so there is no winner" in answers[1].text


@pytest.mark.parametrize("status", ["failed", "infeasible", "interrupted"])
def test_a_study_of_nothing_but_bad_luck_has_no_front(results, runs, tmp_path, status):
    config = results.config.model_copy(update={"output": tmp_path / "unlucky"})
    study, _ = load_study(url_of(runs / "tiny"), "tiny")
    pattern = next(t for t in study.get_trials() if t.state == TrialState.COMPLETE)
    attrs = {k: v for k, v in pattern.user_attrs.items() if k != RESULT}
    if status != "interrupted":
        attrs[RESULT] = {"status": status, "reason": "not <b>today</b>"}
    state = TrialState.PRUNED if status == "infeasible" else TrialState.FAIL
    create_or_resume(config).add_trial(optuna.trial.create_trial(state=state, user_attrs=attrs))
    paths = (*EVERY_PAGE, "/studies/tiny/trials/0", "/live/tiny?view=trial&trial=0")
    answers = asked(tmp_path / "unlucky", *paths)
    assert [answer.status_code for answer in answers] == [200] * len(paths)
    assert f'<span class="status {status}">' in answers[1].text
    assert 'class="front"' not in answers[1].text
    figure = answers[3].json()["figures"]["pareto"]
    assert "no complete trial to show" in json.dumps(figure)
    assert "Pareto front" not in json.dumps(figure)


def test_a_storage_that_cannot_be_read_says_so_on_its_own_page(runs):
    shutil.copytree(runs / "tiny", runs / "broken")
    (runs / "broken" / "study.db").write_bytes(b"no database" * 1000)
    first, page, figures, sound = asked(
        runs, "/", "/studies/broken", "/live/broken", "/studies/tiny"
    )
    assert "file is not a database" in first.text
    assert "/studies/tiny" in first.text
    assert (page.status_code, figures.status_code, sound.status_code) == (503, 503, 200)
    assert "file is not a database" in page.text


def test_a_page_of_the_table_that_is_not_there_is_the_last_one(client):
    last, first = (
        re.search(r'<table class="trials">.*?</table>', client.get(path).text, re.DOTALL).group()
        for path in ("/studies/tiny?page=99", "/studies/tiny")
    )
    assert last == first
    assert "/trials/0" in last


def test_what_grows_meanwhile_is_shown_under_its_older_version(runs, monkeypatch):
    monkeypatch.setattr("search.live.reader.READ_EVERY_S", 0)
    study, _ = load_study(url_of(runs / "tiny"), "tiny")
    pattern = next(t for t in study.get_trials() if t.state == TrialState.COMPLETE)

    class Growing(LiveStudies):
        def summary(self, name):
            study.add_trial(pattern)
            return super().summary(name)

    studies = Growing(runs)
    seen = seen_study(studies, "tiny")
    now = studies.results("tiny")
    assert len(now.results.trials) == len(seen.results.trials) + 1
    assert not seen.version.startswith(f"{now.version}-")


def test_an_empty_folder_says_how_to_begin(tmp_path):
    with TestClient(dashboard(LiveStudies(tmp_path)), base_url="http://localhost") as client:
        assert "lensnas run" in client.get("/").text
