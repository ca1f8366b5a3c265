"""Days -> windows: the additive measures of subscribers (or of their slices), summed over the days of each window."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import polars as pl
from pyspark.sql import DataFrame
from pyspark.sql.types import DataType, DateType, StringType, StructField

from visitgrain.arrow.sums import summed
from visitgrain.catalogue.atoms import Atom
from visitgrain.catalogue.measures import SNAPSHOTS, Measure
from visitgrain.expressions.exact import names_of_parts, parts, whole
from visitgrain.metrics.inner import atom
from visitgrain.metrics.plans import Plans
from visitgrain.metrics.window_rows import KEY
from visitgrain.metrics.windows import WindowEnd
from visitgrain.span import Span

WINDOW_FIELDS = (StructField("window", StringType()), StructField("window_end", DateType()))
FROM_SETS = "active_days"  # earlier windows of it come from the set of active days, which reaches back furthest


class Piece(NamedTuple):
    """Days of one window, now or some windows ago, and the sums that are taken over them: column by atom."""

    window: WindowEnd
    days: Span
    atoms: dict[str, str]


def summed_days(days: DataFrame, windows: Sequence[WindowEnd], plans: Plans, keys: Sequence[str]) -> DataFrame:
    """One row per key and window with rows in it: a column per additive atom.

    Rows are brought together by subscriber once, and spread over the windows that hold them after that.
    """
    wanted = sorted(additive(plans), key=str)
    kinds = {field.name: field.dataType for field in days.schema}
    columns = sorted({atom(found.measure, 0, found.key) for found in wanted})
    pieces = [piece for window in windows for piece in _pieces(window, wanted, kinds)]
    narrow = [text for column in columns for text in parts(column, kinds[column])]
    together = days.selectExpr(*keys, "day", *narrow).repartition("subscriber_id")
    of_atoms = {column_of(found): kinds[atom(found.measure, 0, found.key)] for found in wanted}
    names = [name for found, kind in of_atoms.items() for name in names_of_parts(found, kind)]
    fields = [*(days.schema[key] for key in keys), *WINDOW_FIELDS]
    sums = summed(together, partial(_over_windows, pieces=pieces, keys=list(keys)), fields, names)
    return sums.selectExpr(*keys, *KEY, *(whole(name, kind) for name, kind in of_atoms.items()))


def _pieces(window: WindowEnd, wanted: Sequence[Atom], kinds: Mapping[str, DataType]) -> Iterator[Piece]:
    for back in sorted({found.back for found in wanted}):
        atoms: dict[str, str] = {}
        for found in wanted:
            if found.back == back:
                column, kind = atom(found.measure, 0, found.key), kinds[atom(found.measure, 0, found.key)]
                atoms |= zip(names_of_parts(column_of(found), kind), names_of_parts(column, kind), strict=True)
        yield Piece(window, window.bounds(back), atoms)


def _over_windows(days: pl.DataFrame, pieces: Sequence[Piece], keys: list[str]) -> Iterator[pl.DataFrame]:
    for piece in pieces:
        inside = days.filter(pl.col("day").is_between(piece.days.start, piece.days.end))
        if inside.height:
            sums = inside.group_by(keys).agg(pl.col(column).sum().alias(name) for name, column in piece.atoms.items())
            yield sums.with_columns(window=pl.lit(piece.window.name), window_end=pl.lit(piece.window.end))


def column_of(found: Atom) -> str:
    """Column of the atom."""
    return atom(found.measure, found.back, found.key)


def additive(plans: Plans) -> set[Atom]:
    """Atoms that are sums over days."""
    return {
        found
        for found in plans.atoms
        if is_additive(plans.measures[found.measure]) and not (found.measure == FROM_SETS and found.back)
    }


def is_additive(measure: Measure) -> bool:
    dated = measure.agg in ("date_set", "min_date", "max_date", "first_by")
    return measure.source != SNAPSHOTS and not dated
