"""Measured run times beside predicted ones: who is ranked by what, and what is refused."""

from dataclasses import replace

import pytest
from rich.console import Console

from latency import LatencyOracle
from latency.measurements import Measurement, MeasurementError, append_measurements
from search.errors import UserError
from search.export.record import MEASUREMENTS, StoredBundle, StoredFile
from search.export.variant import Variant
from search.networks import zoo_architecture
from search.objective import log2_score
from search.report.measured import (
    Timed,
    repriced,
    rescored,
    rescored_table,
    timed_architectures,
)
from search.report.page import write_report
from search.tasks import TASKS


def bundle_of(folder, architecture, *measurements):
    """A bundle's record; the first file is fp32, of the hash "a" and its folder's name."""
    shape = TASKS["isp"].input_shape
    listed = [Variant("fp32", (8, 8, 4), at_task_size=False)]
    listed += [Variant(precision, shape) for precision in ("fp32", "fp16")]
    hashes = [f"small-{folder.name}", f"fp32-{folder.name}", f"fp16-{folder.name}"]
    files = {
        v.file_name: StoredFile(v, sha256, 7.0, 6.0, 8.0)
        for v, sha256 in zip(listed, hashes, strict=True)
    }
    append_measurements(folder / MEASUREMENTS, measurements)
    return StoredBundle(
        folder, "by-hand", TASKS["isp"], "snapdragon-8-gen-1", architecture, "trial 0",
        "sample data", 30.0, "sensor_sqrt", None, files,
    )  # fmt: skip


def measured(ms, sha256, **changes):
    known = {"model": "model_fp32", "device": "Pixel 8", "method": "adb", "std_ms": 0.1}
    return Measurement(ms=ms, sha256=sha256, **(known | changes))


def test_of_each_network_the_last_time_of_its_first_file_counts(tmp_path, make_results):
    one, two = (t.architecture for t in make_results(complete=2).complete)
    timed = timed_architectures(
        [
            bundle_of(
                tmp_path / "1", one, measured(9, "fp32-1"), measured(8, "fp32-1"),
                measured(5, "fp16-1"), measured(1, "another file"),
                measured(2, "fp32-1", statistic="kernel_sum"),
            ),
            bundle_of(tmp_path / "2", two, measured(4, "fp16-2")),
        ]
    )  # fmt: skip
    assert {a: (t.measurement.ms, t.precision) for a, t in timed.items()} == {
        one: (8, "fp32"),
        two: (4, "fp16"),
    }


@pytest.mark.parametrize(
    ("found", "chosen", "problem"),
    [
        ([{"device": "Pixel 8"}, {"device": "Tab"}], {}, "choose with --device: Pixel 8, Tab"),
        ([{}, {"method": "app"}], {}, "of 2 methods do not mix: adb .gpu.; app .gpu."),
        ([{}], {"device": "Tab"}, "no measurement of 'Tab'; there are Pixel 8"),
        ([{}], {"accelerator": "cpu"}, "no measurement on the cpu; there are gpu"),
    ],
)
def test_devices_and_methods_are_never_mixed(tmp_path, make_results, found, chosen, problem):
    architecture = make_results(complete=1).complete[0].architecture
    times = [measured(5, "fp32-x", **changes) for changes in found]
    with pytest.raises(MeasurementError, match=problem):
        timed_architectures([bundle_of(tmp_path / "x", architecture, *times)], **chosen)


def test_times_of_another_resolution_do_not_count(tmp_path, make_results):
    architecture = make_results(complete=1).complete[0].architecture
    both = bundle_of(tmp_path / "1", architecture, measured(2, "small-1"), measured(8, "fp32-1"))
    assert timed_architectures([both])[architecture].measurement.ms == 8
    small = bundle_of(tmp_path / "2", architecture, measured(2, "small-2"))
    with pytest.raises(UserError, match="no measurement of its files"):
        timed_architectures([small])


def test_a_bundle_without_a_time_is_named(tmp_path, make_results):
    architecture = make_results(complete=1).complete[0].architecture
    bundle = bundle_of(tmp_path / "x", architecture, measured(5, "another file"))
    with pytest.raises(UserError, match=r"x has no measurement of its files: see lensnas latency"):
        timed_architectures([bundle])


def test_measured_networks_are_ranked_among_themselves(make_results):
    results = make_results(complete=6, finals=True)
    first, second, *others = results.finalists()
    slow = first.estimate.runtime_ms * 8
    timed = {
        first.architecture: Timed(measured(slow, "a"), "fp32"),
        second.architecture: Timed(measured(second.estimate.runtime_ms, "b"), "fp16"),
    }
    rows = rescored(results, timed)
    finals = [row for row in rows if row.row.stage == "finals"]
    # Eight times the time costs 3 in log2: the second of the finals is now before the first.
    assert [r.row.architecture for r in finals[:2]] == [second.architecture, first.architecture]
    assert [r.rank for r in finals] == [1, 2, *[None] * len(others)]
    assert [r.row.architecture for r in finals[2:]] == [f.architecture for f in others]
    assert finals[1].measured_log2_score == pytest.approx(first.log2_score - 3)
    assert finals[1].row.log2_score == first.log2_score
    document = finals[1].to_dict()
    assert (document["measured_ms"], document["predicted_ms"]) == (slow, slow / 8)
    assert (document["measured_on"], document["method"]) == ("Pixel 8", "adb")
    assert finals[2].to_dict()["measured_ms"] is None
    assert len(rows) == len({row.row.architecture for row in rows})

    console = Console(width=80)
    with console.capture() as shown:
        console.print(rescored_table(results, rows, "snapdragon-8-gen-1"))
    text = shown.get()
    assert "by-hand: scored by measured run times" in text
    assert "1. " in text
    assert "Measured: Pixel 8, gpu, adb; fp16, fp32 files." in text
    assert "Predicted: snapdragon-8-gen-1." in text


def test_the_page_shows_them_where_they_are_asked_for(tmp_path, make_results):
    results = make_results(complete=3)
    timed = {results.complete[0].architecture: Timed(measured(12.34, "a"), "fp32")}
    page = write_report(results, tmp_path / "r.html", rescored(results, timed)).read_text()
    assert "Scored by measured run times" in page
    assert "Measured: Pixel 8, gpu, adb; fp32 files." in page
    assert "12.3\n± 0.1" in page
    assert "Scored by measured" not in write_report(results, tmp_path / "r.html").read_text()


def test_a_network_of_another_study_is_named(make_results):
    results = make_results(complete=2)
    stranger = zoo_architecture("pynet_v2_mobile")
    with pytest.raises(UserError, match=f"by-hand holds no trained network {stranger.digest}"):
        rescored(results, {stranger: Timed(measured(5, "a"), "fp32")})


def test_another_profile_changes_run_times_and_what_follows_alone(make_results):
    results = make_results(complete=4, finals=True)
    oracle = LatencyOracle("kirin-9000")
    again = repriced(results, oracle)
    task = results.config.task_facts
    for old, new in zip(results.trials, again.trials, strict=True):
        if old.status != "complete":
            assert new == old
            continue
        assert replace(new, estimate=old.estimate, log2_score=old.log2_score) == old
        assert new.estimate.runtime_ms != old.estimate.runtime_ms
        expected = log2_score(new.psnr_db, new.estimate.runtime_ms, task.log2_c)
        assert new.log2_score == expected
    console = Console(width=80)
    with console.capture() as shown:
        console.print(rescored_table(again, rescored(again, {}), "kirin-9000"))
    assert "by-hand: scored by predicted run times" in shown.get()
    assert "Nothing was measured." in shown.get()
    for final in again.finalists():
        expected = log2_score(final.psnr_db, final.estimate.runtime_ms, task.log2_c)
        assert final.log2_score == pytest.approx(expected)
