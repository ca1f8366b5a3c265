"""Why a subscriber is in its segments: inputs, cut points, levels and segment of a month, as lines of text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any, NamedTuple

from visitgrain.catalogue.segment_models import Axis, SegmentModel

Row = Mapping[str, Any]


class Findings(NamedTuple):
    """Collected rows of one subscriber and month; None where the table has none."""

    features: Row | None
    segments: Mapping[str, Row | None]  # by model
    cut_points: Iterable[Row]


def explain_segments(
    models: Mapping[str, SegmentModel], found: Findings, *, subscriber_id: int, month: date
) -> Iterator[str]:
    """The lines. A subscriber that is not in a base is told so, with what would put it there."""
    yield f"subscriber {subscriber_id}, {month:%Y-%m}"
    if found.features is None:
        yield "no visit that starts in the month and no snapshot of it: not in any base"
        return
    yield from _visits(found.features)
    yield from _snapshot(found.features)
    cuts = {(row["model"], row["axis"]): row for row in found.cut_points}
    for name, model in models.items():
        yield ""
        yield from _of_model(model, found.segments[name], cuts)


def _visits(features: Row) -> Iterator[str]:
    if not features["visits"]:
        yield "visits: none"
        return
    channels = ", ".join(f"{name} {count}" for name, count in features["channel_visits"].items() if count)
    scores = ", ".join(f"{name} {_number(score)}" for name, score in features["score"].items())
    yield f"visits: {features['visits']} ({channels}) on {features['active_days']} active days"
    yield (
        f"  last visit {_number(features['recency_days'])} days before the month's end, "
        f"mean interval {_number(features['mean_interval_days'])} days"
    )
    yield f"  orders {features['orders']}, top-ups {features['topups']}, paid {features['paid_fen']} fen"
    yield f"  scores: {scores}"


def _snapshot(features: Row) -> Iterator[str]:
    if not features["has_snapshot"]:
        yield "snapshot: none of this month"
        return
    service = "in service" if features["in_service"] else "not in service"
    yield f"snapshot: {service}, plan {features['plan_id'] or 'unknown'}"


def _of_model(model: SegmentModel, row: Row | None, cuts: Mapping[tuple[str, str], Row]) -> Iterator[str]:
    title = f"{model.en} segment"
    if row is None:
        base = "subscribers in service" if model.model == "consumption" else "subscribers with a visit"
        yield f"{title}: none, not in the base ({base})"
        return
    for axis in model.axes:
        yield "  " + _of_axis(axis, row, cuts.get((model.model, axis.axis)))
    if row["segment"] is None:
        yield f"{title}: unassigned, {row['reason']} (version {row['version']})"
        return
    cell = model.cells()[row["segment"] - 1]
    yield f"{title}: {cell.segment} {cell.code} {cell.zh} ({cell.en}; version {row['version']})"


def _of_axis(axis: Axis, row: Row, cut: Row | None) -> str:
    level = row[f"{axis.axis}_level"]
    name = f"level {level} {axis.levels[level - 1].en}" if level else "no level"
    return f"{axis.axis} = {axis.measure} {_number(row[axis.axis])} -> {name}; {_cuts(axis, cut)}"


def _cuts(axis: Axis, cut: Row | None) -> str:
    if cut is None:
        return "no cut points"
    small = 3 if axis.direction == "low_is_good" else 1
    steps = [f"level {small} below {_number(cut['low'])}", f"level {4 - small} from {_number(cut['high'])}"]
    steps = [step for step, end in zip(steps, ("low", "high"), strict=True) if cut[end] is not None]
    origin = (
        f"terciles of {cut['subscribers']} subscribers in {cut['fitted_on']:%Y-%m}" if cut["fitted_on"] else "fixed"
    )
    return f"{', '.join(steps) or f'level {small} for all'} ({origin})"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:,.2f}".rstrip("0").rstrip(".")
