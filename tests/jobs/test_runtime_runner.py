"""Runner: ledger, conservation, publishing, failures; and the commands that stand on it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from pyspark.sql import functions as F
from pyspark.testing import assertDataFrameEqual

from tests.jobs.runtime_world import (
    CALLS,
    DAY,
    LONG_CALLS,
    ROWS,
    SPAN,
    calls,
    context,
    declare,
    drop_short,
    job,
    with_calls,
)
from tests.unit.runtime.test_locks import holder
from visitgrain.errors import GateRefused, InputMissing, JobFailed, Locked
from visitgrain.runtime import dry_run
from visitgrain.runtime.context import Context
from visitgrain.runtime.job import Pipeline
from visitgrain.runtime.planning import State
from visitgrain.runtime.runner import run_job, run_pipeline
from visitgrain.span import Span
from visitgrain.tables.runs import PUBLISHED_RUNS, RUN_LEDGER

# mark_short: call 1 lasts 60 s and is kept, call 2 lasts 5 s, call 3 is unknown: 3 in = 1 kept + 2 short
KEPT = ROWS[:1]


@pytest.fixture(autouse=True)
def _declared(monkeypatch):
    declare(monkeypatch, CALLS, LONG_CALLS)


@pytest.fixture
def world(spark, tmp_path) -> Context:
    return with_calls(spark, tmp_path / "lake")


def test_a_run_is_in_the_ledger_and_in_its_result_file(spark, world):
    [entry] = run_job(job(), SPAN, world)
    assertDataFrameEqual(world.lake.read(LONG_CALLS), calls(spark, KEPT))
    assert (entry.rows_in, entry.outcomes, entry.rows_out) == (3, {"kept": 1, "short": 2}, 1)
    assert (entry.input_versions, entry.output_version, entry.status) == ({"test_calls": 1}, 1, "ok")
    assert world.ledger.entries() == [entry]
    result = json.loads(world.lake.store.read_text(f"_runs/{world.run_id}.json"))
    assert (result["status"], result["entries"][0]["content_hash"]) == ("ok", entry.content_hash)


def test_a_second_run_changes_no_content_hash(spark, world):
    [first] = run_job(job(), SPAN, world)
    [second] = run_job(job(), SPAN, world)
    assert second.content_hash == first.content_hash
    assertDataFrameEqual(world.lake.read(LONG_CALLS), calls(spark, KEPT))


def test_a_ledger_of_an_earlier_version_tells_of_no_period(world):
    run_job(job(), SPAN, world)
    assert world.book.state(job(), SPAN) == State.COMPLETE
    [entry] = world.ledger.entries()
    world.lake.store.remove_folder(RUN_LEDGER.name)
    world.lake.store.remove_file(f"_receipts/{RUN_LEDGER.name}.json")
    columns = tuple(column for column in RUN_LEDGER.columns if column.name != "input_hashes")
    earlier = {name: value for name, value in vars(entry).items() if name != "input_hashes"}
    world.lake.append(RUN_LEDGER.model_copy(update={"columns": columns}), [earlier], run_id="earlier")
    assert [entry.job for entry in world.ledger.entries()] == [job().name]
    assert world.book.state(job(), SPAN) == State.MISSING


def test_lost_rows_are_refused_and_nothing_changes(spark, world):
    run_job(job(), SPAN, world)
    with pytest.raises(GateRefused, match=r"3 rows of test_calls in, 1 accounted for \(kept 1\): 2 lost") as refused:
        run_job(job(drop_short), SPAN, world)
    assert refused.value.exit_code == 5
    assertDataFrameEqual(world.lake.read(LONG_CALLS), calls(spark, KEPT))
    assert [entry.status for entry in world.ledger.entries()] == ["ok", "failed"]
    assert "2 lost" in world.ledger.entries()[1].error
    run_job(job(drop_short, conserves=None), SPAN, world)  # control: the same transform without the law goes through


def test_rows_that_break_a_law_are_refused_and_nothing_changes(spark, world):
    """The law sees the rows as they would be published, the day of their partition with them."""
    seen = []

    def long_enough(rows, spec):
        seen.extend(rows.select(["call_id", "day"]).to_pylist())
        return [f"call {row['call_id']} is too short" for row in rows.to_pylist() if row["seconds"] < least]

    least = 60
    run_job(job(laws=long_enough), SPAN, world)  # control: the law holds
    assert seen == [{"call_id": 1, "day": DAY}]
    least = 61
    with pytest.raises(GateRefused, match=r"table test_long_calls: call 1 is too short\. Nothing was changed in it"):
        run_job(job(laws=long_enough), SPAN, world)
    assertDataFrameEqual(world.lake.read(LONG_CALLS), calls(spark, KEPT))
    files = [file.path for file in world.lake.data_files(LONG_CALLS)]
    on_disk = world.lake.store.local_path(LONG_CALLS.name).rglob("*.parquet")
    assert sorted(str(path.name) for path in on_disk) == sorted(path.split("/")[-1] for path in files)


def test_a_law_holds_for_no_rows_at_all(world):
    seen = []

    def noted(rows, spec):
        seen.append(rows)
        return []

    run_job(job(lambda test_calls, **_: test_calls.limit(0), conserves=None, laws=noted), SPAN, world)
    assert (seen[0].num_rows, seen[0].column_names) == (0, list(LONG_CALLS.column_names))


def test_a_refused_first_write_makes_no_table(world):
    with pytest.raises(GateRefused, match="2 lost"):
        run_job(job(drop_short), SPAN, world)
    assert not world.lake.has(LONG_CALLS)


def test_a_row_may_stand_for_several(world):
    def fold(test_calls, *, spec, span):
        first = F.min_by(F.struct("*"), "call_id").alias("call")
        return test_calls.groupBy("day").agg(first, F.count("*").alias("_rows")).select("call.*", "_rows")

    [entry] = run_job(job(fold), SPAN, world)
    assert (entry.rows_in, entry.outcomes, entry.rows_out) == (3, {"kept": 3}, 1)


def test_a_day_without_input_conserves_nothing(world):
    empty = Span(DAY - timedelta(days=9), DAY - timedelta(days=9))
    [entry] = run_job(job(), empty, world)
    assert entry.output_version == 0  # the table as created: Delta commits nothing where nothing replaces nothing
    assert (entry.rows_in, entry.outcomes, entry.rows_out) == (0, {"kept": 0}, 0)


def test_a_failing_transform_is_one_line_and_publishes_nothing(spark, world):
    def fail(test_calls, *, spec, span):
        broken = F.when(F.col("call_id") == 2, F.raise_error(F.lit("number '13800138000'")).cast("bigint"))
        return test_calls.select("call_id", "day", F.coalesce(broken, "seconds").alias("seconds"), "number", "labels")

    pipeline = Pipeline(name="test", jobs=(job(fail),), grain="day", summary="")
    with pytest.raises(JobFailed) as failed:
        run_pipeline(pipeline, SPAN, world)
    message = str(failed.value)
    assert message.startswith("job find_long_calls for 2026-03-01: ")
    assert "\n" not in message
    assert "13800138000" not in message
    assert not world.lake.has(PUBLISHED_RUNS)
    assert [entry.status for entry in world.ledger.entries()] == ["failed"]


def test_a_pipeline_publishes_the_versions_it_wrote(world):
    pipeline = Pipeline(name="test", jobs=(job(),), grain="day", summary="")
    run_pipeline(pipeline, SPAN, world)
    [row] = world.lake.read(PUBLISHED_RUNS).collect()
    assert (row.pipeline, row.period_start, row.versions) == ("test", DAY, {"test_long_calls": 1})


def test_a_missing_input_is_named(spark, tmp_path):
    with pytest.raises(InputMissing, match="job find_long_calls for 2026-03-01: table test_calls: not there yet"):
        run_job(job(), SPAN, context(spark, tmp_path / "lake"))


def test_a_locked_table_is_exit_code_7(world):
    with holder(world.lake.store.local_path("_locks"), LONG_CALLS.name), pytest.raises(Locked) as locked:
        run_job(job(), SPAN, world)
    assert locked.value.exit_code == 7
    run_job(job(), SPAN, world)  # the holder was killed: its lock is stale


def test_a_dry_run_checks_and_writes_nothing(spark, world, tmp_path):
    assert dry_run.check(job(), SPAN, world) == []
    assert not world.lake.has(LONG_CALLS)
    elsewhere = context(spark, tmp_path / "empty")
    assert dry_run.check(job(), SPAN, elsewhere) == ["input test_calls is not there yet; checked against an empty one"]
    with pytest.raises(GateRefused, match="missing column labels"):
        dry_run.check(job(lambda test_calls, **more: test_calls.drop("labels")), SPAN, world)


def test_shuffles_are_counted(world):
    frame = world.lake.read(CALLS)
    assert dry_run.exchanges(frame) == 0
    assert dry_run.exchanges(frame.groupBy("number").count().groupBy("count").count()) == 2
    other = F.broadcast(frame.select("call_id"))
    assert dry_run.exchanges(frame.join(other, "call_id", how="left")) == 0


@pytest.fixture
def command(world, monkeypatch, capsys):
    """Runs a command line on the test's session and job; returns exit code, output, errors."""
    from visitgrain import cli
    from visitgrain.cli import plan, run, status

    for module in (run, plan):
        monkeypatch.setattr(module, "target", lambda name: job())
    monkeypatch.setattr(status, "discovered_jobs", lambda: {"find_long_calls": job()})
    monkeypatch.setattr(Context, "spark", world.spark)

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as exit_:
            cli.main(["--lake", world.lake.store.root, "--set", "lock_wait_s=0", *arguments])
        captured = capsys.readouterr()
        return int(exit_.value.code or 0), captured.out, captured.err

    return call


def test_backfill_runs_each_day_once_and_skips_what_is_done(world, command):
    days = ["--from", "2026-03-01", "--to", "2026-03-03"]
    assert command("run", "job", "--date", "2026-03-02")[0] == 0
    code, out, _ = command("backfill", "job", *days, "--missing-only")
    assert (code, out.splitlines()[-1]) == (0, "2 of 3 periods run, 1 were done before")
    code, out, _ = command("backfill", "job", *days, "--missing-only")
    assert (code, out.splitlines()[-1]) == (0, "0 of 3 periods run, 3 were done before")
    _, out, _ = command("status")
    header, line = (text.split() for text in out.splitlines()[:2])
    assert dict(zip(header, line, strict=False))["complete"] == "3"


def test_a_failing_backfill_stops_and_says_how_to_go_on(world, command, monkeypatch):
    from visitgrain.cli import run

    failing = job(
        lambda test_calls, **more: test_calls.withColumn("seconds", F.raise_error(F.lit("no")).cast("bigint"))
    )
    monkeypatch.setattr(run, "target", lambda name: failing)
    code, _, err = command("backfill", "job", "--from", "2026-02-28", "--to", "2026-03-02")
    assert code == 6
    assert "stopped at 2026-03-01, 2 of 3; go on with: visitgrain backfill job --from 2026-02-28" in err
    assert "--to 2026-03-02 --missing-only" in err


def test_run_ends_with_what_was_written(command):
    code, out, _ = command("run", "job", "--date", "2026-03-01")
    assert code == 0
    assert [line.split()[:2] for line in out.splitlines()] == [["table", "rows"], ["test_long_calls", "1"]]
