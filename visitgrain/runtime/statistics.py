"""Statistics of a file, as its add action holds them: they let every engine skip files."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from visitgrain.tables import Kind, Table

# Without text: it would be long, and nobody searches a lake of visits by a range of names.
_RANGED = ("date", "timestamp", "bigint", "int")


def statistics_columns(table: Table) -> tuple[str, ...]:
    """Columns worth a range per file: times, key, subscriber. Never a personal one: statistics outlive erased rows."""
    useful = set() if table.kind is Kind.VAULT else {*table.key, "subscriber_id"}
    return tuple(
        column.name
        for column in table.columns
        if column.type in _RANGED
        and not column.personal
        and column.name != table.partition
        and (column.type in ("date", "timestamp") or column.name in useful)
    )


def statistics_of(rows: pa.Table, columns: tuple[str, ...]) -> dict[str, Any]:
    """Row count, and smallest, largest and number of nulls of each of `columns`."""
    smallest, largest, nulls = {}, {}, {}
    for name in columns:
        nulls[name] = rows[name].null_count
        ends = pc.min_max(rows[name])
        if ends["min"].is_valid:
            smallest[name] = _json(ends["min"].as_py())
            largest[name] = _json(ends["max"].as_py(), up=True)
    return {"numRecords": rows.num_rows, "minValues": smallest, "maxValues": largest, "nullCount": nulls}


def _json(value: Any, *, up: bool = False) -> Any:
    """The protocol keeps instants in milliseconds: the largest is rounded up so that it stays a bound."""
    if isinstance(value, datetime):
        whole = value.astimezone(UTC)
        cut = timedelta(microseconds=whole.microsecond % 1000)
        shown = whole - cut + (timedelta(milliseconds=1) if up and cut else timedelta(0))
        return shown.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value
