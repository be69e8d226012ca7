"""What the dashboard of a large study costs and weighs, and how long a browser waits for it.

    python benchmarks/dashboard.py --trials 10000

Random architectures with their real prices, PSNR of chance, in SQLite; Chromium, headless, unless
`--no-browser`. `first`: nothing is drawn or kept yet. `grown` and `kept`: page and figures
again, after the study has grown by a trial, and where it has not. What the server does is in CPU
seconds, what the browser does in wall time.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import optuna
import uvicorn
from optuna.trial import FrozenTrial
from playwright.sync_api import sync_playwright
from scale import made, many, study_config
from simulated import fill

from search.attributes import CANDIDATE, RESULT
from search.config import StudyConfig
from search.dashboard.app import dashboard
from search.live.reader import READ_EVERY_S
from search.live.studies import LiveStudies
from search.objective import log2_score
from search.study.storage import create_or_resume, open_storage, quiet_optuna

DISTINCT = 300
"""Architectures; each has many PSNRs."""
_PAN_S = 3


def filled(runs: Path, trials: int) -> StudyConfig:
    """A study of so many complete trials, and the infeasible ones that go with them."""
    config = study_config(str(runs), trials, "random").model_copy(update={"name": "large"})
    create_or_resume(config)
    storage = open_storage(config.storage_url, create=False)
    study = optuna.load_study(study_name=config.name, storage=storage)
    rng = random.Random(0)
    found = many(made(min(trials, DISTINCT)), trials)
    fill(storage, study, [_again(trial, rng, config) for trial in found])
    return config


def _again(trial: FrozenTrial, rng: random.Random, config: StudyConfig) -> FrozenTrial:
    """With a PSNR of its own where it has one."""
    result: dict[str, Any] = trial.user_attrs[RESULT]
    if result.get("psnr_db") is not None:
        psnr_db = result["psnr_db"] + rng.gauss(0.0, 0.5)
        runtime_ms = trial.user_attrs[CANDIDATE]["estimate"]["runtime_ms"]
        score = log2_score(psnr_db, runtime_ms, config.task_facts.log2_c)
        trial._user_attrs[RESULT] = {**result, "psnr_db": psnr_db, "log2_score": score}
    return trial


def serve(studies: LiveStudies) -> tuple[uvicorn.Server, str]:
    app = dashboard(studies)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", lifespan="off"))
    threading.Thread(target=server.run, daemon=True).start()
    while not server.started:
        time.sleep(0.05)
    return server, f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"


def fetched(url: str) -> tuple[float, int]:
    """CPU seconds, for the server is a thread of this process; and bytes as they are sent."""
    request = urllib.request.Request(url, headers={"Accept-Encoding": "gzip"})
    started = time.process_time()
    with urllib.request.urlopen(request) as answer:
        size = len(answer.read())
    return time.process_time() - started, size


def in_browser(url: str) -> dict[str, float]:
    """Seconds to the first paint and until all is drawn, and frames a second while panning."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 1400})
        started = time.perf_counter()
        page.goto(url, wait_until="commit")
        page.wait_for_selector("[data-figure]", state="attached")
        page.wait_for_selector(".waiting", state="detached", timeout=120_000)
        drawn_s = time.perf_counter() - started
        paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        marks = page.locator("#plot-pareto .point").count()
        frames = page.evaluate(_PAN, _PAN_S) if marks else float("nan")
        browser.close()
    return {"paint_s": paint / 1000, "drawn_s": drawn_s, "marks": marks, "frames_per_s": frames}


_PAN = """
async (seconds) => {
  const plot = document.getElementById("plot-pareto");
  const [low, high] = plot.layout.yaxis.range;
  const begin = performance.now();
  let frames = 0;
  while (performance.now() - begin < 1000 * seconds) {
    const shift = 0.3 * (high - low) * Math.sin(frames / 10);
    await Plotly.relayout(plot, { "yaxis.range": [low + shift, high + shift] });
    await new Promise(requestAnimationFrame);
    frames += 1;
  }
  return frames / seconds;
}
"""


def report(runs: Path, config: StudyConfig, *, browser: bool) -> None:
    studies = LiveStudies(runs)
    started = time.process_time()
    studies.results("large")
    print(f"read the first time: {time.process_time() - started:.2f} CPU s", flush=True)
    server, address = serve(studies)
    for view in ("pareto", "search"):
        page = f"{address}/studies/large" + ("/search" if view == "search" else "")
        urls = {"page": page, "figures": f"{address}/live/large?view={view}"}
        first = {name: fetched(url) for name, url in urls.items()}
        kept = {
            name: statistics.median(fetched(url)[0] for _ in range(20))
            for name, url in urls.items()
        }
        grown: dict[str, list[float]] = {name: [] for name in urls}
        for _ in range(3):
            add_one(config)
            time.sleep(1.1 * READ_EVERY_S)
            studies.results("large")
            for name, url in urls.items():
                grown[name].append(fetched(url)[0])
        for name, (first_s, size) in first.items():
            print(
                f"{view}, {name}: {size / 1e3:.0f} kB; CPU s first {first_s:.3f}, grown "
                f"{statistics.median(grown[name]):.3f}, kept {kept[name]:.4f}",
                flush=True,
            )
        if browser:
            seen = in_browser(page)
            print(
                f"{view}, browser: paint {seen['paint_s']:.2f} s, drawn {seen['drawn_s']:.2f} s, "
                f"{seen['marks']:.0f} marks, {seen['frames_per_s']:.0f} frames a second panning",
                flush=True,
            )
    server.should_exit = True


def add_one(config: StudyConfig) -> None:
    """The study grows by a copy of its last trial."""
    storage = open_storage(config.storage_url, create=False)
    study = optuna.load_study(study_name=config.name, storage=storage)
    more = study.get_trials(deepcopy=True)[-1]
    more.number += 1
    fill(storage, study, [more])


def main() -> None:
    quiet_optuna()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--browser", action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder)
        report(runs, filled(runs, options.trials), browser=options.browser)


if __name__ == "__main__":
    main()
