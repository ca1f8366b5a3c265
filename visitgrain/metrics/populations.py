"""Every metric for everybody and for every slice: the leaves of subscribers summed, then the arithmetic."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame, functions as F

from visitgrain.catalogue.metrics import Metric
from visitgrain.expressions.exact import exact_sums
from visitgrain.metrics.cells import cells
from visitgrain.metrics.frames import Inputs, attributes_of, of_slices, of_subscribers
from visitgrain.metrics.outer import numerator_and_denominator, outer
from visitgrain.metrics.plans import Plans
from visitgrain.metrics.quantiles import with_quantiles
from visitgrain.metrics.slices import ALL, ATTRIBUTES
from visitgrain.metrics.subscribers import has_window, known
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
    plain = plans.only([metric.id for metric in plans.metrics if not metric.rollup])
    in_slices = plans.only([metric.id for metric in plans.metrics if plans.catalogue.slices(metric.id)])
    rolled = plans.only([metric.id for metric in plans.metrics if metric.rollup])
    attributes = attributes_of(inputs, windows, plans)
    of_people = cells(of_subscribers(inputs, windows, plain), plain, ATTRIBUTES)
    of_people = with_quantiles(of_people, inputs.subscriber_days, attributes, windows, plain)
    of_events = cells(of_slices(slice_days, inputs.measured_days, windows, in_slices), in_slices)
    of_events = with_quantiles(of_events, slice_days, None, windows, in_slices)
    found = values(of_people, plain).unionByName(values(of_events, in_slices))
    if not rolled.metrics:
        return found
    campaigns = of_slices(slice_days.where(f"slice = '{STRATUM}'"), inputs.measured_days, windows, rolled)
    return found.unionByName(rolled_up(campaigns, attributes, rolled))


def values(found: DataFrame, plans: Plans) -> DataFrame:
    """Rows of population_metrics: the arithmetic on the sums of each cell, one row per metric that has the slice."""
    rows = []
    for metric in plans.metrics:
        value = known(metric, plans, outer(plans.trees[metric.id], plans.leaves))
        above, below = numerator_and_denominator(plans.fractions[metric.id], plans.leaves)
        rows.append(_struct(metric, plans, value, above, below))
    return _unpivoted(found, rows)


def rolled_up(campaigns: DataFrame, attributes: DataFrame, plans: Plans) -> DataFrame:
    """Metrics of campaigns for everybody and every attribute: computed per campaign, weighted by its members."""
    members = campaigns.withColumn(STRATUM, F.col("slice_value")).drop(*SLICE)
    found = cells(members.join(attributes, ["subscriber_id", *KEY], how="left"), plans, ATTRIBUTES, [STRATUM])
    rows, parts = [], []
    for metric in plans.metrics:
        value = known(metric, plans, outer(plans.trees[metric.id], plans.leaves))
        weight = f"if({value} is null, null, {outer(plans.weights[metric.id], plans.leaves)})"
        above, below = f"v_{metric.id}", f"w_{metric.id}"
        parts += [f"{weight} {below}", f"{weight} * {value} {above}"]
        rows.append(_struct(metric, plans, f"try_divide({above}, {below})", above, below))
    per_campaign = found.selectExpr("*", *parts)
    names = [f"{part}_{metric.id}" for metric in plans.metrics for part in "vw"]
    names += plans.stands.values()
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
        "subscribers": plans.stands[plans.stands_on(metric.id)],
        "definition_hash": f"'{plans.catalogue.definition_hash(metric.id)}'",
        "has": f"{has_window(metric)} and slice in ({slices})",
    }
    return f"named_struct({', '.join(f'{name!r}, {text}' for name, text in fields.items())})"


def _unpivoted(found: DataFrame, rows: Sequence[str]) -> DataFrame:
    made = found.selectExpr("*", f"inline(filter(array({', '.join(rows)}), row -> row.has))")
    return made.select(*POPULATION_METRICS.column_names)
