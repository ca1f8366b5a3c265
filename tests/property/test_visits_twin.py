"""The fast visit building against its slow twin, on small random worlds that crowd every boundary of the rules."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
from hypothesis import given, settings, strategies as st

from tests.conftest import PROPERTY_SCALE
from tests.oracles.coded_events import coded, table
from tests.oracles.slow_visits import EPOCH, slow_build
from visitgrain.catalogue.visit_rules import VisitRules, load_visit_rules
from visitgrain.tables.vocabulary import CHANNELS, EVENT_TYPES
from visitgrain.visits.building import SCHEMA, build

RULES = Path(__file__).parents[2] / "conf" / "catalogue" / "visit_rules"
DEFAULT, KEYED = (load_visit_rules(RULES, name) for name in ("default", "collector_keys"))
MS, SECOND, MINUTE, HOUR = 1_000, 1_000_000, 60_000_000, 3_600_000_000
# Instants worth a crowd: local midnights and changes of the clock, as (zone, local time in UTC).
ANCHORS = [
    ("Asia/Shanghai", datetime(2025, 5, 31, 16, tzinfo=UTC)),  # midnight
    ("Asia/Shanghai", datetime(1969, 12, 31, 16, tzinfo=UTC)),  # midnight before the epoch
    ("UTC", datetime(2024, 2, 29, tzinfo=UTC)),
    ("Europe/Berlin", datetime(2025, 3, 30, 1, tzinfo=UTC)),  # 02:00 becomes 03:00
    ("Europe/Berlin", datetime(2025, 10, 25, 22, tzinfo=UTC)),  # midnight of the day with 25 hours
    ("America/Santiago", datetime(2025, 9, 7, 4, tzinfo=UTC)),  # midnight becomes 01:00
    ("Asia/Beirut", datetime(2025, 3, 29, 22, tzinfo=UTC)),  # the same
    ("America/Santiago", datetime(2025, 4, 6, 3, tzinfo=UTC)),  # midnight becomes 23:00 of the day before
    ("America/Havana", datetime(2025, 11, 2, 4, tzinfo=UTC)),  # 01:00 becomes midnight again
    ("Asia/Kathmandu", datetime(2025, 1, 1, 18, 15, tzinfo=UTC)),
]
# Types that some rule treats by name come up more often.
SPECIAL = (
    ["push_receive"] * 6 + ["logout", "login", "page_view", "form_step", "order_submit", "order_paid", "topup"] * 2
) + ["product_view", "product_view", "push_open", "share_visit", "error", "click"]


@dataclass(frozen=True)
class World:
    """One call of `build`."""

    events: list[dict[str, Any]]
    rules: VisitRules
    zone: str
    first: date
    last: date

    def built(self, events: list[dict[str, Any]]) -> pa.Table:
        return build(table(events), rules=self.rules, zone=self.zone, first=self.first, last=self.last)

    def twin(self) -> list[dict[str, Any]]:
        return slow_build(self.events, rules=self.rules, zone=self.zone, first=self.first, last=self.last)


def _rule_set(base: VisitRules, **changes: Any) -> VisitRules:
    return VisitRules(**{**base.model_dump(), **changes})


def rule_sets() -> st.SearchStrategy[VisitRules]:
    """Both rule files, and the same with tight limits."""
    changed = st.fixed_dictionaries(
        {
            "timeout_minutes": st.sampled_from(
                [{"app": 5, "web": 30, "wechat": 90.5}, {"app": 30, "web": 30, "wechat": 30}]
            ),
            "cap_hours": st.sampled_from([1, 1.5, 24]),
            "background": st.sampled_from([("push_receive",), ("push_receive", "error", "logout"), ()]),
            "runaway": st.builds(
                dict,
                over_cap=st.sampled_from(["quarantine", "keep"]),
                max_events=st.sampled_from([3, 5, 10_000]),
                max_events_per_minute=st.sampled_from([1, 2, 10_000]),
            ),
            "heartbeat_s": st.sampled_from([1, 10]),
        }
    )
    days = st.sampled_from([None, 0.5, 3])
    keyed = st.builds(lambda c, d: _rule_set(KEYED, **c, max_received_after_start_days=d), changed, days)
    cut = changed.map(lambda c: _rule_set(DEFAULT, **c))
    return st.one_of(st.sampled_from([DEFAULT, KEYED]), cut, cut, keyed)


def _gaps(rules: VisitRules, channel: str) -> list[list[int]]:
    """Time since the event before: the neighbourhood of timeout, cap and a day; or a beat that lands on the cap."""
    timeout = round(rules.timeout_minutes[channel] * MINUTE)
    cap = round(rules.cap_hours * HOUR)
    crowded = [0, 0, 0, 1, MS, SECOND, 9_999_999, 10 * SECOND, MINUTE, 7 * MINUTE, timeout // 2]
    edges = [limit + by for limit in (timeout, cap, 24 * HOUR) for by in (-MS, -1, 0, 1, MS)]
    beat = cap // -(-cap // timeout)  # the longest gap that divides the cap and does not end the visit
    return [crowded * 2 + edges + [timeout] * 3 + [cap - timeout, 3 * HOUR], [beat] * 12 + [0, beat - 1, beat + 1]]


# What an event says beside that: bundles, so that drawing stays cheap.
SAYINGS: list[dict[str, Any]] = [
    {},
    {"page": "home", "os": "ios"},
    {"page": "shop", "business": "data", "app_version": "2"},
    {"page": "Über", "source_channel": "sms", "campaign_id": "summer"},
    {"source_channel": "billboard", "area_code": "010", "points": 3},
    {"source_channel": "", "campaign_id": "autumn", "points": -2},
    {"source_channel": "other", "os": "android", "amount_fen": -20},
    {"page": "home", "business": "topup", "amount_fen": 9_000_000_000},
    {"kind": "crash", "business": "handset", "amount_fen": 1, "app_version": "1"},
    {"kind": "unsubscribe", "area_code": "021", "page": "shop", "points": 0},
    {"filtered": "excluded", "amount_fen": 5},
    {"filtered": "no_key", "page": "home"},
]
DELAYS = [0, HOUR, 12 * HOUR, 12 * HOUR + 1, 72 * HOUR, 72 * HOUR + 1]


def _steps(gaps: list[int]) -> st.SearchStrategy[tuple[Any, ...]]:
    """Gap, type, seq, first letter of the id, subscriber, what else it says, delay of its receipt."""
    return st.tuples(
        st.sampled_from(gaps),
        st.sampled_from(SPECIAL + list(EVENT_TYPES)),
        st.sampled_from([None, None, -1, 0, 2, 10]),
        st.sampled_from("aZé"),
        st.sampled_from([None, None, None, 7, 7, 8]),
        st.sampled_from(SAYINGS),
        st.sampled_from(DELAYS),
    )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Up to three streams round one anchor, in shuffled order; few subscribers, devices and pages."""
    rules = draw(rule_sets())
    keyed = rules.cut == "collector_key"
    zone, anchor = draw(st.sampled_from(ANCHORS))
    events: list[dict[str, Any]] = []
    for stream in range(draw(st.integers(1, 3))):
        channel = draw(st.sampled_from(CHANNELS))
        t = (anchor - EPOCH) // timedelta(microseconds=1)
        t += draw(st.sampled_from([-24 * HOUR, -HOUR, -30 * MINUTE, -SECOND, -1, 0, 1]))
        opened = t
        gaps = draw(st.sampled_from(_gaps(rules, channel)))
        steps = st.lists(_steps(gaps), min_size=1, max_size=14)
        for gap, type_, seq, letter, subscriber, says, delay in draw(steps):
            t += gap
            facts = {"stream": stream, "device_id": f"d{stream}", "channel": channel, "t": t, "type": type_, "seq": seq}
            facts |= {"event_id": f"{letter}{len(events)}", "subscriber_id": subscriber, **says}
            events.append(coded({**facts, "received": opened + delay if keyed else None}))
    day = anchor.astimezone(ZoneInfo(zone)).date()
    before, after = draw(st.sampled_from([(0, 0), (1, 0), (9, 9), (9, 9)]))
    span = {"first": day - timedelta(days=before), "last": day + timedelta(days=after)}
    return World(draw(st.permutations(events)), rules, zone, **span)


def _comparable(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    complete = [{**dict.fromkeys(SCHEMA.names), **row} for row in rows]
    return sorted(complete, key=lambda row: (row["_outcome"], row["first_event_id"] or ""))


def _plain(type_: pa.DataType) -> str:
    """Texts may come as a dictionary and codes."""
    return "string" if pa.types.is_dictionary(type_) else str(type_)


@settings(max_examples=300 * PROPERTY_SCALE, deadline=None, derandomize=True)
@given(worlds())
def test_every_column_equals_the_twins(world: World) -> None:
    built = world.built(world.events)
    assert [(field.name, _plain(field.type)) for field in built.schema] == [(f.name, str(f.type)) for f in SCHEMA]
    assert _comparable(built.to_pylist()) == _comparable(world.twin())


@settings(max_examples=60 * PROPERTY_SCALE, deadline=None, derandomize=True)
@given(worlds())
def test_every_event_is_accounted_for(world: World) -> None:
    kept = [row for row in world.built(world.events).to_pylist() if row["_outcome"] == "kept"]
    assert sum(world.built(world.events)["_rows"].to_pylist()) == len(world.events)
    for visit in kept:
        assert sum(day["seconds"] for day in visit["days"]) == visit["duration_s"]
        assert sum(day["events"] for day in visit["days"]) == visit["events"] == visit["_rows"]


@settings(max_examples=60 * PROPERTY_SCALE, deadline=None, derandomize=True)
@given(worlds(), st.randoms(use_true_random=False))
def test_order_of_rows_does_not_matter(world: World, chance: Any) -> None:
    shuffled = chance.sample(world.events, k=len(world.events))
    assert world.built(shuffled).equals(world.built(world.events))


@settings(max_examples=60 * PROPERTY_SCALE, deadline=None, derandomize=True)
@given(worlds())
def test_streams_may_be_built_apart(world: World) -> None:
    apart: list[dict[str, Any]] = []
    for stream in {event["stream"] for event in world.events}:
        apart += world.built([event for event in world.events if event["stream"] == stream]).to_pylist()
    together = world.built(world.events).to_pylist()
    assert _comparable([r for r in apart if r["_outcome"] == "kept"]) == _comparable(
        [r for r in together if r["_outcome"] == "kept"]
    )
    for outcome in {row["_outcome"] for row in apart + together}:
        rows_apart, rows_together = (
            sum(r["_rows"] for r in rows if r["_outcome"] == outcome) for rows in (apart, together)
        )
        assert rows_apart == rows_together, outcome
