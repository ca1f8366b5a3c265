"""Events in any split, order and repetition, days run in any order: the visits are those of one run over everything."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings, strategies as st

from tests.conftest import PROPERTY_SCALE
from tests.oracles.coded_events import coded
from tests.property.memory_lake import Event, two_lakes
from visitgrain.catalogue.catalogue import Catalogue, load_catalogue
from visitgrain.catalogue.visit_rules import VisitRules
from visitgrain.span import Span
from visitgrain.tables.visiting import DEVICE_VISITS, VISITS

CATALOGUE = load_catalogue(Path(__file__).parents[2] / "conf", zone="UTC", visit_rules="default")
FIRST, DAYS = date(2026, 3, 1), 5
ALL = Span(FIRST, FIRST + timedelta(days=DAYS - 1))
MINUTE, HOUR = 60_000_000, 3_600_000_000
# Times between events by timeout in minutes: visits of a device, or runs that last for days.
GAPS = {
    30: [[0, 1, MINUTE, 29 * MINUTE, 30 * MINUTE, 30 * MINUTE + 1, 5 * HOUR, 23 * HOUR, 40 * HOUR]],
    720: [[12 * HOUR, 12 * HOUR - 1, 12 * HOUR + 1], [12 * HOUR, 11 * HOUR, 5 * HOUR], [12 * HOUR, 12 * HOUR + 1]],
}
# A login reaches back over all days, or over one; a device on which two people log in is shared, or never is.
IDENTITIES = [
    {"mode": "time_sliced", "within_days": days, "shared_device": {"subscribers": people, "days": 1}}
    for days in (1, 30)
    for people in (1, 5)
] + [{"mode": "compat_last_login", "within_days": 1, "shared_device": {"subscribers": 5, "days": 30}}]


def rules(timeout_minutes: float, zone: str, identity: dict[str, Any]) -> Catalogue:
    """The shipped catalogue with another timeout: at 12 hours a few events make a run past the cap."""
    base = {**CATALOGUE.visit_rules.model_dump(), "identity": identity}
    changed = VisitRules(**{**base, "timeout_minutes": dict.fromkeys(("app", "web", "wechat"), timeout_minutes)})
    return CATALOGUE.model_copy(update={"visit_rules": changed, "zone": zone})


@st.composite
def histories(draw: st.DrawFn) -> tuple[Catalogue, list[Event], list[Any]]:
    """Rules, events, and what happens: batches of events that come, once or twice, and days that are run."""
    zone = draw(st.sampled_from(["UTC", "Asia/Shanghai"]))
    start = int(datetime(2026, 3, 1, tzinfo=ZoneInfo(zone)).timestamp()) * 1_000_000
    timeout = draw(st.sampled_from([30, 720, 720]))
    events: list[Event] = []
    for stream in range(draw(st.integers(1, 3))):  # two channels of a device, and one of another
        t = start + draw(st.sampled_from([-1, 0, HOUR, 23 * HOUR + 50 * MINUTE, 60 * HOUR]))
        machine, gaps = draw(st.booleans()), draw(st.sampled_from(GAPS[timeout]))
        for gap in draw(st.lists(st.sampled_from(gaps), min_size=1, max_size=9)):
            t += gap
            facts: Event = {"stream": stream, "device_id": f"d{stream // 2}", "channel": ("app", "web")[stream % 2]}
            facts |= {"t": t, "event_id": f"e{len(events)}"}
            if not machine:
                facts["type"] = draw(st.sampled_from(["page_view", "page_view", "click", "push_receive", "logout"]))
                facts["subscriber_id"] = draw(st.sampled_from([None, None, 7, 8]))
            events.append(coded({"type": "page_view", **facts}))
    count = draw(st.integers(1, 20))
    batch_of = draw(st.lists(st.integers(0, count - 1), min_size=len(events), max_size=len(events)))
    batches = [[e for e, b in zip(events, batch_of, strict=True) if b == number] for number in sorted(set(batch_of))]
    replays = draw(st.lists(st.sampled_from(batches), max_size=2))
    days = draw(st.lists(st.integers(0, DAYS - 1), min_size=1, max_size=4))
    identity = draw(st.sampled_from(IDENTITIES))
    return rules(timeout, zone, identity), events, draw(st.permutations([*batches, *replays, *days]))


@settings(max_examples=300 * PROPERTY_SCALE, deadline=None, derandomize=True)
@given(histories())
def test_any_split_gives_the_visits_of_one_run(
    history: tuple[Catalogue, list[Event], list[Any]],
) -> None:
    catalogue, events, happens = history
    with two_lakes(catalogue) as (whole, lake):
        whole.ingest(events)
        whole.run(ALL)
        for step in happens:
            if isinstance(step, list):
                lake.ingest(step)
            else:
                day = FIRST + timedelta(days=step)
                lake.run(Span(day, day))
        ran = {day for entry in lake.ran for day in entry.input_hashes}
        for day in reversed([day for day in ALL.days() if str(day) not in ran] or [ALL.end]):
            lake.run(Span(day, day))
        for kind in (DEVICE_VISITS, VISITS):
            found, expected = (
                {place: rows.sort_by("visit_id").to_pylist() for place, rows in of.places(kind).items()}
                for of in (lake, whole)
            )
            assert found == expected, kind.name
