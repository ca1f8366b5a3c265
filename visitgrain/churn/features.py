"""What is known of a subscriber at the end of a month. Formulas: docs/adr/0015.

One path for training and scoring: the rows of a month are the same whenever they are made, and rest on days before the
cut-off alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from pyspark.sql import Column, DataFrame, Window, functions as F

from visitgrain.catalogue.catalogue import Catalogue
from visitgrain.churn.contract import contract_features
from visitgrain.expressions.literal_rows import literal_rows
from visitgrain.span import Span
from visitgrain.tables.churning import CHURN_FEATURES, MONTHS_BACK, WITHIN

KEY = ("subscriber_id", "month")
LONGEST_SHARE = 90  # days that shares of weekends and nights are taken over
HOURS = ("0-5", "6-11", "12-17", "18-23")
DAY_S = 86_400.0
LEAK = " is not before the cut-off of its month; its day in activity_days is wrong: run collect_activity_days again"


def build_churn_features(
    *,
    activity_days: DataFrame,
    subscriber_month: DataFrame,
    consumption_segments: DataFrame,
    behaviour_segments: DataFrame,
    time_preferences: DataFrame,
    spec: Catalogue,
    span: Span,
) -> DataFrame:
    """One row per month of the span and subscriber with an active day on the label channel within its last 180 days.

    A source row that happened at the cut-off or later fails the run.
    """
    cut_offs = _cut_offs(activity_days, span, spec.zone)
    channels = spec.churn.channels
    own = activity_days.where(F.col("channel").isin(*channels))
    days = _per_day(own, channels)
    base = _base(days, cut_offs)
    # All that follows comes together by subscriber: brought there once, and narrow.
    history = days.repartition("subscriber_id").join(F.broadcast(cut_offs), F.expr("day < cut_day"), how="inner")
    history = history.join(base, list(KEY), how="inner")
    found = _sums(history).join(_gaps(history), list(KEY), how="left")
    for name in ("section", "page"):
        found = found.join(_distinct(history, name), list(KEY), how="left")
    ninety = _last_days(activity_days, cut_offs)
    found = found.join(_channels(ninety, channels), list(KEY), how="left")
    found = found.join(_anywhere(activity_days, cut_offs), list(KEY), how="left")
    found = found.join(_main_touchpoint(ninety), list(KEY), how="left")
    found = found.join(_main_hours(time_preferences), list(KEY), how="left")
    contract = contract_features(subscriber_month, consumption_segments, behaviour_segments, span)
    return _completed(found.join(contract, list(KEY), how="left")).select(*CHURN_FEATURES.column_names)


def _cut_offs(anchor: DataFrame, span: Span, zone: str) -> DataFrame:
    """One row per month: the first day and the first instant after it."""
    ends = [(month.start, month.end + timedelta(days=1)) for month in span.months()]
    rows = [(start, end, datetime.combine(end, time.min, ZoneInfo(zone))) for start, end in ends]
    return literal_rows(anchor, rows, ("month", "date"), ("cut_day", "date"), ("cut_off", "timestamp"))


def _per_day(own: DataFrame, channels: Sequence[str]) -> DataFrame:
    """One row per subscriber and day, whatever the number of channels that count."""
    if len(channels) == 1:
        return own.drop("channel")
    return own.groupBy("subscriber_id", "day").agg(
        *(F.sum(name).alias(name) for name in ("events", "visits", "night_events")),
        F.min("first_time").alias("first_time"),
        F.max("last_time").alias("last_time"),
        *(F.array_sort(F.array_distinct(F.flatten(F.collect_list(n)))).alias(n) for n in ("pages", "sections")),
    )


def _base(days: DataFrame, cut_offs: DataFrame) -> DataFrame:
    inside = F.expr(f"day < cut_day and (day >= month or datediff(cut_day, day) <= {max(WITHIN)})")
    recent = days.join(F.broadcast(cut_offs), inside, how="inner")
    return recent.groupBy(*KEY).agg(F.bool_or(F.expr("day >= month")).alias("active"))


def _sums(history: DataFrame) -> DataFrame:
    """Everything that adds up over days, in one pass."""
    age = F.datediff("cut_day", "day")

    def within(days: int, value: Column) -> Column:
        return F.sum(F.when(age <= days, value).otherwise(0)).cast("double")

    one = F.lit(1)
    recent = [
        within(days, value).alias(f"{prefix}_{days}")
        for prefix, value in (("ev", F.col("events")), ("ses", F.col("visits")), ("day", one))
        for days in WITHIN
    ]
    months = [
        F.count_if(F.expr(f"day >= add_months(month, {1 - n}) and day < add_months(month, {2 - n})"))
        .cast("double")
        .alias(f"mday_{n}")
        for n in range(1, MONTHS_BACK + 1)
    ]
    weekend = F.weekday("day") >= 5
    return history.groupBy(*KEY, "active", "cut_off", "cut_day").agg(
        F.min("first_time").alias("_first"),
        _before_the_cut_off(F.max("last_time")).alias("known_through"),
        F.sum("events").cast("double").alias("n_all"),
        *recent,
        *months,
        within(LONGEST_SHARE, F.when(weekend, F.col("events")).otherwise(0)).alias("_weekend"),
        within(LONGEST_SHARE, F.col("night_events")).alias("_night"),
    )


def _before_the_cut_off(last: Column) -> Column:
    """The leak guard: a source row at or after the cut-off fails the run."""
    told = F.concat(F.lit("churn features: an event at "), last.cast("string"), F.lit(LEAK))
    return F.when(last < F.col("cut_off"), last).otherwise(F.raise_error(told))


def _gaps(history: DataFrame) -> DataFrame:
    """Days between consecutive active days, up to each cut-off; no row with one active day."""
    in_order = Window.partitionBy(*KEY).orderBy("day")
    gaps = history.select(*KEY, "day", F.datediff("day", F.lag("day").over(in_order)).cast("double").alias("gap"))
    return (
        gaps.where("gap is not null")
        .groupBy(*KEY)
        .agg(
            F.avg("gap").alias("gap_mean"),
            F.median("gap").alias("gap_med"),
            F.max("gap").alias("gap_max"),
            F.max_by("gap", "day").alias("gap_last"),
        )
    )


def _distinct(history: DataFrame, name: str) -> DataFrame:
    """How many different pages (or sections) were seen within so many days: by the last day of each."""
    longest = max(WITHIN)
    recent = history.where(F.expr(f"datediff(cut_day, day) <= {longest}"))
    each = recent.select(*KEY, F.datediff("cut_day", "day").alias("_age"), F.explode(f"{name}s").alias("_hash"))
    last = each.groupBy(*KEY, "_hash").agg(F.min("_age").alias("_age"))
    counts = [F.count_if(F.col("_age") <= days).cast("double").alias(f"{name}_{days}") for days in WITHIN]
    return last.groupBy(*KEY).agg(*counts)


def _last_days(activity_days: DataFrame, cut_offs: DataFrame) -> DataFrame:
    inside = F.expr(f"day < cut_day and datediff(cut_day, day) <= {LONGEST_SHARE}")
    return activity_days.join(F.broadcast(cut_offs), inside, how="inner")


def _anywhere(activity_days: DataFrame, cut_offs: DataFrame) -> DataFrame:
    """First and last active event and all visits before each cut-off, whatever the channel."""
    before = activity_days.join(F.broadcast(cut_offs), F.expr("day < cut_day"), how="inner")
    return before.groupBy(*KEY).agg(
        F.sum("visits").cast("double").alias("_any_visits"),
        F.min("first_time").alias("_any_first"),
        F.max("last_time").alias("_any_last"),
    )


def _channels(ninety: DataFrame, channels: Sequence[str]) -> DataFrame:
    """Active days on other channels, and the channel that is used on most days."""
    counted = ninety.groupBy(*KEY, "channel").agg(
        F.count(F.lit(1)).alias("_days"), F.count_if(F.expr("datediff(cut_day, day) <= 30")).alias("_days_30")
    )
    other = ~F.col("channel").isin(*channels)
    return counted.groupBy(*KEY).agg(
        F.sum(F.when(other, F.col("_days_30")).otherwise(0)).cast("double").alias("other_day_30"),
        F.sum(F.when(other, F.col("_days")).otherwise(0)).cast("double").alias("other_day_90"),
        _most("channel", "_days").alias("main_channel"),
    )


def _main_touchpoint(ninety: DataFrame) -> DataFrame:
    clicked = ninety.select(*KEY, F.explode("touchpoints").alias("touchpoint"))
    counted = clicked.groupBy(*KEY, "touchpoint").agg(F.count(F.lit(1)).alias("_days"))
    return counted.groupBy(*KEY).agg(_most("touchpoint", "_days").alias("main_touchpoint"))


def _main_hours(time_preferences: DataFrame) -> DataFrame:
    own = time_preferences.where("owner_type = 'subscriber'")
    hours = F.element_at(F.array(*map(F.lit, HOURS)), (F.floor(F.col("hour") / 6) + 1).cast("int"))
    counted = own.groupBy(F.col("owner_id").alias("subscriber_id"), "month", hours.alias("hours"))
    found = counted.agg(F.sum("visits").alias("_visits"))
    return found.groupBy(*KEY).agg(_most("hours", "_visits").alias("main_hours"))


def _most(value: str, count: str) -> Column:
    """The value with the largest count; ties go to the first in order."""
    return F.min_by(value, F.struct(-F.col(count), F.col(value)))


def _completed(rows: DataFrame) -> DataFrame:
    """The features that follow from others; counts without rows are 0, all else stays null."""
    counted = [f"{name}_{days}" for name in ("section", "page") for days in WITHIN]
    filled = rows.fillna(0, [*counted, "other_day_30", "other_day_90"]).fillna(False, ["gone"])
    with_times = filled.withColumns(
        {
            "recency": _days_since("known_through"),
            "tenure": _days_since("_first"),
            "any_recency": _days_since("_any_last"),
            "any_rate": F.col("_any_visits") / _days_since("_any_first"),
            "wkend": F.try_divide("_weekend", "ev_90"),
            "night": F.try_divide("_night", "ev_90"),
            "trend30_90": F.expr("ev_30 / (ev_90 / 3D + 1D)"),
            "trend7_30": F.expr("ev_7 / (ev_30 * 7D / 30D + 1D)"),
            "nact6": F.expr(" + ".join(f"cast(mday_{n} > 0 as double)" for n in range(1, MONTHS_BACK + 1))),
            "moy": F.month("cut_day").cast("double"),
        }
    )
    return with_times.withColumns(
        {
            "rec_over_gap": F.expr("recency / (coalesce(gap_mean, tenure) + 1D)"),
            "any_missed": F.col("any_recency") * F.col("any_rate"),
            "tenure_band": F.expr(
                "case when tenure < 90 then 'under 90' when tenure < 365 then '90-364' else '365+' end"
            ),
        }
    )


def _days_since(instant: str) -> Column:
    return (F.unix_micros("cut_off") - F.unix_micros(instant)) / F.lit(1e6 * DAY_S)
