"""The state of subscribers: what of their past no window of days holds, as of a day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import DataFrame, functions as F

from visitgrain.metrics.date_sets import BITS, WORDS, word_of
from visitgrain.metrics.inner import ORIGIN

SETS = ("activity_dates", "core_dates", "contact_dates", "purchase_dates")
FIRST: Mapping[str, str] = {"first_active_date": "activity_dates", "first_paid_date": "purchase_dates"}
LAST: Mapping[str, str] = {"last_active_date": "activity_dates", "last_paid_date": "purchase_dates"}
FIRST_ORDER = "first_order_business"


def merged_states(states: DataFrame, days: DataFrame, keys: Sequence[str]) -> DataFrame:
    """One row per key: earlier `states` brought together with `days` since, sets of dates from `ORIGIN` on.

    Both frames have the keys and ORIGIN; states also `_from`, the origin of their own sets, and days `day`.
    """
    parts = states.selectExpr(*keys, ORIGIN, *_of_states()).unionByName(days.selectExpr(*keys, ORIGIN, *_of_days()))
    dates = [f"min({name}) {name}" for name in (*FIRST, FIRST_ORDER)] + [f"max({name}) {name}" for name in LAST]
    found = parts.groupBy(*keys, ORIGIN).agg(*map(F.expr, [*_united(SETS), *dates]))
    return found.selectExpr(*keys, ORIGIN, *_sets(SETS), *FIRST, *LAST, FIRST_ORDER)


def words_of_days(keys: Sequence[str], days: DataFrame, names: Sequence[str] = SETS) -> DataFrame:
    """One row per key with the sets of its `days`, which have ORIGIN and `day`: a state without a past."""
    parts = days.selectExpr(*keys, ORIGIN, *_words_of(names))
    found = parts.groupBy(*keys, ORIGIN).agg(*map(F.expr, _united(names)))
    return found.selectExpr(*keys, ORIGIN, *_sets(names))


def _of_states() -> list[str]:
    """Words moved to where the later origin wants them; those before it fall away."""
    moved = f"cast(({ORIGIN} - _from) div {BITS} as int)"
    words = [f"coalesce(get({n}, {moved} + {i}), 0L) {_word(n, i)}" for n in SETS for i in range(WORDS)]
    return [*words, *FIRST, *LAST, FIRST_ORDER]


def _of_days() -> list[str]:
    dates = [f"if({counted} > 0, day, null) {name}" for name, counted in {**FIRST, **LAST}.items()]
    return [*_words_of(SETS), *dates, FIRST_ORDER]


def _words_of(names: Sequence[str]) -> list[str]:
    days = {name: f"if({name} > 0, unix_date(day), null)" for name in names}
    return [f"{word_of(days[n], ORIGIN, i)} {_word(n, i)}" for n in names for i in range(WORDS)]


def _united(names: Sequence[str]) -> list[str]:
    return [f"bit_or({_word(name, i)}) {_word(name, i)}" for name in names for i in range(WORDS)]


def _sets(names: Sequence[str]) -> list[str]:
    return [f"array({', '.join(_word(name, i) for i in range(WORDS))}) {name}" for name in names]


def _word(name: str, number: int) -> str:
    return f"{name}_{number}"
