"""Some eighty hand-made subscribers: every threshold of a formula is met, just missed and just passed by somebody.

Each line is one subscriber: what the measures of its windows are. Windows are those of the reference interpreter, 30
days each; 15 is the one under test (days 450-479), 14 the one before. A number alone is the value in window 15.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

WINDOW = 15
START, END = 450, 479
IN_SERVICE: dict[str, Any] = {"in_service": 1, "reachable": 1, "arrears": 0, "unlimited_plan": 0}


def active(*days: int, **more: Any) -> dict[str, Any]:
    """Somebody active on these days, a visit a day."""
    return {"days": days, "visits": len([day for day in days if START <= day <= END]), **IN_SERVICE, **more}


def before(**measures: Any) -> dict[int, dict[str, Any]]:
    return {14: measures}


SUBSCRIBERS: list[dict[str, Any]] = [
    # who is new, comes back, stays, goes silent
    active(450),
    active(479),
    active(449, 450),
    active(420, 450, 451),
    active(419, 450),
    active(425),
    active(10),
    active(389, 390, 479),
    active(390),
    {**IN_SERVICE},
    {"in_service": 0, "days": (300,)},
    {"in_service": 0, "days": (425,), "visits": 0},
    # regular: three months running, ending now, long ago, broken once
    active(395, 425, 455),
    active(425, 455),
    active(395, 455),
    active(130, 160, 190, 455),
    active(130, 160, 190),
    active(100, 125, 145),
    active(365, 395, 425),
    active(275, 305, 335),
    active(275, 305, 335, 455),
    active(305, 335, 365, 470),
    active(215, 245, 275),
    active(215, 245, 275, 455),
    active(300, 425, 455),
    active(300, 425),
    # habits: cohorts that fall due in the window, thresholds of active days
    active(452, 455, 460, 479),
    active(452, 455, 460, 478, core=(458,)),
    active(450, 453, core=(456,)),
    active(450, 453, core=(457,)),
    active(423, 430, 440, 450),
    active(422, 430, 440, 449),
    active(*range(450, 462)),
    active(*range(450, 461)),
    active(421, 423, 425, 427, 450, 451),
    active(421, 423, 425, 427, 450, 451, 452),
    active(421, 423, 425, 450),
    active(452, 459),
    active(450, 451, 420, 421),
    # orders: first, second, on the 90th day, cancelled, of several businesses
    active(450, orders={455: ("data", 1500)}, first_order_business={"data": 1}),
    active(450, orders={460: ("plan", 3900), 461: ("data", 300)}, plan_moves={"up": 1}),
    active(1, orders={370: ("data", 300), 460: ("data", 300)}, cancelled_ech=1),
    active(1, orders={370: ("data", 300), 461: ("broadband", 9900)}, plan_moves={"down": 1}),
    active(421, 450, orders={450: ("sim", 900)}, orders_all=2, sales_all_fen=5000),
    active(435, 452, orders={440: ("data", 700), 470: ("data", 1400)}, back=before(sales_ech_fen=700)),
    {
        "in_service": 0,
        "days": (450,),
        "visits": 1,
        "plan_moves": {"up": 1, "down": 1},
        "first_order_business": {"topup": 1},
    },
    # form and top-up: dropped out, came back and ordered, other ways
    active(455, form_visits=1, product_visits=2, events={"form_step": 3}),
    active(430, 455, back=before(form_visits=1), orders={470: ("data", 300)}),
    active(430, 455, back=before(form_visits=1, event_counts={"order_submit": 1}), orders={470: ("data", 300)}),
    active(
        455, form_visits=2, submit_visits=2, paid_visits=1, order_visits=1, events={"form_step": 5, "order_submit": 2}
    ),
    active(455, topup_fen=5000, topup_visits=2, topup_order_visits=1, events={"topup": 2}, back=before(topup_fen=4000)),
    # six scenes: at the threshold, just under it
    active(455, quota_mb=1000, used_mb=800, orders={460: ("data", 1500)}),
    active(455, quota_mb=1000, used_mb=799, orders={460: ("data", 1500)}),
    active(455, quota_mb=1000, used_mb=801),
    active(455, quota_mb=1, used_mb=0.9),
    active(455, events={"topup": 1}, back=before(balance_fen=999, in_service=1, arrears=1)),
    active(455, back=before(balance_fen=1000, in_service=1, arrears=1), arrears=1),
    active(455, back=before(balance_fen=500, in_service=1)),
    active(455, events={"topup": 1}, back=before(balance_fen=500, in_service=0)),
    {"in_service": 0, "days": (455,), "visits": 1, "back": before(arrears=1, balance_fen=0, in_service=1)},
    active(455, broadband_expiry=825, back={13: {"broadband_expiry": 479}}),
    active(455, broadband_expiry=450, back={13: {"broadband_expiry": 450}}),
    active(455, broadband_expiry=480, back={13: {"broadband_expiry": 480}}),
    # service, benefits, exposure, money
    active(460, contacts=(443, 450, 460)),
    active(460, contacts=(443, 451, 472, 473), bot_visits=2, bot_contained_visits=1, events={"bot_message": 3}),
    active(460, visits=5, incentive_only_visits=3, points_earned=10, points_spent=20),
    active(460, visits=5, incentive_only_visits=2),
    active(460, visits=2, incentive_only_visits=2),
    active(460, visits=3, incentive_only_visits=3, orders={461: ("data", 300)}),
    active(460, events={"impression": 10}),
    active(460, events={"impression": 10, "click": 1}, tp_clicks=1, tp_orders=1, tp_order_fen=900),
    active(460, events={"impression": 9}),
    active(460, tp_clicks=1, events={"click": 1}),
    active(460, arpu_fen=6000, contract_end=480, back=before(arpu_fen=5000, in_service=1)),
    active(470, arpu_fen=4000, contract_end=479, back=before(arpu_fen=0, in_service=1)),
    active(425, arpu_fen=2000, back=before(arpu_fen=1000, in_service=1)),
    # visits: regular hours, gaps, sketches
    active(452, 455, 458, visits_by_hour={9: 3}, gap_count=3, gap_days_sum=9.0, gap_days_sqsum=29.0),
    active(452, 455, visits_by_hour={9: 1, 20: 1}, gap_count=2, gap_days_sum=5.0, gap_days_sqsum=13.0),
    active(452, visits_by_hour={9: 1}, gap_count=1, gap_days_sum=4.0, gap_days_sqsum=16.0),
    active(452, visits=4, visits_by_hour={6: 1, 11: 1, 12: 1, 23: 1}, visits_by_channel={"app": 3, "wechat": 1}),
    active(452, visits=2, visits_by_channel={"app": 2}, latest_version_days=1, load_ms_sketch={60: 1, 80: 1}),
    active(452, visits_by_channel={"web": 1}, latest_version_days=1, slow_loads=1, load_ms_sketch={90: 2}),
    active(452, actions=4, actions_by_business={"data": 2, "plan": 1}, submit_seconds_sketch={30: 1, 40: 2}),
]


def windows_of(line: Mapping[str, Any], measures: Any) -> dict[int, dict[str, Any]]:
    """The values of all sixteen windows, dates and sets as of the end of each."""
    days, orders = sorted(line.get("days", ())), line.get("orders", {})
    made: dict[int, dict[str, Any]] = {}
    for window in range(WINDOW + 1):
        first, last = window * 30, window * 30 + 29
        past, paid = [day for day in days if day <= last], sorted(day for day in orders if day <= last)
        now = [day for day in days if first <= day <= last]
        sold = [orders[day] for day in paid if day >= first]
        by_business: dict[str, int] = {}
        for business, _ in sold:
            by_business[business] = by_business.get(business, 0) + 1
        made[window] = {
            "active_days": len(now),
            "active_days_by_weekday": {k: sum(day % 7 + 1 == k for day in now) for k in range(1, 8)},
            "activity_dates": tuple(past),
            "core_dates": tuple(day for day in line.get("core", ()) if day <= last),
            "contact_dates": tuple(day for day in line.get("contacts", ()) if day <= last),
            "purchase_dates": tuple(paid),
            "first_active_date": min(past, default=None),
            "last_active_date": max(past, default=None),
            "first_paid_date": min(paid, default=None),
            "last_paid_date": max(paid, default=None),
            "orders_ech": len(sold),
            "orders_all": len(sold),
            "orders_by_business": by_business,
            "sales_ech_fen": sum(amount for _, amount in sold),
            "sales_all_fen": sum(amount for _, amount in sold),
        }
        made[window] |= {"in_service": line["in_service"]} if "in_service" in line else {}
    made[WINDOW] |= {name: value for name, value in line.items() if name in measures}
    made[WINDOW]["event_counts"] = {"page_view": 2 * line.get("visits", 0), **line.get("events", {})}
    for window, values in line.get("back", {}).items():
        made[window] |= values
    return made
