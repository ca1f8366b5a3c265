"""The columns of a visit, computed for a whole batch of visits at once."""

from __future__ import annotations

import numpy as np
import polars as pl

from visitgrain.catalogue.visit_rules import VisitRules
from visitgrain.tables.vocabulary import ACTION_TYPES, ACTIVE_TYPES, BUSINESSES, CHANNELS, ENTRY_SOURCES, EVENT_TYPES
from visitgrain.visits.cutting import Cut
from visitgrain.visits.encoding import KINDS
from visitgrain.visits.grouped import NEVER, Groups, take

CODE = {name: code for code, name in enumerate(EVENT_TYPES)}
SECOND = 1_000_000
MINUTE = 60 * SECOND
# How a visit began when the feed does not say: its first event tells.
ENTRY_BY_TYPE = {"push_open": "push", "share_visit": "share"}


def measure(cut: Cut, rules: VisitRules) -> pl.DataFrame:
    """One row per visit: the columns of `device_visits` but `visit_id` and local time; times in microseconds."""
    events, groups = cut.events, Groups(cut.starts, cut.events.height)
    type_ = events["type"].to_numpy()
    t = events["t"].to_numpy()
    start, end = t[groups.starts], t[groups.last]
    beats = t // (rules.heartbeat_s * SECOND)
    new_beat = np.diff(beats, prepend=-1) != 0
    new_beat[groups.starts] = True
    columns = {
        "device_id": cut.text("device_id", groups.starts),
        "channel": _names(events["channel"].to_numpy()[groups.starts], CHANNELS),
        "first_event_id": cut.text("event_id", groups.starts),
        "start": start,
        "end": end,
        "duration_s": (end - start) // SECOND,
        "engaged_s": rules.heartbeat_s * (groups.total(new_beat) - 1) + rules.minimum_visit_s,
        **_counts(events, groups, type_),
        **_pages(events, groups),
        **_entry(events, groups, type_),
        "last_event_type": _names(type_[groups.last], EVENT_TYPES),
        **_funnel(groups, type_, t),
        **_money(events, groups, type_),
        **_identity(cut, groups, rules),
    }
    visits = pl.DataFrame(columns)
    bounced = (pl.col("page_views") <= 1) & (pl.col("actions") == pl.col("page_view"))
    runaway = pl.when(pl.Series(cut.over_cap)).then(pl.lit("over_cap"))
    runaway = runaway.when(pl.col("events") > rules.runaway.max_events).then(pl.lit("too_many_events"))
    fastest = pl.Series(_events_of_busiest_minute(t, groups))
    runaway = runaway.when(fastest > rules.runaway.max_events_per_minute).then(pl.lit("too_fast"))
    return visits.with_columns(bounced=bounced, runaway=runaway)


def _events_of_busiest_minute(t: np.ndarray, groups: Groups) -> np.ndarray:
    """Per visit: the most events in one minute of the clock."""
    opens = np.diff(t // MINUTE, prepend=-1) != 0
    opens[groups.starts] = True
    minutes = np.flatnonzero(opens)
    events = np.diff(minutes, append=len(t))
    first = np.searchsorted(minutes, groups.starts)  # a visit opens a minute of its own
    return np.maximum.reduceat(events, first) if len(events) else events


def _names(codes: np.ndarray, values: tuple[str, ...]) -> pl.Series:
    return pl.Series(values, dtype=pl.Enum(values))[codes.astype(np.int64)]


def _counts(events: pl.DataFrame, groups: Groups, type_: np.ndarray) -> dict[str, np.ndarray]:
    by_type = groups.counts(type_, len(EVENT_TYPES))
    by_business = groups.counts(events["business"].to_numpy(), len(BUSINESSES))
    kind = events["kind"].to_numpy()
    crash = (type_ == CODE["error"]) & (kind == KINDS.index("crash"))
    unsubscribe = (type_ == CODE["form_step"]) & (kind == KINDS.index("unsubscribe"))
    return {
        "events": by_type.sum(axis=1),
        "active_events": by_type[:, [CODE[name] for name in ACTIVE_TYPES]].sum(axis=1),
        "actions": by_type[:, [CODE[name] for name in ACTION_TYPES]].sum(axis=1),
        **{name: by_type[:, code] for name, code in CODE.items()},
        "crash": groups.total(crash),
        "unsubscribe_step": groups.total(unsubscribe),
        **{f"{name}_events": by_business[:, code] for code, name in enumerate(BUSINESSES)},
        "page_views": by_type[:, CODE["page_view"]] + by_type[:, CODE["product_view"]],
    }


def _pages(events: pl.DataFrame, groups: Groups) -> dict[str, pl.Series | np.ndarray]:
    """Distinct pages, path length and both ends of the path."""
    page = events["page"]
    named = page.is_not_null().to_numpy()
    code = page.cast(pl.Categorical).to_physical().cast(pl.Int64).fill_null(-1).to_numpy()
    before = np.full(len(code), -1)
    rows = np.flatnonzero(named)
    before[rows[1:]] = code[rows[:-1]]
    first = groups.first_row(named)
    changed = named & (code != before)
    changed[first[first != NEVER]] = True
    return {
        "pages": groups.distinct(code),
        "depth": groups.total(changed),
        "entry_page": take(page, first),
        "exit_page": take(page, groups.last_row(named)),
    }


def _entry(events: pl.DataFrame, groups: Groups, type_: np.ndarray) -> dict[str, pl.Series]:
    said = events["source_channel"][groups.starts].cast(pl.String)
    by_type = pl.Series(type_[groups.starts]).replace_strict(
        {CODE[name]: source for name, source in ENTRY_BY_TYPE.items()}, default="direct", return_dtype=pl.String
    )
    known = pl.when(said.is_in(ENTRY_SOURCES)).then(said).otherwise(pl.lit("other"))
    source = pl.select(entry=pl.when(said.is_null()).then(by_type).otherwise(known))["entry"]
    firsts = {name: _first_known(events, groups, name) for name in ("campaign_id", "os", "app_version", "area_code")}
    return {"entry_source": source, **firsts}


def _first_known(events: pl.DataFrame, groups: Groups, name: str) -> pl.Series:
    values = events[name]
    if values.null_count() == len(values):
        return values[groups.starts]
    return take(values, groups.first_row(values.is_not_null().to_numpy()))


def _funnel(groups: Groups, type_: np.ndarray, t: np.ndarray) -> dict[str, np.ndarray | pl.Series]:
    """Furthest stage reached in order; seconds from the first product view or form step to the first submit after."""
    rows, of_row = np.arange(groups.rows), groups.of_row

    def first_after(name: str, row: np.ndarray) -> np.ndarray:
        return groups.first_row((type_ == CODE[name]) & (rows > row[of_row]))

    product = groups.first_row(type_ == CODE["product_view"])
    step = first_after("form_step", product)
    submit = first_after("order_submit", step)
    paid = first_after("order_paid", submit)
    stage = sum((row != NEVER).astype(np.int64) for row in (product, step, submit, paid))
    begun = np.minimum(product, groups.first_row(type_ == CODE["form_step"]))
    done = first_after("order_submit", begun)
    seconds = np.where(done != NEVER, t[np.where(done != NEVER, done, 0)] - t[np.where(done != NEVER, begun, 0)], 0)
    after_topup = first_after("order_paid", groups.first_row(type_ == CODE["topup"]))
    return {
        "funnel_stage": stage,
        "submit_seconds": pl.Series(seconds // SECOND).set(pl.Series(done == NEVER), None),
        "order_paid_after_topup": after_topup != NEVER,
    }


def _money(events: pl.DataFrame, groups: Groups, type_: np.ndarray) -> dict[str, np.ndarray]:
    amount = events["amount_fen"].fill_null(0).to_numpy()
    points = events["points"].fill_null(0).to_numpy()
    paid = (type_ == CODE["order_paid"]) | (type_ == CODE["topup"])
    return {
        "paid_fen": groups.total(np.where(paid, amount, 0)),
        "points_earned": groups.total(np.maximum(points, 0)),
        "points_spent": groups.total(np.maximum(-points, 0)),
    }


def _identity(cut: Cut, groups: Groups, rules: VisitRules) -> dict[str, pl.Series]:
    """The first subscriber named, or the last where the last login wins.

    Background events and collector keys may bring in a second one.
    """
    events = cut.events
    known = events["subscriber_id"].is_not_null().to_numpy()
    login = groups.last_row(known) if rules.identity.last_wins else groups.first_row(known)
    owner = take(events["subscriber_id"], login)
    complete = pl.Series(groups.total(~known) == 0)
    method = (
        pl.when(owner.is_null()).then(None).when(complete).then(pl.lit("every_event")).otherwise(pl.lit("same_visit"))
    )
    return {
        "subscriber_id": owner,
        "stitch_method": pl.select(method=method)["method"],
        "login_event_id": cut.text("event_id", login),
        "login_time": take(events["t"], login).cast(pl.Datetime("us", "UTC")),
    }
