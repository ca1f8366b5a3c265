"""H13: what is older than the policy is gone, with its old versions; what was computed from it stays."""

from __future__ import annotations

from datetime import date

import pytest
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from jobs import cut_visits
from jobs.retain_rows import outdated, retain
from tests.jobs.ingest_world import deliver, event, shop_context
from visitgrain.cli.discovery import discovered_jobs
from visitgrain.errors import ConfigError, GateRefused
from visitgrain.runtime.records import records
from visitgrain.runtime.runner import run_job
from visitgrain.span import Span
from visitgrain.tables.inputs import EVENTS
from visitgrain.tables.privacy import RETENTION_PROOFS
from visitgrain.tables.visiting import DEVICE_VISITS

DAYS = [date(2026, 3, day) for day in (1, 2, 3, 4)]
JOBS = discovered_jobs().values()


def test_h13_old_days_go_and_are_not_computed_anew(spark, tmp_path):
    made = shop_context(spark, tmp_path)
    policy = made.conf / "catalogue" / "retention.yaml"
    deliver(made, tmp_path / "1", {"events/e.csv": [event(f"e{day.day}", f"{day}T12:00:00") for day in DAYS]})
    run_job(cut_visits.JOB, Span(DAYS[0], DAYS[-1]), made)
    version, visits = made.lake.version(EVENTS), made.lake.read(DEVICE_VISITS).count()
    old = [file.path for file in made.lake.data_files(EVENTS) if file.partition < DAYS[2]]
    assert (visits, len(old)) == (4, 2)

    # kept for 10 days on 13 March: from the 3rd on
    policy.write_text("tables: {events: 10}\n")
    [found] = outdated(made, JOBS, today=date(2026, 3, 13))
    assert (found.table.name, found.kept_from, found.rows) == ("events", DAYS[2], 2)
    assert made.lake.version(EVENTS) == version  # so far nothing happened
    retain(made, JOBS, today=date(2026, 3, 13))
    assert sorted(str(row.event_date) for row in made.lake.read(EVENTS).collect()) == ["2026-03-03", "2026-03-04"]
    assert not any((tmp_path / "lake" / "events" / path).exists() for path in old)
    with pytest.raises(DeltaError, match="No files in log segment"):
        DeltaTable(made.lake.path(EVENTS), version=version)
    [proof] = records(made.lake.store, RETENTION_PROOFS)
    assert (proof["table_name"], proof["days"], proof["kept_from"], proof["rows"]) == ("events", 10, DAYS[2], 2)
    assert retain(made, JOBS, today=date(2026, 3, 13)) == []

    # the visits of the first days stay, although their events are others now
    book = made.book
    assert {period.start for period in book.due(cut_visits.JOB)} <= set(DAYS[3:])
    with pytest.raises(GateRefused, match="was deleted by `visitgrain retain`; there is events from 2026-03-03"):
        run_job(cut_visits.JOB, Span(DAYS[0], DAYS[0]), made)
    assert made.lake.read(DEVICE_VISITS).count() == visits


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ("tables: {visits: 30}", "visits: job .* reads its whole history"),
        ("tables: {evnets: 30}", "did you mean 'events'"),
        ("tables: {products: 30}", "products: no table with days"),
        ("tables: {events: 0}", "events: 0 days; allowed: 1 or more"),
    ],
)
def test_a_policy_that_would_do_harm_is_refused(spark, tmp_path, policy, message):
    made = shop_context(spark, tmp_path)
    (made.conf / "catalogue" / "retention.yaml").write_text(policy)
    with pytest.raises(ConfigError, match=message):
        outdated(made, JOBS)
