"""What CRM and billing say of the subscribers: the month's snapshot, and the planted hazard beside it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from visitgrain.simulation.chance import between, draw, happens, normal, uniform
from visitgrain.simulation.columns import NONE, coded, conformed, dates, nullable
from visitgrain.simulation.days import month_begins, month_ends, month_number
from visitgrain.simulation.subscribers import LEAVING, Subscribers, silence_hazard
from visitgrain.simulation.world import World
from visitgrain.tables.inputs import SUBSCRIBER_MONTH
from visitgrain.tables.vocabulary import SUBSCRIBER_STATUSES

GRADES = ("A", "B", "C")
ACTIVE, ARREARS = SUBSCRIBER_STATUSES.index("active"), SUBSCRIBER_STATUSES.index("arrears_stop")


def in_base(people: Subscribers, month: int) -> np.ndarray:
    """Rows from the month of activation to the month of leaving, both included."""
    return np.flatnonzero((people.activation <= month_ends(month)) & (month_number(people.left_on) >= month))


def to_snapshots(people: Subscribers, *, world: World, month: int) -> pa.Table:
    """`subscriber_month`: one row per subscriber in the base of `month`."""
    base = people.take(in_base(people, month))
    key = draw(base.person, "month", month)
    return conformed(
        {**_traits(base, world, month), **_usage(base, key, world, month), **_standing(base, key, world, month)},
        SUBSCRIBER_MONTH,
    )


def to_hazards(people: Subscribers, *, world: World, month: int) -> pa.Table:
    """Truth: the hazard of each subscriber-month before silence, and whether it struck.

    Who hands a number over leaves by plan and has no hazard.
    """
    base = people.take(in_base(people, month))
    base = base.take(np.flatnonzero((base.silent_month >= month) & ~base.hands_over))
    strikes = base.silent_month == month
    columns = {
        "subscriber_id": base.subscriber_id,
        "month": dates(np.full(len(base), month_begins(month))),
        "hazard": silence_hazard(world, vars(base), month),
        "is_silent": strikes,
        "silent_from": dates(base.silent_from, strikes),
        "uses_e_channel": base.uses_e_channel,
    }
    return pa.table(columns)


def _traits(base: Subscribers, world: World, month: int) -> dict[str, pa.Array | np.ndarray]:
    plans = world.plans
    return {
        "subscriber_id": base.subscriber_id,
        "month": dates(np.full(len(base), month_begins(month))),
        "birth_year": base.birth_year,
        "gender": coded(happens(base.person, "gender", 0.48).astype(np.int64), ("male", "female")),
        "area_code": coded(base.area_no, world.population.areas),
        "activation_date": dates(base.activation),
        "plan_id": coded(base.plan_no, [plan.product_id for plan in plans]),
        "plan_fee_fen": np.array([plan.price_fen for plan in plans])[base.plan_no],
        "contract_end": dates(base.contract_end, base.contract_end != NONE),
        "broadband_expiry": dates(base.broadband_expiry, base.broadband_expiry != NONE),
        "sticky_services": base.sticky_services,
        "social_circle_size": between(uniform(base.person, "circle"), 0, 60),
        "number_quality": coded(between(uniform(base.person, "grade"), 0, len(GRADES) - 1), GRADES),
        "dnd": base.dnd,
        "consent": nullable(base.consents, base.consents | base.refuses),
    }


def _usage(base: Subscribers, key: np.ndarray, world: World, month: int) -> dict[str, np.ndarray]:
    """Data, voice and what they cost: the plan, use above its quota up to once more its price, and extras."""
    billing = world.billing
    quota = np.array([float(plan.quota_mb or 0) for plan in world.plans])[base.plan_no]
    price = np.array([plan.price_fen for plan in world.plans])[base.plan_no]
    left = np.where(month_begins(month) > base.silent_from, billing.silent_use, 1.0)
    data = np.round(quota * base.data_use * np.exp(billing.month_spread * normal(key, "data")) * left, 1)
    overage_fen = np.minimum(np.maximum(data - quota, 0.0) * billing.overage_fen_per_mb, price)
    extras_fen = billing.extras_fen * np.exp(billing.extras_spread * normal(key, "extras"))
    return {
        "dou_mb": data,
        "mou_min": np.round(billing.voice_min * np.exp(billing.voice_spread * normal(base.person, "voice")) * left, 1),
        "sms_count": between(uniform(key, "sms"), 0, 20),
        "balance_fen": between(uniform(key, "balance"), 0, 15_000),
        "arpu_fen": np.round(price + overage_fen + extras_fen).astype(np.int64),
        "data_quota_mb": quota,
        "data_used_mb": np.minimum(data, quota),
    }


def _standing(base: Subscribers, key: np.ndarray, world: World, month: int) -> dict[str, pa.Array | np.ndarray]:
    leaving = np.array([SUBSCRIBER_STATUSES.index(name) for name in LEAVING])[base.leaving_no.astype(np.int64)]
    stays = np.where(happens(key, "arrears", world.billing.arrears_share), ARREARS, ACTIVE)
    status = np.where(month_number(base.left_on) == month, leaving, stays)
    tenure_years = (month_ends(month) - base.activation) / 365
    return {
        "status": coded(status, SUBSCRIBER_STATUSES),
        "star_level": np.minimum(5, np.floor(tenure_years / 2).astype(np.int64) + 1),
    }
