"""From planned visits to events: narrow rows first (they are shuffled by day of delivery), all columns afterwards."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, functions as F

from visitgrain.simulation.chance import between, hashed, uniform
from visitgrain.simulation.scripts import NO_LOGIN
from visitgrain.simulation.visits import SECOND
from visitgrain.simulation.world import World
from visitgrain.tables import Column as Declared, Table
from visitgrain.tables.inputs import EVENTS

SEQ_PER_DAY = 1_000_000  # the device's counter: day, slot, position
SEQ_PER_SLOT = 1_000
CAMPAIGN_SOURCES = ("push", "sms", "ad")
# What ingest adds; a feed has none of it.
ADDED_BY_INGEST = ("event_date", "order_date", "source", "load_id", "exclusion", "rescued", "clock_skew_s")
CARRIED = (
    "visit",
    "offer_no",
    "device",
    "channel",
    "login",
    "area_code",
    "source_channel",
    "sharer_id",
    "os",
    "app_version",
)


def to_planned_events(visits: DataFrame, *, kinds: DataFrame, steps: DataFrame) -> DataFrame:
    """One narrow row per event that happens; no copies, nothing late yet."""
    timed = visits.join(F.broadcast(kinds), on="kind", how="inner")
    reached = timed.select("*", _end_position().alias("end_position"))
    walked = reached.join(F.broadcast(steps), on="kind", how="inner").filter(_happens())
    position = F.col("position")
    offset_s = F.col("pace_s") * F.col("pace") * (position + F.lit(0.8) * uniform(F.col("visit"), "gap", position))
    # A pause falls after the second step, wherever the script stands then.
    paused_s = F.when(position >= 2, F.col("pause_s")).otherwise(F.lit(0))
    seq = F.unix_date("day").cast("bigint") * SEQ_PER_DAY + F.col("slot") * SEQ_PER_SLOT + position
    return walked.select(
        *CARRIED,
        F.col("subscriber_id").alias("person_id"),
        "step",
        "position",
        F.xxhash64("visit", "position").alias("event"),
        (F.col("start_us") + ((offset_s + paused_s) * F.lit(SECOND)).cast("bigint")).alias("event_us"),
        seq.alias("seq"),
        _is_anonymous().alias("is_anonymous"),
    )


def to_event_rows(deliveries: DataFrame, *, world: World, steps: DataFrame, keep: Sequence[str]) -> DataFrame:
    """One row per delivered row: the columns of a feed of events, and `keep`. Keeps the row order of `deliveries`."""
    detail = steps.drop("kind", "position", "draw", "low", "high")
    stepped = deliveries.join(F.broadcast(detail), on="step", how="inner")
    offered = stepped.select("*", F.get(_offers(world), F.col("offer_no")).alias("offer"))
    columns = {**_subject(), **_money(world), **_context()}
    return offered.select(
        *(F.col(name) for name in keep),
        *(columns.get(c.name, F.col(c.name)).cast(c.type).alias(c.name) for c in feed_columns(EVENTS)),
    )


def _end_position() -> Column:
    """Position of the first gate that does not open; the visit ends before it."""
    shut = F.filter("gates", lambda gate: ~_falls_into(gate["draw"], gate["low"], gate["high"]))
    return F.coalesce(F.array_min(F.transform(shut, lambda gate: gate["position"])), F.lit(NO_LOGIN))


def _falls_into(draw: Column, low: Column, high: Column) -> Column:
    value = uniform(F.col("visit"), "step", draw)
    return (value >= low) & (value < high)


def _happens() -> Column:
    kind_of_step = F.col("event_type")
    as_login = (kind_of_step != "login") | (F.col("login") == "login")
    as_logout = (kind_of_step != "logout") | F.col("logs_out")
    goes_on = (F.col("login") != "anonymous") | ~F.col("needs_login") | (F.col("position") < F.col("login_position"))
    before_end = F.col("position") < F.col("end_position")
    return _falls_into(F.col("draw"), F.col("low"), F.col("high")) & as_login & as_logout & goes_on & before_end


def _is_anonymous() -> Column:
    before_login = (F.col("login") == "login") & (F.col("position") < F.col("login_position"))
    return before_login | (F.col("login") == "anonymous")


def _offers(world: World) -> Column:
    return F.array(
        *(
            F.struct(
                F.lit(business).alias("business"),
                F.lit(product.product_id if product else None).cast("string").alias("product_id"),
                F.lit(product.price_fen if product else None).cast("bigint").alias("price_fen"),
            )
            for business, product in world.offers
        )
    )


def _subject() -> dict[str, Column]:
    """Who, when and what about."""
    return {
        "event_id": hex_of(F.col("event")),
        "subscriber_id": F.when(~F.col("is_anonymous"), F.col("person_id")),
        "device_id": hex_of(F.col("device")),
        "event_time": F.timestamp_micros("event_us"),
        "received_time": F.timestamp_micros("received_us"),
        "business": F.when(F.col("about") != "nothing", F.col("offer.business")),
        "product_id": F.when(F.col("about") == "product", F.col("offer.product_id")),
        "process_id": F.when(F.col("in_process"), hex_of(hashed(F.col("visit"), "process"))),
        "visit_key": F.lit(None),
    }


def _money(world: World) -> dict[str, Column]:
    event, visit = F.col("event"), F.col("visit")
    amounts = F.array(*(F.lit(amount).cast("bigint") for amount in world.topup_amounts))
    topup = F.get(amounts, between(uniform(visit, "topup"), F.lit(0), F.lit(len(world.topup_amounts) - 1)).cast("int"))
    ordered = F.col("event_type").isin("order_submit", "order_paid")
    stays = F.col("event_type").isin("page_view", "product_view")
    return {
        "amount_fen": F.when(ordered, F.col("offer.price_fen")).when(F.col("event_type") == "topup", topup),
        "points": between(uniform(event, "points"), F.col("points_low"), F.col("points_high")),
        "duration_ms": F.when(stays, between(uniform(event, "stay"), F.lit(800), F.lit(60_000))),
    }


def _context() -> dict[str, Column]:
    """Type, source, campaign and props. The first event of a visit says where it came from."""
    opens = F.col("position") == 0
    from_campaign = opens & F.col("source_channel").isin(*CAMPAIGN_SOURCES)
    month = F.date_format(F.timestamp_micros("event_us"), "yyyyMM")
    drawn = between(uniform(F.col("event"), "prop"), F.col("prop_low"), F.col("prop_high")).cast("string")
    from_share = opens & F.col("sharer_id").isNotNull()
    prop = F.when(from_share, F.lit("sharer_id")).otherwise(F.col("prop"))
    value = F.when(from_share, F.col("sharer_id").cast("string")).otherwise(F.coalesce("prop_value", drawn))
    return {
        "event_type": _opening_type(),
        "source_channel": F.when(opens, F.col("source_channel")),
        "campaign_id": F.when(from_campaign, F.concat_ws("_", F.col("source_channel"), month)),
        "props": F.when(prop.isNotNull(), F.create_map(prop, value)),
    }


def _opening_type() -> Column:
    """Only the app is launched; a visit after a push or from a shared link begins with that."""
    event_type, opens = F.col("event_type"), F.col("event_type") == "launch"
    return (
        F.when(opens & (F.col("source_channel") == "push") & (F.col("channel") == "app"), F.lit("push_open"))
        .when(opens & (F.col("source_channel") == "share"), F.lit("share_visit"))
        .when(opens & (F.col("channel") != "app"), F.lit("page_view"))
        .otherwise(event_type)
    )


def feed_columns(table: Table) -> list[Declared]:
    """Columns of `table` that a feed delivers."""
    return [column for column in table.columns if column.name not in ADDED_BY_INGEST]


def hex_of(key: Column) -> Column:
    """A 64-bit key as 16 hexadecimal digits."""
    return F.lpad(F.lower(F.hex(key)), 16, "0")
