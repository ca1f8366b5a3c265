"""Fast stitching against its slow twin, on small random worlds that crowd every boundary of docs/adr/0012."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
from hypothesis import given, settings, strategies as st

from tests.oracles.identity_tables import decisions, numbers_table, visits_table
from tests.oracles.slow_identity import DAY, EPOCH, Decision, Visit, slow_holders, slow_stitched
from visitgrain.catalogue.visit_rules import Identity
from visitgrain.visits.identity import stitched, with_holders

HOUR = 3_600_000_000
# Ids are 64-bit hashes: neighbours that a float would make one, and negative ones.
DEVICES, SUBSCRIBERS, VISIT = (-5, 2**62, 2**62 + 1), (2**62 + 7, 2**62 + 8, 2**62 + 9, -9), 2**62
BASE = int(datetime(2025, 3, 1, tzinfo=UTC).timestamp()) * 1_000_000
# Local midnights and changes of the clock, as (zone, instant in UTC).
ANCHORS = [
    ("UTC", datetime(2024, 2, 29, tzinfo=UTC)),
    ("Asia/Shanghai", datetime(2025, 5, 31, 16, tzinfo=UTC)),
    ("Asia/Shanghai", datetime(1969, 12, 31, 16, tzinfo=UTC)),
    ("Europe/Berlin", datetime(2025, 10, 25, 22, tzinfo=UTC)),  # midnight of the day with 25 hours
    ("America/Santiago", datetime(2025, 9, 7, 4, tzinfo=UTC)),  # midnight becomes 01:00
    ("America/Santiago", datetime(2025, 4, 6, 3, tzinfo=UTC)),  # midnight becomes 23:00 of the day before
]
Number = dict[str, Any]


@dataclass(frozen=True)
class World:
    """One call of `stitched`."""

    visits: list[Visit]
    identity: Identity
    taken_back: set[str]

    def decided(self) -> dict[int, Decision]:
        taken_back = pa.array(sorted(self.taken_back), pa.string())
        return decisions(stitched(visits_table(self.visits), self.identity, taken_back))

    def twin(self) -> dict[int, Decision]:
        return slow_stitched(self.visits, self.identity, self.taken_back)

    def of(self, device: int) -> World:
        return replace(self, visits=[visit for visit in self.visits if visit["device"] == device])


@st.composite
def identities(draw: st.DrawFn, unit: int) -> Identity:
    """Limits of a few units, so that visits on a grid of units meet them exactly."""
    modes, days = ["time_sliced"] * 5 + ["compat_last_login"], st.sampled_from([unit * n / DAY for n in (1, 2, 3, 4)])
    shared = {"subscribers": draw(st.sampled_from([1, 2, 3])), "days": draw(days)}
    return Identity(mode=draw(st.sampled_from(modes)), within_days=draw(days), shared_device=shared)


# A point of the grid, beside it or on it; whose visit it is; where in it the login is; whether it ends with a logout.
POINTS = st.tuples(st.integers(0, 9), st.sampled_from([0, 0, 0, -1, 1]))
FACTS = st.tuples(
    POINTS,
    POINTS,
    st.sampled_from([None, None, None, *SUBSCRIBERS[:1] * 2, *SUBSCRIBERS]),
    st.sampled_from(["first", "between", "last"]),
    st.sampled_from([False] * 5 + [True]),
)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Devices whose channels each have visits that do not overlap; ids follow no order."""
    unit = draw(st.sampled_from([12 * HOUR, DAY, 7 * DAY + 12 * HOUR]))
    visits: list[Visit] = []
    for device in DEVICES[: draw(st.sampled_from([1, 1, 2, 3]))]:
        for channel in range(draw(st.integers(1, 3))):
            facts = draw(st.lists(FACTS, max_size=5))
            points = sorted(BASE + unit * n + by for start, end, *_ in facts for n, by in (start, end))
            for number, (_, _, subscriber, where, logout) in enumerate(facts):
                start, end = points[2 * number : 2 * number + 2]
                login = {"first": start, "between": start + (end - start) // 2 // unit * unit, "last": end}[where]
                visit = {"device": device, "channel": channel, "t": start, "end": end, "logout": logout}
                named = {"subscriber": subscriber, "login_t": login, "login_event_id": f"e{len(visits)}"}
                visits.append({**visit, **(named if subscriber is not None else dict.fromkeys(named))})
    ids = draw(st.permutations(range(len(visits))))
    visits = [{"visit_id": VISIT + n, **visit} for n, visit in zip(ids, visits, strict=True)]
    logins = [visit["login_event_id"] for visit in visits if visit["login_event_id"]]
    taken_back = draw(st.sets(st.sampled_from(logins), max_size=2)) if logins and draw(st.booleans()) else set()
    return World(visits, draw(identities(unit)), taken_back)


@st.composite
def vaults(draw: st.DrawFn) -> tuple[list[Visit], list[Number], str]:
    """Visits round a local midnight, and who held their numbers round that day, one interval in or over another."""
    zone, anchor = draw(st.sampled_from(ANCHORS))
    midnight, today = (anchor - EPOCH) // timedelta(microseconds=1), anchor.date()
    ids = [*SUBSCRIBERS[:3], None]
    instants = st.tuples(st.integers(-3, 3), st.sampled_from([-HOUR, -1, 0, 1, HOUR]))
    starts = draw(st.lists(st.tuples(instants, st.sampled_from(ids)), max_size=8))
    visits = [
        _named(VISIT + number, midnight + n * DAY + by, subscriber)
        for number, ((n, by), subscriber) in enumerate(starts)
    ]
    days = st.integers(-3, 4)
    held = st.tuples(st.sampled_from(ids[:3]), days, st.one_of(st.none(), days), st.sampled_from(SUBSCRIBERS))
    rows = draw(st.lists(held, max_size=6, unique_by=lambda row: row[:2]))
    return visits, [_number(today, *row) for row in rows], zone


def _named(visit_id: int, t: int, subscriber: int | None) -> Visit:
    login = (None, None) if subscriber is None else (t, f"e{visit_id}")
    visit = {"visit_id": visit_id, "device": 1, "channel": 0, "t": t, "end": t, "logout": False}
    return {**visit, "subscriber": subscriber, "login_t": login[0], "login_event_id": login[1]}


def _number(today: date, number: int, since: int, until: int | None, subscriber: int) -> Number:
    first, end = today + timedelta(days=since), None if until is None else today + timedelta(days=until)
    return {"number_id": number, "valid_from": first, "valid_to": end, "subscriber_id": subscriber}


def resolved(visits: list[Visit], numbers: list[Number], zone: str) -> list[Visit]:
    rows = with_holders(visits_table(visits), numbers_table(numbers), zone).to_pylist()
    return sorted(rows, key=lambda visit: visit["visit_id"])


@settings(max_examples=300, deadline=None, derandomize=True)
@given(worlds())
def test_every_decision_equals_the_twins(world: World) -> None:
    assert world.decided() == world.twin()


@settings(max_examples=300, deadline=None, derandomize=True)
@given(vaults())
def test_every_holder_equals_the_twins(vault: tuple[list[Visit], list[Number], str]) -> None:
    assert resolved(*vault) == slow_holders(*vault)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(worlds(), st.randoms(use_true_random=False))
def test_order_and_batches_of_rows_do_not_matter(world: World, chance: Any) -> None:
    shuffled = visits_table(chance.sample(world.visits, k=len(world.visits)))
    cut = chance.randint(0, len(world.visits))
    batches = pa.concat_tables([shuffled.slice(cut), shuffled.slice(0, cut)])
    taken_back = pa.array(sorted(world.taken_back), pa.string())
    assert decisions(stitched(batches, world.identity, taken_back)) == world.decided()


@settings(max_examples=100, deadline=None, derandomize=True)
@given(worlds())
def test_devices_may_be_decided_apart(world: World) -> None:
    apart: dict[int, Decision] = {}
    for device in DEVICES:
        apart |= world.of(device).decided()
    assert apart == world.decided()


@settings(max_examples=100, deadline=None, derandomize=True)
@given(worlds(), worlds())
def test_another_device_changes_nothing(world: World, others: World) -> None:
    """Whoever logs in there, the same subscribers included."""
    elsewhere = [
        {**visit, "visit_id": visit["visit_id"] - VISIT, "device": visit["device"] + 1_000} for visit in others.visits
    ]
    both = replace(world, visits=[*elsewhere, *world.visits]).decided()
    assert {visit: whose for visit, whose in both.items() if visit >= VISIT} == world.decided()


@settings(max_examples=100, deadline=None, derandomize=True)
@given(worlds(), st.permutations(SUBSCRIBERS))
def test_ids_of_subscribers_decide_nothing(world: World, others: list[int]) -> None:
    other = {None: None, **dict(zip(SUBSCRIBERS, others, strict=True))}
    renamed = [{**visit, "subscriber": other[visit["subscriber"]]} for visit in world.visits]
    expected = {visit: (other[subscriber], *rest) for visit, (subscriber, *rest) in world.decided().items()}
    assert replace(world, visits=renamed).decided() == expected


@settings(max_examples=100, deadline=None, derandomize=True)
@given(worlds(), st.sampled_from([-3_000, -1, 1, 52]))
def test_weeks_later_the_same_is_decided(world: World, weeks: int) -> None:
    def later(t: int | None) -> int | None:
        return None if t is None else t + weeks * 7 * DAY

    moved = [{**visit, **{name: later(visit[name]) for name in ("t", "end", "login_t")}} for visit in world.visits]
    expected = {visit: (*whose, later(login)) for visit, (*whose, login) in world.decided().items()}
    assert replace(world, visits=moved).decided() == expected


@settings(max_examples=100, deadline=None, derandomize=True)
@given(vaults(), st.sampled_from(["UTC", "Asia/Shanghai"]), st.sampled_from([-3_000, -1, 1, 52]))
def test_weeks_later_the_same_hold_the_numbers(
    vault: tuple[list[Visit], list[Number], str], zone: str, weeks: int
) -> None:
    """Zones without changes of the clock: weeks have the same length."""
    visits, numbers, _ = vault
    by = timedelta(weeks=weeks)
    moved = [{**visit, "t": visit["t"] + weeks * 7 * DAY} for visit in visits]
    held = [{**row, **{name: row[name] and row[name] + by for name in ("valid_from", "valid_to")}} for row in numbers]
    found, expected = (
        [visit["subscriber"] for visit in rows]
        for rows in (resolved(moved, held, zone), resolved(visits, numbers, zone))
    )
    assert found == expected


@settings(max_examples=100, deadline=None, derandomize=True)
@given(worlds())
def test_what_is_out_of_reach_decides_nothing(world: World) -> None:
    """Of the device, what is over before a visit starts, or starts after the longer limit: so a window is enough."""
    if world.identity.mode == "time_sliced" and world.visits:
        reach = max(world.identity.within_days, world.identity.shared_device.days) * DAY
        whole = world.decided()
        for visit in world.visits:
            near = [v for v in world.visits if v["end"] >= visit["t"] and v["t"] <= visit["t"] + reach]
            assert replace(world, visits=near).decided()[visit["visit_id"]] == whole[visit["visit_id"]]
