"""Cut points and segments of random month features against a slow, plain twin."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from random import Random

import pyarrow as pa
import pytest

from tests.table_rows import arrow_rows, read_rows, rows_to_arrow
from visitgrain.catalogue.segment_models import load_segment_models
from visitgrain.segments.assignment import assigned, ends_of
from visitgrain.segments.cut_points import cut_points, value_counts
from visitgrain.tables.segmentation import MONTH_FEATURES

MARCH = date(2025, 3, 1)
MODELS = load_segment_models(Path(__file__).parents[2] / "conf" / "catalogue" / "segments")


def random_features(seed: int, size: int) -> list[dict]:
    """Heavy ties, long tails, unknowns, people without a snapshot or without a visit."""
    random = Random(seed)
    [blank] = read_rows(MONTH_FEATURES, "subscriber_id\n0")
    rows = []
    for subscriber in range(size):
        visits, snapshot = int(random.paretovariate(0.8)) - 1, random.random() < 0.9
        rows.append(
            {
                **blank,
                "subscriber_id": subscriber,
                "visits": visits,
                "mean_interval_days": random.uniform(0.01, 40) if visits else None,
                "score": {"general": round(random.gauss(visits, 5), 3)},
                "has_snapshot": snapshot,
                "in_service": snapshot and random.random() < 0.9,
                "age": random.randint(16, 90) if snapshot and random.random() < 0.9 else None,
                "arpu_fen": random.choice([1900, 3900, 5900, 12900]) if snapshot else None,
                "dou_mb": random.lognormvariate(7, 2) if snapshot and random.random() < 0.95 else None,
            }
        )
    return rows


def inputs(row: dict, model: str) -> list[float | None]:
    if model == "consumption":
        return [row["age"], row["arpu_fen"], row["dou_mb"]]
    return [row["mean_interval_days"], row["visits"], row["score"]["general"]]


def rounded(value: float) -> float:
    if value == 0:
        return 0.0
    number = Decimal(repr(value))
    return float(number.quantize(Decimal(1).scaleb(number.adjusted() - 2), ROUND_HALF_UP))


def terciles(values: list[float]) -> tuple[float | None, float | None]:
    values = sorted(rounded(value) for value in values)
    cuts: list[float | None] = []
    for share in (1, 2):
        above = [value for value in values if not cuts or (cuts[0] is not None and value > cuts[0])]
        far = [v for v in above if sum(x < v for x in values) * 3 >= share * len(values)]
        cuts.append(min(far, default=None))
    return cuts[0], cuts[1]


def level(value: float, low: float | None, high: float | None, *, small_is_good: bool) -> int:
    band = 1 + sum(cut is not None and value >= cut for cut in (low, high))
    return 4 - band if small_is_good else band


@pytest.mark.parametrize("seed", range(30))
def test_segments_equal_the_twin(seed):
    rows = random_features(seed, size=[1, 2, 7, 50, 400][seed % 5])
    parts = [rows_to_arrow(MONTH_FEATURES, rows[start::3]) for start in range(3)]
    cuts = cut_points(pa.concat_tables([value_counts(part, MODELS) for part in parts]), [], MODELS, MARCH)
    fitted = ends_of([cuts])
    for name, model in MODELS.items():
        fit_base = [row for row in rows if (row["in_service"] if name == "consumption" else row["visits"] > 0)]
        known = [[v for row in fit_base if (v := inputs(row, name)[axis]) is not None] for axis in range(3)]
        ends = [terciles(values) for values in known]
        assert [fitted[name, axis.axis] for axis in model.axes] == ends
        strangers = [r for r in rows if name == "consumption" and r["visits"] > 0 and not r["has_snapshot"]]
        expected = []
        for row in fit_base + strangers:
            values = inputs(row, name)
            segment = None
            if None not in values:
                good = (name == "behaviour", False, False)
                a, b, c = (level(v, *cut, small_is_good=g) for v, cut, g in zip(values, ends, good, strict=True))
                segment = 9 * (a - 1) + 3 * (b - 1) + c
            expected.append((row["subscriber_id"], segment))
        found = pa.concat_tables([assigned(part, fitted, model) for part in parts])
        assert arrow_rows(found, "subscriber_id", "segment") == sorted(expected)
