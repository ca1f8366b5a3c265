"""Data files read in a worker: whole, or in pieces."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from visitgrain.arrow.rows import NOWHERE, FilePart, read_part, read_pieces

MONTH = date(2026, 3, 1)
ROWS = pa.table({"n": range(10), "text": [None, *"abcdefghi"]})


@pytest.fixture
def path(tmp_path) -> Path:
    found = tmp_path / "month=2026-03-01" / "rows.parquet"
    found.parent.mkdir()
    pq.write_table(ROWS, found, row_group_size=4, write_page_checksum=True)  # row groups of 4, 4 and 2
    return found


def part_of(path: Path, part: int = 0, parts: int = 1, month: date | None = MONTH) -> FilePart:
    return FilePart(0, str(path), month, part, parts, 10, 0)


@pytest.mark.parametrize("part", [(0, 1), (0, 2), (1, 2), (NOWHERE, 1)])
@pytest.mark.parametrize("rows", [1, 3, 100])
def test_pieces_are_the_part(path, part, rows) -> None:
    file, columns = part_of(path, *part), ["text", "month", "n"]
    pieces = list(read_pieces(file, columns, rows=rows))
    whole = read_part(file, columns)
    assert pa.concat_tables([whole.slice(0, 0), *pieces]).equals(whole)
    assert all(0 < piece.num_rows <= rows for piece in pieces)
    assert whole["month"].to_pylist() == [MONTH] * whole.num_rows


def test_every_second_row_group(path) -> None:
    assert read_part(part_of(path, 0, 2), ["n"])["n"].to_pylist() == [0, 1, 2, 3, 8, 9]
    assert read_part(part_of(path, 1, 2), ["n"])["n"].to_pylist() == [4, 5, 6, 7]


@pytest.mark.parametrize("read", [read_part, lambda file, columns: list(read_pieces(file, columns, rows=3))])
def test_a_damaged_file_is_named(path, read) -> None:
    whole = bytearray(path.read_bytes())
    whole[40] ^= 0xFF  # in the first page
    path.write_bytes(whole)
    with pytest.raises(OSError, match=r"rows\.parquet cannot be read, restore it from a backup"):
        read(part_of(path), ["n", "text"])
