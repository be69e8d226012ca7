"""Whatever the text, an importer gives measurements or a `MeasurementError`."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from measurement_samples import (
    AI_HUB,
    KERNEL_TABLE,
    LITERT_LOG,
    PROFILE_CSV,
    PROFILED_LOG,
    START_COLUMN,
    TYPED_CSV,
)

from latency.measurements import IMPORTERS, Measurement, MeasurementError
from latency.measurements.importers import read_text
from latency.measurements.importers.context import Context

SAMPLES = (
    PROFILED_LOG,
    START_COLUMN,
    PROFILE_CSV,
    LITERT_LOG + KERNEL_TABLE,
    json.dumps(AI_HUB),
    TYPED_CSV,
)
FORMATS = st.sampled_from([None, *IMPORTERS])
NUMBERS = ("", "nan", "inf", "-1", "1e999", "9" * 5000, "½", "0", "٣")


def check(text, format):
    try:
        found = read_text(text, Context("net", "Pixel 8", "gpu"), format)
    except MeasurementError:
        return
    assert found
    assert all(isinstance(m, Measurement) and m.ms > 0 for m in found)


@given(st.text(), FORMATS)
def test_random_text(text, format):
    check(text, format)


@given(st.sampled_from(SAMPLES), FORMATS, st.data())
def test_a_sample_cut_anywhere(sample, format, data):
    start = data.draw(st.integers(0, len(sample)))
    check(sample[start : data.draw(st.integers(start, len(sample)))], format)


@given(st.sampled_from(SAMPLES), st.data())
def test_a_sample_with_a_piece_replaced(sample, data):
    words = sample.replace("=", " ").replace(",", " ").replace(":", " ").split()
    word = data.draw(st.sampled_from(words))
    check(sample.replace(word, data.draw(st.sampled_from(NUMBERS) | st.text(max_size=5))), None)


@given(st.sampled_from(SAMPLES), st.data())
def test_a_sample_with_lines_in_another_order(sample, data):
    check("\n".join(data.draw(st.permutations(sample.split("\n")))), None)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from([*AI_HUB, *AI_HUB["execution_summary"], "compute_unit", "name"]),
                inner,
                max_size=3,
            )
        ),
    )
)
def test_any_json(document):
    check(json.dumps(document), "ai-hub")


@pytest.mark.parametrize("unit", ["a", " ", "1 ", "1, ", "=1 ", "[", "(", "count=", "%", "1.5% "])
@pytest.mark.parametrize("format", IMPORTERS)
def test_a_huge_line_is_read_in_linear_time(unit, format):
    """A backtracking pattern would take hours: the suite's timeout is the check."""
    line = unit * (200_000 // len(unit))
    table = PROFILED_LOG.split("\tconvolution_2d 0")[0]
    check(f"{table}{line}\nINFO: count=5{line}\n{line}", format)
