"""How events become visits, rule by rule. Times are Asia/Shanghai, `3 23:50:00` is 23:50 on 3 March; `-` is null."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from tests.oracles.visit_tables import KEYED, pick, rules_with, visits_of


def test_an_equal_gap_continues_the_visit() -> None:
    visits = visits_of("""
        t
        3 10:00:00
        3 10:30:00
    """)
    assert pick(visits, "first_event_id", "events", "duration_s") == [("a", 2, 30 * 60)]


def test_a_microsecond_more_than_the_timeout_opens_a_visit() -> None:
    visits = visits_of("""
        t
        3 10:00:00
        3 10:30:00.000001
    """)
    assert pick(visits, "first_event_id", "events", "duration_s") == [("a", 1, 0), ("b", 1, 0)]


def test_each_channel_has_its_timeout_and_its_visits() -> None:
    rules = rules_with(timeout_minutes={"app": 5, "web": 30, "wechat": 30})
    visits = visits_of(
        """
        stream | channel | t
        1      | app     | 3 10:00:00
        2      | web     | 3 10:01:00
        1      | app     | 3 10:06:00
        2      | web     | 3 10:07:00
        """,
        rules,
    )
    assert pick(visits, "channel", "first_event_id", "events") == [("app", "a", 1), ("web", "b", 2), ("app", "c", 1)]


def test_midnight_does_not_cut_but_the_days_are_split() -> None:
    (visit,) = visits_of("""
        t             | type
        3 23:50:00    | page_view
        3 23:59:59.5  | error
        4 00:10:00.25 | page_view
    """)
    assert (visit["visit_date"], visit["weekday"], visit["hour"]) == (date(2025, 3, 3), 1, 23)
    assert visit["duration_s"] == 10 * 60 + 10 * 60
    assert visit["days"] == [
        {"day": date(2025, 3, 3), "events": 2, "active_events": 1, "seconds": 10 * 60},
        {"day": date(2025, 3, 4), "events": 1, "active_events": 1, "seconds": 10 * 60},
    ]


def test_seconds_of_the_days_add_up_to_the_duration() -> None:
    (visit,) = visits_of("""
        t
        3 23:59:59.6
        4 00:00:00.6
    """)
    # 0.4 s before midnight: no whole second has passed; the one second completes on the next day.
    assert (visit["duration_s"], pick(visit["days"], "seconds")) == (1, [0, 1])


def test_after_a_logout_the_next_event_opens_a_visit() -> None:
    visits = visits_of("""
        t          | type
        3 10:00:00 | page_view
        3 10:01:00 | logout
        3 10:01:00 | page_view
    """)
    assert pick(visits, "first_event_id", "last_event_type") == [("a", "logout"), ("c", "page_view")]


def test_another_subscribers_login_opens_a_visit() -> None:
    visits = visits_of("""
        t          | type      | subscriber_id
        3 10:00:00 | page_view | 7
        3 10:01:00 | page_view | -
        3 10:02:00 | login     | 8
        3 10:03:00 | login     | 8
    """)
    assert pick(visits, "first_event_id", "events", "subscriber_id") == [("a", 2, 7), ("c", 2, 8)]
    assert pick(visits, "stitch_method", "login_event_id") == [("same_visit", "a"), ("every_event", "c")]


def test_anonymous_events_before_a_login_belong_to_the_visit() -> None:
    visits = visits_of("""
        t          | type      | subscriber_id
        3 10:00:00 | page_view | -
        3 10:01:00 | login     | 7
        3 12:00:00 | page_view | -
    """)
    named = pick(visits, "first_event_id", "subscriber_id", "stitch_method", "login_event_id")
    assert named == [("a", 7, "same_visit", "b"), ("c", None, None, None)]


def test_background_counts_only_inside_a_visit_and_never_extends_one() -> None:
    visits = visits_of("""
        t          | type
        3 09:59:00 | push_receive
        3 10:00:00 | page_view
        3 10:20:00 | push_receive
        3 10:30:00 | page_view
        3 10:50:00 | push_receive
        3 11:10:00 | page_view
        3 11:20:00 | push_receive
    """)
    # 10:30 -> 11:10 is 40 minutes: the push between them does not bridge the gap.
    kept = [("kept", "b", 3, 1, 3), ("kept", "f", 1, 0, 1)]
    assert pick(visits, "_outcome", "first_event_id", "events", "push_receive", "_rows") == [
        *kept,
        ("background", None, None, None, 3),
    ]


def every_half_hour(hours: float, more: str = "") -> str:
    """A page view each 30 minutes from 10:00 on 3 March, for so many hours."""
    clock = [timedelta(hours=10, minutes=30 * n) for n in range(int(hours * 2) + 1)]
    rows = [f"{3 + at.days} {at.seconds // 3600:02d}:{at.seconds // 60 % 60:02d}:00" for at in clock]
    listed = [f"{number:03d} | {row}" for number, row in enumerate([*rows, *([more] if more else [])])]
    return "\n".join(["event_id | t", *listed])


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        # 48 events from 10:00 on, and one more: a microsecond before 24 h it continues, at 24 h all is a machine's.
        # What is quarantined is cut at 00:00 UTC, 08:00 here: 44 events before it, 4 + 1 after.
        ("4 09:59:59.999999", [("000", 49, None)]),
        ("4 10:00:00", [("000", 44, "over_cap"), ("044", 5, "over_cap")]),
    ],
)
def test_the_cap_cuts_at_exactly_24_hours(last: str, expected: list[tuple[Any, ...]]) -> None:
    visits = visits_of(every_half_hour(23.5, last))
    assert pick(visits, "first_event_id", "events", "runaway") == expected


def test_all_pieces_of_a_run_over_the_cap_are_runaway() -> None:
    # 101 events in 50 h, cut at 08:00: 22 h, 24 h, the rest. A visit of the same device after a gap is normal.
    visits = visits_of(every_half_hour(50, "5 23:00:00"))
    assert pick(visits, "events", "runaway") == [(44, "over_cap"), (48, "over_cap"), (9, "over_cap"), (1, None)]


def test_pieces_over_the_cap_may_be_kept() -> None:
    rules = rules_with(runaway={"over_cap": "keep", "max_events": 10_000, "max_events_per_minute": 10_000})
    assert pick(visits_of(every_half_hour(24), rules), "events", "runaway") == [(48, None), (1, None)]


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        # The cap at 11:00 leaves an anonymous piece; 8 is still another one than 7 and begins a run of its own.
        ("3 10:30:00", [("a", 7, "over_cap"), ("d", None, "over_cap"), ("e", 8, None)]),
        # Named a cap ago: what happened then decides nothing now, or no day could be computed without all before it.
        ("3 10:10:00", [("a", 7, "over_cap"), ("d", 8, "over_cap")]),
    ],
)
def test_a_subscriber_is_remembered_for_a_cap(named: str, expected: list[tuple[Any, ...]]) -> None:
    rules = rules_with(cap_hours=1)
    visits = visits_of(
        f"""
        t          | subscriber_id
        3 10:00:00 | -
        {named} | 7
        3 10:35:00 | -
        3 11:00:00 | -
        3 11:10:00 | 8
        """,
        rules,
    )
    assert pick(visits, "first_event_id", "subscriber_id", "runaway") == expected


def test_more_than_the_maximum_of_events_is_a_runaway() -> None:
    rules = rules_with(runaway={"over_cap": "quarantine", "max_events": 2, "max_events_per_minute": 10_000})
    visits = visits_of(
        """
        t
        3 10:00:00
        3 10:01:00
        3 12:00:00
        3 12:01:00
        3 12:02:00
        """,
        rules,
    )
    assert pick(visits, "events", "runaway") == [(2, None), (3, "too_many_events")]


def test_ties_go_by_seq_null_first_then_by_id() -> None:
    (visit,) = visits_of("""
        event_id | t          | seq | page
        d        | 3 10:00:00 | 10  | fourth
        a        | 3 10:00:00 | 9   | third
        z        | 3 10:00:00 | -   | second
        y        | 3 10:00:00 | -   | first
    """)
    assert (visit["first_event_id"], visit["entry_page"], visit["exit_page"], visit["depth"]) == (
        "y",
        "first",
        "fourth",
        4,
    )


def test_collector_keys_are_taken_as_they_are() -> None:
    visits = visits_of(
        """
        stream | t          | type      | subscriber_id | received
        1      | 3 10:00:00 | page_view | 7             | 3 10:00:00
        1      | 3 11:00:00 | logout    | 7             | 6 10:00:00
        1      | 5 10:00:00 | page_view | 8             | 5 10:00:00
        1      | 3 10:05:00 | page_view | 7             | 6 10:00:00.000001
        2      | 3 10:06:00 | page_view | -             | 3 10:06:00
        """,
        KEYED,
    )
    # Neither gap, logout, login nor cap cut key 1. Received 3 days after its start counts, a microsecond later not.
    assert pick(visits, "_outcome", "first_event_id", "_rows", "runaway") == [
        ("kept", "a", 3, None),
        ("kept", "e", 1, None),
        ("received_late", None, 1, None),
    ]
    assert visits[0]["subscriber_id"] == 8  # the last login wins


def test_every_event_outside_the_visits_of_the_span_is_counted() -> None:
    rows = visits_of(
        """
        t          | filtered
        2 23:50:00 | -
        3 00:05:00 | -
        3 10:00:00 | -
        3 10:01:00 | excluded
        4 00:00:00 | -
        """,
        first=date(2025, 3, 3),
        last=date(2025, 3, 3),
    )
    # The visit of 2 March takes its event after midnight along: 2 + 1 events start on other days.
    assert pick(rows, "_outcome", "_rows") == [("kept", 1), ("excluded", 1), ("outside", 2 + 1)]
