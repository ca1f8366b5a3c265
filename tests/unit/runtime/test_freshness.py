"""Up to which day a table is complete, and which promises about that are broken. No Spark."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from tests.books import Books
from tests.jobs.runtime_world import CALLS, DAY, LONG_CALLS, job
from visitgrain.catalogue.operations import FreshnessLevel, load_service_levels
from visitgrain.errors import ConfigError
from visitgrain.runtime.delta_log import DataFile
from visitgrain.runtime.freshness import breaches, complete_through, remember, untold
from visitgrain.runtime.settings import default_conf
from visitgrain.runtime.storage import Store
from visitgrain.span import Span
from visitgrain.tables import TABLES

ZONE = "Asia/Shanghai"


@pytest.fixture(autouse=True)
def _declared(monkeypatch):
    """Jobs accept declared tables only."""
    for table in (CALLS, LONG_CALLS):
        monkeypatch.setitem(TABLES, table.name, table)


class Lake(Books):
    """Days of calls; one file each."""

    class catalogue:
        hash = "c"

    def __init__(self, days: int) -> None:
        super().__init__()
        self.days = days
        self.content = 1

    def data_files(self, table, version=None):
        days = [DAY + timedelta(days=n) for n in range(self.days)]
        return [DataFile(f"day={day}/part-1-{self.content:016x}-{1:016x}-x.parquet", 1, 1, day) for day in days]


def through(lake: Lake) -> date | None:
    return complete_through(lake.book, [job()]).get(LONG_CALLS.name)


def test_complete_is_up_to_the_first_day_that_is_not():
    lake = Lake(days=4)
    assert through(lake) is None
    days = [Span(DAY + timedelta(days=n), DAY + timedelta(days=n)) for n in range(4)]
    for number in (0, 1, 3):
        lake.record(job(), days[number])
    assert through(lake) == days[1].start  # the third never ran
    lake.record(job(), days[2], status="failed")
    assert through(lake) == days[1].start
    lake.record(job(), days[2])
    assert through(lake) == days[3].start
    lake.content = 2  # the input of every day came anew
    assert through(lake) is None


LEVEL = FreshnessLevel(table="visits", per="day", days_after=1, ready_by="06:00", runbook="docs/runbook.md#late")


def at(hour: int, minute: int = 0, day: int = 2) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC) - timedelta(hours=8)


def test_a_day_is_due_at_its_hour_of_the_zone_on_the_day_after():
    """At 05:59 the day before yesterday counts, at 06:00 yesterday; a month on the second of the next."""
    assert LEVEL.expected(at(5, 59), ZONE) == Span(date(2026, 2, 28), date(2026, 2, 28))
    assert LEVEL.expected(at(6), ZONE) == Span(DAY, DAY)
    month = LEVEL.model_copy(update={"per": "month", "days_after": 2})
    assert month.expected(at(6), ZONE).end == date(2026, 2, 28)
    assert month.expected(at(5, 59), ZONE).end == date(2026, 1, 31)


def test_a_breach_is_told_once_until_it_is_another(tmp_path):
    store = Store(str(tmp_path))
    late = {"visits": DAY - timedelta(days=1)}
    assert breaches([LEVEL], late, at(5, 59), ZONE) == []
    [breach] = breaches([LEVEL], late, at(6), ZONE)
    assert breach.line == (
        "table visits: due 2026-03-02 06:00 through 2026-03-01, is complete through 2026-02-28; "
        "owner platform team; docs/runbook.md#late"
    )
    assert untold(store, [breach]) == [breach]
    remember(store, [breach], at(6))
    assert untold(store, [breach]) == []
    assert breaches([LEVEL], {"visits": DAY}, at(6, 15), ZONE) == []
    [never] = breaches([LEVEL], {}, at(6, 0, day=3), ZONE)  # the job never started; the next day is another breach
    assert "nothing of it is complete" in never.line
    assert untold(store, [never]) == [never]
    remember(store, [], at(7))
    assert untold(store, [breach]) == [breach]  # broken, kept, broken again


def test_service_levels_name_tables_that_exist(tmp_path):
    assert load_service_levels(default_conf()).freshness
    folder = tmp_path / "operations"
    folder.mkdir()
    text = "freshness:\n  - {table: vists, per: day, days_after: 1, ready_by: '06:00', runbook: r}\n"
    (folder / "service_levels.yaml").write_text(text)
    with pytest.raises(ConfigError, match="'vists' is no table"):
        load_service_levels(tmp_path)
