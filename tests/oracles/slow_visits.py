"""The plain twin of `visitgrain.visits.building.build`: one event after the other, dicts and loops, nothing vectorised.

Written from the definitions (visit rules, column meanings of device_visits), so that a fault of the fast code shows as
a difference. Speed is of no concern here; every rule should read like its sentence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from visitgrain.catalogue.visit_rules import VisitRules
from visitgrain.tables.vocabulary import ACTION_TYPES, ACTIVE_TYPES, BUSINESSES, CHANNELS, ENTRY_SOURCES, EVENT_TYPES
from visitgrain.visits.encoding import KINDS

Event = dict[str, Any]
Row = dict[str, Any]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = 1_000_000  # t and received are microseconds
DAY = 86_400 * SECOND
FUNNEL = ("product_view", "form_step", "order_submit", "order_paid")
ENTRY_OF_FIRST_TYPE = {"push_open": "push", "share_visit": "share"}


@dataclass
class Visit:
    """Events in order; the first and the last are foreground."""

    events: list[Event] = field(default_factory=list)
    over_cap: bool = False


def slow_build(events: list[Event], *, rules: VisitRules, zone: str, first: date, last: date) -> list[Row]:
    """The rows that `build` gives for coded events, in no particular order; absent columns are null."""
    dropped: Counter[str] = Counter()
    rows, outside = [], 0
    for stream in _streams(map(_decoded, events), dropped):
        for visit in _cut(_received_in_time(stream, rules, dropped), rules, dropped):
            row = _measured(visit, rules, ZoneInfo(zone))
            if first <= row["visit_date"] <= last:
                rows.append({**row, "_rows": row["events"], "_outcome": "kept"})
            else:
                outside += row["events"]
    if outside:
        dropped["outside"] = outside
    return rows + [{"_rows": count, "_outcome": reason} for reason, count in dropped.items() if count]


def _decoded(event: Event) -> Event:
    """The event with words instead of codes; a negative code stands for none of the words."""
    words = {"type": EVENT_TYPES, "channel": CHANNELS, "business": BUSINESSES, "kind": KINDS}
    return event | {name: listed[event[name]] if event[name] >= 0 else None for name, listed in words.items()}


def _streams(events: Iterable[Event], dropped: Counter[str]) -> Iterator[list[Event]]:
    """Events that take part, stream by stream, in the order (t, seq with null first, event_id)."""
    streams: dict[int, list[Event]] = {}
    for event in events:
        if event["filtered"] is not None:
            dropped[event["filtered"]] += 1
        else:
            streams.setdefault(event["stream"], []).append(event)
    for stream in streams.values():
        yield sorted(stream, key=lambda e: (e["t"], e["seq"] is not None, e["seq"] or 0, e["event_id"].encode()))


def _received_in_time(stream: list[Event], rules: VisitRules, dropped: Counter[str]) -> list[Event]:
    """Collectors give up on a visit some days after its start: what they receive later belongs to no visit."""
    if rules.cut != "collector_key" or rules.max_received_after_start_days is None:
        return stream
    deadline = stream[0]["t"] + rules.max_received_after_start_days * DAY
    kept = [e for e in stream if e["received"] <= deadline]
    if len(kept) < len(stream):
        dropped["received_late"] += len(stream) - len(kept)
    return kept


def _cut(stream: list[Event], rules: VisitRules, dropped: Counter[str]) -> list[Visit]:
    """A run is what gaps, logouts and logins leave; the cap cuts a run into several visits."""
    runs: list[list[Event]] = []
    waiting: list[Event] = []  # background events since the last foreground event
    before: Event | None = None  # the last foreground event
    named: Event | None = None  # the last one of the run with a subscriber
    for event in stream:
        if event["type"] in rules.background:
            waiting.append(event)
            continue
        if before is None or _ends_run(before, event, named, rules):
            runs.append([])
            named = None
            dropped["background"] += len(waiting)
        else:
            runs[-1] += waiting
        runs[-1].append(event)
        waiting, before = [], event
        named = event if event["subscriber_id"] is not None else named
    dropped["background"] += len(waiting)
    return [visit for run in runs for visit in _pieces(run, rules, dropped)]


def _ends_run(before: Event, event: Event, named: Event | None, rules: VisitRules) -> bool:
    if rules.cut == "collector_key":
        return False
    too_long = event["t"] - before["t"] > rules.timeout_minutes[event["channel"]] * 60 * SECOND
    another = named is not None and event["subscriber_id"] not in (None, named["subscriber_id"])
    recently = another and event["t"] - named["t"] < _cap(rules)
    return too_long or before["type"] == "logout" or recently


def _cap(rules: VisitRules) -> float:
    return rules.cap_hours * 3600 * SECOND


def _pieces(run: list[Event], rules: VisitRules, dropped: Counter[str]) -> list[Visit]:
    """The visits of a run. A run past the cap is cut at each cap, when it is quarantined at the caps of the clock."""
    first = run[0]["t"]
    if rules.cut == "collector_key" or run[-1]["t"] - first < _cap(rules):
        return [Visit(list(run))]
    visits: list[Visit] = []
    waiting: list[Event] = []
    for event in run:
        if event["type"] in rules.background:
            waiting.append(event)
            continue
        opening, last = (visits[-1].events[0], visits[-1].events[-1]) if visits else (None, None)
        if rules.runaway.over_cap == "quarantine":
            opens = last is None or event["t"] // _cap(rules) != last["t"] // _cap(rules)
        else:
            opens = opening is None or event["t"] - opening["t"] >= _cap(rules)
        if opens:
            dropped["background"] += len(waiting)
            visits.append(Visit(over_cap=True))
        else:
            visits[-1].events += waiting
        visits[-1].events.append(event)
        waiting = []
    return visits


def _measured(visit: Visit, rules: VisitRules, zone: ZoneInfo) -> Row:
    opening, closing = visit.events[0], visit.events[-1]
    start = _local(opening["t"], zone)
    return {
        "first_event_id": opening["event_id"],
        "visit_date": start.date(),
        "device_id": opening["device_id"],
        "channel": opening["channel"],
        "start": _instant(opening["t"]),
        "end": _instant(closing["t"]),
        "duration_s": (closing["t"] - opening["t"]) // SECOND,
        "engaged_s": _engaged_seconds(visit.events, rules),
        "weekday": start.isoweekday(),
        "hour": start.hour,
        "days": _days(visit.events, zone),
        "last_event_type": closing["type"],
        "runaway": _runaway(visit, rules),
        **_identity(visit.events, rules),
        **_counts(visit.events),
        **_path(visit.events),
        **_entry(visit.events),
        **_orders(visit.events),
    }


def _runaway(visit: Visit, rules: VisitRules) -> str | None:
    if visit.over_cap and rules.runaway.over_cap == "quarantine":
        return "over_cap"
    if len(visit.events) > rules.runaway.max_events:
        return "too_many_events"
    by_minute = Counter(event["t"] // (60 * SECOND) for event in visit.events)
    return "too_fast" if max(by_minute.values()) > rules.runaway.max_events_per_minute else None


def _engaged_seconds(events: list[Event], rules: VisitRules) -> int:
    heartbeats = {e["t"] // (rules.heartbeat_s * SECOND) for e in events}
    return rules.heartbeat_s * (len(heartbeats) - 1) + rules.minimum_visit_s


def _identity(events: list[Event], rules: VisitRules) -> Row:
    named = [e for e in events if e["subscriber_id"] is not None]
    if rules.identity.mode == "compat_last_login":
        named.reverse()
    if not named:
        return {"subscriber_id": None, "login_event_id": None, "login_time": None, "stitch_method": None}
    return {
        "subscriber_id": named[0]["subscriber_id"],
        "login_event_id": named[0]["event_id"],
        "login_time": _instant(named[0]["t"]),
        "stitch_method": "every_event" if len(named) == len(events) else "same_visit",
    }


def _counts(events: list[Event]) -> Row:
    types = Counter(e["type"] for e in events)
    businesses = Counter(e["business"] for e in events)
    kinds = Counter((e["type"], e["kind"]) for e in events)
    views, actions = types["page_view"] + types["product_view"], sum(types[name] for name in ACTION_TYPES)
    return {
        "events": len(events),
        "active_events": sum(types[name] for name in ACTIVE_TYPES),
        "actions": actions,
        **{name: types[name] for name in EVENT_TYPES},
        "crash": kinds["error", "crash"],
        "unsubscribe_step": kinds["form_step", "unsubscribe"],
        **{f"{name}_events": businesses[name] for name in BUSINESSES},
        "page_views": views,
        "bounced": views <= 1 and actions == types["page_view"],
    }


def _path(events: list[Event]) -> Row:
    seen = [e["page"] for e in events if e["page"] is not None]
    return {
        "pages": len(set(seen)),
        "depth": bool(seen) + sum(a != b for a, b in pairwise(seen)),
        "entry_page": seen[0] if seen else None,
        "exit_page": seen[-1] if seen else None,
    }


def _entry(events: list[Event]) -> Row:
    named = events[0]["source_channel"]
    source = ENTRY_OF_FIRST_TYPE.get(events[0]["type"], "direct") if named is None else named
    firsts = ("campaign_id", "os", "app_version", "area_code")
    return {
        "entry_source": source if source in ENTRY_SOURCES else "other",
        **{name: next((e[name] for e in events if e[name] is not None), None) for name in firsts},
    }


def _orders(events: list[Event]) -> Row:
    def first_after(position: int, *types: str) -> int | None:
        return next((i for i, e in enumerate(events) if i > position and e["type"] in types), None)

    def stages_done() -> int:
        reached: int | None = -1
        for stage, step in enumerate(FUNNEL):
            reached = first_after(reached, step)
            if reached is None:
                return stage
        return len(FUNNEL)

    interest, topup = first_after(-1, "product_view", "form_step"), first_after(-1, "topup")
    submit = first_after(interest, "order_submit") if interest is not None else None
    points = [e["points"] or 0 for e in events]
    return {
        "funnel_stage": stages_done(),
        "submit_seconds": (events[submit]["t"] - events[interest]["t"]) // SECOND if submit is not None else None,
        "order_paid_after_topup": topup is not None and first_after(topup, "order_paid") is not None,
        "paid_fen": sum(e["amount_fen"] or 0 for e in events if e["type"] in ("order_paid", "topup")),
        "points_earned": sum(p for p in points if p > 0),
        "points_spent": -sum(p for p in points if p < 0),
    }


def _days(events: list[Event], zone: ZoneInfo) -> list[Row]:
    """Every local day from start to end; whole seconds are counted since the start, so that they add up."""
    start, end = events[0]["t"], events[-1]["t"]
    first, last = _local(start, zone).date(), _local(end, zone).date()
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    edges = [start, *(_midnight(day, zone) for day in days[1:]), end]
    passed = [(edge - start) // SECOND for edge in edges]
    total = Counter(_local(e["t"], zone).date() for e in events)
    active = Counter(_local(e["t"], zone).date() for e in events if e["type"] in ACTIVE_TYPES)
    return [
        {"day": day, "events": total[day], "active_events": active[day], "seconds": until - since}
        for day, (since, until) in zip(days, pairwise(passed), strict=True)
    ]


def _instant(t: int) -> datetime:
    return EPOCH + timedelta(microseconds=t)


def _local(t: int, zone: ZoneInfo) -> datetime:
    return _instant(t).astimezone(zone)


def _midnight(day: date, zone: ZoneInfo) -> int:
    """First instant of the local day, in microseconds (the jump itself where the clock skips midnight)."""
    return (datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC) - EPOCH) // timedelta(microseconds=1)
