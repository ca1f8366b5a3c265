"""Where one visit ends and the next begins: pure array code over the events of many streams.

The rules are those of `VisitRules`; the plain, slow form of the same rules is tests/oracles/slow_visits.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa

from visitgrain.catalogue.visit_rules import VisitRules
from visitgrain.tables.vocabulary import CHANNELS, EVENT_TYPES
from visitgrain.visits.grouped import NEVER

HOUR = 3_600_000_000  # times are microseconds
LOGOUT = EVENT_TYPES.index("logout")
_DECIDING = ("stream", "t", "type", "channel", "subscriber_id")  # what opens a visit depends on


@dataclass(frozen=True)
class Cut:
    """Events that belong to visits, in order, and where each visit starts.

    `starts[k]` is the row of `events` that opens visit k; a visit ends where the next starts. Both ends are foreground
    events. `dropped` counts events outside of all visits, by reason. `texts` holds the ids, which are long and needed
    for few rows: they keep the order in which the events came, `events["row"]` leads there.
    """

    events: pl.DataFrame
    texts: pa.Table
    starts: np.ndarray
    over_cap: np.ndarray
    dropped: dict[str, int]

    def text(self, name: str, rows: np.ndarray) -> pl.Series:
        """The id `name` of these rows of `events`; null where the row is -1 or NEVER."""
        places = self.events["row"].to_numpy()
        missing = (rows < 0) | (rows == NEVER)
        taken = self.texts[name].take(pa.array(places[np.where(missing, 0, rows)], mask=missing))
        return pl.Series(name, taken)


def in_order(events: pl.DataFrame, event_id: pa.ChunkedArray) -> pl.DataFrame:
    """Rows by (stream, t, seq, event_id), seq null first. Only ties of (stream, t) pay for comparing strings."""
    events = events.sort("stream", "t")
    tied = np.zeros(events.height + 1, dtype=bool)
    stream, t = events["stream"].to_numpy(), events["t"].to_numpy()
    tied[1:-1] = (stream[1:] == stream[:-1]) & (t[1:] == t[:-1])
    rows = np.flatnonzero(tied[:-1] | tied[1:])
    if not len(rows):
        return events
    ids = pl.Series("event_id", event_id.take(events["row"][rows].to_arrow()))
    ranked = events[rows].select("stream", "t", "seq", ids).with_row_index("was")
    ranked = ranked.sort("stream", "t", "seq", "event_id", nulls_last=False)
    order = np.arange(events.height)
    order[rows] = rows[ranked["was"].to_numpy()]
    return events[order]


def cut(coded: pa.Table, rules: VisitRules) -> Cut:
    """Cuts the coded events of any number of whole streams into visits."""
    texts = coded.select(["event_id", "device_id"])
    events = pl.DataFrame(pl.from_arrow(coded.drop_columns(texts.column_names))).with_row_index("row")
    dropped = dict(events["filtered"].drop_nulls().value_counts().iter_rows())
    events = in_order(events.filter(pl.col("filtered").is_null()).drop("filtered"), texts["event_id"])
    if rules.max_received_after_start_days is not None:
        events, late = _without_late_received(events, rules.max_received_after_start_days)
        if late:
            dropped["received_late"] = late
    background = [EVENT_TYPES.index(name) for name in rules.background]
    foreground = ~np.isin(events["type"].to_numpy(), background)
    visit = np.full(events.height, -1)
    opened, over_cap = _openings(events.select(_DECIDING).filter(pl.Series(foreground)), rules)
    visit[foreground] = np.cumsum(opened) - 1
    visit = _with_background(visit, foreground)
    inside = visit >= 0
    if not inside.all():
        dropped["background"] = int((~inside).sum())
        events, visit = events.filter(pl.Series(inside)), visit[inside]
    starts = np.flatnonzero(np.diff(visit, prepend=-1))
    return Cut(events, texts, starts, over_cap, dropped)


def _openings(events: pl.DataFrame, rules: VisitRules) -> tuple[np.ndarray, np.ndarray]:
    """For foreground events in order: does the event open a visit; and per visit: does its run go on past the cap."""
    stream, t, kind = (events[name].to_numpy() for name in ("stream", "t", "type"))
    opened = np.ones(len(t), dtype=bool)
    if len(t) == 0:
        return opened, opened
    opened[1:] = stream[1:] != stream[:-1]
    if rules.cut == "collector_key":
        return opened, np.zeros(int(opened.sum()), dtype=bool)
    timeout = np.array([rules.timeout_minutes[name] for name in CHANNELS]) * (HOUR / 60)
    opened[1:] |= np.diff(t) > timeout[events["channel"].to_numpy()[1:]]
    opened[1:] |= kind[:-1] == LOGOUT
    cap = int(rules.cap_hours * HOUR)
    opened |= _other_subscriber(events["subscriber_id"], t, opened, cap)
    return _capped(t, opened, cap, quarantine=rules.runaway.over_cap == "quarantine")


def _known_since(known: np.ndarray, opened: np.ndarray) -> np.ndarray:
    """Per row: the latest row with `known` up to it in its run, -1 if there is none. Runs begin where `opened`."""
    rows = np.arange(len(known))
    latest = np.maximum.accumulate(np.where(known, rows, -1))
    run_start = np.maximum.accumulate(np.where(opened, rows, 0))
    return np.where(latest >= run_start, latest, -1)


def _other_subscriber(subscriber: pl.Series, t: np.ndarray, opened: np.ndarray, cap: int) -> np.ndarray:
    """Rows that name another subscriber than the run did last, less than `cap` before."""
    known = subscriber.is_not_null().to_numpy()
    ids = subscriber.fill_null(0).to_numpy()
    before = np.full(len(ids), -1)
    before[1:] = _known_since(known, opened)[:-1]
    return known & ~opened & (before >= 0) & (ids != ids[before]) & (t - t[before] < cap)


def _capped(t: np.ndarray, opened: np.ndarray, cap: int, *, quarantine: bool) -> tuple[np.ndarray, np.ndarray]:
    """Cuts runs of `cap` or longer. Loops over runs and cuts, never over rows.

    At each `cap` from the start of the visit; what is quarantined at fixed times, so that a piece does not depend on
    how long ago the run began (docs/adr/0003).
    """
    starts = np.flatnonzero(opened)
    ends = np.append(starts[1:], len(t))
    opened = opened.copy()
    runaway = np.zeros(len(t), dtype=bool)
    for run in np.flatnonzero(t[ends - 1] - t[starts] >= cap):
        row, end = starts[run], ends[run]
        if quarantine:
            runaway[row:end] = True
            opened[row + 1 : end] = np.diff(t[row:end] // cap) > 0
            continue
        while (row := row + np.searchsorted(t[row:end], t[row] + cap)) < end:
            opened[row] = True
    return opened, runaway[opened]


def _with_background(visit: np.ndarray, foreground: np.ndarray) -> np.ndarray:
    """A background event gets the visit of the foreground events before and after it, if that is one visit; else -1."""
    if foreground.all() or not foreground.any():
        return visit
    rows = np.arange(len(visit))
    before = np.maximum.accumulate(np.where(foreground, rows, -1))
    after = np.minimum.accumulate(np.where(foreground, rows, len(visit))[::-1])[::-1]
    surrounded = (before >= 0) & (after < len(visit))
    same = surrounded & (visit[before] == visit[np.minimum(after, len(visit) - 1)])
    return np.where(same, visit[before], -1)


def _without_late_received(events: pl.DataFrame, days: float) -> tuple[pl.DataFrame, int]:
    """Drops events received more than `days` after the first event of their stream."""
    limit = pl.col("t").first().over("stream") + int(days * 24 * HOUR)
    kept = events.filter(pl.col("received") <= limit)
    return kept, events.height - kept.height
