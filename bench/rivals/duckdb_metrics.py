"""The wide table of a month in DuckDB: `wide` per window from days, states and snapshots, then one query a family.

Tuning: one sum per measure over the days of a window (six hundred conditional sums in one pass over all days took ten
times as long); bounds are constants; sets of dates are words of bits, as in the product's state.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import duckdb

from bench.rivals.duckdb_formulas import BITS, MACROS, WORDS, Formulas, column
from visitgrain.catalogue.atoms import Atom
from visitgrain.metrics.date_sets import origin_of
from visitgrain.metrics.plans import ACTIVE, ACTIVE_DATES, Plans
from visitgrain.metrics.states import FIRST, FIRST_ORDER, LAST, SETS
from visitgrain.metrics.windows import WindowEnd, day_number
from visitgrain.span import month_end_before
from visitgrain.tables.vocabulary import IN_SERVICE

Months = dict[tuple[WindowEnd, int], date]
HERE = f"status in ({', '.join(repr(status) for status in IN_SERVICE)})"
SNAPSHOTS = {  # of the catalogue's measures of subscriber_month
    "in_service": f"if({HERE}, 1, 0)",
    "reachable": f"if({HERE} and consent and not coalesce(dnd, false), 1, 0)",
    "arrears": "if(status = 'arrears_stop', 1, 0)",
    "unlimited_plan": f"if({HERE}, if(tier = 'unlimited', 1, 0), null)",
    **{name: f"if({HERE}, {name}, null)" for name in ("arpu_fen", "dou_mb", "sticky_services", "balance_fen")},
    **{f"{name}_mb": f"if({HERE}, data_{name}_mb, null)" for name in ("quota", "used")},
    **{name: f"if({HERE}, {name} - date '1970-01-01', null)" for name in ("contract_end", "broadband_expiry")},
}


def connect(cores: int, memory: str) -> duckdb.DuckDBPyConnection:
    engine = duckdb.connect(config={"threads": cores, "memory_limit": memory})
    for macro in MACROS:
        engine.execute(macro)
    return engine


def wide_table(
    engine: duckdb.DuckDBPyConnection,
    files: dict[str, Sequence[str]],
    plans: Plans,
    windows: Sequence[WindowEnd],
    months: Months,
    target: Path,
) -> None:
    """`files` by table, with a folder column=value per partition. Writes a Parquet file per window and family."""
    views(engine, files)
    for window in windows:
        for back in backs(plans):
            engine.execute(f"create or replace table sums_{back} as {sums(plans, window, back)}")
        origin = origin_of(day_number(window.end))
        engine.execute(f"create or replace table state as {state(window, origin)}")
        formulas = Formulas(plans, window, origin)
        engine.execute(f"create or replace table wide as {wide(formulas, months)}")
        for family, names in _families(plans):
            values = ", ".join(f"{formulas.metric(name)} as {name}" for name in names)
            path = target / f"{window.name}-{family}.parquet"
            engine.execute(f"copy (select subscriber_id, {values} from wide) to '{path}' (format parquet)")


def views(engine: duckdb.DuckDBPyConnection, files: dict[str, Sequence[str]]) -> None:
    for name, paths in files.items():
        engine.execute(
            f"create or replace view {name} as select * from read_parquet({list(paths)}, hive_partitioning = true)"
        )


def _families(plans: Plans) -> Iterator[tuple[str, list[str]]]:
    found: dict[str, list[str]] = {}
    for metric in plans.metrics:
        found.setdefault(metric.family, []).append(metric.id)
    yield from found.items()


def sums(plans: Plans, window: WindowEnd, back: int) -> str:
    """One row per subscriber with days in the window, `back` windows ago: every additive atom of it."""
    atoms = [found for found in plans.added if found.back == back]
    texts = [f"sum({column(Atom(found.measure, found.key))}) as {column(found)}" for found in atoms]
    days = window.bounds(back)
    inside = f"{between(days.start, days.end)} and subscriber_id is not null"
    return f"select subscriber_id, {', '.join(texts)} from days where {inside} group by subscriber_id"


def backs(plans: Plans) -> list[int]:
    return sorted({found.back for found in plans.added})


def between(first: date, last: date) -> str:
    return f"day between date '{first}' and date '{last}'"


def state(window: WindowEnd, origin: int) -> str:
    """The state of the month end before, and the days of the month until the end of the window."""
    base = month_end_before(window.end)
    drop = (origin - origin_of(day_number(base))) // BITS
    bits, moved = [], []
    for name in SETS:
        for word in range(WORDS):
            start = origin + word * BITS
            bit = f"1::ubigint << ((day - date '1970-01-01') % {BITS})"  # the origin is a multiple of 64
            inside = f"{name} > 0 and (day - date '1970-01-01') between {start} and {start + BITS - 1}"
            bits.append(f"bit_or({bit}) filter ({inside}) as {name}_{word}")
            # signed words as unsigned ones, bit by bit
            signed = f"{name}[{word + drop + 1}]::hugeint"
            value = f"(case when {signed} < 0 then {signed} + 18446744073709551616 else {signed} end)::ubigint"
            moved.append(f"{value} as {name}_{word}" if word + drop < WORDS else f"0::ubigint as {name}_{word}")
    day = "(day - date '1970-01-01')"
    bits += [f"min({day}) filter ({counted} > 0) as {name}" for name, counted in FIRST.items()]
    bits += [f"max({day}) filter ({counted} > 0) as {name}" for name, counted in LAST.items()]
    moved += [f"({name} - date '1970-01-01') as {name}" for name in (*FIRST, *LAST)]
    days = f"select subscriber_id, {', '.join(bits)}, min({FIRST_ORDER}) as {FIRST_ORDER} from days where subscriber_id"
    days += f" is not null and {between(window.end.replace(day=1), window.end)} group by subscriber_id"
    before = f"select subscriber_id, {', '.join(moved)}, {FIRST_ORDER} from states where as_of = date '{base}'"
    words = [f"{name}_{word}" for name in SETS for word in range(WORDS)]
    both = [f"coalesce(b.{word}, 0::ubigint) | coalesce(d.{word}, 0::ubigint) as {word}" for word in words]
    both += [f"least(b.{name}, d.{name}) as {name}" for name in (*FIRST, FIRST_ORDER)]
    both += [f"greatest(b.{name}, d.{name}) as {name}" for name in LAST]
    return f"select subscriber_id, {', '.join(both)} from ({before}) b full join ({days}) d using (subscriber_id)"


def wide(formulas: Formulas, months: Months) -> str:
    """One row per subscriber of the window: all atoms that formulas read."""
    plans, window = formulas.plans, formulas.window
    ids, joins, columns = ["select subscriber_id from state"], [], []
    for back in backs(plans):
        ids.append(f"select subscriber_id from sums_{back}")
        joins.append(f"left join sums_{back} using (subscriber_id)")
    columns += [column(found) for found in plans.added]
    for found in plans.atoms:
        if found.measure == ACTIVE and found.back:
            words = [f"{ACTIVE_DATES}_{word}" for word in range(WORDS)]
            columns.append(f"{formulas.hits(words, *map(str, window.day_numbers(found.back)))} as {column(found)}")
        elif found.measure == FIRST_ORDER:
            columns.append(f"{_first(plans, found, window)} as {column(found)}")
    for back in plans.snapshot_backs:
        if month := months.get((window, back)):
            held = [f"{SNAPSHOTS[name]} as {column(Atom(name, None, back))}" for name in plans.snapshot_measures]
            rows = f"select subscriber_id, {', '.join(held)} from snapshots left join products on plan_id = product_id"
            joins.append(f"left join ({rows} where month = date '{month}') s{back} using (subscriber_id)")
            sources = ("snapshots", "consumption", "behaviour")
            ids += [f"select subscriber_id from {name} where month = date '{month}'" for name in sources]
            wanted = [a for a in plans.atoms if a.back == back and a.measure in plans.snapshot_measures]
            columns += [f"s{back}.{column(found)}" for found in wanted]
        else:
            columns += [f"null as {column(a)}" for a in plans.atoms if a.back == back and a.measure in SNAPSHOTS]
    columns += [f"coalesce({name}_{word}, 0::ubigint) as {name}_{word}" for name in SETS for word in range(WORDS)]
    columns += [*FIRST, *LAST]
    people = " union ".join(ids)
    tables = f"({people}) left join state using (subscriber_id) {' '.join(joins)}"
    return f"select subscriber_id, {', '.join(columns)} from {tables}"


def _first(plans: Plans, found: Atom, window: WindowEnd) -> str:
    """The bench's zone is 8 hours ahead, all year."""
    first, last = window.day_numbers()
    place = plans.measures[found.measure].keys.index(found.key) + 1
    day = f"(({FIRST_ORDER} // 64 + 28800000000) // 86400000000)"
    inside = f"{day} between {first} and {last} and {FIRST_ORDER} % 64 = {place}"
    return f"coalesce({inside}, false)::int"
