"""Between writing and publishing: what a broken rule stops, what stays, what is kept of it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from tests.jobs.runtime_world import CALLS, DAY, LONG_CALLS, SPAN, calls, context, declare, job
from visitgrain.catalogue.quality import QualityRules, TableQuality
from visitgrain.errors import GateRefused, UsageError
from visitgrain.runtime.context import Context
from visitgrain.runtime.job import Pipeline
from visitgrain.runtime.ledger import Entry
from visitgrain.runtime.purging import purge
from visitgrain.runtime.quality import gate, gathering
from visitgrain.runtime.quality.history import checked, published_versions
from visitgrain.runtime.runner import run_job, run_pipeline
from visitgrain.span import Span
from visitgrain.tables.runs import QUARANTINED_EVENTS

NEXT = Span(DAY + timedelta(days=1), DAY + timedelta(days=1))
TWICE = [(1, DAY, 60, "a", {}), (1, DAY, 70, "b", {}), (2, DAY, 80, "c", {})]  # call 1 came twice
ONCE = TWICE[1:]
LATER = [(7, DAY, 80, "c", {})]
LIMITS = TableQuality.model_validate(
    {
        "table": LONG_CALLS.name,
        "ranges": {"seconds": {"low": 0, "high": 100}},
        "references": {"call_id": {"to": f"{CALLS.name}.call_id"}},
        "sums": {"seconds": {"equals": [f"{CALLS.name}.seconds"]}},
    }
)


@pytest.fixture(autouse=True)
def _declared(monkeypatch):
    declare(monkeypatch, CALLS, LONG_CALLS)


@pytest.fixture
def world(spark, tmp_path) -> Context:
    return context(spark, tmp_path / "lake")


def pipeline(*transform) -> Pipeline:
    return Pipeline(name="test", jobs=(job(*transform),), grain="day", summary="")


def again(world: Context, *rules: str) -> Context:
    """Another command on the same lake."""
    made = context(world.spark, world.lake.store.root)
    made.__dict__["quality"] = QualityRules({LONG_CALLS.name: LIMITS})
    made.allowed_rules = frozenset(rules)
    return made


def feed(world: Context, rows: list, day: date = DAY) -> None:
    """Make `rows` the calls of a day."""
    moved = [(id_, day, *more) for id_, _, *more in rows]
    world.lake.replace_days(CALLS, calls(world.spark, moved), [day], run_id="feed")


def broken(world: Context) -> dict[str, tuple[str, float]]:
    """Verdict and value of the rules that do not pass, of the newest run."""
    results = checked(world.lake.store)
    newest = [one.finding for one in results if one.run_id == results[-1].run_id]
    return {f.full_rule: (f.verdict, f.value) for f in newest if f.verdict != "pass"}


def test_a_broken_rule_leaves_the_version_before_and_says_what_to_do(world):
    feed(world, ONCE)
    run_pipeline(pipeline(), SPAN, again(world))
    good = published_versions(world.lake.store)
    feed(world, TWICE)
    with pytest.raises(GateRefused) as refused:
        run_pipeline(pipeline(), SPAN, again(world))
    assert refused.value.exit_code == 5
    assert "test_long_calls 2026-03-01: test_long_calls.key found 1, allowed 0. test was not published" in str(
        refused.value
    )
    assert "--allow-quality test_long_calls.key" in str(refused.value)
    assert world.lake.version(LONG_CALLS) > good[LONG_CALLS.name]  # the fault fired: it was written
    assert published_versions(world.lake.store) == good
    assert broken(world) == {"test_long_calls.key": ("block", 1)}


def test_the_next_day_does_not_publish_what_was_blocked(world):
    feed(world, TWICE)
    feed(world, LATER, NEXT.start)
    with pytest.raises(GateRefused, match="2026-03-01"):
        run_pipeline(pipeline(), SPAN, again(world))
    with pytest.raises(GateRefused, match=r"2026-03-01: test_long_calls\.key found 1"):
        run_pipeline(pipeline(), NEXT, again(world))
    feed(world, [(5, DAY, 60, "a", {})])
    run_pipeline(pipeline(), NEXT, again(world))  # brings the corrected day up to date, too
    assert published_versions(world.lake.store) == {LONG_CALLS.name: world.lake.version(LONG_CALLS)}


def test_where_the_log_of_the_published_version_is_gone_all_is_judged(world):
    feed(world, ONCE)
    run_pipeline(pipeline(), SPAN, again(world))
    feed(world, LATER, NEXT.start)
    run_job(job(), NEXT, again(world))
    purge(world.lake.store, LONG_CALLS)
    published = published_versions(world.lake.store)[LONG_CALLS.name]
    assert published < world.lake.version(LONG_CALLS)
    with pytest.raises(GateRefused, match="does not tell version"):  # the log is gone
        world.lake.data_files(LONG_CALLS, published)
    run_pipeline(pipeline(), NEXT, again(world))
    newest = checked(world.lake.store)[-1].run_id
    periods = {one.finding.period for one in checked(world.lake.store) if one.run_id == newest}
    assert {SPAN.start, NEXT.start} <= periods
    assert published_versions(world.lake.store) == {LONG_CALLS.name: world.lake.version(LONG_CALLS)}


def test_what_a_single_job_wrote_is_judged_before_it_is_published(world):
    feed(world, TWICE)
    feed(world, LATER, NEXT.start)
    run_job(job(), SPAN, again(world))
    with pytest.raises(GateRefused, match="2026-03-01"):
        run_pipeline(pipeline(), NEXT, again(world))


def test_what_is_allowed_is_published_recorded_and_not_asked_again(world):
    feed(world, TWICE)
    run_pipeline(pipeline(), SPAN, again(world, "test_long_calls.key"))
    assert broken(world) == {"test_long_calls.key": ("allowed", 1)}
    run_pipeline(pipeline(), SPAN, again(world))  # the same rows
    assert broken(world) == {"test_long_calls.key": ("allowed", 1)}
    feed(world, [*TWICE, TWICE[0]])
    with pytest.raises(GateRefused, match="found 2"):
        run_pipeline(pipeline(), SPAN, again(world))
    unknown = context(world.spark, world.lake.store.root)
    unknown.allowed_rules = frozenset(["test_long_calls.keys"])
    with pytest.raises(UsageError, match="did you mean"):
        run_pipeline(pipeline(), SPAN, unknown)


def test_ranges_references_and_sums_of_what_was_written(world):
    """calls 1 and 2 are written with seconds of which 5 are added to the second: 60 + 105 are not 60 + 100."""
    feed(world, [(1, DAY, 60, "a", {}), (2, DAY, 100, "b", {})])

    def longer(test_calls, *, spec, span):
        return test_calls.selectExpr(
            "call_id + 7 * (call_id - 1) AS call_id",  # 1, 9
            "day",
            "seconds + 5 * (call_id - 1) AS seconds",  # 60, 105
            "number",
            "labels",
        )

    with pytest.raises(GateRefused, match=r"reference:call_id found 1.*\.sum:seconds found 165, allowed 160"):
        run_pipeline(pipeline(longer), SPAN, again(world))
    assert broken(world) == {
        "test_long_calls.range:seconds": ("block", 1),
        "test_long_calls.reference:call_id": ("block", 1),
        "test_long_calls.sum:seconds": ("block", 165),
    }
    run_pipeline(pipeline(), SPAN, again(world))  # control: the rows as they came


def test_many_rows_are_counted_by_spark_to_the_same_numbers(world, monkeypatch):
    feed(world, [*TWICE, TWICE[0], (9, DAY, 500, None, None)])
    with pytest.raises(GateRefused):
        run_pipeline(pipeline(), SPAN, again(world))
    here = broken(world)
    assert here == {"test_long_calls.key": ("block", 2), "test_long_calls.range:seconds": ("block", 1)}
    monkeypatch.setattr(gathering, "HERE", -1)
    with pytest.raises(GateRefused):
        run_pipeline(pipeline(), SPAN, again(world))
    assert broken(world) == here


def test_a_gate_that_fails_itself_publishes_nothing(world, monkeypatch):
    feed(world, ONCE)

    def fail(*_):
        raise ZeroDivisionError("division by zero")

    with monkeypatch.context() as broken_gate:
        broken_gate.setattr(gate, "gathered", fail)
        with pytest.raises(GateRefused, match="nobody knows whether the data are right: nothing was published"):
            run_pipeline(pipeline(), SPAN, again(world))
    assert published_versions(world.lake.store) == {}
    run_pipeline(pipeline(), SPAN, again(world))  # control
    assert published_versions(world.lake.store) == {LONG_CALLS.name: 1}


def test_a_gate_that_cannot_read_what_it_found_before_publishes_nothing(world):
    feed(world, ONCE)
    run_pipeline(pipeline(), SPAN, again(world))
    good = published_versions(world.lake.store)
    for file in world.lake.store.local_path("quality_results").glob("*.parquet"):
        file.write_bytes(b"")
    with pytest.raises(GateRefused, match="nothing was published"):
        run_pipeline(pipeline(), SPAN, again(world))
    assert published_versions(world.lake.store) == good


@pytest.mark.parametrize(
    ("refused", "fixed", "verdict"),
    [(0, 0, "pass"), (19, 0, "warn"), (200, 0, "block"), (200, 190, "warn"), (200, 200, "pass")],
)
def test_what_lies_in_quarantine_of_a_delivery_blocks_until_it_is_fixed(world, refused, fixed, verdict):
    """Of 10,000 rows: from 10 on it is told, from 100 on it blocks. Rows that were replayed do not count."""
    rule = {"table": CALLS.name, "quarantine": {}}
    rules = QualityRules({CALLS.name: TableQuality.model_validate(rule)})
    entry = Entry(
        run_id="r",
        job="ingest_source",
        table_name=CALLS.name,
        period_start=DAY,
        period_end=DAY,
        status="ok",
        code_version="",
        catalogue_hash="load",
        output_version=0,
        rows_in=10_000,
        outcomes={"kept": 10_000 - refused, "quarantined:msisdn": refused},
        rows_out=10_000 - refused,
        content_hash="",
        started_at=datetime(2026, 3, 2, tzinfo=UTC),
        seconds=1.0,
    )
    if refused:
        row = {"load_id": "load", "load_date": DAY, "source": "s", "table_name": CALLS.name, "file": "f"}
        row |= {"file_hash": "h", "position_kind": "row", "reason": "msisdn", "payload_hash": "", "columns": "[]"}
        rows = [{**row, "position": n, "fixed_by": "me" if n < fixed else None} for n in range(refused)]
        world.lake.append(QUARANTINED_EVENTS, rows, run_id="feed")
    judge = gate.Judge({}, {}, gate.ZoneInfo("Asia/Shanghai"))
    [finding] = gate.quarantine_findings(pipeline(), SPAN, [entry], rules, judge, world.lake)
    assert (finding.full_rule, finding.verdict) == ("test_calls.quarantine", verdict)
    assert list(gate.quarantine_findings(pipeline(), NEXT, [entry], rules, judge, world.lake)) == []


def test_the_command_shows_what_was_found(world, capsys):
    from visitgrain import cli

    def shown(*options: str) -> str:
        with pytest.raises(SystemExit):
            cli.main(["--lake", world.lake.store.root, "quality", *options])
        return capsys.readouterr().out

    assert "no pipeline was judged yet" in shown()
    feed(world, TWICE)
    with pytest.raises(GateRefused):
        run_pipeline(pipeline(), SPAN, again(world))
    lines = shown().splitlines()
    assert lines[0].split() == ["table", "period", "rule", "verdict", "found", "least", "most", "rows"]
    assert lines[1].split() == ["test_long_calls", "2026-03-01", "key", "block", "1.0", "0.0", "0.0", "3"]
    assert lines[-1].endswith("of test was not published: 4 pass, 0 warn, 1 block, 0 allowed, 0 not judged")
    assert "range:seconds" in shown("--all", "--last")
