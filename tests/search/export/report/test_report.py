"""The report of a bundle, as Markdown and as HTML, and its pictures."""

import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from search.export.record import RECORD
from search.export.report.contents import Report, Section, Table
from search.export.report.pictures import SIDE, strips
from search.export.report.text import as_html, as_markdown
from search.export.variant import Variant
from search.export.verification.quality import Quality
from search.export.verification.reference import Reference, References


@pytest.fixture
def bundle(of_two_sizes):
    return of_two_sizes


def rows(markdown, first):
    """Cells of the table whose header begins with `first`."""
    lines = markdown.splitlines()
    start = lines.index(next(line for line in lines if line.startswith(f"| {first} |")))
    found = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            return found
        found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def test_every_number_of_the_record_stands_in_both(bundle):
    record = json.loads((bundle / RECORD).read_text())
    markdown, page = ((bundle / name).read_text() for name in ("report.md", "report.html"))
    assert "All checks of 4 files passed" in markdown
    assert [row[0] for row in rows(markdown, "file")] == [
        "model_fp32.tflite", "model_fp32_48x32.tflite", "model_fp16.tflite",
        "model_fp16_48x32.tflite",
    ]  # fmt: skip
    assert "Verified on: 1 full frame of 48x32, 1 full frame of 96x64, of 2 validation images" in (
        markdown
    )
    card = (bundle / "model_card.md").read_text()
    assert "float32 [1, 16, 24, 4] or [1, 32, 48, 4]: packed" in card
    assert "float32 [1, 32, 48, 3] or [1, 64, 96, 3]: RGB" in card
    for file in record["files"]:
        shown = [f"{file['psnr_db']:.4f}", f"{file['max_error']:.1e}", f"{file['mean_error']:.1e}",
                 f"{file['ssim']:.5f}", file["sha256"], f"{file['predicted_ms']:.2f}"]  # fmt: skip
        assert [text for text in shown if text not in markdown or text not in page] == []
    for name, version in record["made_with"].items():
        assert f"| {name} | {version} |" in markdown
    assert record["data"]["sha256"] in markdown
    assert record["weights_sha256"] in page


def test_ops_are_told_one_by_one(bundle):
    record = json.loads((bundle / RECORD).read_text())
    shown = rows((bundle / "report.md").read_text(), "op")
    ops = record["files"][0]["ops"]
    assert [(row[0], row[1], row[3]) for row in shown] == [
        (str(op["index"]), op["kind"], op["place"]) for op in ops
    ]
    assert {op["place"] for op in ops} <= {"GPU", "fused", "folded"}


def test_pictures_of_the_markdown_are_files_and_the_page_needs_none(bundle):
    named = set(re.findall(r"\]\((pictures/[^)]+)\)", (bundle / "report.md").read_text()))
    assert named == {f"pictures/{path.name}" for path in (bundle / "pictures").iterdir()}
    assert {"pictures/1_input.jpg", "pictures/1_fp16_difference.jpg"} < named
    assert not [name for name in named if "48x32" in name]
    page = (bundle / "report.html").read_text()
    assert page.count("data:image/jpeg;base64,") == len(named)
    assert not re.findall(r'(?:src|href)="(?!data:)', page)


def test_what_a_study_is_called_is_text_and_no_markup():
    table = Table("a | b", ("<i>", "x"), (("*1*", "`2`"),))
    report = Report("<b>&|", (("k", "<v>"),), ("FAILED [x](y)",), False, (Section("S", ("<p>",), (table,)),))  # fmt: skip # noqa: E501
    page, markdown = as_html(report), as_markdown(report)
    assert "<h1>&lt;b&gt;&amp;|</h1>" in page
    assert "<i>" not in page
    assert "<v>" not in page
    assert "| \\<i> | x |" in markdown
    assert "| \\*1\\* | \\`2\\` |" in markdown
    assert "**FAILED \\[x\\](y)**" in markdown


def test_the_worst_place_of_all_frames_is_shown(tmp_path):
    """A file that is wrong in one spot of the second frame."""
    variant, size = Variant("fp16", (300, 400, 3)), (1, 300, 400, 3)
    frames = tuple(Reference(tmp_path, number, Quality(30.0, 0.9)) for number in (0, 1))
    for frame in frames:
        picture = np.full(size, 0.25, np.float32)
        for path in (frame.input, frame.target, frame.keras):
            np.save(path, picture)
        if frame.number == 1:
            picture[0, 250:260, 200:210] = 1.0
        np.save(frame.output(variant.label), picture)
    worst, first = strips(References(frames), [variant])
    assert worst.title == "Where fp16 differs most from Keras"
    pixels = {p.name: np.asarray(Image.open(io.BytesIO(p.jpeg))) for p in worst.pictures}
    made = pixels["1_fp16.jpg"].mean(axis=-1)
    assert made.shape == (SIDE, SIDE)
    rows, columns = np.nonzero(made > 200)
    # The frame ends 300 rows down, so that the cut begins at 108; columns have it in the middle.
    assert (rows.min(), rows.max()) == pytest.approx((142, 151), abs=2)
    assert (columns.min(), columns.max()) == pytest.approx((96, 105), abs=2)
    difference = pixels["1_fp16_difference.jpg"].mean(axis=-1)
    assert difference[147, 100] > 150
    assert difference[20, 20] < 10
    assert next(p for p in first.pictures if p.name == "2_fp16.jpg").caption == "fp16, 100.00 dB"
