"""What each source offers to the measures of the catalogue: one row per thing that is counted.

Every frame has `subscriber_id` (null = nobody is known), `day`, `OTHER` (false for ordinary rows; true for those that
only measures of another subject or date count), and the columns that `when`, `value`, `by` and slices may name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import reduce

from pyspark.sql import Column, DataFrame, Window, functions as F

from visitgrain.catalogue.metric_settings import Release

OTHER = "_other"
SEARCH_CLICK_WITHIN = timedelta(minutes=30)  # a click later than that is no answer to the search
ACQUISITION: Mapping[str, str] = {  # entry source of a first visit -> where the new user comes from
    "direct": "organic",
    "search_engine": "organic",
    "wechat_menu": "organic",
    "ad": "ad",
    "share": "share",
    "sms": "sms",
    "outlet": "outlet",
    "qr": "qr",
}
EVENT_COLUMNS = (
    *("event_type", "channel", "business", "touchpoint_id", "campaign_id", "product_id", "process_id"),
    *("page", "os", "app_version", "amount_fen", "points"),
)
PROPS = {"rating": "int", "nps": "int", "result_count": "int", "load_ms": "int", "kind": "string", "target": "string"}


def visit_rows(visits: DataFrame) -> DataFrame:
    """One row per visit, on its start day."""
    source = F.coalesce(*(F.when(F.col("entry_source") == k, F.lit(v)) for k, v in ACQUISITION.items()), F.lit("other"))
    known = F.col("subscriber_id").isNotNull()
    return (
        visits.withColumn("day", F.col("visit_date"))
        .withColumn("day_of_month", F.dayofmonth("visit_date"))
        .withColumn("score_general", F.col("score")["general"])
        .withColumn("source", source)
        .withColumn("is_first_visit", F.col("is_first_visit") & known)
        .withColumn(OTHER, F.lit(False))
        .drop("days", "score")
    )


def event_rows(
    events: DataFrame, visits: DataFrame, quarantined_visits: DataFrame, numbers: DataFrame, releases: Sequence[Release]
) -> DataFrame:
    """One row per event of somebody known, and one more per share_visit for the sharer.

    An event is of whoever the visit around it belongs to, whatever it says itself: it may say nothing, or a number.
    Outside of visits it is of the subscriber that it names, or of who held the number that it names. Events of runaway
    visits and those that an exclusion names are left out, as visits leave them out.
    """
    counted = _narrow(events.where("exclusion is null"), releases)
    told = counted.where("event_type <> 'search'").withColumn("search_clicked", F.lit(None).cast("boolean"))
    told = told.unionByName(_searches(counted))
    spans = _of_subscribers(visits).unionByName(_of_nobody(quarantined_visits))
    found = told.join(spans, _inside(), how="left").where("_runaway is null")
    found = found.join(_holders(numbers), _held(), how="left")
    opens = F.col("_is_first_visit") & (F.col("event_time") == F.col("_start"))
    own = F.coalesce("_subscriber_id", "_holder", "subscriber_id")
    sharer = F.when(F.col("event_type") == "share_visit", F.col("sharer_id"))
    subjects = F.array(_subject(own, False), _subject(F.when(own.isNotNull(), sharer), True))
    return found.select(
        F.inline(F.filter(subjects, lambda subject: subject["subscriber_id"].isNotNull())),
        *(name for name in told.columns if name != "subscriber_id"),
        F.coalesce(opens, F.lit(False)).alias("opens_first_visit"),
    )


def order_rows(orders: DataFrame, products: DataFrame, snapshots: DataFrame) -> DataFrame:
    """One row per order on its day, and one more per cancelled order on the day of the cancellation."""
    prices = products.select("product_id", "price_fen")
    plans = snapshots.select("subscriber_id", F.add_months("month", 1).alias("_month"), "plan_fee_fen")
    placed = orders.where("subscriber_id is not null").withColumn("_month", F.trunc("order_date", "month"))
    priced = placed.join(prices, "product_id", how="left").join(plans, ["subscriber_id", "_month"], how="left")
    move = (
        F.when(F.col("price_fen") > F.col("plan_fee_fen"), F.lit("up"))
        .when(F.col("price_fen") < F.col("plan_fee_fen"), F.lit("down"))
        .when(F.col("price_fen") == F.col("plan_fee_fen"), F.lit("same"))
    )
    rows = priced.select(
        *("subscriber_id", "product_id", "business", "channel", "amount_fen", "status", "order_time", "cancel_time"),
        *(F.col("order_date").alias("day"), move.alias("move"), F.lit(False).alias(OTHER)),
    )
    cancelled = rows.where("cancel_time is not null").withColumn("day", F.to_date("cancel_time"))
    return rows.unionByName(cancelled.withColumn(OTHER, F.lit(True)))


def result_rows(campaign_results: DataFrame) -> DataFrame:
    """One row per member of a campaign, on the day on which its result is judged."""
    return campaign_results.withColumn("day", F.col("evaluation_date")).withColumn(OTHER, F.lit(False))


def exposure_rows(campaign_exposures: DataFrame) -> DataFrame:
    """One row per delivery."""
    return campaign_exposures.withColumn("day", F.col("exposure_date")).withColumn(OTHER, F.lit(False))


def _narrow(events: DataFrame, releases: Sequence[Release]) -> DataFrame:
    props = [F.col("props")[name].try_cast(type_).alias(name) for name, type_ in PROPS.items()]
    return events.select(
        *("subscriber_id", "device_id", "event_time", "seq", "event_id", *EVENT_COLUMNS),
        F.col("event_date").alias("day"),
        F.weekday("event_date").alias("_weekday"),
        F.col("props")["sharer_id"].try_cast("bigint").alias("sharer_id"),
        *props,
        (F.col("app_version") == _latest(releases)).alias("latest_version"),
    ).withColumn("weekday", F.col("_weekday") + 1)


def _latest(releases: Sequence[Release]) -> Column:
    """The version released last by the day; null before the first."""
    found = F.lit(None).cast("string")
    return reduce(
        lambda older, new: F.when(F.col("event_date") >= F.lit(new.released), F.lit(new.version)).otherwise(older),
        releases,
        found,
    )


def _subject(subscriber: Column, other: bool) -> Column:
    return F.struct(subscriber.alias("subscriber_id"), F.lit(other).alias(OTHER))


def _searches(events: DataFrame) -> DataFrame:
    """Searches, with what came next on the device among searches and clicks: a click soon after answers."""
    order = Window.partitionBy("device_id", "channel").orderBy("event_time", "seq", "event_id")
    nearby = events.where("event_type in ('search', 'click')")
    soon = F.unix_micros(F.lead("event_time").over(order)) - F.unix_micros("event_time")
    limit = int(SEARCH_CLICK_WITHIN.total_seconds() * 1_000_000)
    clicked = (F.lead("event_type").over(order) == "click") & (soon <= limit)
    return nearby.withColumn("search_clicked", F.coalesce(clicked, F.lit(False))).where("event_type = 'search'")


def _of_subscribers(visits: DataFrame) -> DataFrame:
    """From when to when a subscriber is on a device, as visits say."""
    later = Window.partitionBy("device_id", "channel").orderBy("start", "visit_id")
    spans = visits.withColumn("_next", F.lead("start").over(later)).where("subscriber_id is not null")
    return spans.select(
        *_place(), "_next", *(F.col(n).alias(f"_{n}") for n in ("subscriber_id", "is_first_visit")), _none("_runaway")
    )


def _of_nobody(quarantined_visits: DataFrame) -> DataFrame:
    """From when to when a device is a machine's."""
    unknown = F.lit(None)
    return quarantined_visits.select(
        *_place(),
        unknown.cast("timestamp").alias("_next"),
        unknown.cast("bigint").alias("_subscriber_id"),
        unknown.cast("boolean").alias("_is_first_visit"),
        F.lit(True).alias("_runaway"),
    )


def _place() -> list[Column]:
    names = {"device_id": "_device", "channel": "_channel", "start": "_start", "end": "_end"}
    return [F.col(name).alias(other) for name, other in names.items()]


def _none(name: str) -> Column:
    return F.lit(None).cast("boolean").alias(name)


def _inside() -> Column:
    """An event, and the span of a visit around it."""
    time = F.col("event_time")
    same = (F.col("device_id") == F.col("_device")) & (F.col("channel") == F.col("_channel"))
    within = (time >= F.col("_start")) & (time <= F.col("_end"))
    # Where one visit ends in the instant in which the next begins, the event is the later one's: never of both.
    before_next = F.col("_next").isNull() | (time < F.col("_next"))
    return same & within & before_next


def _holders(numbers: DataFrame) -> DataFrame:
    names = {"number_id": "_number", "valid_from": "_from", "valid_to": "_to", "subscriber_id": "_holder"}
    return numbers.select(*(F.col(name).alias(other) for name, other in names.items()))


def _held() -> Column:
    """An event outside of visits, and who held the number that it names on its day."""
    since = (F.col("day") >= F.col("_from")) & (F.col("_to").isNull() | (F.col("day") < F.col("_to")))
    return F.col("_subscriber_id").isNull() & (F.col("subscriber_id") == F.col("_number")) & since
