"""Fast stitching against its slow twin, on small random worlds that crowd every boundary of docs/adr/0012."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings, strategies as st

from tests.conftest import PROPERTY_SCALE
from tests.oracles.identity_tables import decisions, logins_table, numbers_table, visits_table
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
    taken_back: set[tuple[int, int]]

    def decided(self) -> dict[int, Decision]:
        return decisions(stitched(visits_table(self.visits), self.identity, logins_table(self.taken_back)))

    def twin(self) -> dict[int, Decision]:
        return slow_stitched(self.visits, self.identity, self.taken_back)

    def of(self, device: int) -> World:
        return replace(self, visits=[visit for visit in self.visits if visit["device"] == device])


def world_of(chance: Random, devices: Sequence[int]) -> World:
    """Devices whose channels each have visits that do not overlap, on a grid of units; limits are a few units.

    So visits meet each other and the limits exactly, or miss them by a microsecond. Ids follow no order.
    """
    unit = chance.choice([12 * HOUR, DAY, 7 * DAY + 12 * HOUR])
    visits = [visit for device in devices for visit in _visits(chance, device, unit)]
    ids = chance.sample(range(len(visits)), k=len(visits))
    visits = [{**visit, "visit_id": VISIT + n} for n, visit in zip(ids, visits, strict=True)]
    logins = [visit for visit in visits if visit["login_t"] is not None and chance.randrange(15) == 0]
    # as the login was when somebody took it back; others of the visit may have come since
    taken_back = {
        (visit["device"], chance.choice([visit["login_t"], visit["end"], visit["end"] + 1])) for visit in logins
    }
    within, days = (chance.choice([1, 2, 3, 4]) * unit / DAY for _ in range(2))
    identity = Identity(
        mode=chance.choice(["time_sliced"] * 3 + ["compat_last_login"]),
        within_days=within,
        shared_device={"subscribers": chance.choice([1, 2, 3]), "days": days},
    )
    return World(visits, identity, taken_back)


def _visits(chance: Random, device: int, unit: int) -> Iterator[Visit]:
    for channel in range(chance.choice([1, 2, 2, 3])):
        end = BASE + unit * chance.randrange(4)
        for number in range(chance.choice([0, 1, 3, 4, 5])):
            start = end + _some(chance, unit)  # after nothing, it begins at the very end of the one before
            end = start + _some(chance, unit)
            visit = {"device": device, "channel": channel, "t": start, "end": end, "logout": chance.randrange(6) == 0}
            subscriber = chance.choice([*[None] * 4, *SUBSCRIBERS[:2], *SUBSCRIBERS])
            login = chance.choice([start, start, start + (end - start) // 2, end, end])
            named = {"subscriber": subscriber, "login_t": login, "login_event_id": f"{device}-{channel}-{number}"}
            yield {**visit, **(named if subscriber is not None else dict.fromkeys(named))}


def _some(chance: Random, unit: int) -> int:
    """Nothing, or units and a little more or less."""
    return max(0, unit * chance.choice([0, 0, 0, 1, 1, 2, 4]) + chance.choice([0, 0, 0, 0, 1, -1]))


def worlds() -> st.SearchStrategy[World]:
    devices = st.sampled_from([DEVICES[:1], DEVICES[:1], DEVICES[:2], DEVICES])
    return st.builds(world_of, st.randoms(use_true_random=False), devices)


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


@settings(max_examples=300 * PROPERTY_SCALE, deadline=None, derandomize=True)
@given(worlds())
def test_every_decision_equals_the_twins(world: World) -> None:
    assert world.decided() == world.twin()


@pytest.mark.parametrize("seed", range(20))
def test_every_decision_of_a_crowd_equals_the_twins(seed: int) -> None:
    """What takes many devices to happen once."""
    world = world_of(Random(seed), range(300))
    found, expected = world.decided(), world.twin()
    wrong = {visit["device"] for visit in world.visits if found[visit["visit_id"]] != expected[visit["visit_id"]]}
    assert not wrong, [visit for visit in world.visits if visit["device"] == min(wrong)]


@settings(max_examples=300 * PROPERTY_SCALE, deadline=None, derandomize=True)
@given(vaults())
def test_every_holder_equals_the_twins(vault: tuple[list[Visit], list[Number], str]) -> None:
    assert resolved(*vault) == slow_holders(*vault)


@settings(max_examples=100 * PROPERTY_SCALE, deadline=None, derandomize=True)
@given(worlds(), st.randoms(use_true_random=False))
def test_order_and_batches_of_rows_do_not_matter(world: World, chance: Random) -> None:
    shuffled = visits_table(chance.sample(world.visits, k=len(world.visits)))
    cut = chance.randint(0, len(world.visits))
    batches = pa.concat_tables([shuffled.slice(cut), shuffled.slice(0, cut)])
    taken_back = logins_table(world.taken_back)
    assert decisions(stitched(batches, world.identity, taken_back)) == world.decided()


@settings(max_examples=100 * PROPERTY_SCALE, deadline=None, derandomize=True)
@given(worlds())
def test_devices_may_be_decided_apart(world: World) -> None:
    apart: dict[int, Decision] = {}
    for device in DEVICES:
        apart |= world.of(device).decided()
    assert apart == world.decided()


@settings(max_examples=100 * PROPERTY_SCALE, deadline=None, derandomize=True)
@given(worlds(), worlds())
def test_another_device_changes_nothing(world: World, others: World) -> None:
    """Whoever logs in there, the same subscribers included."""
    elsewhere = [
        {**visit, "visit_id": visit["visit_id"] - VISIT, "device": visit["device"] + 1_000} for visit in others.visits
    ]
    both = replace(world, visits=[*elsewhere, *world.visits]).decided()
    assert {visit: whose for visit, whose in both.items() if visit >= VISIT} == world.decided()


@settings(max_examples=100 * PROPERTY_SCALE, deadline=None, derandomize=True)
@given(worlds(), st.permutations(SUBSCRIBERS))
def test_ids_of_subscribers_decide_nothing(world: World, others: list[int]) -> None:
    other = {None: None, **dict(zip(SUBSCRIBERS, others, strict=True))}
    renamed = [{**visit, "subscriber": other[visit["subscriber"]]} for visit in world.visits]
    expected = {visit: (other[subscriber], *rest) for visit, (subscriber, *rest) in world.decided().items()}
    assert replace(world, visits=renamed).decided() == expected


@settings(max_examples=100 * PROPERTY_SCALE, deadline=None, derandomize=True)
@given(worlds(), st.sampled_from([-3_000, -1, 1, 52]))
def test_weeks_later_the_same_is_decided(world: World, weeks: int) -> None:
    def later(t: int | None) -> int | None:
        return None if t is None else t + weeks * 7 * DAY

    moved = [{**visit, **{name: later(visit[name]) for name in ("t", "end", "login_t")}} for visit in world.visits]
    expected = {visit: (*whose, later(login)) for visit, (*whose, login) in world.decided().items()}
    taken_back = {(device, t + weeks * 7 * DAY) for device, t in world.taken_back}
    assert replace(world, visits=moved, taken_back=taken_back).decided() == expected


@settings(max_examples=100 * PROPERTY_SCALE, deadline=None, derandomize=True)
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


@settings(max_examples=100 * PROPERTY_SCALE, deadline=None, derandomize=True)
@given(worlds())
def test_what_is_out_of_reach_decides_nothing(world: World) -> None:
    """Of the device, what is long over before a visit starts, or starts long after it: so a window is enough."""
    if world.identity.mode == "time_sliced" and world.visits:
        back, on = world.identity.shared_device.days * DAY, world.identity.within_days * DAY
        whole = world.decided()
        for visit in world.visits:
            near = [v for v in world.visits if v["end"] >= visit["t"] - back and v["t"] <= visit["t"] + on]
            assert replace(world, visits=near).decided()[visit["visit_id"]] == whole[visit["visit_id"]]


@settings(max_examples=100 * PROPERTY_SCALE, deadline=None, derandomize=True)
@given(worlds())
def test_what_begins_after_the_deciding_login_changes_nothing(world: World) -> None:
    whole = world.decided()
    for moment in {visit["t"] for visit in world.visits}:
        early = replace(world, visits=[visit for visit in world.visits if visit["t"] < moment])
        found = stitched(visits_table(early.visits), world.identity, logins_table(world.taken_back))
        final = {row["visit_id"] for row in found.to_pylist() if row["decided_t"] and row["decided_t"] < moment}
        decided = early.decided()
        assert {visit: decided[visit] for visit in final} == {visit: whole[visit] for visit in final}


def test_the_deciding_login_is_the_next_one_whether_it_claims_the_visit_or_not() -> None:
    world = world_of(Random(7), range(300))
    identity = world.identity.model_copy(update={"mode": "time_sliced"})
    rows = stitched(visits_table(world.visits), identity, logins_table(world.taken_back)).to_pylist()
    logins = [row for row in rows if row["subscriber"] is not None and row["method"] is None]
    anonymous = [row for row in rows if row not in logins]
    for row in anonymous:
        later = [o["login_t"] for o in logins if o["device"] == row["device"] and o["login_t"] >= row["t"]]
        assert row["decided_t"] == min(later, default=None)
    kinds = {(row["decided_t"] is None, row["method"]) for row in anonymous}
    assert kinds == {(True, None), (False, None), (False, "next_login")}
