"""Tables of trainings: written, read, asked."""

import gzip

import pytest

from search.errors import UserError
from search.replay import read_table, write_table
from spaces import SPACES


def test_a_table_is_read_as_it_was_written(table, tmp_path):
    write_table(tmp_path / "t.jsonl.gz", table)
    again = read_table(tmp_path / "t.jsonl.gz")
    assert again == table
    write_table(tmp_path / "u.jsonl.gz", again)
    assert (tmp_path / "t.jsonl.gz").read_bytes() == (tmp_path / "u.jsonl.gz").read_bytes()


def test_budgets_and_seeds_are_those_that_every_row_has(table):
    assert table.budgets == [100, 400]
    assert table.seeds == [0, 1]


def test_seeds_count_round(table):
    row = table.rows[0]
    assert table.run(row.architecture, 400, 3) == row.runs[400, 1]


def test_what_is_not_there_is_said(table):
    space = SPACES["unet_isp"]
    with pytest.raises(UserError, match="no training of 300 steps"):
        table.run(table.rows[0].architecture, 300, 0)
    stranger = table.rows[0].architecture.choices | {"width_0": 32}
    with pytest.raises(UserError, match="holds no architecture"):
        table.run(space.architecture(stranger), 400, 0)


@pytest.mark.parametrize("text", ["", "{}", '{"task": "isp"}\n[]', None])
def test_a_file_that_is_no_table_is_one_line(text, tmp_path):
    content = b"not compressed" if text is None else gzip.compress(text.encode())
    path = tmp_path / "t.jsonl.gz"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"t\.jsonl\.gz"):
        read_table(path)
    with pytest.raises(UserError, match="nowhere"):
        read_table(tmp_path / "nowhere")
