"""Visits of events written as a pipe table, and the columns to look at: what specs of visit building are written with.

Times are Asia/Shanghai, `3 23:50:00` is 23:50 on 3 March 2025; `-` is null.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tests.oracles.coded_events import TYPES, coded, table
from visitgrain.catalogue.visit_rules import VisitRules, load_visit_rules
from visitgrain.visits.building import build

RULES = Path(__file__).parents[2] / "conf" / "catalogue" / "visit_rules"
DEFAULT, KEYED = (load_visit_rules(RULES, name) for name in ("default", "collector_keys"))
ZONE = "Asia/Shanghai"
MARCH = {"first": date(2025, 3, 1), "last": date(2025, 3, 31)}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant(text: str) -> int:
    """`3 23:50:00.000001` in microseconds."""
    day, clock = text.split()
    local = datetime.fromisoformat(f"2025-03-{int(day):02d}T{clock}").replace(tzinfo=ZoneInfo(ZONE))
    return (local - EPOCH) // timedelta(microseconds=1)


def events_of(text: str) -> list[dict[str, Any]]:
    """Rows of a pipe table as coded events; the id is a, b, c, ... unless the table has one."""
    header, *rows = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]
    return [_event(dict(zip(header, row, strict=True)), number) for number, row in enumerate(rows)]


def _event(cells: dict[str, str], number: int) -> dict[str, Any]:
    event: dict[str, Any] = {"stream": 1, "device_id": "phone", "channel": "app", "type": "page_view"}
    if "event_id" not in cells:
        event["event_id"] = "abcdefghijklmnopqrstuvwxyz"[number]
    for name, cell in cells.items():
        value = None if cell == "-" else cell
        number_wanted = value is not None and str(TYPES.get(name)) == "int64" and name not in ("t", "received")
        event[name] = int(value) if number_wanted else value
    for name in ("t", "received"):
        if event.get(name) is not None:
            event[name] = instant(event[name])
    return coded(event)


def visits_of(text: str, rules: VisitRules = DEFAULT, *, zone: str = ZONE, **span: date) -> list[dict[str, Any]]:
    """All rows of `build`, visits first by start, then the accounting."""
    rows = build(table(events_of(text)), rules=rules, zone=zone, **(span or MARCH)).to_pylist()
    return sorted(rows, key=lambda row: (row["start"] is None, row["start"] or EPOCH, row["_outcome"]))


def pick(rows: list[dict[str, Any]], *names: str) -> list[Any]:
    return [tuple(row[name] for name in names) if len(names) > 1 else row[names[0]] for row in rows]


def rules_with(base: VisitRules = DEFAULT, **changes: Any) -> VisitRules:
    return VisitRules(**{**base.model_dump(), **changes})
