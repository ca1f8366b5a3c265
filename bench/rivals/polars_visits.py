"""events -> visits in Polars: the same rules and columns as the table `visits`, written as Parquet.

Tuning: one sort, then shifts and fills over the whole column instead of windows per stream; enumerations and text with
few values are Enums and Categoricals; ordered stages are small joins. As with DuckDB, the cap is not checked.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from visitgrain.catalogue.catalogue import Catalogue
from visitgrain.catalogue.score_cards import score_versions
from visitgrain.catalogue.visit_rules import VisitRules
from visitgrain.tables.visiting import VISITS
from visitgrain.tables.vocabulary import ACTION_TYPES, ACTIVE_TYPES, BUSINESSES, CHANNELS, ENTRY_SOURCES, EVENT_TYPES

DAY_US = 86_400_000_000
NAMES = ("page", "campaign_id", "source_channel", "os", "app_version", "area_code")
FIRSTS = ("campaign_id", "os", "app_version", "area_code")


def build_visits(events: str, target: Path, catalogue: Catalogue) -> None:
    """Reads the Parquet files `events` (a glob), writes the file `target`."""
    cut = _cut(_coded(events), catalogue.visit_rules)
    visits = _measured(cut, catalogue)
    visits = visits.join(_days(cut, visits, catalogue.zone), on="visit", how="left")
    _finished(_with_history(visits), catalogue).write_parquet(target)


def is_type(*names: str) -> pl.Expr:
    return pl.col("type") == names[0] if len(names) == 1 else pl.col("type").is_in(names)


def _coded(events: str) -> pl.DataFrame:
    plain = (
        pl.scan_parquet(events, hive_partitioning=False)
        .filter(pl.col("exclusion").is_null())
        .select(
            pl.concat_str("device_id", "channel").hash().alias("stream"),
            "device_id",
            pl.col("channel").cast(pl.Enum(CHANNELS)),
            pl.col("event_time").dt.timestamp("us").alias("t"),
            "seq",
            "event_id",
            pl.col("event_type").cast(pl.Enum(EVENT_TYPES)).alias("type"),
            pl.col("business").cast(pl.Enum(BUSINESSES)),
            pl.col("props").map.get("kind").alias("kind"),
            "subscriber_id",
            "amount_fen",
            "points",
            *[pl.col(name).cast(pl.Categorical) for name in NAMES],
        )
    )
    return plain.sort("stream", "t", "seq", "event_id", nulls_last=False).collect().with_row_index("n")


def _cut(events: pl.DataFrame, rules: VisitRules) -> pl.DataFrame:
    """Events of visits, with the number `visit` and whether they opened it."""
    n, t, subscriber, front = pl.col("n"), pl.col("t"), pl.col("subscriber_id"), pl.col("foreground")
    timeout = {name: int(minutes * 60_000_000) for name, minutes in rules.timeout_minutes.items()}

    def before(row: pl.Expr, value: pl.Expr) -> pl.Expr:
        """`value` of the latest row before this one for which `row` holds."""
        return pl.when(row).then(value).forward_fill().shift(1)

    rows = events.lazy().with_columns(
        foreground=~is_type(*rules.background),
        stream_n=pl.when(pl.col("stream") != pl.col("stream").shift(1).fill_null(0)).then(n).forward_fill(),
        timeout=pl.col("channel").replace_strict(timeout, return_dtype=pl.Int64),
    )
    gap = t - before(front, pl.when(is_type("logout")).then(0).otherwise(t))
    rows = rows.with_columns(
        run=front & ((before(front, n) < pl.col("stream_n")) | (gap > pl.col("timeout"))).fill_null(True)
    )
    named = front & subscriber.is_not_null()
    other = (before(named, n) >= pl.when("run").then(n).forward_fill()) & (before(named, subscriber) != subscriber)
    rows = rows.with_columns(opened=pl.col("run") | (named & other.fill_null(False)))
    following = pl.when(front).then(pl.col("opened")).backward_fill().shift(-1).fill_null(True)
    beat = t // (rules.heartbeat_s * 1_000_000)
    return (
        rows.with_columns(
            visit=pl.col("opened").cum_sum(),
            outside=~front & following,
            beat=pl.col("opened") | (beat != beat.shift(1)),
        )
        .filter(~pl.col("outside"))
        .drop("stream_n", "timeout", "run", "outside", "seq")
        .collect()
    )


def _measured(events: pl.DataFrame, catalogue: Catalogue) -> pl.DataFrame:
    rules, page = catalogue.visit_rules, pl.col("page")
    opening = pl.when("opened").then("n").forward_fill()
    known_page = page.is_not_null()
    same = (page == page.forward_fill().shift(1)) & (pl.when(known_page).then("n").forward_fill().shift(1) >= opening)
    events = events.with_columns(turn=known_page & ~same.fill_null(False))
    front, subscriber = pl.col("foreground"), pl.col("subscriber_id")
    grouped = (
        events.lazy()
        .group_by("visit")
        .agg(
            pl.col("device_id", "channel").first(),
            pl.col("event_id").first().alias("first_event_id"),
            pl.col("type").first().alias("first_type"),
            pl.col("source_channel").first().cast(pl.String).alias("said"),
            subscriber.drop_nulls().last(),
            pl.col("event_id").filter(subscriber.is_not_null()).first().alias("login_event_id"),
            pl.col("t").filter(subscriber.is_not_null()).first().cast(pl.Datetime("us", "UTC")).alias("login_time"),
            subscriber.null_count().alias("unnamed"),
            pl.col("t").first().alias("t0"),
            pl.col("t").filter(front).last().alias("t1"),
            pl.col("type").filter(front).last().alias("last_event_type"),
            pl.len().cast(pl.Int32).alias("events"),
            is_type(*ACTIVE_TYPES).sum().alias("active_events"),
            is_type(*ACTION_TYPES).sum().alias("actions"),
            *[is_type(name).sum().alias(name) for name in EVENT_TYPES],
            *[(pl.col("business") == name).sum().alias(f"{name}_events") for name in BUSINESSES],
            (is_type("error") & (pl.col("kind") == "crash")).sum().alias("crash"),
            (is_type("form_step") & (pl.col("kind") == "unsubscribe")).sum().alias("unsubscribe_step"),
            pl.col("beat").sum().alias("beats"),
            page.drop_nulls().n_unique().alias("pages"),
            pl.col("turn").sum().alias("depth"),
            page.drop_nulls().first().alias("entry_page"),
            page.drop_nulls().last().alias("exit_page"),
            pl.col(*FIRSTS).drop_nulls().first(),
            pl.col("amount_fen").filter(is_type("order_paid", "topup")).sum().alias("paid_fen"),
            pl.col("points").clip(lower_bound=0).sum().alias("points_earned"),
            (-pl.col("points").clip(upper_bound=0)).sum().alias("points_spent"),
        )
        .collect(engine="streaming")
    )
    views = pl.col("page_view") + pl.col("product_view")
    sources = {"push_open": "push", "share_visit": "share"}
    by_type = pl.col("first_type").cast(pl.String).replace_strict(sources, default="direct")
    said = pl.when(pl.col("said").is_in(ENTRY_SOURCES)).then(pl.col("said")).otherwise(pl.lit("other"))
    local = _local("t0", catalogue.zone)
    method = pl.when(pl.col("unnamed") == 0).then(pl.lit("every_event")).otherwise(pl.lit("same_visit"))
    return (
        grouped.join(_stages(events), on="visit", how="left")
        .with_columns(
            visit_date=local.dt.date(),
            weekday=local.dt.weekday(),
            hour=local.dt.hour(),
            duration_s=(pl.col("t1") - pl.col("t0")) // 1_000_000,
            engaged_s=rules.heartbeat_s * (pl.col("beats") - 1) + rules.minimum_visit_s,
            page_views=views,
            bounced=(views <= 1) & (pl.col("actions") == pl.col("page_view")),
            entry_source=pl.when(pl.col("said").is_null()).then(by_type).otherwise(said),
            funnel_stage=pl.col("funnel_stage").fill_null(0),
            order_paid_after_topup=pl.col("order_paid_after_topup").fill_null(False),
            stitch_method=pl.when(pl.col("subscriber_id").is_not_null()).then(method),
        )
        .filter(local.dt.date() <= pl.date(2025, 3, 31))
    )


def _local(t: str, zone: str) -> pl.Expr:
    return pl.col(t).cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(zone)


def _stages(events: pl.DataFrame) -> pl.DataFrame:
    """Furthest funnel stage, time to submit and orders after a top-up, of visits with any such event."""

    def of(*names: str) -> pl.DataFrame:
        return events.filter(is_type(*names)).select("visit", "n", "t")

    def first(rows: pl.DataFrame) -> pl.DataFrame:
        return rows.group_by("visit").agg(pl.col("n", "t").sort_by("n").first())

    def after(name: str, earlier: pl.DataFrame) -> pl.DataFrame:
        both = of(name).join(earlier, on="visit", how="inner", suffix="_before")
        return first(both.filter(pl.col("n") > pl.col("n_before")))

    product = first(of("product_view"))
    step = after("form_step", product)
    submit = after("order_submit", step)
    stages = (product, step, submit, after("order_paid", submit))
    begun = first(of("product_view", "form_step"))
    seconds = (
        after("order_submit", begun)
        .join(begun, on="visit", how="inner", suffix="_before")
        .select("visit", submit_seconds=(pl.col("t") - pl.col("t_before")) // 1_000_000)
    )
    bought = after("order_paid", first(of("topup"))).select("visit", order_paid_after_topup=pl.lit(True))
    reached = pl.concat([stage.select("visit") for stage in stages]).group_by("visit").agg(funnel_stage=pl.len())
    return reached.join(seconds, on="visit", how="full", coalesce=True).join(
        bought, on="visit", how="full", coalesce=True
    )


def _days(events: pl.DataFrame, visits: pl.DataFrame, zone: str) -> pl.DataFrame:
    """`split` of the visits over midnight: one entry per local day; the others have one day, which `_finished` adds."""
    last = _local("t1", zone).dt.date()
    over = visits.filter(pl.col("visit_date") != last).select("visit", "t0", "t1", "visit_date", last_date=last)
    counted = (
        events.join(over.select("visit"), on="visit", how="semi")
        .group_by("visit", day=_local("t", zone).dt.date())
        .agg(events=pl.len().cast(pl.Int32), active_events=is_type(*ACTIVE_TYPES).sum().cast(pl.Int32))
    )
    day = over.with_columns(day=pl.date_ranges("visit_date", "last_date")).explode("day")
    begin = pl.col("day").cast(pl.Datetime("us")).dt.replace_time_zone(zone).dt.timestamp("us")

    def since(t: pl.Expr) -> pl.Expr:
        return (t - pl.col("t0")) // 1_000_000

    seconds = since(pl.min_horizontal(begin + DAY_US, "t1")) - since(pl.max_horizontal(begin, "t0"))
    day = day.with_columns(seconds=seconds).join(counted, on=["visit", "day"], how="left")
    entry = pl.struct("day", pl.col("events", "active_events").fill_null(0), "seconds")
    return day.sort("visit", "day").group_by("visit").agg(split=entry)


def _with_history(visits: pl.DataFrame) -> pl.DataFrame:
    known = pl.col("subscriber_id").is_not_null()
    device = pl.col("device_id").hash().reinterpret(signed=True)
    visits = visits.with_columns(
        subject_type=pl.when(known).then(pl.lit("subscriber")).otherwise(pl.lit("device")),
        subject=pl.when(known).then("subscriber_id").otherwise(-(device.abs())),
    ).sort("subject", "t0", "first_event_id")
    former = pl.when(pl.col("subject") == pl.col("subject").shift(1)).then(pl.col("t0").shift(1))
    counted = visits.rolling("t0", period=f"{30 * DAY_US}i", closed="both", group_by="subject").agg(
        visits_30d=pl.len().cast(pl.Int32)
    )
    return visits.with_columns(former=former, visits_30d=counted["visits_30d"])


def _finished(visits: pl.DataFrame, catalogue: Catalogue) -> pl.DataFrame:
    """The columns of the table, in its order."""
    instant = pl.Datetime("us", "UTC")
    one_day = pl.concat_list(
        pl.struct(day="visit_date", events="events", active_events="active_events", seconds="duration_s")
    )
    cards = [
        pl.struct(
            key=pl.lit(card.purpose),
            value=sum(pl.col(name).cast(pl.Int64) * round(w * 1000) for name, w in card.weights.items()) / 1000.0,
        )
        for card in catalogue.score_cards.values()
    ]
    rule = pl.lit(f"time_sliced/{catalogue.visit_rules.version}")
    computed = {
        "visit_id": pl.concat_str("device_id", "channel", "first_event_id").hash().reinterpret(signed=True),
        "start": pl.col("t0").cast(instant),
        "end": pl.col("t1").cast(instant),
        "days": pl.when(pl.col("split").is_null()).then(one_day).otherwise(pl.col("split")),
        "stitch_rule": pl.when(pl.col("subscriber_id").is_not_null()).then(rule),
        "is_first_visit": pl.col("former").is_null(),
        "gap_days": (pl.col("t0") - pl.col("former")) / float(DAY_US),
        "score": pl.concat_list(cards).cast(pl.Map(pl.String, pl.Float64)),
        "score_versions": pl.lit(score_versions(catalogue.score_cards)),
    }
    return visits.select(computed.get(name, pl.col(name)).alias(name) for name in VISITS.column_names)
