import json
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from plotly.offline import get_plotlyjs

from search.data.sample import GENERATOR_VERSION
from search.report.markup import classical_baselines
from search.report.page import write_report
from search.study.results import StudyResults

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
STUDIES = {
    "empty": {},
    "one trial": {"complete": 1},
    "no finals, no pictures": {"complete": 9},
    "all": {"complete": 20, "finals": True, "pictures": True},
    "bokeh": {"complete": 9, "finals": True, "task": "bokeh"},
}


def without_plotly(page):
    return page.replace(get_plotlyjs(), "")


class Balanced(HTMLParser):
    """Fails where an element is closed that is not open."""

    VOID = frozenset({"meta", "link", "br", "img"})

    def __init__(self):
        super().__init__()
        self.open = []
        self.ids = []

    def handle_starttag(self, tag, attrs):
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("study", STUDIES.values(), ids=STUDIES)
def test_a_page_is_whole_small_and_needs_no_network(make_results, tmp_path, study):
    path = write_report(make_results(**study), tmp_path / "deep" / "report.html")
    page = path.read_text(encoding="utf-8")
    assert path.stat().st_size < 12_000_000
    assert get_plotlyjs() in page
    assert not re.findall(r"https?://(?!www\.w3\.org)", without_plotly(page))
    assert not re.findall(r'(?:src|href)="(?!data:)', without_plotly(page))
    assert "$" not in without_plotly(page)
    parser = Balanced()
    parser.feed(without_plotly(page))
    assert parser.open == []
    assert len(parser.ids) == len(set(parser.ids))
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]


def test_the_page_says_what_its_numbers_are(make_results, tmp_path):
    results = make_results(complete=12, finals=True)
    page = write_report(results, tmp_path / "r.html").read_text(encoding="utf-8")
    for words in (
        "sample data (synthetic RAW)",
        "run times are predicted",
        "600 steps, 1 seed",
        "2,000 steps, 2 seeds",
        "Leave-one-out error",
        "Published (challenge data, measured on the phone)",
    ):
        assert words in page
    best = results.finalists()[0]
    assert f"{best.psnr_db:.2f} ± {best.spread_db:.2f} dB over 2 seeds" in page


def test_each_row_of_the_finals_has_its_seeds(finals_of_uneven_seeds, tmp_path):
    page = write_report(finals_of_uneven_seeds, tmp_path / "r.html").read_text(encoding="utf-8")
    finals, trials = re.findall(r"<table.*?</table>", without_plotly(page))[:2]
    assert "2,000 steps, 2 to 6 seeds" in finals
    assert '<th scope="col">seeds</th>' in finals
    assert re.findall(r"<td>(\d)</td><td>[\d.]+ ±", finals)[:3] == ["6", "2", "6"]
    assert '<th scope="col">seeds</th>' not in trials


def test_lpips_stands_on_the_page_where_it_was_measured(make_results, tmp_path):
    pages = []
    for lpips in (True, False):
        results = make_results(complete=12, finals=True, lpips=lpips)
        path = write_report(results, tmp_path / f"{lpips}.html")
        pages.append(without_plotly(path.read_text(encoding="utf-8")))
    for words in ('<th scope="col">LPIPS</th>', "LPIPS: lower is better", "LPIPS 0.3000"):
        assert words in pages[0]
        assert words not in pages[1]


def test_hostile_texts_are_escaped(make_results, tmp_path):
    evil = "</script><img src=x onerror=alert(1)>"
    results = make_results(complete=20)
    trials = tuple(
        replace(t, reason=evil) if t.status in ("failed", "pruned", "infeasible") else t
        for t in results.trials
    )
    assert {"failed", "pruned"} <= {t.status for t in trials}
    config = results.config.model_copy(update={"name": evil})
    path = write_report(StudyResults(config, trials, ()), tmp_path / "r.html")
    page = without_plotly(path.read_text(encoding="utf-8"))
    assert "&lt;img src=x" in page
    assert "<img src=x" not in page
    assert evil not in page
    # Plotly renders HTML in hover texts: they must be escaped once more, inside the JSON.
    figures = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL)
    texts = json.dumps([json.loads(figure) for figure in figures])
    assert "&lt;img" in texts
    assert "<img" not in texts


def test_classical_baselines_come_from_the_matching_data_set(make_results):
    results = make_results(complete=1)
    data = results.config.data
    meta = {
        "task": "isp",
        "seed": data.seed,
        "patch": data.patch,
        "counts": {"train": data.train, "val": data.val},
        "generator_version": GENERATOR_VERSION,
        "baselines_psnr_db": {"bilinear": 20.5},
    }
    for name, changed in (("a", {"seed": 9}), ("b", {}), ("c", {"patch": 64})):
        directory = Path(data.root) / f"sample-isp-{name}"
        directory.mkdir(parents=True)
        other = meta | changed | ({"baselines_psnr_db": {"wrong": 1.0}} if changed else {})
        (directory / "meta.json").write_text(json.dumps(other))
    (Path(data.root) / "sample-isp-0").mkdir()
    (Path(data.root) / "sample-isp-0" / "meta.json").write_text("{broken")
    assert classical_baselines(results) == {"bilinear": 20.5}


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium to open the page in")
def test_a_browser_draws_every_figure(make_results, tmp_path):
    results = make_results(complete=12, finals=True, pictures=True)
    path = write_report(results, tmp_path / "report.html")
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--virtual-time-budget=8000",
    ]
    done = subprocess.run(
        [CHROMIUM, *flags, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", path.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    drawn = re.findall(
        r'id="plot-(\w+)"[^>]*class="[^"]*js-plotly-plot', done.stdout
    ) or re.findall(r'class="[^"]*js-plotly-plot[^"]*"[^>]*id="plot-(\w+)"', done.stdout)
    assert len(drawn) == done.stdout.count('data-for="plot-')
    assert done.stdout.count('class="main-svg"') >= len(drawn)
    assert 'class="point"' in done.stdout
