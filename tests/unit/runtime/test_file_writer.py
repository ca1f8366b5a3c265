"""Files written in a worker and what is reported of them, without Spark."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, date, datetime

import pyarrow as pa
import pyarrow.parquet as pq

from visitgrain.runtime.file_writer import FileWriter, Report
from visitgrain.runtime.statistics import statistics_of

DAY, NEXT = date(2026, 3, 1), date(2026, 3, 2)
SCHEMA = pa.schema([("id", pa.int64()), ("day", pa.date32()), ("page", pa.string())])


def writer(root, **more) -> FileWriter:
    fields = {
        "hashed": tuple(SCHEMA.names),
        "not_null": ("id",),
        "statistics": ("id",),
        "partition": "day",
        "codec": "snappy",
        **more,
    }
    return FileWriter(root=str(root), schema=SCHEMA, **fields)


def written(root, *tables: pa.Table, **more) -> Report:
    return writer(root, function=lambda _: iter(tables), **more).write(iter([]))


def rows(*values: tuple[int | None, date, str | None], **more: list) -> pa.Table:
    columns = {name: [value[place] for value in values] for place, name in enumerate(SCHEMA.names)}
    table = pa.table(columns, schema=SCHEMA)
    for name, column in more.items():
        table = table.append_column(name, pa.array(column))
    return table


def test_each_day_is_a_file_and_the_report_says_what_it_holds(tmp_path):
    report = written(tmp_path, rows((1, DAY, "a"), (2, NEXT, None)), rows((7, DAY, "b")))
    found = {file["partitionValues"]["day"]: file for file in report.files}
    assert sorted(found) == ["2026-03-01", "2026-03-02"]
    first = found["2026-03-01"]
    assert pq.ParquetFile(tmp_path / first["path"]).read().to_pylist() == [
        {"id": 1, "page": "a"},
        {"id": 7, "page": "b"},
    ]
    assert first["size"] == (tmp_path / first["path"]).stat().st_size
    assert json.loads(first["stats"]) == {
        "numRecords": 2,
        "minValues": {"id": 1},
        "maxValues": {"id": 7},
        "nullCount": {"id": 0},
    }
    assert (report.content.rows, report.outcomes, report.marked) == (3, Counter(kept=3), False)


def test_rows_are_counted_by_outcome_and_only_kept_ones_are_written(tmp_path):
    table = rows((1, DAY, "a"), (2, DAY, "b"), (3, DAY, "c"), _rows=[5, 2, 1], _outcome=["kept", "short", None])
    report = written(tmp_path, table)
    assert (report.content.rows, report.outcomes, report.marked) == (1, Counter(kept=5, short=2, null=1), True)


def test_nulls_are_counted(tmp_path):
    assert written(tmp_path, rows((None, DAY, None), (2, DAY, None))).nulls == Counter(id=1)


def test_the_hash_depends_on_rows_alone(tmp_path):
    one = written(tmp_path, rows((1, DAY, "a"), (2, NEXT, None)))
    other = written(tmp_path, rows((2, NEXT, None)), rows((1, DAY, "a")))
    changed = written(tmp_path, rows((1, DAY, "a"), (2, NEXT, "")))
    assert one.content == other.content != changed.content
    assert Report.from_json(one.to_json()) == one


def test_reports_of_tasks_add_up(tmp_path):
    whole = written(tmp_path, rows((1, DAY, "a"), (2, NEXT, None)))
    one, other = (written(tmp_path, table) for table in (rows((2, NEXT, None)), rows((1, DAY, "a"))))
    total = Report.total([one, other])
    assert (total.content, total.content.rows, total.outcomes) == (whole.content, 2, Counter(kept=2))
    marked = Report.total([Report(marked=True), one])
    marked.add_staying(other)
    assert (marked.content, marked.outcomes) == (whole.content, Counter(kept=1))  # what stays accounts for nothing
    one.add_staying(other)
    assert (one.content, one.outcomes) == (whole.content, Counter(kept=2))


def test_texts_as_dictionaries_make_the_same_file(tmp_path):
    plain = rows((1, DAY, "a"), (2, DAY, None))
    coded = plain.set_column(2, "page", plain["page"].dictionary_encode())
    by_hash = {written(tmp_path, table).content for table in (plain, coded)}
    assert len(by_hash) == 1
    assert [pq.read_table(file)["page"].to_pylist() for file in tmp_path.rglob("*.parquet")] == [["a", None]] * 2


def test_the_largest_instant_is_rounded_up():
    """Statistics know milliseconds: 12:00:00.0012 lies between .001 and .002."""
    table = pa.table({"t": pa.array([datetime(2026, 3, 1, 12, 0, 0, 1200, UTC)], pa.timestamp("us", tz="UTC"))})
    found = statistics_of(table, ("t",))
    assert (found["minValues"]["t"], found["maxValues"]["t"]) == (
        "2026-03-01T12:00:00.001Z",
        "2026-03-01T12:00:00.002Z",
    )
