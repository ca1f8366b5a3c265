"""Measures per day, the state of subscribers, and metrics."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Literal, get_args

from visitgrain.tables.model import Column, Kind, Table, col, key

# name, type, description, unit of what follows from the metric catalogue; `visitgrain docs` writes the file.
CATALOGUE_COLUMNS: dict[str, list[list[str]]] = json.loads(
    (files("visitgrain.tables") / "columns.json").read_text(encoding="utf-8")
)
WindowName = Literal["day", "week", "month", "r7", "r28", "r30", "r90"]
WINDOWS: tuple[WindowName, ...] = get_args(WindowName)
DAILY, MONTHLY = CADENCES = ("daily", "monthly")
WORDS = "bits of 8 words of 64 local days; the last word holds as_of, bit 0 of a word is the earliest day"


def _of_catalogue(name: str) -> tuple[Column, ...]:
    return tuple(col(name, type_, text, unit=unit) for name, type_, text, unit in CATALOGUE_COLUMNS[name])


CAMPAIGN_RESULTS = Table(
    name="campaign_results",
    kind=Kind.OUTPUT,
    grain="one row per campaign and member, control arm included",
    description="What members of a campaign did in the days from the draw on, judged alike in both arms.",
    columns=(
        key("campaign_id", "string", "campaign"),
        key("subscriber_id", "bigint", "pseudonym"),
        key("arm", "string", "random arm", values=("treatment", "control")),
        key("assigned_date", "date", "local day of the draw"),
        key("evaluation_date", "date", "last local day that counts"),
        col("channel", "string", "channel of the campaign's deliveries"),
        col("touchpoint_id", "string", "touchpoint of the campaign's deliveries"),
        key("exposures", "bigint", "deliveries to the member"),
        key("clicks", "bigint", "clicks and opened pushes of the member that name the campaign"),
        key("converted", "boolean", "an order of the campaign's days was completed"),
        key("revenue_fen", "bigint", "value of these orders", unit="fen"),
    ),
    key=("campaign_id", "subscriber_id"),
    partition="evaluation_date",
)

SUBSCRIBER_DAYS = Table(
    name="subscriber_days",
    kind=Kind.OUTPUT,
    grain="one row per subscriber and local day with anything measured",
    description="The mergeable measures of the metric catalogue. One row a day has no subscriber: anonymous visits.",
    columns=(
        col("subscriber_id", "bigint", "pseudonym; null = visits never tied to anybody"),
        key("day", "date", "local day"),
        *_of_catalogue("days"),
    ),
    key=("subscriber_id", "day"),
    partition="day",
)

SUBSCRIBER_SLICE_DAYS = Table(
    name="subscriber_slice_days",
    kind=Kind.OUTPUT,
    grain="one row per subscriber, local day, slice and its value",
    description="The same measures told apart by an attribute of the rows they count: channel, business, touchpoint, …",
    columns=(
        col("subscriber_id", "bigint", "pseudonym; null = visits never tied to anybody"),
        key("day", "date", "local day"),
        key("slice", "string", "attribute, e.g. channel"),
        key("slice_value", "string", "its value, e.g. app"),
        *_of_catalogue("days"),
    ),
    key=("subscriber_id", "day", "slice", "slice_value"),
    partition="day",
)

MEASURED_DAYS = Table(
    name="measured_days",
    kind=Kind.OUTPUT,
    grain="one row per local day that was measured",
    description="Which days the measures cover, also those on which nothing happened, and up to when data were there.",
    columns=(
        key("day", "date", "local day"),
        key("events", "bigint", "events of the day"),
        key("complete_through", "timestamp", "end of the day, or the last event received if that was before"),
    ),
    key=("day",),
    partition="day",
)

SUBSCRIBER_STATE = Table(
    name="subscriber_state",
    kind=Kind.OUTPUT,
    grain="one row per subscriber ever seen and month end",
    description="What of a subscriber's past no window of days holds, rolled forward from month end to month end.",
    columns=(
        key("subscriber_id", "bigint", "pseudonym"),
        key("as_of", "date", "last day of the month"),
        key("activity_dates", "array<bigint>", f"active days: {WORDS}"),
        key("core_dates", "array<bigint>", f"days with a core action: {WORDS}"),
        key("contact_dates", "array<bigint>", f"days with a service contact: {WORDS}"),
        key("purchase_dates", "array<bigint>", f"days with a completed e-channel order: {WORDS}"),
        col("first_active_date", "date", "first active day ever"),
        col("last_active_date", "date", "last active day"),
        col("first_paid_date", "date", "first day with a completed e-channel order"),
        col("last_paid_date", "date", "last such day"),
        col("first_order_business", "bigint", "first transaction ever: microseconds * 64 + key of the business"),
    ),
    key=("subscriber_id", "as_of"),
    partition="as_of",
)

SUBSCRIBER_METRICS = Table(
    name="subscriber_metrics",
    kind=Kind.OUTPUT,
    grain="one row per subscriber, window and end of the window",
    description="Every metric of the catalogue that has a value for one subscriber, one column each.",
    columns=(
        key("subscriber_id", "bigint", "pseudonym"),
        key("window", "string", "length of the window", values=WINDOWS),
        key("window_end", "date", "last local day of the window"),
        key("window_start", "date", "first local day of the window"),
        key("complete_through", "timestamp", "up to when the window's data were there"),
        key("catalogue_hash", "string", "hash over the definitions of all metrics"),
        *_of_catalogue("metrics"),
    ),
    key=("subscriber_id", "window", "window_end"),
    partition="window_end",
)

POPULATION_METRICS = Table(
    name="population_metrics",
    kind=Kind.OUTPUT,
    grain="one row per metric, window, end of the window, slice and its value",
    description="Every metric for everybody and every slice. `metrics export` hides small cells, this table does not.",
    columns=(
        key("metric", "string", "id in the catalogue"),
        key("window", "string", "length of the window", values=WINDOWS),
        key("window_end", "date", "last local day of the window"),
        key("slice", "string", "all, or what the population is told apart by: channel, area, plan, a segment model, …"),
        key("slice_value", "string", "its value; 'unknown' where a subscriber has none"),
        col("value", "double", "the metric; null = no value, or history does not reach far enough"),
        col("numerator", "double", "value = numerator / denominator"),
        col("denominator", "double", "null where the metric is no ratio"),
        key("subscribers", "bigint", "subscribers that the number stands on: those with anything in it"),
        key("definition_hash", "string", "of formula, parameters and measures"),
        key("complete_through", "timestamp", "up to when the window's data were there"),
    ),
    key=("metric", "window", "window_end", "slice", "slice_value"),
    partition="window_end",
    parts=CADENCES,
)
