"""The pages as a user has them: clicked, narrow, dark, by keyboard, and while a study grows."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from optuna.trial import TrialState

from search.artifacts import WEIGHTS
from search.dashboard.app import dashboard
from search.live.studies import LiveStudies
from search.service.app import create_app
from search.service.settings import Settings
from search.study.storage import load_study, url_of

PATHS = (
    "/",
    "/studies/tiny",
    "/studies/tiny/search",
    "/studies/tiny/trials/{best}",
    "/studies/tiny/compare?trials={best},{other}",
    "/oracle",
    "/zoo",
)
PHONE = {
    "viewport": {"width": 360, "height": 740},
    "is_mobile": True,
    "has_touch": True,
    "color_scheme": "dark",
}


@pytest.fixture(scope="session")
def two_best(finished_runs):
    """The numbers of two trials."""
    best, other, *_ = LiveStudies(finished_runs).results("tiny").results.complete
    return best.number, other.number


def open_drawn(page, url):
    """Every figure of the page is drawn."""
    page.goto(url)
    page.wait_for_selector(".waiting", state="detached")


def serious(page):
    found = Axe().run(page).response["violations"]
    return [
        (v["id"], v["nodes"][0]["html"]) for v in found if v["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("path", PATHS)
def test_a_page_draws_all_on_a_phone_and_anyone_can_read_it(
    new_page, address, two_best, path, tmp_path
):
    page = new_page(**PHONE)
    best, other = two_best
    open_drawn(page, address + path.format(best=best, other=other))
    assert page.locator(".js-plotly-plot").count() == page.locator("[data-figure]").count()
    page.screenshot(path=tmp_path / "page.png", full_page=True)  # pytest keeps those of three runs.
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["viewport"]["width"]
    assert serious(page) == []


def test_from_the_list_to_a_trial_by_clicking(new_page, address, two_best):
    page, best = new_page(), two_best[0]
    open_drawn(page, address)
    page.get_by_role("link", name="tiny").click()
    page.wait_for_selector("#plot-pareto .point")
    assert serious(page) == []
    # Finals lie over trials: the point of the front's best trial is asked where it is.
    page.locator("#plot-pareto .point").last.hover(force=True)
    page.wait_for_selector(".hovertext")
    assert re.search(r"\d ms \(90 %", page.locator(".hovertext").first.text_content())
    page.locator("#plot-pareto .point").last.click(force=True)
    page.wait_for_url(re.compile(r"/studies/tiny/trials/\d+$"))
    page.goto(f"{address}/studies/tiny")
    page.get_by_role("link", name=str(best), exact=True).first.click()
    page.wait_for_url(f"**/trials/{best}")
    assert "dB after 6 steps" in page.text_content("main")


def test_the_filter_is_in_the_address(new_page, address):
    page = new_page()
    open_drawn(page, f"{address}/studies/tiny")
    page.get_by_label("complete").check()
    page.wait_for_url("**/studies/tiny?status=complete")
    assert set(page.locator(".trials .status").all_text_contents()) == {"complete"}
    page.get_by_label("At most, ms").fill("0.001")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**/studies/tiny?status=complete&max_ms=0.001")
    assert page.locator(".trials tbody tr").count() == 0


def test_trials_are_chosen_and_compared(new_page, address, two_best):
    page, (best, other) = new_page(), two_best
    open_drawn(page, f"{address}/studies/tiny")
    page.get_by_label(f"Compare trial {best}", exact=True).check()
    assert page.get_by_role("button", name="Compare").is_disabled()
    page.get_by_label(f"Compare trial {other}", exact=True).check()
    assert page.url.endswith(f"?selected={best},{other}")
    # Another filter keeps them, and so does its way back.
    page.get_by_label("complete").check()
    page.wait_for_url(f"**/studies/tiny?status=complete&selected={best}%2C{other}")
    page.get_by_role("link", name="All trials").click()
    page.wait_for_url(f"**/studies/tiny?selected={best},{other}")
    page.wait_for_selector(".waiting", state="detached")
    assert page.get_by_label(f"Compare trial {other}", exact=True).is_checked()
    page.get_by_role("button", name="Compare").click()
    page.wait_for_url(f"**/studies/tiny/compare?trials={best},{other}")


def test_a_link_with_too_many_trials_chooses_the_first(new_page, address):
    page = new_page()
    page.goto(f"{address}/studies/tiny?selected=0,1,2,3,4,5,6")
    page.wait_for_selector("output:text('Trials 0, 1, 2, 3, 4')")
    assert page.get_by_role("button", name="Compare").is_enabled()


def test_a_box_in_the_plot_chooses_what_is_in_it(new_page, address):
    page = new_page(viewport={"width": 1280, "height": 1400})
    open_drawn(page, f"{address}/studies/tiny")
    page.get_by_role("button", name="Box", exact=True).click()
    area = page.locator("#plot-pareto .nsewdrag").first.bounding_box()
    page.mouse.move(area["x"] + 2, area["y"] + 2)
    page.mouse.down()
    page.mouse.move(area["x"] + area["width"] - 2, area["y"] + area["height"] - 2, steps=8)
    page.mouse.up()
    page.wait_for_url("**/studies/tiny?selected=*")
    assert page.get_by_role("button", name="Compare").is_enabled()


def test_the_slider_shows_one_picture_over_the_other(new_page, address, two_best):
    page = new_page()
    open_drawn(page, f"{address}/studies/tiny/trials/{two_best[0]}")
    viewer = page.locator("[data-viewer]").first
    viewer.get_by_label("target", exact=True).check()
    assert "/target.png" in viewer.locator(".before").get_attribute("src")
    clip = "e => getComputedStyle(e).clipPath"
    before = viewer.locator(".before").evaluate(clip)
    viewer.get_by_role("slider").press("Home")
    assert viewer.locator(".before").evaluate(clip) != before
    assert viewer.locator(".after").evaluate("e => e.complete && e.naturalWidth") == 128


def test_the_keyboard_reaches_a_trial(new_page, address):
    page = new_page()
    open_drawn(page, f"{address}/studies/tiny")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    reached = ""
    for _ in range(60):
        page.keyboard.press("Tab")
        reached = page.evaluate("document.activeElement.getAttribute('href') ?? ''")
        if "/trials/" in reached:
            break
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{reached}")


def test_a_trial_appears_on_an_open_page(new_page, runs, serve):
    study, _ = load_study(url_of(runs / "tiny"), "tiny")
    pattern = next(t for t in study.get_trials() if t.state == TrialState.COMPLETE)
    number = len(study.get_trials())
    page = new_page()
    address = serve(dashboard(LiveStudies(runs)))
    open_drawn(page, f"{address}/studies/tiny?sort=newest")
    page.evaluate("window.sameDocument = true")
    page.get_by_label("Compare trial 0", exact=True).focus()
    points = page.locator("#plot-pareto .point").count()
    study.add_trial(pattern)
    page.wait_for_selector(f"a[href='/studies/tiny/trials/{number}']")
    assert page.locator("#plot-pareto .point").count() == points + 1
    assert page.evaluate("window.sameDocument")
    assert page.evaluate("document.activeElement.dataset.trial") == "0"


def test_the_export_button_says_why_there_is_no_bundle(new_page, runs, serve, two_best):
    # A bundle that is made: tests/search/service/test_end_to_end.py; it takes longer than all this.
    number = two_best[1]  # The best was in the finals, which have weights of their own.
    next((runs / "tiny").glob(f"**/{number:05d}/{WEIGHTS}")).unlink()
    page = new_page(but="status of 422")
    open_drawn(page, f"{serve(create_app(Settings(runs)))}/studies/tiny/trials/{number}")
    button = page.get_by_role("button", name="Export now")
    button.click()
    page.wait_for_selector("#export-state:text('weights')")
    assert button.is_enabled()
