"""A run that is continued: what it did stays, what failed is done, nothing is published or counted twice."""

from __future__ import annotations

import json

import pytest
from pyspark.sql import functions as F
from pyspark.testing import assertDataFrameEqual

from tests.jobs.runtime_world import CALLS, DAY, LONG_CALLS, ROWS, SPAN, calls, context, declare, job, with_calls
from visitgrain.errors import JobFailed
from visitgrain.runtime.context import Context
from visitgrain.runtime.job import Job, Pipeline, during
from visitgrain.runtime.runner import run_pipeline
from visitgrain.tables import TABLES, Kind
from visitgrain.tables.runs import PUBLISHED_RUNS

COPIES = LONG_CALLS.model_copy(update={"name": "test_copied_calls", "kind": Kind.OUTPUT})


@pytest.fixture(autouse=True)
def _declared(monkeypatch):
    declare(monkeypatch, CALLS, LONG_CALLS, COPIES)


@pytest.fixture
def world(spark, tmp_path) -> Context:
    return with_calls(spark, tmp_path / "lake")


def again(world: Context, run_id: str) -> Context:
    """Another process that is told to go on with a run."""
    made = context(world.spark, world.settings.lake)
    made.run_id, made.attached = run_id, True
    return made


def copy(test_long_calls, *, spec, span):
    return test_long_calls


def broken(test_long_calls, *, spec, span):
    return test_long_calls.withColumn("seconds", F.raise_error(F.lit("no")).cast("bigint"))


def pipeline(second=copy) -> Pipeline:
    """find_long_calls, then copy_calls, whose code may be broken."""
    more = {"grain": "day", "summary": ""}
    copies = Job(name="copy_calls", reads=(during(LONG_CALLS),), writes=(COPIES,), transform=second, **more)
    return Pipeline(name="test", jobs=(job(), copies), **more)


def ran(context: Context) -> list[tuple[str, str]]:
    """(job, status) of the whole ledger."""
    return [(entry.job, entry.status) for entry in context.ledger.entries()]


def test_a_failed_run_goes_on_where_it_failed(spark, world):
    with pytest.raises(JobFailed):
        run_pipeline(pipeline(broken), SPAN, world)
    rest = again(world, world.run_id)
    assert [entry.job for entry in run_pipeline(pipeline(), SPAN, rest)] == ["copy_calls"]
    assert ran(world) == [("find_long_calls", "ok"), ("copy_calls", "failed"), ("copy_calls", "ok")]
    assertDataFrameEqual(rest.lake.read(COPIES), calls(spark, ROWS[:1]))
    result = json.loads(rest.lake.store.read_text(f"_runs/{world.run_id}.json"))
    assert (result["status"], [entry["status"] for entry in result["entries"]]) == ("ok", ["ok", "failed", "ok"])
    [row] = rest.lake.read(PUBLISHED_RUNS).collect()
    assert row.run_id == world.run_id


def test_the_same_run_twice_changes_and_publishes_nothing(world):
    run_pipeline(pipeline(), SPAN, world)
    before = {table.name: world.lake.version(table) for table in (LONG_CALLS, COPIES, PUBLISHED_RUNS)}
    second = again(world, world.run_id)
    assert run_pipeline(pipeline(), SPAN, second) == []
    assert {name: second.lake.version(TABLES[name]) for name in before} == before
    run_pipeline(pipeline(), SPAN, world)  # control: a run that is not attached does all of it again
    assert len(world.ledger.entries()) == 4
    assert world.lake.read(PUBLISHED_RUNS).count() == 2


def test_another_run_id_or_another_input_is_work(spark, world):
    run_pipeline(pipeline(), SPAN, world)
    assert len(run_pipeline(pipeline(), SPAN, again(world, "another"))) == 2
    world.lake.append(CALLS, calls(spark, [(9, DAY, 99, "z", None)]), run_id="feed")
    assert len(run_pipeline(pipeline(), SPAN, again(world, "another"))) == 2
    assert world.lake.read(COPIES).count() == 2


def test_one_command_per_job_is_one_run(world):
    """As an orchestrator does it: each job by a process of its own, and the last one publishes."""
    whole = pipeline()
    first, second = whole.jobs
    assert [e.job for e in run_pipeline(whole, SPAN, again(world, "dag"), until=first)] == [first.name]
    assert [e.job for e in run_pipeline(whole, SPAN, again(world, "dag"), until=second)] == [second.name]
    assert not world.lake.has(PUBLISHED_RUNS)
    assert run_pipeline(whole, SPAN, again(world, "dag")) == []
    [row] = world.lake.read(PUBLISHED_RUNS).collect()
    assert row.versions == {"test_long_calls": 1, "test_copied_calls": 1}


def test_from_failed_takes_the_run_that_failed_last(world, monkeypatch, capsys):
    from visitgrain import cli
    from visitgrain.cli import run

    monkeypatch.setattr(Context, "spark", world.spark)

    def command(found: Pipeline, *arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(run, "target", lambda name: found)
        with pytest.raises(SystemExit) as exit_:
            cli.main(["--lake", world.lake.store.root, *arguments, "run", "test", "--date", "2026-03-01", *more])
        captured = capsys.readouterr()
        return int(exit_.value.code or 0), captured.out + captured.err

    more: list[str] = []
    assert command(pipeline(broken), "--run-id", "monday")[0] == 6
    more = ["--from-failed"]
    code, told = command(pipeline())
    assert (code, "going on with run monday" in told) == (0, True)
    assert [(e.run_id, e.job) for e in world.ledger.entries()][-1] == ("monday", "copy_calls")
    code, told = command(pipeline())
    assert (code, "no run of test for 2026-03-01 that failed last" in told) == (2, True)
    more = []
    assert "nothing to do: run monday has done it before" in command(pipeline(), "--run-id", "monday")[1]
    more = ["--until", "copy_cals"]
    code, told = command(pipeline())
    assert (code, "did you mean 'copy_calls'?" in told) == (2, True)
    more = []
    code, told = command(pipeline(), "--run-id", "../up")
    assert (code, "allowed are up to 200" in told) == (2, True)
