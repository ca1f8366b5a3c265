"""Take events beyond the late horizon over into `events`, as if they had been on time."""

from __future__ import annotations

from datetime import UTC, date, datetime

from visitgrain.runtime.context import Context
from visitgrain.runtime.ledger import Entry, code_version
from visitgrain.sources.keeping import not_yet
from visitgrain.tables.inputs import EVENTS
from visitgrain.tables.runs import LATE_EVENTS

NAME = "admit_late"


def admit(context: Context, *, first: date | None = None, last: date | None = None) -> int:
    """Move the late events that happened from `first` to `last`; returns how many. `status` shows the touched days.

    Killed in between and run again, it moves each event once: they are added before they are taken away.
    """
    lake, started = context.lake, datetime.now(UTC)
    with lake.lock(EVENTS, LATE_EVENTS):
        late = lake.read(LATE_EVENTS, (first, last), optional=True)
        days = sorted(row[0] for row in late.select("event_date").distinct().collect())
        if not days:
            return 0
        added_before = lake.read(EVENTS, (days[0], days[-1]), optional=True)
        written = lake.append(EVENTS, not_yet(late, added_before, EVENTS), run_id=context.run_id)
        lake.replace_days(LATE_EVENTS, lake.empty(LATE_EVENTS), days, run_id=context.run_id)
        entry = Entry(
            run_id=context.run_id,
            job=NAME,
            table_name=EVENTS.name,
            period_start=days[0],
            period_end=days[-1],
            status="ok",
            code_version=code_version(),
            catalogue_hash="",
            output_version=written.version,
            rows_in=written.rows,
            outcomes=written.outcomes,
            rows_out=written.rows,
            content_hash=written.content_hash,
            started_at=started,
            seconds=(datetime.now(UTC) - started).total_seconds(),
        )
        context.ledger.record(lake, [entry])
        return written.rows
