"""The compatible mode, and who holds a number: docs/adr/0012. Times are Asia/Shanghai in March 2025; `-` is null."""

from __future__ import annotations

import pytest

from tests.oracles.identity_tables import decided, numbers_of, numbers_table, stitch, visits_of, visits_table
from tests.oracles.visit_tables import ZONE, instant
from visitgrain.visits.identity import with_holders

COMPAT = {"mode": "compat_last_login"}


def test_the_last_login_takes_all_visits_of_the_device() -> None:
    visits = decided(
        """
        device | channel | start       | end         | ends by | subscriber | login
        1      | app     | 1 09:59:59  | 1 10:10:00  | logout  | -          | -
        1      | app     | 2 10:00:00  | 2 10:10:00  | logout  | -          | -
        1      | app     | 3 10:00:00  | 3 10:10:00  | logout  | 7          | 3 10:00:00
        1      | web     | 30 09:00:00 | 31 12:00:00 | -       | 8          | 31 10:00:00.000001
        1      | app     | 31 09:30:00 | 31 10:30:00 | -       | 7          | 31 10:00:00
        1      | app     | 31 13:00:00 | 31 13:00:00 | -       | -          | -
        2      | app     | 31 13:00:00 | 31 13:00:00 | -       | -          | -
        """,
        **COMPAT,
        shared_device={"subscribers": 1, "days": 30},
    )
    # Neither logouts, other people nor their number count; the 31st is more than 30 days after the first visit.
    last = (8, "last_login", "d", instant("31 10:00:00.000001"))
    assert visits == [(7, "last_login", "c", instant("3 10:00:00")), *[last] * 5] + [(None, None, None, None)]


def test_of_equal_last_logins_the_greatest_visit_id_wins() -> None:
    visits = decided(
        """
        channel | start      | end        | subscriber | login
        wechat  | 3 10:00:00 | 3 12:10:00 | 7          | 3 11:00:00
        app     | 3 10:30:00 | 3 11:10:00 | 8          | 3 11:00:00
        web     | 3 11:30:00 | 3 12:10:00 | -          | -
        """,
        **COMPAT,
    )
    assert visits == [(8, "last_login", "b", instant("3 11:00:00"))] * 3


def holders(visits: str, numbers: str, zone: str = ZONE) -> list[int | None]:
    rows = with_holders(visits_table(visits_of(visits)), numbers_table(numbers_of(numbers)), zone)
    return rows.sort_by("visit_id")["subscriber"].to_pylist()


RECYCLED = """
    number | from | to | subscriber
    138    | 1    | 5  | 7
    138    | 10   | -  | 8
"""


@pytest.mark.parametrize(
    ("start", "holder"),
    [
        ("1 00:00:00", 7),
        ("4 23:59:59.999999", 7),
        ("5 00:00:00", 138),  # nobody's: the number stays a subject of its own
        ("9 23:59:59.999999", 138),
        ("10 00:00:00", 8),  # 10 March, while it is the 9th in UTC
        ("31 12:00:00", 8),
    ],
)
def test_a_number_is_whoever_holds_it_on_the_local_day_of_the_start(start: str, holder: int) -> None:
    visit = f"""
        start   | end         | subscriber | login
        {start} | 31 12:00:00 | 138        | 31 12:00:00
    """
    assert holders(visit, RECYCLED) == [holder]


def test_the_day_is_that_of_the_business_zone() -> None:
    visit = """
        start       | end         | subscriber | login
        10 00:00:00 | 10 00:10:00 | 138        | 10 00:00:00
    """
    # Midnight of the 10th in Shanghai is 16:00 of the 9th in UTC: the day before the number is given away again.
    assert (holders(visit, RECYCLED), holders(visit, RECYCLED, "UTC")) == ([8], [138])


def test_of_several_holders_the_latest_counts_while_it_lasts() -> None:
    visits = """
        start       | end         | subscriber | login
        5 12:00:00  | 5 12:00:00  | 138        | 5 12:00:00
        10 12:00:00 | 10 12:00:00 | 138        | 10 12:00:00
        20 12:00:00 | 20 12:00:00 | 138        | 20 12:00:00
    """
    numbers = """
        number | from | to | subscriber
        138    | 1    | -  | 7
        138    | 10   | 20 | 8
    """
    assert holders(visits, numbers) == [7, 8, 7]


def test_who_is_no_number_stays_who_it_is() -> None:
    visits = """
        start      | end        | subscriber | login
        3 10:00:00 | 3 10:10:00 | -          | -
        3 11:00:00 | 3 11:10:00 | 7          | 3 11:00:00
        3 12:00:00 | 3 12:10:00 | 139        | 3 12:00:00
    """
    # 7 is a subscriber, who holds 138; 139 is somebody else's number, of which nothing is known.
    assert holders(visits, RECYCLED) == [None, 7, 139]


def stitched_by_number(visits: str, numbers: str) -> list[int | None]:
    named = with_holders(visits_table(visits_of(visits)), numbers_table(numbers_of(numbers)), ZONE)
    return [subscriber for subscriber, *_ in stitch(named)]


def test_two_holders_of_a_number_are_two_people() -> None:
    visits = """
        channel | start       | end         | subscriber | login
        app     | 3 10:00:00  | 3 10:10:00  | -          | -
        web     | 3 09:00:00  | 3 10:05:00  | 138        | 3 09:00:00
        app     | 4 10:00:00  | 4 10:10:00  | -          | -
        app     | 10 10:00:00 | 10 10:10:00 | 138        | 10 10:00:00
    """
    # At 10:00 of the 3rd 7 is still there, so it is not given to 8; on the 4th nobody else is.
    assert stitched_by_number(visits, RECYCLED) == [None, 7, 8, 8]


def test_two_numbers_of_a_subscriber_are_one_person() -> None:
    visits = """
        channel | start      | end        | subscriber | login
        app     | 3 10:00:00 | 3 10:10:00 | -          | -
        web     | 3 09:00:00 | 3 10:05:00 | 138        | 3 09:00:00
        app     | 4 10:00:00 | 4 10:10:00 | 139        | 4 10:00:00
    """
    numbers = """
        number | from | to | subscriber
        138    | 1    | -  | 7
        139    | 1    | -  | 7
    """
    assert stitched_by_number(visits, numbers) == [7, 7, 7]
