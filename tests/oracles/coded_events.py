"""Coded events by hand: words in, the Arrow table that visits are built from out (columns of `to_coded_events`)."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from visitgrain.tables.vocabulary import BUSINESSES, CHANNELS, EVENT_TYPES
from visitgrain.visits.encoding import ABSENT, KINDS

CODES = {"type": EVENT_TYPES, "channel": CHANNELS, "business": BUSINESSES, "kind": KINDS}
TYPES = {
    "stream": pa.int64(),
    "t": pa.int64(),
    "seq": pa.int64(),
    "event_id": pa.string(),
    **dict.fromkeys(CODES, pa.int8()),
    "subscriber_id": pa.int64(),
    "device_id": pa.string(),
    "page": pa.string(),
    "amount_fen": pa.int64(),
    "points": pa.int64(),
    "campaign_id": pa.string(),
    "source_channel": pa.string(),
    "os": pa.string(),
    "app_version": pa.string(),
    "area_code": pa.string(),
    "received": pa.int64(),
    "filtered": pa.string(),
}
CODED = pa.schema(list(TYPES.items()))


def coded(event: dict[str, Any]) -> dict[str, Any]:
    """One event in code; what it does not name is null."""
    codes = {name: words.index(event[name]) if event.get(name) else ABSENT for name, words in CODES.items()}
    return {**dict.fromkeys(TYPES), **event, **codes}


def table(events: list[dict[str, Any]]) -> pa.Table:
    """Coded events as Spark hands them over."""
    return pa.Table.from_pylist(events, schema=CODED)
