"""Every metric for everybody and for every slice: the leaves of subscribers summed, then the arithmetic."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame, functions as F

from visitgrain.catalogue.formulas import Leaf
from visitgrain.catalogue.metrics import Metric
from visitgrain.expressions.exact import exact_sums
from visitgrain.metrics.frames import Inputs, attributes_of, of_slices, of_subscribers
from visitgrain.metrics.outer import numerator_and_denominator, outer
from visitgrain.metrics.plans import Plans
from visitgrain.metrics.quantiles import with_quantiles
from visitgrain.metrics.slices import ALL, ATTRIBUTES
from visitgrain.metrics.snapshots import slices_of_people, with_slices_of_people
from visitgrain.metrics.subscribers import has_window, known, leaf_columns
from visitgrain.metrics.window_rows import CELL, KEY, SLICE
from visitgrain.metrics.windows import WindowEnd, at_the_end, windows_of
from visitgrain.span import Span
from visitgrain.tables.measuring import POPULATION_METRICS

STRATUM = "campaign_id"


def compute_population_metrics(
    *, subscriber_slice_days: DataFrame, spec: Plans, span: Span, **tables: DataFrame
) -> DataFrame:
    """One row per metric, window that ends on a day of the span, slice and value."""
    return _population(subscriber_slice_days, tables, spec, list(windows_of(spec.windows, span)))


def compute_monthly_population_metrics(
    *, subscriber_slice_days: DataFrame, spec: Plans, span: Span, **tables: DataFrame
) -> DataFrame:
    """The same for the windows that end with the month."""
    return _population(subscriber_slice_days, tables, spec, list(at_the_end(spec.windows, span)))


def _population(
    slice_days: DataFrame, tables: dict[str, DataFrame], plans: Plans, windows: Sequence[WindowEnd]
) -> DataFrame:
    inputs = Inputs(**tables)
    people = of_subscribers(inputs, windows, plans)
    in_slices = plans.only([metric.id for metric in plans.metrics if plans.catalogue.slices(metric.id)])
    slices = of_slices(slice_days, inputs.measured_days, windows, in_slices)
    of_people = cells(people.selectExpr("*", f"{slices_of_people()} _slices"), plans)
    attributes = attributes_of(inputs, windows, plans)
    of_people = with_quantiles(of_people, inputs.subscriber_days, attributes, windows, plans)
    of_events = with_quantiles(cells(slices, in_slices), slice_days, None, windows, in_slices)
    rolled = plans.only([metric.id for metric in plans.metrics if metric.rollup])
    plain = plans.only([metric.id for metric in plans.metrics if not metric.rollup])
    found = values(of_people, plain, plans).unionByName(values(of_events, in_slices, in_slices))
    return found.unionByName(rolled_up(slices, attributes, rolled)) if rolled.metrics else found


def cells(rows: DataFrame, plans: Plans, extra: Sequence[str] = ()) -> DataFrame:
    """One row per cell: the sums of all leaves, and per metric the subscribers with anything in it."""
    frame = [name for name in rows.columns if name.startswith(("window_start", "window_days"))]
    keep = [*KEY, *extra, *frame, "covered_from", "complete_through", "subscriber_id"]
    of_people = "_slices" in rows.columns
    found = rows.selectExpr(*keep, *(["_slices"] if of_people else SLICE), *leaf_columns(plans))
    found = found.selectExpr("*", *(f"{_any(plans, metric)} {stands(metric.id)}" for metric in plans.metrics))
    if of_people:
        found = found.selectExpr("*", "inline(_slices)").drop("_slices")
    sums = exact_sums(found, plans.summed.values())
    counts = [f"count_if({stands(metric.id)}) {stands(metric.id)}" for metric in plans.metrics]
    keys = [*CELL, *extra, *frame, "covered_from", "complete_through"]
    return found.groupBy(*keys).agg(*map(F.expr, [*sums, *counts]))


def values(found: DataFrame, wanted: Plans, plans: Plans) -> DataFrame:
    """Rows of population_metrics: the arithmetic on the sums of each cell, one row per metric that has the slice."""
    rows = []
    for metric in wanted.metrics:
        value = known(metric, plans, outer(plans.trees[metric.id], plans.leaves))
        above, below = numerator_and_denominator(plans.fractions[metric.id], plans.leaves)
        rows.append(_struct(metric, plans, value, above, below))
    return _unpivoted(found, rows)


def rolled_up(slices: DataFrame, attributes: DataFrame, plans: Plans) -> DataFrame:
    """Metrics of campaigns for everybody and every attribute: computed per campaign, weighted by its members."""
    of_campaigns = slices.where(f"slice = '{STRATUM}'").withColumn(STRATUM, F.col("slice_value")).drop(*SLICE)
    found = cells(with_slices_of_people(of_campaigns, attributes), plans, [STRATUM])
    rows, parts = [], []
    for metric in plans.metrics:
        value = known(metric, plans, outer(plans.trees[metric.id], plans.leaves))
        weight = f"if({value} is null, null, {outer(plans.weights[metric.id], plans.leaves)})"
        above, below = f"v_{metric.id}", f"w_{metric.id}"
        parts += [f"{weight} {below}", f"{weight} * {value} {above}"]
        rows.append(_struct(metric, plans, f"try_divide({above}, {below})", above, below))
    per_campaign = found.selectExpr("*", *parts)
    names = [f"{part}_{metric.id}" for metric in plans.metrics for part in "vw"]
    names += [stands(metric.id) for metric in plans.metrics]
    totals = per_campaign.groupBy(*CELL, "complete_through").agg(*map(F.expr, exact_sums(per_campaign, names)))
    return _unpivoted(totals, rows)


def _struct(metric: Metric, plans: Plans, value: str, above: str, below: str) -> str:
    by_event = (STRATUM,) if metric.rollup else plans.catalogue.slices(metric.id)
    slices = ", ".join(repr(name) for name in (ALL, *ATTRIBUTES, *by_event))
    fields = {
        "metric": f"'{metric.id}'",
        "value": value,
        "numerator": f"if({value} is null, null, {above})",
        "denominator": f"if({value} is null, null, {below})",
        "subscribers": stands(metric.id),
        "definition_hash": f"'{plans.catalogue.definition_hash(metric.id)}'",
        "has": f"{has_window(metric)} and slice in ({slices})",
    }
    return f"named_struct({', '.join(f'{name!r}, {text}' for name, text in fields.items())})"


def _unpivoted(found: DataFrame, rows: Sequence[str]) -> DataFrame:
    made = found.selectExpr("*", f"inline(filter(array({', '.join(rows)}), row -> row.has))")
    return made.select(*POPULATION_METRICS.column_names)


def _any(plans: Plans, metric: Metric) -> str:
    """Has the subscriber anything in the metric? In a quantile: whoever was observed."""
    found = plans.leaves_of(metric.id)
    observed = [Leaf("sum", leaf.tree, leaf.back, "n") if leaf.kind == "quantile" else leaf for leaf in found]
    nonzero = " or ".join(f"{plans.summed[leaf]} <> 0" for leaf in observed)
    return f"(subscriber_id is not null and ({nonzero}))"


def stands(metric: str) -> str:
    """Column that says whether, or how many, subscribers have anything in a metric."""
    return f"on_{metric}"
