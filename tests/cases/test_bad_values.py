"""Cases C7-C9 and D5: numbers, amounts, times and clocks as feeds have them. All went through ingest once (`dirty`)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pyspark.sql import functions as F

from tests.cases.bad_files import MONTHS, NO_NUMBER, SAME_NUMBER
from visitgrain.catalogue.expression import parse
from visitgrain.catalogue.source_functions import SOURCE_DIALECT
from visitgrain.expressions.compile import compiled
from visitgrain.expressions.typed import Scope, Sort, Typed
from visitgrain.tables.inputs import SUBSCRIBER_MONTH

NOON = datetime(2026, 3, 1, 4, tzinfo=UTC)  # 12:00 in Shanghai


def local(row, name: str = "event_time") -> datetime:
    return row[name].astimezone(UTC)


def test_c07_one_canonical_number(dirty):
    subscribers = {dirty.events[f"c07_same_{n}"].subscriber_id for n in range(len(SAME_NUMBER))}
    assert len(subscribers) == 1
    assert subscribers != {None}
    assert dirty.events["c07_missing"].subscriber_id is None


def test_c07_no_number_is_refused_without_printing_it(dirty):
    refused = dirty.reasons("csv_feed", "events/c07.csv")
    assert [reason for _, reason in refused] == ["msisdn"] * len(NO_NUMBER)
    assert dirty.ids("c07_none") == []


def months(dirty) -> list[tuple]:
    """arpu, data and messages of all months that were kept."""
    rows = dirty.context.lake.read(SUBSCRIBER_MONTH).collect()
    return sorted(((r.arpu_fen, r.dou_mb, r.sms_count) for r in rows), key=str)


def test_c08_numbers_are_exact_or_refused(dirty):
    """NaN, infinity, 1e400 and what overflows is refused; -0.0 is 0; 30 digits round once; a bill may be negative."""
    reasons = [reason for _, reason in dirty.reasons("csv_feed", "months/c08.csv")]
    assert reasons == ["type:arpu_fen", "type:dou_mb", "type:arpu_fen", "type:sms_count", "type:sms_count"]
    assert len(MONTHS) - len(reasons) == 4
    kept = months(dirty)
    assert kept == sorted([(100, 0.0, 1), (12, 1.0, 1), (-1234, 1.0, 1), (None, None, None), (1000, 1.0, 1)], key=str)
    assert str(next(dou for arpu, dou, _ in kept if arpu == 100)) == "0.0"


def test_c08_nan_of_parquet_is_missing(dirty):
    assert dirty.events["c08_nan"].amount_fen is None


def test_c09_times(dirty):
    """A time without offset is one of the zone of the source."""
    found = {id_: local(dirty.events[id_]) for id_ in dirty.ids("c09")}
    assert found == {
        "c09_2000": datetime(2000, 1, 1, tzinfo=UTC),
        "c09_leap": datetime(2024, 2, 29, 2, tzinfo=UTC),
        "c09_no_offset": datetime(2026, 2, 28, 16, 30, tzinfo=UTC),
        "c09_offset": datetime(2026, 3, 1, 0, 30, tzinfo=UTC),
        "c09_wrong_device": datetime(2026, 3, 1, 3, 59, 55, tzinfo=UTC),  # 274 years ahead: only the difference counts
    }
    days = {id_: str(dirty.events[id_].event_date) for id_ in ("c09_no_offset", "c09_2000")}
    assert days == {"c09_no_offset": "2026-03-01", "c09_2000": "2000-01-01"}  # local days


def test_c09_impossible_times(dirty):
    reasons = [reason for _, reason in dirty.reasons("csv_feed", "events/c09.csv")]
    assert reasons == [
        "type:event_time",  # 29 February 2025
        "type:event_time",  # 24:00
        "range:event_time",  # 1970
        "range:event_time",  # 9999
    ]


def test_c09_wrong_unit(dirty):
    """Seconds and microseconds taken for milliseconds are in 1970 and in 58133, a number beyond all times is none."""
    reasons = [reason for _, reason in dirty.reasons("json_feed", "c09.jsonl")]
    assert reasons == ["range:event_time", "range:event_time", "type:received_time"]


def test_c09_gap_of_daylight_saving(spark):
    """2:30 did not exist in Berlin on 28 March 2021: it is 3:30, the instant that clocks showed then."""
    scope = Scope({"x": Typed(F.col("x"), Sort.TEXT)}, "Europe/Berlin", lambda c: c, lambda c: c)
    value = compiled(parse("timestamp(x)", SOURCE_DIALECT), scope)
    rows = spark.createDataFrame([("2021-03-28 02:30:00",), ("2021-03-28 03:30:00",)], "x string")
    gap, after = (row[0] for row in rows.select(F.unix_seconds(value.column)).collect())
    assert gap == after == 1_616_895_000


@pytest.mark.parametrize(
    ("id_", "seconds_before_noon", "skew"),
    [
        ("right", 5, None),
        ("day_ahead", 5, None),  # sent at 23:59:59 h ahead: not over a day
        ("barely", 5, None),
        ("over", 5, 86_401),
        ("years_ahead", 5, 3_650 * 86_400 - 1),
        ("years_behind", 5, -3_650 * 86_400 - 1),
        ("no_sent", 0, None),
        ("no_made", 0, None),
        ("sent_first", 0, None),
    ],
)
def test_d05_device_clock(dirty, id_, seconds_before_noon, skew):
    """T = received - (sent - created): a constant error of the clock does not matter; over a day is noted."""
    row = dirty.events[f"d05_{id_}"]
    assert (NOON - local(row)).total_seconds() == seconds_before_noon
    assert row.clock_skew_s == skew


def test_d05_skewed_clocks_are_counted(dirty):
    """years_ahead, years_behind, over; and c09_wrong_device."""
    assert dirty.results["json_feed"].tables[0].notes["skewed"] == 4
    [entry] = [e for e in dirty.context.ledger.entries() if e.catalogue_hash.startswith("json_feed-")]
    assert entry.notes == dirty.results["json_feed"].tables[0].notes
    assert sum(entry.outcomes.values()) == entry.rows_in
