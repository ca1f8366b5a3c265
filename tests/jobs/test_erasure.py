"""Erasure over what ingest writes: events, quarantined rows, staging; and tombstones at the next delivery."""

from __future__ import annotations

import json

import pytest
from pyspark.sql import functions as F

from jobs.erase_subscribers import erase, request
from tests.jobs.ingest_world import deliver, event, outcomes, shop_context
from visitgrain.errors import GateRefused, InputMissing
from visitgrain.expressions.keyed_hash import subscriber_id, tombstone
from visitgrain.runtime.records import records
from visitgrain.sources.secret import pseudonym_key
from visitgrain.tables.inputs import EVENTS
from visitgrain.tables.privacy import ERASED_SUBSCRIBERS, ERASURE_PROOFS, ERASURE_REQUESTS
from visitgrain.tables.runs import QUARANTINED_EVENTS

A, B = "13800138000", "13900139000"
FEED = [
    event("a1", "2026-03-01T10:00:00", device="phone_of_a", number=A),
    event("a2", "2026-03-01T10:01:00", device="phone_of_a"),  # before the login, on a device that only A uses
    event("a3", "2026-03-02T10:00:00", device="shared", number=A),
    event("b1", "2026-03-02T11:00:00", device="shared", number=B),
    event("b2", "2026-03-02T11:01:00", device="shared"),
    event("bad_a", "2026-03-02T12:00:00", number=A, step="one"),
    event("bad_b", "2026-03-02T12:00:00", number=B, step="one"),
]


def kept(made) -> list[str]:
    return sorted(row.event_id for row in made.lake.read(EVENTS).collect())


def test_a_subscriber_leaves_events_and_quarantine_and_stays_away(spark, tmp_path):
    made = shop_context(spark, tmp_path)
    made.settings = made.settings.model_copy(update={"mlflow_uri": f"sqlite:///{tmp_path}/m.db"})
    assert outcomes(deliver(made, tmp_path / "1", {"events/e.csv": FEED})) == {"kept": 5, "quarantined:type:step_no": 2}
    key = pseudonym_key(tmp_path / "secrets" / "key")
    a = subscriber_id(key, A)
    request(made, [a])
    stray = tmp_path / "lake" / "copy.csv"  # the fault: a copy that no table knows of
    stray.write_text(f"{a}\n")
    with pytest.raises(GateRefused, match=r"left in 1 places: copy\.csv.*requests stay open"):
        erase(made)
    assert len(records(made.lake.store, ERASURE_REQUESTS)) == 1
    assert records(made.lake.store, ERASURE_PROOFS) == []
    stray.unlink()  # the control: without it the same run proves

    done = erase(made)
    assert kept(made) == ["b1", "b2"]
    [refused] = made.lake.read(QUARANTINED_EVENTS).collect()
    assert refused.payload.startswith("bad_b")
    [proof] = records(made.lake.store, ERASURE_PROOFS)
    assert (proof["subject"], proof["found"]) == (tombstone(key, a), 0)
    assert done.files_searched == proof["files_searched"] > 0
    assert len(records(made.lake.store, ERASED_SUBSCRIBERS)) == 2  # A, and the device of A alone
    for file in (tmp_path / "lake").rglob("*"):
        assert not file.is_file() or str(a).encode() not in file.read_bytes(), file
    with pytest.raises(InputMissing, match="nobody is to be erased"):
        erase(made)

    # H4: tomorrow's delivery. The phone may be somebody else's by then.
    tomorrow = [event("a9", "2099-01-01T09:00:00", number=A), event("b9", "2026-03-03T09:00:00", number=B)]
    tomorrow += [event("a8", "2026-03-03T09:00:00", device="phone_of_a", number=A)]
    assert outcomes(deliver(made, tmp_path / "2", {"events/e.csv": tomorrow})) == {"kept": 1, "filtered:erased": 2}
    # H5: the old one again, under another name
    again = deliver(made, tmp_path / "3", {"events/e.csv": [*FEED, event("c", "2026-03-01T00:00:00")]})
    assert outcomes(again)["filtered:erased"] == 4
    assert kept(made) == ["b1", "b2", "b9", "c"]


def test_names_of_the_erased_leave_the_maps_of_others(spark, tmp_path):
    """B came by a link that A shared: B's visit stays, A's name goes."""
    made = shop_context(spark, tmp_path)
    made.settings = made.settings.model_copy(update={"mlflow_uri": f"sqlite:///{tmp_path}/m.db"})
    deliver(made, tmp_path / "1", {"events/e.csv": FEED[:4]})
    a = subscriber_id(pseudonym_key(tmp_path / "secrets" / "key"), A)
    own = F.col("event_id") == "b1"
    props = F.create_map(F.lit("kind"), F.lit("link"), F.lit("sharer_id"), F.lit(str(a)))
    shared = made.lake.read(EVENTS).withColumn("props", F.when(own, props))
    made.lake.replace(EVENTS, shared.localCheckpoint(), window=None, run_id="test")
    request(made, [a])
    erase(made)
    assert [json.dumps(row.props) for row in made.lake.read(EVENTS).where(own).collect()] == ['{"kind": "link"}']
