"""Who an anonymous visit belongs to, rule by rule of docs/adr/0012. Times are Asia/Shanghai in March 2025; `-` is null.

Visits have the ids 1, 2, 3, ... by line; their logins are the events a, b, c, ...
"""

from __future__ import annotations

import pytest

from tests.oracles.identity_tables import decided, whose
from tests.oracles.visit_tables import instant

# 1. Named visits.


def test_a_named_visit_stays_as_it_was_cut() -> None:
    visits = decided("""
        start      | end        | subscriber | login
        3 10:00:00 | 3 10:10:00 | 7          | 3 10:05:00
        4 10:00:00 | 4 10:10:00 | 8          | 4 10:00:00
    """)
    assert visits == [(7, None, "a", instant("3 10:05:00")), (8, None, "b", instant("4 10:00:00"))]


# 2. The next login and how far it reaches.


def test_an_anonymous_visit_belongs_to_the_next_login_and_says_so() -> None:
    visits = decided("""
        start      | end        | subscriber | login
        3 10:00:00 | 3 10:10:00 | -          | -
        5 10:00:00 | 5 10:10:00 | 7          | 5 10:05:00
        6 10:00:00 | 6 10:10:00 | 7          | 6 10:00:00
    """)
    assert visits[0] == (7, "next_login", "b", instant("5 10:05:00"))


def test_all_anonymous_visits_before_a_login_belong_to_it() -> None:
    assert whose("""
        channel | start      | end        | subscriber | login
        app     | 3 10:00:00 | 3 10:10:00 | -          | -
        web     | 4 10:00:00 | 4 10:10:00 | -          | -
        app     | 4 10:05:00 | 4 10:15:00 | -          | -
        wechat  | 5 10:00:00 | 5 10:10:00 | 7          | 5 10:00:00
    """) == [7, 7, 7, 7]


def test_a_login_gives_nothing_to_later_visits() -> None:
    visits = decided("""
        start      | end        | subscriber | login
        3 10:00:00 | 3 10:10:00 | 7          | 3 10:00:00
        3 11:00:00 | 3 11:10:00 | -          | -
    """)
    assert visits[1] == (None, None, None, None)


@pytest.mark.parametrize(
    ("login", "expected"),
    [
        ("3 09:59:59.999999", None),  # of the visit that goes on elsewhere, but before the start
        ("3 10:00:00", 7),
        ("3 10:10:00", 7),
    ],
)
def test_a_login_of_a_visit_under_way_counts_from_the_start_on(login: str, expected: int | None) -> None:
    visits = whose(f"""
        channel | start      | end        | subscriber | login
        app     | 3 10:00:00 | 3 10:05:00 | -          | -
        web     | 3 09:30:00 | 3 10:30:00 | 7          | {login}
    """)
    assert visits == [expected, 7]


@pytest.mark.parametrize(
    ("days", "login", "expected"),
    [
        (30, "31 10:00:00", 7),  # 1 -> 31 March, counted from the start of the visit
        (30, "31 10:00:00.000001", None),
        (0.5, "1 22:00:00", 7),
        (0.5, "1 22:00:00.000001", None),
    ],
)
def test_a_login_reaches_exactly_so_many_days_back(days: float, login: str, expected: int | None) -> None:
    visits = f"""
        start      | end         | subscriber | login
        1 10:00:00 | 1 12:00:00  | -          | -
        1 21:00:00 | 31 11:00:00 | 7          | {login}
    """
    assert whose(visits, within_days=days) == [expected, 7]


def test_of_equal_logins_the_least_visit_id_is_the_candidate() -> None:
    visits = decided("""
        channel | start      | end        | subscriber | login
        app     | 3 10:00:00 | 3 10:10:00 | -          | -
        wechat  | 3 11:00:00 | 3 11:20:00 | 7          | 3 11:05:00
        web     | 3 11:05:00 | 3 11:10:00 | 7          | 3 11:05:00
    """)
    assert visits[0] == (7, "next_login", "b", instant("3 11:05:00"))


# 3. Somebody else is active.


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        ("3 09:59:59.999999", 7),
        ("3 10:00:00", None),  # 8 was there at the very start
        ("3 10:01:00", None),
    ],
)
def test_somebody_else_still_there_at_the_start(end: str, expected: int | None) -> None:
    visits = whose(f"""
        channel | start      | end        | subscriber | login
        app     | 3 10:00:00 | 3 10:10:00 | -          | -
        web     | 3 09:00:00 | {end}      | 8          | 3 09:00:00
        app     | 3 11:00:00 | 3 11:10:00 | 7          | 3 11:00:00
    """)
    assert visits == [expected, 8, 7]


@pytest.mark.parametrize(
    ("login", "expected"),
    [
        ("3 11:00:00", None),  # both at once: nobody knows who it was
        ("3 11:00:00.000001", 7),
    ],
)
def test_somebody_else_who_logs_in_with_the_candidate(login: str, expected: int | None) -> None:
    visits = whose(f"""
        channel | start      | end        | subscriber | login
        app     | 3 10:00:00 | 3 10:10:00 | -          | -
        app     | 3 10:30:00 | 3 11:10:00 | 7          | 3 11:00:00
        web     | 3 10:30:00 | 3 11:10:00 | 8          | {login}
    """)
    assert visits == [expected, 7, 8]


def test_one_who_logs_in_as_the_other_goes_is_there_from_then_on() -> None:
    # One moment: 7 logs in and is followed by 8, who stays until 10:30.
    assert whose("""
        channel | start      | end        | subscriber | login
        web     | 3 10:00:00 | 3 10:30:00 | 8          | 3 10:00:00
        web     | 3 09:00:00 | 3 10:00:00 | 7          | 3 10:00:00
        app     | 3 10:30:00 | 3 10:40:00 | -          | -
        app     | 3 11:00:00 | 3 11:10:00 | 7          | 3 11:00:00
    """) == [8, 7, None, 7]


def test_one_is_active_from_the_login_on_not_from_the_start() -> None:
    # 8 has a visit open from 10:30 on but logs in at 11:05 only: at 11:00 nobody but 7 had been seen.
    assert whose("""
        channel | start      | end        | subscriber | login
        app     | 3 10:00:00 | 3 10:10:00 | -          | -
        web     | 3 10:30:00 | 3 11:10:00 | 8          | 3 11:05:00
        app     | 3 11:00:00 | 3 11:10:00 | 7          | 3 11:00:00
    """) == [7, 8, 7]


def test_the_subscriber_may_have_been_there_all_along() -> None:
    assert whose("""
        channel | start      | end        | subscriber | login
        app     | 3 10:00:00 | 3 10:10:00 | -          | -
        web     | 3 09:00:00 | 3 10:30:00 | 7          | 3 09:00:00
        app     | 3 11:00:00 | 3 11:10:00 | 7          | 3 11:00:00
    """) == [7, 7, 7]


def test_two_people_take_turns_and_nothing_of_one_goes_to_the_other() -> None:
    assert whose("""
        channel | start      | end        | subscriber | login
        app     | 3 08:00:00 | 3 08:10:00 | -          | -
        app     | 3 09:00:00 | 3 12:00:00 | 7          | 3 09:00:00
        web     | 3 10:00:00 | 3 10:10:00 | -          | -
        web     | 3 11:00:00 | 3 11:10:00 | 8          | 3 11:00:00
        web     | 3 11:30:00 | 3 11:40:00 | -          | -
        web     | 3 12:30:00 | 3 12:40:00 | -          | -
        web     | 3 13:00:00 | 3 13:10:00 | 8          | 3 13:00:00
    """) == [7, 7, None, 8, None, 8, 8]  # at 10:00 and 11:30 it may have been 7, whose visit goes on until 12:00


# 4. Logouts.


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        ("3 09:59:59.999999", 7),
        ("3 10:00:00", None),
        ("3 10:59:59.999999", None),
        ("3 11:00:00", 7),  # not before the login
    ],
)
def test_nothing_moves_across_a_logout(end: str, expected: int | None) -> None:
    visits = whose(f"""
        channel | start      | end        | ends by | subscriber | login
        app     | 3 10:00:00 | 3 10:10:00 | -       | -          | -
        web     | 3 09:30:00 | {end}      | logout  | -          | -
        app     | 3 11:00:00 | 3 11:10:00 | -       | 7          | 3 11:00:00
    """)
    assert visits[::2] == [expected, 7]


def test_a_visit_that_ends_with_a_logout_itself_stays_anonymous() -> None:
    assert whose("""
        start      | end        | ends by | subscriber | login
        3 10:00:00 | 3 10:10:00 | logout  | -          | -
        3 10:10:00 | 3 10:20:00 | -       | -          | -
        3 11:00:00 | 3 11:10:00 | -       | 7          | 3 11:00:00
    """) == [None, None, 7]  # the second one begins at the moment of the logout: equal counts


def test_the_subscribers_own_logout_separates_as_well() -> None:
    assert whose("""
        channel | start      | end        | ends by | subscriber | login
        app     | 3 10:00:00 | 3 10:10:00 | -       | -          | -
        web     | 3 09:00:00 | 3 10:30:00 | logout  | 7          | 3 09:00:00
        app     | 3 11:00:00 | 3 11:10:00 | logout  | 7          | 3 11:00:00
        app     | 3 12:00:00 | 3 12:10:00 | -       | -          | -
        app     | 3 13:00:00 | 3 13:10:00 | logout  | 7          | 3 13:00:00
    """) == [None, 7, 7, 7, 7]  # a logout after the login separates nothing


# 6. Taken back.


def test_a_login_taken_back_gives_nothing_and_nobody_takes_its_place() -> None:
    visits = decided(
        """
        start      | end        | subscriber | login
        3 10:00:00 | 3 10:10:00 | -          | -
        4 10:00:00 | 4 10:10:00 | 7          | 4 10:00:00
        5 10:00:00 | 5 10:10:00 | -          | -
        6 10:00:00 | 6 10:10:00 | 7          | 6 10:00:00
        """,
        taken_back=((1, instant("4 10:00:00")), (2, instant("6 10:00:00"))),
    )
    assert [subscriber for subscriber, *_ in visits] == [None, 7, 7, 7]
    assert visits[1] == (7, None, "b", instant("4 10:00:00"))  # the visit of the login itself stays


@pytest.mark.parametrize(("noted", "expected"), [("4 09:59:59", 7), ("4 10:05:00", None), ("4 10:10:01", 7)])
def test_a_login_taken_back_is_known_by_its_visit(noted: str, expected: int | None) -> None:
    """When an earlier login of the visit comes late, the visit is still the one that was meant."""
    visits = whose(
        """
        start      | end        | subscriber | login
        3 10:00:00 | 3 10:10:00 | -          | -
        4 10:00:00 | 4 10:10:00 | 7          | 4 10:00:00
        """,
        taken_back=((1, instant(noted)),),
    )
    assert visits == [expected, 7]
