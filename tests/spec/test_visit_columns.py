"""What a visit says of itself. Times are Asia/Shanghai, `3 23:50:00` is 23:50 on 3 March 2025; `-` is null."""

from __future__ import annotations

from datetime import date

import pytest

from tests.oracles.visit_tables import pick, visits_of


def test_a_day_without_midnight_begins_when_the_clock_jumps() -> None:
    # Beirut, night to 30 March 2025: after 23:59:59 comes 01:00:00, which is 06:00:00 in Shanghai.
    (visit,) = visits_of(
        """
        t
        30 05:50:00
        30 06:15:00
        """,
        zone="Asia/Beirut",
    )
    assert pick(visit["days"], "day", "seconds") == [(date(2025, 3, 29), 10 * 60), (date(2025, 3, 30), 15 * 60)]


def test_engaged_time_counts_heartbeats() -> None:
    visits = visits_of("""
        t
        3 10:00:00
        3 10:00:09.999999
        3 10:00:10
        3 10:20:00
        3 12:00:00
    """)
    # Heartbeats of 10 s: 10:00:00 (twice), 10:00:10, 10:20:00.
    assert pick(visits, "engaged_s") == [10 * (3 - 1) + 5, 10 * (1 - 1) + 5]


@pytest.mark.parametrize(
    ("types", "stage", "submit_seconds"),
    [
        (["product_view", "form_step", "order_submit", "order_paid"], 4, 2 * 60),
        (["form_step", "product_view", "order_submit", "order_paid"], 1, 2 * 60),  # the form step came before
        (["product_view", "order_submit", "form_step", "order_submit"], 3, 1 * 60),  # the first submit counts
        (["order_submit", "product_view", "page_view", "form_step"], 2, None),  # no submit after the interest
        (["order_paid", "order_submit", "page_view", "form_step"], 0, None),
    ],
)
def test_funnel_stages_count_in_order(types: list[str], stage: int, submit_seconds: int | None) -> None:
    rows = "\n".join(f"3 10:0{minute}:00 | {name}" for minute, name in enumerate(types))
    (visit,) = visits_of(f"t | type\n{rows}")
    assert (visit["funnel_stage"], visit["submit_seconds"]) == (stage, submit_seconds)


@pytest.mark.parametrize(
    ("types", "bounced"),
    [
        (["launch", "page_view"], True),
        (["launch", "product_view"], True),
        (["launch"], True),
        (["page_view", "page_view"], False),
        (["page_view", "product_view"], False),
        (["page_view", "search"], False),
        (["page_view", "impression", "error"], True),  # neither is a deliberate action
    ],
)
def test_a_bounce_is_one_page_and_nothing_else(types: list[str], bounced: bool) -> None:
    rows = "\n".join(f"3 10:0{minute}:00 | {name}" for minute, name in enumerate(types))
    (visit,) = visits_of(f"t | type\n{rows}")
    assert visit["bounced"] is bounced


@pytest.mark.parametrize(
    ("opening", "source", "entry"),
    [
        ("launch", "sms", "sms"),
        ("launch", "billboard", "other"),
        ("push_open", "-", "push"),
        ("push_open", "qr", "qr"),  # what the feed says wins
        ("share_visit", "-", "share"),
        ("launch", "-", "direct"),
    ],
)
def test_the_opening_event_tells_how_the_visit_began(opening: str, source: str, entry: str) -> None:
    (visit,) = visits_of(f"""
        t          | type      | source_channel
        3 10:00:00 | {opening} | {source}
        3 10:01:00 | push_open | ad
    """)
    assert visit["entry_source"] == entry


def test_money_and_points_of_a_visit() -> None:
    (visit,) = visits_of("""
        t          | type         | amount_fen | points
        3 10:00:00 | order_submit | 9900       | -
        3 10:01:00 | topup        | 5000       | 50
        3 10:02:00 | order_paid   | 9900       | -
        3 10:03:00 | sign_in      | -          | 5
        3 10:04:00 | click        | -          | -30
    """)
    assert visit["paid_fen"] == 5000 + 9900  # a submitted order is not yet money
    assert (visit["points_earned"], visit["points_spent"]) == (50 + 5, 30)
    assert visit["order_paid_after_topup"] is True


def test_pages_and_depth() -> None:
    (visit,) = visits_of("""
        t          | page
        3 10:00:00 | -
        3 10:01:00 | home
        3 10:02:00 | -
        3 10:03:00 | home
        3 10:04:00 | shop
        3 10:05:00 | home
    """)
    # Path home, shop, home: the repeat of home with a pageless event between collapses.
    assert (visit["pages"], visit["depth"], visit["entry_page"], visit["exit_page"]) == (2, 3, "home", "home")
