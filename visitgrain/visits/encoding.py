"""Events as they cross the one shuffle: narrow, enumerations as small integers, keyed by stream.

A stream is what visits are cut from: one device on one channel, or one collector key.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, functions as F

from visitgrain.catalogue.visit_rules import VisitRules
from visitgrain.tables.vocabulary import BUSINESSES, CHANNELS, EVENT_TYPES

KINDS = ("crash", "unsubscribe")  # values of props['kind'] that visits count
ABSENT = -1  # code of a null or unlisted enumeration value


def code(column: str | Column, values: tuple[str, ...]) -> Column:
    """Position of the value in `values` as a byte; ABSENT for null and anything else."""
    name = F.col(column) if isinstance(column, str) else column
    coded = F.when(name == F.lit(values[0]), F.lit(0))
    for position, value in enumerate(values[1:], start=1):
        coded = coded.when(name == F.lit(value), F.lit(position))
    return coded.otherwise(F.lit(ABSENT)).cast("byte")


def to_coded_events(events: DataFrame, *, rules: VisitRules) -> DataFrame:
    """One row per event: what cutting and measuring need, in the order of `CODED`."""
    keyed = rules.cut == "collector_key"
    stream = F.xxhash64("visit_key") if keyed else F.xxhash64("device_id", "channel")
    return events.select(
        stream.alias("stream"),
        F.unix_micros("event_time").alias("t"),
        "seq",
        "event_id",
        code("event_type", EVENT_TYPES).alias("type"),
        code("channel", CHANNELS).alias("channel"),
        code("business", BUSINESSES).alias("business"),
        code(F.col("props")["kind"], KINDS).alias("kind"),
        "subscriber_id",
        "device_id",
        "page",
        "amount_fen",
        "points",
        "campaign_id",
        "source_channel",
        "os",
        "app_version",
        "area_code",
        (F.unix_micros("received_time") if keyed else F.lit(None).cast("bigint")).alias("received"),
        _filtered(keyed).alias("filtered"),
    )


def _filtered(keyed: bool) -> Column:
    """Why an event takes no part in visits: 'excluded' (bot, staff, test), 'no_key'; null = it does."""
    reason = F.when(F.col("exclusion").isNotNull(), F.lit("excluded"))
    return reason.when(F.col("visit_key").isNull(), F.lit("no_key")) if keyed else reason
