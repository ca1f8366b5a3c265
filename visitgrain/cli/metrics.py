"""`metrics`: the catalogue, the numbers of populations to take away, and what moved between two windows. No Spark."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import click
import pyarrow.compute as pc

from visitgrain.catalogue.metrics import Metric, MetricCatalogue
from visitgrain.cli.audit import note_export, purpose_option
from visitgrain.cli.text_table import echo_table
from visitgrain.errors import InputMissing, UsageError, suggestion
from visitgrain.metrics.describe import described, fraction_of
from visitgrain.metrics.slices import ALL
from visitgrain.metrics.spread import (
    PARTITIONS,
    Cells,
    Contribution,
    Kind,
    Numbers,
    contributions,
    kind_of_spread,
    relative_change as relative,
)
from visitgrain.metrics.suppression import Cell, cell_of, emptied, marked, read_in_others
from visitgrain.runtime import delta_log
from visitgrain.runtime.context import Context
from visitgrain.runtime.delta_log import Snapshot
from visitgrain.runtime.storage import Store
from visitgrain.tables.measuring import POPULATION_METRICS, WINDOWS

DAY = click.DateTime(["%Y-%m-%d"])
DIMENSIONS = ("acquisition", "health", "preference", "purchase")
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for a formula
COLUMNS = tuple(POPULATION_METRICS.column_names)
SHOWN = 5  # cells named per slice, and days named in a message
Row = dict[str, Any]
window_option = click.option("--window", type=click.Choice(WINDOWS), required=True, help="Length of the windows.")
metric_option = click.option("--metric", "ids", multiple=True, metavar="ID", help="Only this one; may be repeated.")


@click.group()
def metrics() -> None:
    """The metric catalogue, exports without small cells, and what moved between two windows."""


@metrics.command("list")
@click.option("--family", help="Only those of a file of conf/catalogue/metrics.")
@click.option("--dimension", type=click.Choice(DIMENSIONS), help="Only those of a dimension.")
@click.option("--first-screen", is_flag=True, help="Only those of the first screen, in its order.")
@click.option("--format", "form", type=click.Choice(["table", "plain", "json"]), default="table", show_default=True)
@click.pass_obj
def list_metrics(context: Context, family: str | None, dimension: str | None, first_screen: bool, form: str) -> None:
    """Print the metrics of the catalogue."""
    catalogue = context.catalogue.metrics
    if family is not None and family not in catalogue.families:
        hint = suggestion(family, list(catalogue.families)) or f"; known: {', '.join(catalogue.families)}"
        raise UsageError(f"unknown family {family!r}{hint}")
    names = catalogue.settings.first_screen if first_screen else catalogue.metrics
    found = [m for m in map(catalogue.metrics.__getitem__, names) if family in (None, m.family)]
    found = [metric for metric in found if dimension in (None, metric.dimension)]
    match form:
        case "plain":
            click.echo("".join(f"{metric.id}\n" for metric in found), nl=False)
        case "json":
            click.echo(json.dumps([metric.model_dump() for metric in found], ensure_ascii=False, indent=1))
        case _:
            _echo_metrics(found)


def _echo_metrics(found: Sequence[Metric]) -> None:
    header = ("no", "id", "中文名", "English", "unit", "grains", "windows")
    rows = [(str(m.no), m.id, m.zh, m.en, m.unit, " ".join(m.grains), " ".join(m.windows)) for m in found]
    echo_table(header, rows)


@metrics.command()
@click.argument("name", metavar="ID")
@click.pass_obj
def show(context: Context, name: str) -> None:
    """Print what a metric means, what it reads and when it has no value."""
    catalogue = context.catalogue.metrics
    check_ids(catalogue, [name])
    for line in described(catalogue, name):
        click.echo(line)


def check_ids(catalogue: MetricCatalogue, ids: Sequence[str]) -> None:
    """Raises UsageError for a metric that the catalogue does not know."""
    for name in ids:
        if name not in catalogue.metrics:
            hint = suggestion(name, list(catalogue.metrics)) or "; `visitgrain metrics list` names them all"
            raise UsageError(f"unknown metric {name!r}{hint}")


@metrics.command()
@window_option
@click.option("--date", "day", type=DAY, required=True, help="Last day of the window.")
@metric_option
@click.option(
    "--slice", "slices", multiple=True, metavar="S", help="Only this slice, all = everybody; may be repeated."
)
@click.option("--format", "form", type=click.Choice(["csv", "json"]), default="csv", show_default=True)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="A file instead of standard output.")
@purpose_option
@click.pass_obj
def export(
    context: Context,
    window: str,
    day: datetime,
    ids: tuple[str, ...],
    slices: tuple[str, ...],
    form: str,
    out: Path | None,
    purpose: str | None,
) -> None:
    """Write the numbers of one window. Cells on few subscribers are empty, and those that would give them away."""
    check_ids(context.catalogue.metrics, ids)
    rows = _windows(context, window, day.date())[day.date()]  # hidden with all of them in view, picked afterwards
    for kind, asked in (("metric", ids), ("slice", slices)):
        there = sorted({row[kind] for row in rows})
        if wrong := [name for name in asked if name not in there]:
            known = "" if kind == "metric" else f"; there are {', '.join(there)}"
            raise UsageError(f"no {kind} {', '.join(wrong)} in window {window} of {day:%Y-%m-%d}{known}")
    picked = [
        emptied(row) for row in rows if (not ids or row["metric"] in ids) and (not slices or row["slice"] in slices)
    ]
    note_export(context, "metrics export", f"{window} {day:%Y-%m-%d}", rows=len(picked), purpose=purpose)
    text = _csv(picked) if form == "csv" else json.dumps(picked, default=str, ensure_ascii=False, indent=1) + "\n"
    if out is None:
        click.echo(text, nl=False)
        return
    out.write_text(text, encoding="utf-8")
    click.echo(f"{out}: {len(picked):,} rows, {sum(row['hidden'] is not None for row in picked):,} of them hidden")


def _csv(rows: Sequence[Row]) -> str:
    """Numbers as they are; texts so that no spreadsheet computes them."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(rows[0])
    writer.writerows([_harmless(value) for value in row.values()] for row in rows)
    return stream.getvalue()


def _harmless(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value


def _windows(context: Context, window: str, *ends: date) -> dict[date, list[Row]]:
    """Rows of population_metrics by the end of their window, with `hidden` marked. Raises InputMissing."""
    catalogue, store = context.catalogue.metrics, Store(context.settings.lake)
    version = delta_log.verified_version(store, POPULATION_METRICS)
    if version == delta_log.NO_VERSION:
        raise InputMissing(f"table {POPULATION_METRICS.name}: not in {store.root} yet; {_how_made(catalogue)}")
    there = delta_log.snapshot(store, POPULATION_METRICS, version)
    read_in = read_in_others({name: fraction_of(catalogue, name) for name in catalogue.metrics})
    found = {}
    for end in ends:
        rows = _read(store, there, window, end)
        if not rows:
            raise InputMissing(f"{_missing(store, there, window, end)}; {_how_made(catalogue)}")
        found[end] = marked(sorted(rows, key=cell_of), catalogue.settings.minimum_cell, read_in)
    return found


def _read(store: Store, there: Snapshot, window: str, end: date, columns: Sequence[str] = COLUMNS) -> list[Row]:
    """Rows of one window. File by file: deltalake's own reader leaves threads that abort the process at its end."""
    found: list[Row] = []
    for file in there.only(lambda day: day == end).files:
        table = store.read_parquet(f"{POPULATION_METRICS.name}/{file.path}", list(columns))
        found += table.filter(pc.equal(table["window"], window)).to_pylist()
    return [{name: end if name == "window_end" else row[name] for name in columns} for row in found]


def _missing(store: Store, there: Snapshot, window: str, end: date) -> str:
    """What is there instead: the last few."""
    days = sorted({file.partition for file in there.files if file.partition}, reverse=True)
    held = list(islice((str(day) for day in days if _read(store, there, window, day, ["window"])), SHOWN))
    instead = f"the last that are there end on {', '.join(held)}" if held else "there is none at all"
    return f"table {POPULATION_METRICS.name}: no window {window} that ends on {end}; {instead}"


def _how_made(catalogue: MetricCatalogue) -> str:
    windows = catalogue.settings.windows
    return (
        f"`visitgrain run daily_metrics --date D` makes {', '.join(windows.daily_population)}, "
        f"`visitgrain run monthly_metrics --month M` makes {', '.join(windows.monthly_population)}"
    )


@metrics.command()
@window_option
@click.option("--from", "start", type=DAY, required=True, help="Last day of the earlier window.")
@click.option("--to", "end", type=DAY, required=True, help="Last day of the later window.")
@metric_option
@click.option("--top", default=10, show_default=True, type=click.IntRange(min=1), help="So many metrics.")
@click.pass_obj
def diff(context: Context, window: str, start: datetime, end: datetime, ids: tuple[str, ...], top: int) -> None:
    """Show which metrics moved most between two windows, and which cells of each slice explain it."""
    catalogue, a, b = context.catalogue.metrics, start.date(), end.date()
    check_ids(catalogue, ids)
    if a == b:
        raise UsageError(f"--from and --to are both {a}; name two windows")
    sides = _windows(context, window, a, b)
    before, after = ({cell_of(row): row for row in sides[day]} for day in (a, b))
    there = {row["metric"] for rows in sides.values() for row in rows}
    names = ids or [name for name in catalogue.metrics if name in there]
    pairs = {n: (before.get(Cell(n, window, a, ALL, ALL)), after.get(Cell(n, window, b, ALL, ALL))) for n in names}
    whole = {n: (x, y) for n, (x, y) in pairs.items() if x and y}
    shown = {n: (x, y) for n, (x, y) in whole.items() if not x["hidden"] and not y["hidden"]}
    order = sorted(shown, key=lambda name: _by_size(*(row["value"] for row in shown[name])))[:top]
    header = ("metric", "unit", str(a), str(b), "change", "relative")
    echo_table(header, [_moved(catalogue.metrics[name], *shown[name]) for name in order])
    for name in order:
        click.echo(f"\n{name}")
        for line in _explained(catalogue, name, shown[name], sides):
            click.echo(f"  {line}")
    for why, left in (("hidden", set(whole) - set(shown)), ("not in both windows", set(names) - set(whole))):
        if left:
            click.echo(f"\nnot compared, {why}: {', '.join(sorted(left))}")


def _by_size(a: float | None, b: float | None) -> tuple[bool, bool, float, float]:
    """The largest relative change first, then those from 0 by their size; those without a value last."""
    share = relative(a, b)
    return a is None or b is None, share is None, -(share or 0.0), -abs((b or 0.0) - (a or 0.0))


def _moved(metric: Metric, a: Row, b: Row) -> tuple[str | None, ...]:
    x, y = a["value"], b["value"]
    known = x is not None and y is not None
    share = relative(x, y)
    change = f"{y - x:+.6g}" if known else None
    values = (None if value is None else f"{value:.6g}" for value in (x, y))
    return metric.id, metric.unit, *values, change, None if share is None else f"{share:.1%}"


def _explained(
    catalogue: MetricCatalogue, name: str, pair: tuple[Row, Row], sides: Mapping[date, list[Row]]
) -> Iterator[str]:
    """One line per slice that partitions the population."""
    if pair[0]["definition_hash"] != pair[1]["definition_hash"]:
        yield "the definition changed in between: run both windows again before comparing them"
    kind = None if catalogue.metrics[name].rollup else kind_of_spread(fraction_of(catalogue, name))
    if kind is None:
        yield "no contributions: the formula is not linear in the cells, so its change does not fall apart into theirs"
        return
    if pair[0]["value"] is None or pair[1]["value"] is None:
        yield "no contributions: there is no value in one of the windows"
        return
    total = (_numbers(pair[0]), _numbers(pair[1]))
    for slice_ in PARTITIONS:
        yield from _of_slice(name, slice_, kind, total, sides)


def _of_slice(
    name: str, slice_: str, kind: Kind, total: tuple[Numbers, Numbers], sides: Mapping[date, list[Row]]
) -> Iterator[str]:
    """The largest contributions of a slice by name, the others added up. Nothing where there is no such slice."""
    cells: list[Cells] = []
    hidden: set[str] = set()
    for rows in sides.values():
        own = [row for row in rows if row["metric"] == name and row["slice"] == slice_]
        cells.append({row["slice_value"]: _numbers(row) for row in own})
        hidden |= {row["slice_value"] for row in own if row["hidden"]}
    if not any(cells):
        return
    found = contributions(kind, total, (cells[0], cells[1]), hidden)
    rest = found[SHOWN:]
    parts = [_contribution(one) for one in found[:SHOWN]]
    parts += [f"{len(rest)} more {sum(one.change for one in rest):+.4g}"] if rest else []
    yield f"{slice_}: {', '.join(parts)}"


def _contribution(one: Contribution) -> str:
    """A01 +0.012 (rate +0.010, mix +0.002)"""
    split = "" if one.rate is None or one.mix is None else f" (rate {one.rate:+.4g}, mix {one.mix:+.4g})"
    return f"{one.slice_value} {one.change:+.4g}{split}"


def _numbers(row: Row) -> Numbers:
    return Numbers(row["value"], row["numerator"], row["denominator"])
