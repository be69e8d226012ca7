"""Full trainings are rows of the page and of the command line."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from search.full_training.plan import Wishes, planned
from search.full_training.record import Result, started
from search.report.trained import trained_html, trained_table

RESULT = Result(31.512, 0.9049, ((40, 31.512),), "2 whole images", 900, {"total": 4.0}, "ab12")


@pytest.fixture
def results(make_results):
    return make_results(complete=4)


@pytest.fixture
def trainings(results):
    begun = started(planned(results, Wishes(steps=40)), "some data")
    return {"a<b": replace(begun, result=RESULT), "other": begun}


def test_a_study_without_any_has_no_table(results):
    assert trained_html(results, {}) == ""


def test_the_page_names_them_and_escapes_their_folders(results, trainings):
    page = trained_html(results, trainings)
    origin = trainings["other"].origin
    assert f"{origin}</th><td>40</td><td>31.51</td><td>0.905</td><td>trained/a&lt;b</td>" in page
    assert "<td>not ended</td><td></td><td>trained/other</td>" in page
    assert "Data: sample data" in page


def test_so_does_the_terminal(results, trainings):
    text = io.StringIO()
    Console(file=text, width=100).print(trained_table(results, trainings))
    lines = [" ".join(line.split()) for line in text.getvalue().splitlines()]
    origin = trainings["other"].origin
    assert f"{origin} 40 31.51 0.905 trained/a<b" in lines
    assert f"{origin} 40 not ended trained/other" in lines
