"""Lake: schema contract, replace, hashes, damage, zone, protocol."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest
from delta.tables import DeltaTable
from pyspark.sql import functions as F
from pyspark.testing import assertDataFrameEqual

from tests.jobs.runtime_world import CALLS, DAY, ROWS, calls
from visitgrain.errors import ConfigError, GateRefused, InputMissing, Locked
from visitgrain.runtime import delta_log
from visitgrain.runtime.lake import Lake

NEXT = DAY + timedelta(days=1)


@pytest.fixture
def lake(spark, tmp_path) -> Lake:
    return Lake(spark, str(tmp_path / "lake"), "Asia/Shanghai")


def log_of(lake: Lake):
    return lake.store.local_path(CALLS.name, "_delta_log")


def test_a_table_of_an_earlier_version_is_not_written_to(spark, lake):
    """Its log would go on naming the columns of then, and no reader would find the new ones."""
    earlier = CALLS.model_copy(update={"columns": CALLS.columns[:-1]})
    lake.append(earlier, calls(spark).select(*earlier.column_names), run_id="r")
    with pytest.raises(GateRefused, match=r"as stored: missing column .*delete test_calls and _receipts/test_calls"):
        lake.append(CALLS, calls(spark), run_id="r")
    assert lake.version(CALLS) == 1
    assert lake.rows(CALLS) == calls(spark).count()


def test_all_contract_errors_come_in_one_message(spark, lake):
    frame = calls(spark).select(
        "call_id", F.col("day").cast("string").alias("day"), "seconds", "labels", F.lit(1).alias("extra")
    )
    with pytest.raises(GateRefused) as refused:
        lake.append(CALLS, frame, run_id="r")
    message = str(refused.value)
    assert "missing column number (string)" in message
    assert "extra column extra (int)" in message
    assert "column day is string, declared date" in message
    assert not lake.has(CALLS)


def test_columns_are_reordered_and_widened_without_loss(spark, lake):
    frame = calls(spark, ROWS[:1]).select("labels", "number", F.col("seconds").cast("int"), "day", "call_id")
    lake.append(CALLS, frame, run_id="r")
    assert lake.read(CALLS).columns == CALLS.column_names
    assertDataFrameEqual(lake.read(CALLS), calls(spark, ROWS[:1]))


def test_replace_repeats_with_the_same_hash_and_leaves_other_days(spark, lake):
    other = [(9, NEXT, 1, "z", None)]
    lake.replace(CALLS, calls(spark, other), window=(NEXT, NEXT), run_id="r0")
    first = lake.replace(CALLS, calls(spark), window=(DAY, DAY), run_id="r1")
    again = lake.replace(CALLS, calls(spark, ROWS[::-1]).repartition(3), window=(DAY, DAY), run_id="r2")
    assert (first.rows, first.outcomes) == (3, {"kept": 3})
    assert again.content_hash == first.content_hash
    assert (again.version, again.changed) == (first.version, ())  # the same rows: nothing to commit
    assertDataFrameEqual(lake.read(CALLS), calls(spark, ROWS + other))
    changed = lake.replace(CALLS, calls(spark, [*ROWS[:2], (3, DAY, None, None, {})]), window=(DAY, DAY), run_id="r3")
    assert changed.content_hash != first.content_hash
    assert (changed.version, changed.changed) == (first.version + 1, (DAY,))


def test_replace_with_nothing_empties_the_window_only(spark, lake):
    lake.append(CALLS, calls(spark, [*ROWS, (9, NEXT, 1, "z", None)]), run_id="r0")
    nothing = lake.replace(CALLS, lake.empty(CALLS), window=(DAY, DAY), run_id="r1")
    assert (nothing.rows, nothing.outcomes) == (0, {"kept": 0})
    assert [row.call_id for row in lake.read(CALLS).collect()] == [9]


def test_replace_days_touches_the_listed_days_only(spark, lake):
    days = [DAY + timedelta(days=n) for n in range(3)]
    lake.append(CALLS, calls(spark, [(n, day, 1, None, None) for n, day in enumerate(days)]), run_id="r0")
    lake.replace_days(CALLS, calls(spark, [(7, days[2], 1, None, None)]), [days[0], days[2]], run_id="r1")
    assert sorted(row.call_id for row in lake.read(CALLS).collect()) == [1, 7]


def test_rows_outside_the_window_are_refused(spark, lake):
    with pytest.raises(GateRefused, match="rows outside the replaced day values"):
        lake.replace(CALLS, calls(spark), window=(NEXT, NEXT), run_id="r")
    assert not lake.has(CALLS)


def test_null_in_a_key_is_refused(spark, lake):
    frame = calls(spark).select(F.lit(None).cast("bigint").alias("call_id"), *CALLS.column_names[1:])
    with pytest.raises(GateRefused, match="null in column call_id"):
        lake.append(CALLS, frame, run_id="r")


def test_undeclared_outcome_is_refused_and_nothing_changes(spark, lake):
    lake.append(CALLS, calls(spark, ROWS[:1]), run_id="r0")
    marked = calls(spark).withColumn("_outcome", F.lit("strange"))
    files = set(lake.store.local_path(CALLS.name).rglob("*.parquet"))
    with pytest.raises(GateRefused, match="outcome 'strange' is not declared"):
        lake.replace(CALLS, marked, window=(DAY, DAY), run_id="r1")
    assert set(lake.store.local_path(CALLS.name).rglob("*.parquet")) == files
    assertDataFrameEqual(lake.read(CALLS), calls(spark, ROWS[:1]))


def test_window_of_a_read_includes_both_ends(spark, lake):
    rows = [(n, DAY + timedelta(days=n), 1, None, None) for n in range(4)]
    lake.append(CALLS, calls(spark, rows), run_id="r")
    within = lake.read(CALLS, (rows[1][1], rows[2][1]))
    assert sorted(row.call_id for row in within.collect()) == [1, 2]
    assert sorted(row.call_id for row in lake.read(CALLS, (None, rows[1][1])).collect()) == [0, 1]


def test_a_missing_table_is_an_error_or_empty(lake):
    with pytest.raises(InputMissing, match="table test_calls: not there yet"):
        lake.read(CALLS)
    assert lake.read(CALLS, (date(2026, 1, 1), None), optional=True).collect() == []


def test_empty_newest_commit_is_refused(spark, lake):
    lake.append(CALLS, calls(spark), run_id="r0")
    lake.append(CALLS, calls(spark), run_id="r1")
    assert lake.read(CALLS).count() == 6  # control: the same read without the damage
    newest = max(log_of(lake).glob("*.json"))
    newest.write_bytes(b"")
    with pytest.raises(GateRefused, match=f"empty commit file {newest.name}"):
        lake.read(CALLS)


def test_a_table_older_than_its_receipt_is_refused(spark, lake):
    lake.append(CALLS, calls(spark), run_id="r0")
    lake.append(CALLS, calls(spark), run_id="r1")
    max(log_of(lake).glob("*.json")).unlink()
    with pytest.raises(GateRefused, match=r"acknowledged as version 2, the newest found is 1"):
        lake.read(CALLS)


def test_a_commit_that_lost_a_file_is_refused(spark, lake):
    lake.append(CALLS, calls(spark), run_id="r0")
    newest = max(log_of(lake).glob("*.json"))
    newest.write_text("".join(line for line in newest.read_text().splitlines(True) if '"add"' not in line))
    with pytest.raises(GateRefused, match="tells 0 rows in 0 files, 3 acknowledged; that is not what run r0 wrote"):
        lake.read(CALLS)


def test_another_zone_is_refused(spark, lake):
    lake.append(CALLS, calls(spark), run_id="r")
    with pytest.raises(ConfigError, match=r"the days of this lake are Asia/Shanghai days.*--set zone=Asia/Shanghai"):
        Lake(spark, lake.store.root, "UTC")


def test_tables_keep_the_compatibility_profile_and_no_identifier_in_statistics(spark, lake):
    lake.append(CALLS, calls(spark), run_id="r")
    detail = DeltaTable.forPath(spark, lake.path(CALLS)).detail().first()
    assert (detail.minReaderVersion, detail.minWriterVersion) == (1, 2)
    assert detail.properties["delta.enableDeletionVectors"] == "false"
    assert detail.properties["delta.dataSkippingStatsColumns"] == "call_id"
    commit = max(log_of(lake).glob("*.json")).read_text()
    stats = [json.loads(json.loads(line)["add"]["stats"]) for line in commit.splitlines() if '"add"' in line]
    assert sum(s["numRecords"] for s in stats) == 3
    assert {name for s in stats for name in s["minValues"]} == {"call_id"}


def test_a_newer_reader_protocol_is_refused(spark, lake):
    lake.append(CALLS, calls(spark), run_id="r")
    DeltaTable.forPath(spark, lake.path(CALLS)).addFeatureSupport("deletionVectors")
    fresh = Lake(spark, lake.store.root, "Asia/Shanghai")
    with pytest.raises(GateRefused, match="reader protocol 3"):
        fresh.read(CALLS)


def test_a_long_log_is_read_from_a_checkpoint_by_everyone(spark, lake):
    for call_id in range(25):
        record = {"call_id": call_id, "day": DAY, "seconds": 1, "number": None, "labels": {"x": call_id}}
        lake.append(CALLS, [record], run_id=f"r{call_id}")
    assert list(log_of(lake).glob("*.checkpoint*.parquet"))
    expected = list(range(25))
    assert sorted(row.call_id for row in lake.read(CALLS).collect()) == expected
    by_delta = spark.read.format("delta").load(lake.path(CALLS))
    assert sorted(row.call_id for row in by_delta.collect()) == expected
    lake.replace(CALLS, lake.empty(CALLS), window=(DAY, DAY), run_id="none")
    assert spark.read.format("delta").load(lake.path(CALLS)).count() == lake.rows(CALLS) == 0


def test_another_programs_commit_is_refused(spark, lake, monkeypatch):
    """Between our look at the log and our commit somebody else commits: nothing of ours may follow."""
    lake.append(CALLS, calls(spark, ROWS[:1]), run_id="r0")
    staged = lake.stage(CALLS, calls(spark, ROWS[1:]), replaces=None)
    calls(spark, ROWS[:1]).write.format("delta").mode("append").save(lake.path(CALLS))
    lake.commit(staged, run_id="r1")  # control: a commit before ours began is nothing to refuse
    staged = lake.stage(CALLS, calls(spark, ROWS[1:]), replaces=lambda day: True)
    calls(spark, ROWS[:1]).write.format("delta").mode("append").save(lake.path(CALLS))
    with pytest.raises(Locked, match="came while its rows were computed"):
        lake.commit(staged, run_id="r2")  # it would remove rows that the computation never saw
    staged = lake.stage(CALLS, calls(spark, ROWS[1:]), replaces=lambda day: True)
    real = delta_log.DeltaTable

    class Overtaken(real):
        def create_write_transaction(self, *arguments, **more):
            calls(spark, ROWS[:1]).write.format("delta").mode("overwrite").save(lake.path(CALLS))
            return super().create_write_transaction(*arguments, **more)

    monkeypatch.setattr(delta_log, "DeltaTable", Overtaken)
    with pytest.raises(Locked, match="another program"):
        lake.commit(staged, run_id="r2")


def test_staging_is_fresh_each_time(spark, lake):
    folder = lake.staging("ingest")
    spark.range(2).write.parquet(f"{folder}/part")
    assert lake.store.sizes("_staging/ingest/part")
    assert lake.staging("ingest") == folder
    assert not lake.store.sizes("_staging/ingest/part")
    lake.clear_staging("ingest")
    assert not lake.store.exists("_staging/ingest")
