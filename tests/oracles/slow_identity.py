"""The plain twin of `visitgrain.visits.identity`: one visit after the other, every rule of docs/adr/0012 as a sentence.

Written from the definitions, so that a fault of the fast code shows as a difference. Speed is of no concern here.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

Visit = dict[str, Any]
Decision = tuple[int | None, str | None, str | None, int | None]  # subscriber, method, login_event_id, login_t
DAY = 86_400_000_000  # visits are in microseconds
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOBODY: Decision = (None, None, None, None)


def slow_stitched(visits: list[Visit], identity: Any, taken_back: set[tuple[int, int]]) -> dict[int, Decision]:
    """Whose each visit is, by visit id. Method null: as cut."""
    decisions: dict[int, Decision] = {}
    for device in {visit["device"] for visit in visits}:
        of_device = [visit for visit in visits if visit["device"] == device]
        for visit in of_device:
            if identity.mode == "compat_last_login":
                decisions[visit["visit_id"]] = _last_login(visit, of_device, identity)
            elif visit["subscriber"] is not None:
                decisions[visit["visit_id"]] = _by(visit, None)
            else:
                decisions[visit["visit_id"]] = _next_login(visit, of_device, identity, taken_back)
    return decisions


def slow_holders(visits: list[Visit], numbers: list[dict[str, Any]], zone: str) -> list[Visit]:
    """The visits, with whoever holds the number that a visit names in place of the number."""
    return [{**visit, "subscriber": _holder(visit, numbers, ZoneInfo(zone))} for visit in visits]


def _by(named: Visit, method: str | None) -> Decision:
    return named["subscriber"], method, named["login_event_id"], named["login_t"]


def _last_login(visit: Visit, of_device: list[Visit], identity: Any) -> Decision:
    logins = [other for other in of_device if other["subscriber"] is not None]
    named = [login for login in logins if abs(login["login_t"] - visit["t"]) <= identity.within_days * DAY]
    if not named:
        return _by(visit, None)
    return _by(max(named, key=lambda login: (login["login_t"], login["visit_id"])), "last_login")


def _next_login(visit: Visit, of_device: list[Visit], identity: Any, taken_back: set[tuple[int, int]]) -> Decision:
    start, named = visit["t"], [other for other in of_device if other["subscriber"] is not None]
    later = [other for other in named if other["login_t"] >= start]
    if not later:
        return NOBODY
    candidate = min(later, key=lambda other: (other["login_t"], other["visit_id"]))
    login = candidate["login_t"]
    if login - start > identity.within_days * DAY:
        return NOBODY
    for other in named:
        active_until_login = other["login_t"] <= login and other["end"] >= start
        if other["subscriber"] != candidate["subscriber"] and active_until_login:
            return NOBODY
    for other in of_device:
        if other["logout"] and start <= other["end"] < login:
            return NOBODY
    if _people_until(login, named, identity) > identity.shared_device.subscribers:
        return NOBODY
    for device, t in taken_back:
        if device == visit["device"] and candidate["login_t"] <= t <= candidate["end"]:
            return NOBODY
    return _by(candidate, "next_login")


def _people_until(login: int, named: list[Visit], identity: Any) -> int:
    """How many subscribers log in on the device in the days that tell a shared one."""
    people = set()
    for visit in named:
        if 0 <= login - visit["login_t"] <= identity.shared_device.days * DAY:
            people.add(visit["subscriber"])
    return len(people)


def _holder(visit: Visit, numbers: list[dict[str, Any]], zone: ZoneInfo) -> int | None:
    day = (EPOCH + timedelta(microseconds=visit["t"])).astimezone(zone).date()
    holds = [number for number in numbers if number["number_id"] == visit["subscriber"] and _covers(number, day)]
    if not holds:
        return visit["subscriber"]  # somebody whom no number stands for, or a number that nobody holds
    return max(holds, key=lambda number: number["valid_from"])["subscriber_id"]


def _covers(number: dict[str, Any], day: date) -> bool:
    return number["valid_from"] <= day and (number["valid_to"] is None or day < number["valid_to"])
