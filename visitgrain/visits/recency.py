"""Recency and frequency of visits from the starts of all visits of their subjects, as array code."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa

from visitgrain.span import DAY_US
from visitgrain.visits.starts import FREQUENCY_DAYS, GIVEN, PLACE


def with_history(starts: pa.Table) -> pa.Table:
    """Of the starts that have a place, beside place, `t` and what they were given: their `subscriber`, null where the
    subject is a device; `former`: start of the subject's counted visit before; `visits_30d`: counted visits of the
    subject in the 30 days up to this one, both ends included, and itself; `is_first`: it is the first that counts.

    Order within a subject: (t, visit_id); what starts in the same microsecond counts for each other.
    """
    rows = pl.DataFrame(pl.from_arrow(starts))
    absent = {name: type_ for name, type_ in {**PLACE, **GIVEN}.items() if name not in rows.columns}
    rows = rows.with_columns(pl.lit(None, dtype=type_).alias(name) for name, type_ in absent.items())
    asked = rows.filter(pl.col("file").is_not_null()).select("subject", "by_device").unique()
    ordered = rows.join(asked, on=["subject", "by_device"], how="semi").sort("subject", "by_device", "t", "visit_id")
    subject, by_device, t = (ordered[name].to_numpy() for name in ("subject", "by_device", "t"))
    counts, places = ordered["counts"].to_numpy(), np.arange(len(t))
    first = np.ones(len(t), dtype=bool)
    first[1:] = (subject[1:] != subject[:-1]) | (by_device[1:] != by_device[:-1])
    of_subject = np.maximum.accumulate(np.where(first, places, 0))
    # Rows of the same microsecond end at `last`.
    opens = first.copy()
    opens[1:] |= t[1:] != t[:-1]
    ends = np.append(np.flatnonzero(opens)[1:], len(t)) - 1
    last = ends[np.cumsum(opens) - 1] if len(t) else places
    earliest = _first_at_least(t, t - FREQUENCY_DAYS * DAY_US, of_subject, places)
    counted = np.concatenate([[0], np.cumsum(counts)])
    frequency = counted[last + 1] - counted[earliest] + ~counts
    latest = np.maximum.accumulate(np.where(counts, places, -1))  # that counts, up to each row
    former = np.concatenate([[-1], latest[:-1]])[: len(t)]
    has_former = former >= of_subject
    columns = {
        "subscriber": pl.when(~pl.col("by_device")).then(pl.col("subject")),
        "former": pl.Series(t[np.where(has_former, former, 0)]).set(pl.Series(~has_former), None),
        "visits_30d": pl.Series(frequency.astype(np.int32)),
        "is_first": pl.Series(counts & ~has_former),
    }
    found = ordered.select(*PLACE, "t", *GIVEN, **columns)
    return found.filter(pl.col("file").is_not_null()).to_arrow()


def _first_at_least(t: np.ndarray, bound: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Per row: the first place from `low` on with t >= bound; `high` is one. A bisection of all rows at once."""
    low, high = low.copy(), high.copy()
    while (open_ := low < high).any():
        middle = (low + high) // 2
        reached = t[middle] >= bound
        high = np.where(open_ & reached, middle, high)
        low = np.where(open_ & ~reached, middle + 1, low)
    return low
