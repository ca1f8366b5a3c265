"""Eight years of a real chat log: visits, visitors, visitor days, visits over midnight, as counted elsewhere."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from visitgrain.arrow.hashing import hash_values
from visitgrain.catalogue.visit_rules import load_visit_rules
from visitgrain.visits.building import build
from visitgrain.visits.device_visits import with_visit_id
from visitgrain.visits.encoding import columns_of_events, to_coded_events

RULES = load_visit_rules(Path(__file__).parents[2] / "conf/catalogue/visit_rules", "default")


def test_visits_of_the_whole_log(shared):
    log = pq.read_table(shared / "data/zulip_lean/events.parquet")
    constant = {"channel": "app", "event_type": "click"}
    known = {
        "event_id": log["event_id"].cast(pa.string()),
        "seq": log["event_id"].cast(pa.int64()),
        "subscriber_id": pa.array((hash_values(log["user_id"]) >> np.uint64(1)).view(np.int64)),
        "device_id": log["user_id"],
        "event_time": log["event_time_utc"],
        "exclusion": pc.if_else(log["is_bot"], "bot", None),
        "props": pa.nulls(log.num_rows, pa.map_(pa.string(), pa.string())),
        **{name: pa.repeat(value, log.num_rows) for name, value in constant.items()},
        **dict.fromkeys(("amount_fen", "points"), pa.nulls(log.num_rows, pa.int64())),
    }
    absent = pa.nulls(log.num_rows, pa.string())
    events = pa.table({name: known.get(name, absent) for name in columns_of_events(RULES)})
    coded = to_coded_events(events, rules=RULES)
    built = with_visit_id(build(coded, rules=RULES, zone="UTC", first=date(2010, 1, 1), last=date(2030, 1, 1)))
    fates = Counter()
    for outcome, rows in zip(built["_outcome"].to_pylist(), built["_rows"].to_pylist(), strict=True):
        fates[outcome] += rows
    assert fates.total() == 956_250
    visits = built.filter(pc.equal(built["_outcome"], "kept"))
    assert visits.num_rows == len(visits["visit_id"].unique()) == 316_209
    assert len(visits["subscriber_id"].unique()) == 5_461
    days = [
        (subscriber, day["day"])
        for subscriber, of_visit in zip(visits["subscriber_id"].to_pylist(), visits["days"].to_pylist(), strict=True)
        for day in of_visit
        if day["active_events"]
    ]
    assert len(set(days)) == 135_009
    assert pc.sum(pc.greater(pc.list_value_length(visits["days"]), 1)).as_py() == 1_700
