"""What the gate found before, and which versions it let pass."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any

from visitgrain.runtime.publishing import publications
from visitgrain.runtime.quality.judge import Finding, Verdict
from visitgrain.runtime.records import records
from visitgrain.runtime.storage import Store
from visitgrain.tables.runs import QUALITY_RESULTS

NAMES = [field.name for field in fields(Finding)]


@dataclass(frozen=True)
class Checked:
    """A finding, and the run that made it."""

    run_id: str
    pipeline: str
    checked_at: datetime
    finding: Finding


def checked(store: Store) -> list[Checked]:
    """All rows of `quality_results`, oldest first."""
    rows = sorted(records(store, QUALITY_RESULTS), key=lambda row: row["checked_at"])
    return [
        Checked(row["run_id"], row["pipeline"], row["checked_at"], Finding(**{name: row[name] for name in NAMES}))
        for row in rows
    ]


def published_versions(store: Store) -> dict[str, int]:
    """Of each table the version that readers should use: the newest published one."""
    found: dict[str, int] = {}
    for row in publications(store):
        found |= row["versions"]
    return found


class History:
    """Newest findings by table, rule and period. Blocked ones are no measure of what is usual."""

    def __init__(self, found: Iterable[Finding]) -> None:
        self.past: dict[tuple[str, str], dict[date | None, Finding]] = {}
        self._allowed: dict[tuple[str, date | None], float] = {}
        self.add(found)

    def add(self, found: Iterable[Finding]) -> None:
        for finding in found:
            periods = self.past.setdefault((finding.table_name, finding.rule), {})
            periods.pop(finding.period, None)
            self._allowed.pop((finding.full_rule, finding.period), None)
            if finding.verdict != Verdict.BLOCK:
                periods[finding.period] = finding
            if finding.verdict == Verdict.ALLOWED:
                self._allowed[finding.full_rule, finding.period] = finding.value

    def was_allowed(self, finding: Finding) -> bool:
        """Did somebody allow just this before? Who looked at a day once is not asked again."""
        return self._allowed.get((finding.full_rule, finding.period)) == finding.value


def rows_of(found: Sequence[Finding], *, run_id: str, pipeline: str, checked_at: datetime) -> list[dict[str, Any]]:
    """Rows of `quality_results`."""
    return [{"run_id": run_id, "pipeline": pipeline, "checked_at": checked_at, **vars(one)} for one in found]
