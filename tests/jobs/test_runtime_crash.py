"""A job of two tables killed at any point of its life, and run again: see tests/faults for the real jobs and kills."""

from __future__ import annotations

import pytest
from pyspark.sql import DataFrame, functions as F

from tests.faults.chain import assert_rerun_is_same, held, images_of
from tests.jobs.runtime_world import CALLS, LONG_CALLS, SPAN, calls, context, declare, job
from visitgrain.errors import GateRefused, JobFailed
from visitgrain.runtime import faults
from visitgrain.runtime.job import Job, Pipeline, during
from visitgrain.runtime.ledger import Ledger
from visitgrain.runtime.planning import State
from visitgrain.runtime.runner import run_job, run_pipeline
from visitgrain.tables.runs import PUBLISHED_RUNS

AGAIN = {("after-stage", 1), ("before-receipt", 2), ("before-ledger", 1)}  # the rest takes longer: tests/faults
SHORT_CALLS = LONG_CALLS.model_copy(update={"name": "test_short_calls"})


def by_length(test_calls: DataFrame, *, spec: object, span: object) -> dict[str, DataFrame]:
    """One call of 60 s is long, one of 5 s and one of unknown length are not: 3 = 1 + 2."""
    long = F.coalesce(F.col("seconds") >= 10, F.lit(False))
    return {LONG_CALLS.name: test_calls.where(long), SHORT_CALLS.name: test_calls.where(~long)}


@pytest.fixture(autouse=True)
def _declared(monkeypatch):
    declare(monkeypatch, CALLS, LONG_CALLS, SHORT_CALLS)


@pytest.fixture
def pipeline(_declared) -> Pipeline:
    split = Job(
        name="split_calls",
        summary="Splits calls by length.",
        grain="day",
        reads=(during(CALLS),),
        writes=(LONG_CALLS, SHORT_CALLS),
        transform=by_length,
        conserves="test_calls",
    )
    return Pipeline(name="calls", jobs=(split,), grain="day", summary="Calls by length.")


def test_a_run_killed_at_any_point_and_run_again_is_the_same(spark, tmp_path, monkeypatch, pipeline):
    lake = tmp_path / "lake"
    made = context(spark, lake)
    made.lake.append(CALLS, calls(spark), run_id="feed")
    with images_of(lake, tmp_path, monkeypatch) as images:
        run_pipeline(pipeline, SPAN, made)
    expected = held(lake)
    assert [(place[0], content.rows) for place, content in sorted(expected.items())] == [
        ("test_calls", 3),
        ("test_long_calls", 1),
        ("test_short_calls", 2),
    ]
    points = [image.point for image in images if image.point != "before-receipt"]
    assert points == ["before-stage", "after-stage", "between-commits", "before-ledger", "before-publish"]
    assert (
        sum(image.point == "before-receipt" for image in images) == 5
    )  # two tables, ledger, what the gate found, published
    for image in images:
        if (image.point, image.number) not in AGAIN:
            continue
        again = context(spark, image.root)
        before = Ledger(again.lake.store).entries()
        assert_rerun_is_same(image, lambda root, again=again: run_pipeline(pipeline, SPAN, again), expected)
        assert len(before) in (0, 2)  # of the killed run: nothing, or all of it


def test_what_was_committed_but_not_in_the_ledger_is_repaired_by_the_next_run(spark, tmp_path, monkeypatch, pipeline):
    made = context(spark, tmp_path / "lake")
    made.lake.append(CALLS, calls(spark), run_id="feed")
    monkeypatch.setenv(faults.FAULT, "before-ledger:1:raise")
    monkeypatch.setenv(faults.FAULT_LOG, str(tmp_path / "fired"))
    with pytest.raises(faults.InjectedFault):
        run_pipeline(pipeline, SPAN, made)
    assert (tmp_path / "fired").read_text() == "before-ledger:1:raise\n"
    [split] = pipeline.jobs
    assert (made.lake.version(LONG_CALLS), made.ledger.entries()) == (1, [])
    assert made.book.state(split, SPAN) == State.MISSING
    again = context(spark, tmp_path / "lake")
    run_pipeline(pipeline, SPAN, again)
    assert [(entry.output_version, entry.run_id) for entry in again.ledger.entries()] == [(1, again.run_id)] * 2
    assert again.lake.version(LONG_CALLS) == 1  # nothing to commit
    assert again.book.state(split, SPAN) == State.COMPLETE


def test_a_job_broken_between_its_commits_publishes_nothing(spark, tmp_path, monkeypatch, pipeline):
    made = context(spark, tmp_path / "lake")
    made.lake.append(CALLS, calls(spark), run_id="feed")
    monkeypatch.setenv(faults.FAULT, "between-commits:1:enospc")
    monkeypatch.setenv(faults.FAULT_LOG, str(tmp_path / "fired"))
    with pytest.raises(JobFailed, match=r"job split_calls for 2026-03-01: OSError: .*No space left on device"):
        run_pipeline(pipeline, SPAN, made)
    assert (made.lake.has(LONG_CALLS), made.lake.has(SHORT_CALLS)) == (True, False)
    assert not made.lake.has(PUBLISHED_RUNS)
    assert {entry.status for entry in made.ledger.entries()} == {"failed"}
    run_pipeline(pipeline, SPAN, context(spark, tmp_path / "lake"))  # the fault has fired: once
    assert made.lake.rows(LONG_CALLS) + made.lake.rows(SHORT_CALLS) == 3


def test_an_input_older_than_the_ledger_says_is_refused(spark, tmp_path):
    """Its newest commit and its receipt are both gone: all that is left agrees, but for the ledger."""
    made = context(spark, tmp_path / "lake")
    made.lake.append(CALLS, calls(spark), run_id="feed")
    reader = Job(
        name="read_long_calls",
        summary="Reads what another job wrote.",
        grain="day",
        reads=(during(LONG_CALLS),),
        writes=(SHORT_CALLS,),
        transform=lambda test_long_calls, *, spec, span: test_long_calls,
        conserves="test_long_calls",
    )
    run_job(job(), SPAN, made)
    run_job(reader, SPAN, context(spark, tmp_path / "lake"))  # control
    max((tmp_path / "lake/test_long_calls/_delta_log").glob("*.json")).unlink()
    (tmp_path / "lake/_receipts/test_long_calls.json").unlink()
    with pytest.raises(GateRefused, match=r"table test_long_calls: version 0 found, the ledger acknowledged version 1"):
        run_job(reader, SPAN, context(spark, tmp_path / "lake"))


def test_a_file_damaged_where_nobody_looks_is_written_anew_by_its_job(spark, tmp_path):
    made = context(spark, tmp_path / "lake")
    made.lake.append(CALLS, calls(spark), run_id="feed")
    run_job(job(), SPAN, made)
    [file] = (tmp_path / "lake/test_long_calls").rglob("*.parquet")
    content = file.read_bytes()
    file.write_bytes(content[:-20] + bytes([content[-20] ^ 1]) + content[-19:])
    with pytest.raises(GateRefused, match="has another footer than the one that was written"):
        context(spark, tmp_path / "lake").lake.read(LONG_CALLS)
    run_job(job(), SPAN, context(spark, tmp_path / "lake"))
    assert context(spark, tmp_path / "lake").lake.read(LONG_CALLS).count() == 1
