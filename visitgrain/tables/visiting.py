"""Visits and what stands directly on them."""

from __future__ import annotations

from visitgrain.tables.model import Kind, Table, col, key
from visitgrain.tables.vocabulary import BUSINESSES, CHANNELS, ENTRY_SOURCES, EVENT_TYPES

# Parts of the visits: those that name their subscriber, and those that a login elsewhere may claim (docs/adr/0012).
SETTLED, OPEN = PARTS = ("settled", "open")
METHODS = "how the subscriber is known: every_event, same_visit, next_login, last_login; null = anonymous"
DAY_TYPE = "array<struct<day:date,events:int,active_events:int,seconds:bigint>>"

_IDENTITY = (
    key("visit_id", "bigint", "63-bit hash of device, channel, start and first event id"),
    key("visit_date", "date", "local day on which the visit starts"),
    col("subscriber_id", "bigint", "whose visit it is, see docs/adr/0012; null = anonymous"),
    key("device_id", "string", "SDK device or cookie", personal=True),
    key("channel", "string", "where it happened", values=CHANNELS),
)
_TIME = (
    key("start", "timestamp", "first foreground event"),
    key("end", "timestamp", "last foreground event"),
    key("duration_s", "bigint", "end - start in whole seconds", unit="s"),
    key("engaged_s", "bigint", "heartbeat * (distinct heartbeats - 1) + minimum visit", unit="s"),
    key("weekday", "int", "local ISO weekday of the start, 1 = Monday"),
    key("hour", "int", "local hour of the start, 0-23"),
    key("days", DAY_TYPE, "the visit split by local day: feeds visit_days"),
)
_COUNTS = (
    key("events", "int", "events of the visit, background ones between its start and end included"),
    key("active_events", "int", "of them of an active type"),
    key("actions", "int", "of them deliberate actions"),
    *(key(name, "int", f"{name} events") for name in EVENT_TYPES),
    key("crash", "int", "error events of kind crash"),
    key("unsubscribe_step", "int", "form steps of kind unsubscribe"),
    *(key(f"{name}_events", "int", f"events on business {name}") for name in BUSINESSES),
)
_SHAPE = (
    key("page_views", "int", "page and product views"),
    key("pages", "int", "distinct pages"),
    key("depth", "int", "page changes + 1: length of the path with repeats collapsed; 0 without pages"),
    col("entry_page", "string", "first page"),
    col("exit_page", "string", "last page"),
    key("entry_source", "string", "how the visit began", values=ENTRY_SOURCES),
    col("campaign_id", "string", "first campaign seen in the visit"),
    key("last_event_type", "string", "type of the last foreground event", values=EVENT_TYPES),
    key("bounced", "boolean", "at most one page view and no other deliberate action"),
    key("funnel_stage", "int", "furthest stage in order: 0 none, 1 product, 2 form step, 3 submit, 4 paid"),
    col("submit_seconds", "bigint", "first product view or form step to first submit after it", unit="s"),
    key("order_paid_after_topup", "boolean", "an order was paid after a top-up of the same visit"),
    key("paid_fen", "bigint", "money of paid orders and top-ups", unit="fen"),
    key("points_earned", "bigint", "points earned"),
    key("points_spent", "bigint", "points spent"),
    col("os", "string", "operating system of the first event that names one"),
    col("app_version", "string", "app version of the first event that names one"),
    col("area_code", "string", "area of the first event that names one"),
)

DEVICE_VISITS = Table(
    name="device_visits",
    kind=Kind.INTERNAL,
    grain="one row per visit of a device on a channel",
    description="Visits as cut from one device's events, before identity and history; runaway visits are marked.",
    columns=(
        *_IDENTITY,
        *_TIME,
        *_COUNTS,
        *_SHAPE,
        col("stitch_method", "string", "how the subscriber is known: every_event, same_visit; null = anonymous"),
        col("login_event_id", "string", "first event of the visit that names the subscriber"),
        col("login_time", "timestamp", "when that was"),
        col("runaway", "string", "why the visit is no person's: over_cap, too_many_events, too_fast; null = it may be"),
    ),
    key=("visit_id",),
    partition="visit_date",
    parts=PARTS,
)

VISITS = Table(
    name="visits",
    kind=Kind.OUTPUT,
    grain="one row per visit",
    description="Visits with recency, frequency and value of each, and a behaviour score per purpose.",
    columns=(
        *_IDENTITY,
        key("subject_type", "string", "whose history the visit belongs to", values=("subscriber", "device")),
        col("stitch_method", "string", METHODS),
        col("login_event_id", "string", "event that named the subscriber; of a later visit where stitched"),
        col("login_time", "timestamp", "when that was: before it nobody knew"),
        col(
            "decided_time", "timestamp", "next login on the device: what comes later changes nothing; null = undecided"
        ),
        col("stitch_rule", "string", "identity rule and version of the visit rules; null = anonymous"),
        *_TIME,
        *_COUNTS,
        *_SHAPE,
        key("is_first_visit", "boolean", "first visit of the subject ever"),
        col("gap_days", "double", "recency: start of the subject's former visit to this start", unit="days"),
        key("visits_30d", "int", "frequency: visits of the subject in the 30 days up to this one, itself included"),
        key("score", "map<string,double>", "value: behaviour score per purpose"),
        key("score_versions", "string", "versions of the score cards used, as purpose=version"),
    ),
    key=("visit_id",),
    partition="visit_date",
    parts=PARTS,
)

VISIT_DAYS = Table(
    name="visit_days",
    kind=Kind.OUTPUT,
    grain="one row per visit and local day it touches",
    description="Visits split over midnight, for daily actives.",
    columns=(
        key("visit_id", "bigint", "visits.visit_id"),
        key("day", "date", "local day"),
        key("visit_date", "date", "day on which the visit starts"),
        col("subscriber_id", "bigint", "null = anonymous"),
        key("channel", "string", "where it happened", values=CHANNELS),
        key("events", "int", "events of the visit on this day"),
        key("active_events", "int", "of them of an active type"),
        key("seconds", "bigint", "time of the visit that falls on this day", unit="s"),
        key("is_start_day", "boolean", "the visit starts on this day"),
    ),
    key=("visit_id", "day"),
    partition="visit_date",
    parts=PARTS,
)

QUARANTINED_VISITS = Table(
    name="quarantined_visits",
    kind=Kind.OUTPUT,
    grain="one row per runaway visit",
    description="Visits no person makes: on past the cap, or with too many events. Kept and counted, not analysed.",
    columns=(
        *_IDENTITY,
        key("start", "timestamp", "first foreground event"),
        key("end", "timestamp", "last foreground event"),
        key("events", "int", "events of the visit"),
        key("reason", "string", "why", values=("over_cap", "too_many_events", "too_fast")),
    ),
    key=("visit_id",),
    partition="visit_date",
    parts=PARTS,
)
