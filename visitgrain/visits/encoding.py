"""Events as visits are cut from them: narrow, enumerations as small integers, keyed by stream.

A stream is what visits are cut from: one device on one channel, or one collector key.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from visitgrain.arrow.casting import by_code, micros
from visitgrain.arrow.hashing import hash_values, mix
from visitgrain.catalogue.visit_rules import VisitRules
from visitgrain.tables.vocabulary import BUSINESSES, CHANNELS, EVENT_TYPES

KINDS = ("crash", "unsubscribe")  # values of props['kind'] that visits count
ABSENT = -1  # code of a null or unlisted enumeration value
NAMES = ("page", "campaign_id", "source_channel", "os", "app_version", "area_code")  # few distinct texts each
_SAME = ("seq", "event_id", "subscriber_id", "device_id", "amount_fen", "points", *NAMES)  # as they are in `events`


def dictionaries_of_events() -> list[str]:
    """Columns of `events` that are better read as a dictionary and a code per row."""
    return [*NAMES, "event_type", "channel", "business"]


def columns_of_events(rules: VisitRules) -> list[str]:
    """What `to_coded_events` reads."""
    keyed = ["visit_key", "received_time"] if rules.cut == "collector_key" else []
    return [*_SAME, "event_time", "event_type", "channel", "business", "props", "exclusion", *keyed]


def to_coded_events(events: pa.Table, *, rules: VisitRules) -> pa.Table:
    """One row per event: what cutting and measuring need.

    `filtered` says why an event takes no part: 'excluded' (bot, staff, test), 'no_key' (collector keys only).
    """
    keyed = rules.cut == "collector_key"
    channel = code(events["channel"], CHANNELS)
    filtered = pc.if_else(pc.is_valid(events["exclusion"]), "excluded", pa.scalar(None, pa.string()))
    if keyed:
        stream = hash_values(events["visit_key"])
        filtered = pc.coalesce(filtered, pc.if_else(pc.is_null(events["visit_key"]), "no_key", None))
        received = micros(events["received_time"])
    else:
        stream = mix(hash_values(events["device_id"]) + channel.astype(np.uint64))
        received = pa.nulls(events.num_rows)
    columns = {
        "stream": stream.view(np.int64),
        "t": micros(events["event_time"]),
        "type": code(events["event_type"], EVENT_TYPES),
        "channel": channel,
        "business": code(events["business"], BUSINESSES),
        "kind": code(pc.map_lookup(events["props"], "kind", "first"), KINDS),
        **{name: events[name] for name in _SAME},
        "received": received,
        "filtered": filtered.dictionary_encode(),
    }
    return pa.table(columns)


def code(column: pa.ChunkedArray, values: tuple[str, ...]) -> np.ndarray:
    """Position of each value in `values` as a byte; ABSENT for null and anything else."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    coded = column.unify_dictionaries().combine_chunks()
    positions = pc.index_in(coded.dictionary, value_set=pa.array(values, coded.dictionary.type))
    return by_code(coded, positions.fill_null(ABSENT).to_numpy().astype(np.int8), np.int8(ABSENT))
