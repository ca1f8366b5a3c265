"""conf/operations: upkeep of tables, and when they must be complete. Changes no result, so no part of the catalogue."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from visitgrain.catalogue.yaml_file import Strict, parse
from visitgrain.span import Grain, Span, shifted_month
from visitgrain.tables import TABLES

MB = 1 << 20
DAY = timedelta(days=1)


class MaintenancePolicy(Strict):
    """conf/operations/maintenance.yaml"""

    small_file_mb: float = Field(gt=0)
    least_files: int = Field(ge=2)
    target_file_mb: float = Field(gt=0)
    keep_days: int = Field(ge=7, description="a reader or a restore may still need a younger version")
    keep_published: int = Field(ge=1)
    orphan_days: int = Field(ge=7, description="a younger file may belong to a write that is not committed yet")
    checkpoint_after: int = Field(ge=1)

    @property
    def small_bytes(self) -> int:
        return int(self.small_file_mb * MB)

    @property
    def target_bytes(self) -> int:
        return int(self.target_file_mb * MB)


class FreshnessLevel(Strict):
    """A promise: each day (month) of `table` is complete `days_after` days after it ended, at `ready_by`."""

    table: str
    per: Grain
    days_after: int = Field(ge=0)
    ready_by: time
    runbook: str

    @field_validator("table")
    @classmethod
    def _declared(cls, name: str) -> str:
        if name not in TABLES:
            raise ValueError(f"{name!r} is no table; `visitgrain maintain --dry-run` lists them")
        return name

    def due(self, period: Span, zone: str) -> datetime:
        """When `period` must be complete."""
        return datetime.combine(period.end + self.days_after * DAY, self.ready_by, ZoneInfo(zone))

    def expected(self, now: datetime, zone: str) -> Span:
        """The last period that must be complete by `now`."""
        today = now.astimezone(ZoneInfo(zone)).date()
        period = self._period(today)
        while self.due(period, zone) > now:
            period = self._period(period.start - DAY)
        return period

    def _period(self, day: date) -> Span:
        return Span.month_of(shifted_month(day, 0)) if self.per == "month" else Span(day, day)


class ServiceLevels(Strict):
    """conf/operations/service_levels.yaml"""

    freshness: tuple[FreshnessLevel, ...]


def load_maintenance(conf: Path) -> MaintenancePolicy:
    """Raises ConfigError, all problems in one message."""
    return parse(MaintenancePolicy, conf / "operations/maintenance.yaml", label="conf/operations/maintenance.yaml")


def load_service_levels(conf: Path) -> ServiceLevels:
    """Raises ConfigError, all problems in one message."""
    return parse(ServiceLevels, conf / "operations/service_levels.yaml", label="conf/operations/service_levels.yaml")
