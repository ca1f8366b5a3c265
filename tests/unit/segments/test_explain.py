"""The explanation of a subscriber's segments."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from visitgrain.catalogue.segment_models import load_segment_models
from visitgrain.segments.explain import Findings, explain_segments

MODELS = load_segment_models(Path(__file__).parents[3] / "conf" / "catalogue" / "segments")
MARCH = date(2026, 3, 1)
FEATURES = {
    "visits": 4,
    "active_days": 3,
    "channel_visits": {"app": 3, "web": 1, "wechat": 0},
    "recency_days": 2.5,
    "mean_interval_days": 6.125,
    "orders": 1,
    "topups": 0,
    "paid_fen": 5900,
    "score": {"general": 41.5},
    "has_snapshot": True,
    "in_service": True,
    "plan_id": "p59",
}
BEHAVIOUR = {"recency": 6.125, "frequency": 4.0, "value": 41.5, "segment": 26, "reason": None, "version": "1"}
LEVELS = {"recency_level": 3, "frequency_level": 3, "value_level": 2}
CONSUMPTION = {"age": None, "arpu": 5900.0, "dou": 512.0, "segment": None, "reason": "unknown age", "version": "1"}
CONSUMPTION_LEVELS = {"age_level": None, "arpu_level": 2, "dou_level": 1}
FITTED = {"fitted_on": date(2026, 1, 1), "subscribers": 900}
CUTS = [
    {"model": "behaviour", "axis": "recency", "low": 6.13, "high": 15.0, **FITTED},
    {"model": "behaviour", "axis": "frequency", "low": 2.0, "high": 4.0, "fitted_on": None, "subscribers": 0},
    {"model": "consumption", "axis": "dou", "low": None, "high": None, **FITTED},
]


def explained(features, consumption, behaviour) -> list[str]:
    found = Findings(features, {"consumption": consumption, "behaviour": behaviour}, CUTS)
    return list(explain_segments(MODELS, found, subscriber_id=42, month=MARCH))


def test_inputs_cut_points_levels_and_segments():
    assert explained(FEATURES, CONSUMPTION | CONSUMPTION_LEVELS, BEHAVIOUR | LEVELS) == [
        "subscriber 42, 2026-03",
        "visits: 4 (app 3, web 1) on 3 active days",
        "  last visit 2.5 days before the month's end, mean interval 6.12 days",
        "  orders 1, top-ups 0, paid 5900 fen",
        "  scores: general 41.5",
        "snapshot: in service, plan p59",
        "",
        "  age = age unknown -> no level; no cut points",
        "  arpu = arpu_fen 5,900 -> level 2 mid ARPU; no cut points",
        "  dou = dou_mb 512 -> level 1 low data use; level 1 for all (terciles of 900 subscribers in 2026-01)",
        "consumption segment: unassigned, unknown age (version 1)",
        "",
        "  recency = mean_interval_days 6.12 -> level 3 short intervals; "
        "level 3 below 6.13, level 1 from 15 (terciles of 900 subscribers in 2026-01)",
        "  frequency = visits 4 -> level 3 many visits; level 1 below 2, level 3 from 4 (fixed)",
        "  value = score.general 41.5 -> level 2 mid value; no cut points",
        "behaviour segment: 26 R3F3V2 访问紧密·高频·中价值 (short intervals, many visits, mid value; version 1)",
    ]


def test_who_is_not_in_a_base_is_told_so():
    silent = FEATURES | {"visits": 0, "has_snapshot": False}
    assert explained(silent, None, None)[-1] == "behaviour segment: none, not in the base (subscribers with a visit)"
    assert explained(None, None, None)[1].endswith("not in any base")
