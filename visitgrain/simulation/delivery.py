"""How a good event reaches the feed: late, twice, in conflict or broken, each at its stated rate and labelled."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame, functions as F

from visitgrain.simulation.chance import between, choose, hashed, uniform
from visitgrain.simulation.world import Dirt

SECOND = 1_000_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR
YEAR_9999_US = 253_370_736_000 * SECOND  # 9999-01-01 00:00 UTC

GOOD, LATE, TOO_LATE = "good", "late", "too_late"
DUPLICATE, CONFLICTING, MALFORMED = "duplicate", "conflicting", "malformed"


def defects() -> dict[str, dict[str, Column]]:
    """What is broken in a malformed row: reason -> the columns that hold nonsense."""
    return {
        "missing_event_time": {"event_time": F.lit(None).cast("timestamp")},
        "event_time_1970": {"event_time": F.timestamp_micros(F.lit(0))},
        "event_time_9999": {"event_time": F.timestamp_micros(F.lit(YEAR_9999_US))},
        "missing_received_time": {"received_time": F.lit(None).cast("timestamp")},
        "missing_device": {"device_id": F.lit(None).cast("string")},
        "missing_channel": {"channel": F.lit(None).cast("string")},
        "unknown_channel": {"channel": F.lit("ap")},
        "unknown_event_type": {"event_type": F.lit("unknown")},
        "unknown_business": {"business": F.lit("brodband")},
    }


def to_deliveries(planned: DataFrame, *, dirt: Dirt) -> DataFrame:
    """One row per delivered row: adds `received_us`, `day` of delivery and `label`; a copy has its own label."""
    received = planned.select("*", *_reception(dirt))
    copied = received.select("*", F.explode(_copies(dirt)).alias("copy"))
    labelled = copied.select(
        *(name for name in copied.columns if name not in ("copy", "received_us", "lateness", "event")),
        F.when(F.col("copy") == GOOD, F.col("lateness")).otherwise(F.col("copy")).alias("label"),
        _received_us().alias("received_us"),
        _key().alias("event"),
    )
    return labelled.select("*", _day().alias("day"))


def only_first_deliveries(deliveries: DataFrame) -> DataFrame:
    """Without copies and malformed rows: every event once, on time or late."""
    return deliveries.filter(F.col("label").isin(GOOD, LATE, TOO_LATE))


def with_defects(rows: DataFrame) -> DataFrame:
    """The columns of malformed and conflicting rows spoiled, all others as they are."""
    spoiled: dict[str, Column] = {"duration_ms": _conflicting_payload()}
    for reason, columns in defects().items():
        for name, nonsense in columns.items():
            value = spoiled.get(name, F.col(name))
            spoiled[name] = F.when(F.col("label") == f"{MALFORMED}:{reason}", nonsense).otherwise(value)
    return rows.select(*(spoiled[name].alias(name) if name in spoiled else F.col(name) for name in rows.columns))


def _reception(dirt: Dirt) -> list[Column]:
    """Delay of the collector: mostly seconds, a tail of hours, a stated share of days."""
    lateness, delay = uniform(F.col("event"), "lateness"), uniform(F.col("event"), "delay")
    label = (
        F.when(lateness < dirt.too_late, F.lit(TOO_LATE))
        .when(lateness < dirt.too_late + dirt.late, F.lit(LATE))
        .otherwise(F.lit(GOOD))
    )
    usual_us = F.lit(200_000) + (delay ** F.lit(24) * F.lit(6 * HOUR)).cast("bigint")
    delay_us = (
        F.when(lateness < dirt.too_late, F.lit(3 * DAY + HOUR) + (delay * F.lit(7 * DAY)).cast("bigint"))
        .when(lateness < dirt.too_late + dirt.late, F.lit(DAY) + (delay * F.lit(2 * DAY - HOUR)).cast("bigint"))
        .otherwise(usual_us)
    )
    return [label.alias("lateness"), (F.col("event_us") + delay_us).alias("received_us")]


def _copies(dirt: Dirt) -> Column:
    """The good row, and for few a copy beside it."""
    draw, copy, reached = uniform(F.col("event"), "copy"), F.lit(None).cast("string"), 0.0
    for kind, share in reversed(list(_ranges(dirt.copies).items())):
        low, high = share
        label = _malformed_label() if kind == MALFORMED else F.lit(kind)
        copy = F.when((draw >= low) & (draw < high), label).otherwise(copy)
        reached = max(reached, high)
    return F.when(draw < reached, F.array(F.lit(GOOD), copy)).otherwise(F.array(F.lit(GOOD)))


def _ranges(shares: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    ranges, low = {}, 0.0
    for name, share in shares.items():
        ranges[name], low = (low, low + share), low + share
    return ranges


def _malformed_label() -> Column:
    reasons = {f"{MALFORMED}:{reason}": 1.0 for reason in defects()}
    return choose(uniform(F.col("event"), "defect"), reasons)


def _received_us() -> Column:
    """A conflicting copy comes later than the row it contradicts, so that row wins."""
    after = between(uniform(F.col("event"), "conflict"), F.lit(1), F.lit(600)) * F.lit(SECOND)
    return F.col("received_us") + F.when(F.col("copy") == CONFLICTING, after).otherwise(F.lit(0))


def _key() -> Column:
    """A malformed row has an id of its own: it contradicts nothing and replaces nothing."""
    is_malformed = F.col("copy").startswith(MALFORMED)
    return F.when(is_malformed, hashed(F.col("event"), MALFORMED)).otherwise(F.col("event"))


def _day() -> Column:
    """Local day on which the collector delivers the row; half of the duplicates come a day after the first copy."""
    again = (F.col("label") == DUPLICATE) & (uniform(F.col("event"), "again") < 0.5)
    received_day = F.to_date(F.timestamp_micros("received_us"))
    return F.when(again, F.date_add(received_day, 1)).otherwise(received_day)


def _conflicting_payload() -> Column:
    """One more millisecond: the smallest payload that contradicts."""
    is_conflicting = F.col("label") == CONFLICTING
    return F.when(is_conflicting, F.coalesce("duration_ms", F.lit(0)) + F.lit(1)).otherwise(F.col("duration_ms"))
