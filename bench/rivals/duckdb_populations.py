"""The populations of a day in DuckDB: `wide` per window for subscribers and once more for their slices, then one query
a family with the sums of its leaves in grouping sets.

Not asked of it: two quantiles of sketches, and three metrics that are rolled up from campaigns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import duckdb

from bench.rivals.duckdb_formulas import BITS, WORDS, Formulas, column
from bench.rivals.duckdb_metrics import Months, backs, between, state, sums, views, wide
from jobs.compute_population_metrics import TWO_MONTHS
from visitgrain.catalogue.atoms import Atom
from visitgrain.catalogue.formulas import Leaf, OuterTree, leaves
from visitgrain.metrics.date_sets import origin_of
from visitgrain.metrics.plans import ACTIVE, ACTIVE_DATES, Plans
from visitgrain.metrics.population_rows import Asked
from visitgrain.metrics.slices import ATTRIBUTES
from visitgrain.metrics.snapshots import AGE_BANDS
from visitgrain.metrics.windows import WindowEnd, day_number

SLICED = "subscriber_id, slice, slice_value"
AGE = "coalesce(age, year(month) - birth_year)"
BANDS = zip(AGE_BANDS, [*AGE_BANDS[1:], None], strict=True)
AGE_BAND = " ".join(
    [
        f"case when {AGE} < {AGE_BANDS[0]} then 'under {AGE_BANDS[0]}'",
        *(f"when {AGE} < {high} then '{low}-{high - 1}'" for low, high in BANDS if high),
        f"when {AGE} is not null then '{AGE_BANDS[-1]}+' end",
    ]
)


class Sums(Formulas):
    """Of a population: the sums of its subscribers' leaves."""

    def outer(self, tree: OuterTree) -> str:
        return f"sum({self.leaf(tree)})::double" if isinstance(tree, Leaf) else super().outer(tree)


def populations(
    engine: duckdb.DuckDBPyConnection,
    files: dict[str, Sequence[str]],
    asked: Asked,
    months: Months,
    target: Path,
) -> None:
    """Writes a Parquet file per window, family and kind of slice."""
    views(engine, files)
    for name in ("days", "slices"):  # nobody has a number, too
        engine.execute(f"create or replace view {name} as {_with_nobody(files[name])}")
    for window in asked.windows:
        origin = origin_of(day_number(window.end))
        people, events = Sums(asked.people, window, origin), Sums(asked.events, window, origin)
        for back in backs(people.plans):
            engine.execute(f"create or replace table sums_{back} as {sums(people.plans, window, back)}")
        engine.execute(f"create or replace table state as {state(window, origin)}")
        engine.execute(f"create or replace table wide as {_with_attributes(wide(people, months), window, months)}")
        sets = ", ".join(["()", *(f"({name})" for name in ATTRIBUTES)])
        names = f"grouping_id({', '.join(ATTRIBUTES)}) as which, {', '.join(ATTRIBUTES)}"
        _tell(engine, people, f"{names}", f"wide group by grouping sets ({sets})", target, "people")
        engine.execute(f"create or replace table wide as {_of_slices(events)}")
        _tell(engine, events, "slice, slice_value", "wide group by slice, slice_value", target, "events")


def _with_nobody(paths: Sequence[str]) -> str:
    rows = f"read_parquet({list(paths)}, hive_partitioning = true)"
    return f"select * replace (coalesce(subscriber_id, 0) as subscriber_id) from {rows}"


def _tell(engine: duckdb.DuckDBPyConnection, formulas: Sums, names: str, rows: str, target: Path, of: str) -> None:
    for family, metrics in told(formulas.plans, formulas.window):
        values = ", ".join(f"{formulas.metric(name)} as {name}" for name in metrics)
        path = target / f"{formulas.window.name}-{of}-{family}.parquet"
        engine.execute(f"copy (select {names}, {values} from {rows}) to '{path}' (format parquet)")


def told(plans: Plans, window: WindowEnd) -> Iterator[tuple[str, list[str]]]:
    """Families, and those of their metrics that the window has and that are no quantiles."""
    found: dict[str, list[str]] = {}
    for metric in plans.metrics:
        quantiles = any(leaf.kind == "quantile" for leaf in leaves(plans.trees[metric.id]))
        if window.name in metric.windows and not quantiles:
            found.setdefault(metric.family, []).append(metric.id)
    yield from found.items()


def _with_attributes(people: str, window: WindowEnd, months: Months) -> str:
    month = months.get((window, 0))
    snapshot = ["area_code as area", f"{AGE_BAND} as age_band", "star_level::varchar as star_level"]
    snapshot.append("plan_id::varchar as plan")
    joins = [
        f"left join (select subscriber_id, {', '.join(snapshot)} from snapshots {_of(month)}) using (subscriber_id)"
    ]
    for name, view in (("consumption_segment", "consumption"), ("behaviour_segment", "behaviour")):
        segment = f"coalesce(segment::varchar, 'unassigned') as {name}"
        joins.append(f"left join (select subscriber_id, {segment} from {view} {_of(month)}) using (subscriber_id)")
    known = ", ".join(f"coalesce({name}, 'unknown') as {name}" for name in ATTRIBUTES)
    return f"select * replace ({known}) from ({people}) {' '.join(joins)}"


def _of(month: object) -> str:
    return f"where month = date '{month}'" if month else "where false"


def _of_slices(formulas: Sums) -> str:
    """One row per subscriber and value of a slice with days in the windows, or in sets of dates."""
    plans, window = formulas.plans, formulas.window
    inside = between(window.end - timedelta(days=TWO_MONTHS), window.end)
    tables = [f"select {SLICED}, {_bits(plans, formulas.origin)} from slices where {inside} group by {SLICED}"]
    for back in backs(plans):
        days = window.bounds(back)
        added = [found for found in plans.added if found.back == back]
        texts = [f"sum({column(Atom(found.measure, found.key))}) as {column(found)}" for found in added]
        tables.append(
            f"select {SLICED}, {', '.join(texts)} from slices where {between(days.start, days.end)} group by {SLICED}"
        )
    first, *others = (f"({text})" for text in tables)
    joined = " ".join([first, *(f"left join {other} using ({SLICED})" for other in others)])
    active = [found for found in plans.atoms if found.measure == ACTIVE and found.back]
    words = [f"{ACTIVE_DATES}_{word}" for word in range(WORDS)]
    hits = [f"{formulas.hits(words, *map(str, window.day_numbers(found.back)))} as {column(found)}" for found in active]
    return f"select *{''.join(f', {text}' for text in hits)} from {joined}"


def _bits(plans: Plans, origin: int) -> str:
    day = "(day - date '1970-01-01')"
    texts = []
    for name in plans.sets:
        for word in range(WORDS):
            start = origin + word * BITS
            inside = f"{name} > 0 and subscriber_id <> 0 and {day} between {start} and {start + BITS - 1}"
            texts.append(
                f"coalesce(bit_or(1::ubigint << ({day} % {BITS})) filter ({inside}), 0::ubigint) as {name}_{word}"
            )
    return ", ".join(texts)
