"""Rule 5 of docs/adr/0012: nothing is filled back on a device that many people log in on."""

from __future__ import annotations

from typing import Any

import pytest

from tests.oracles.identity_tables import whose


def people(subscribers: int, days: float = 30) -> dict[str, Any]:
    """More subscribers than that make a device shared."""
    return {"shared_device": {"subscribers": subscribers, "days": days}}


THREE_PEOPLE = """
    start      | end        | subscriber | login
    2 13:00:00 | 2 14:10:00 | 9          | {first}
    3 11:00:00 | 3 11:10:00 | 7          | 3 11:00:00
    3 12:00:00 | 3 12:10:00 | 8          | 3 12:00:00
    3 13:00:00 | 3 13:10:00 | -          | -
    3 14:00:00 | 3 14:10:00 | 7          | 3 14:00:00
"""


@pytest.mark.parametrize(("limit", "expected"), [(3, 7), (2, None)])
def test_more_subscribers_than_the_limit_make_a_device_shared(limit: int, expected: int | None) -> None:
    # 9, 7, 8 and 7 are three people.
    assert whose(THREE_PEOPLE.format(first="2 14:00:00"), **people(limit))[3] == expected


@pytest.mark.parametrize(("first", "expected"), [("2 14:00:00", None), ("2 13:59:59.999999", 7)])
def test_logins_count_from_exactly_so_many_days_before(first: str, expected: int | None) -> None:
    assert whose(THREE_PEOPLE.format(first=first), **people(2, days=1))[3] == expected


def test_logins_after_the_claim_make_no_device_shared() -> None:
    visits = whose(
        """
        start      | end        | subscriber | login
        3 10:00:00 | 3 10:10:00 | -          | -
        3 11:00:00 | 3 11:10:00 | 7          | 3 11:00:00
        3 12:00:00 | 3 12:10:00 | 8          | 3 12:00:00
        3 13:00:00 | 3 13:10:00 | -          | -
        3 14:00:00 | 3 14:10:00 | 9          | 3 14:00:00
        """,
        **people(2),
    )
    assert visits == [7, 7, 8, None, 9]  # 7 alone until its login; 7, 8 and 9 until that of 9


def test_a_device_is_shared_at_a_time_not_for_ever() -> None:
    visits = whose(
        """
        start       | end         | subscriber | login
        1 10:00:00  | 1 10:10:00  | 8          | 1 10:00:00
        2 10:00:00  | 2 10:10:00  | -          | -
        2 11:00:00  | 2 11:10:00  | 7          | 2 11:00:00
        5 10:00:00  | 5 10:10:00  | -          | -
        6 10:00:00  | 6 10:10:00  | 7          | 6 10:00:00
        """,
        **people(1, days=2),
    )
    assert visits == [8, None, 7, 7, 7]  # 8 and 7 in the 2 days up to the login of the 2nd, 7 alone up to the 6th
