"""The wide table: every metric that one subscriber has, in one row per subscriber and window."""

from __future__ import annotations

from pyspark.sql import DataFrame

from visitgrain.catalogue.metrics import Metric
from visitgrain.catalogue.table_columns import metric_type
from visitgrain.metrics.frames import Inputs, of_subscribers
from visitgrain.metrics.inner import atom
from visitgrain.metrics.outer import outer
from visitgrain.metrics.plans import Plans
from visitgrain.metrics.window_rows import reaches
from visitgrain.metrics.windows import at_the_end
from visitgrain.span import Span
from visitgrain.tables.measuring import SUBSCRIBER_METRICS

FRAME = ("window", "window_end", "window_start")


def compute_subscriber_metrics(*, spec: Plans, span: Span, **tables: DataFrame) -> DataFrame:
    """One row per subscriber and window that ends with the span. A metric without that window is null there."""
    windows = list(at_the_end(spec.windows, span))
    rows = of_subscribers(Inputs(**tables), windows, spec).where("subscriber_id is not null")
    return subscriber_values(rows, spec).select(*SUBSCRIBER_METRICS.column_names)


def subscriber_values(rows: DataFrame, plans: Plans) -> DataFrame:
    """The metrics of each row of `rows`, one column each."""
    narrow = ["subscriber_id", *FRAME, "complete_through", "covered_from"]
    bounds = [name for name in rows.columns if name.startswith(("window_start__", "window_days"))]
    found = rows.selectExpr(*narrow, *bounds, *leaf_columns(plans))
    values = {
        metric.id: f"cast({known(metric, plans, outer(plans.trees[metric.id], plans.leaves))} as {metric_type(metric)})"
        for metric in plans.metrics
    }
    absent = [
        name for name in SUBSCRIBER_METRICS.column_names if name in plans.catalogue.metrics and name not in values
    ]
    return found.selectExpr(
        *("subscriber_id", *FRAME, "complete_through"),
        f"'{plans.hash}' catalogue_hash",
        *(f"{value} {name}" for name, value in values.items()),
        *(f"null {name}" for name in absent),
    )


def leaf_columns(plans: Plans) -> list[str]:
    """The summand of one subscriber in each leaf, under its name."""
    return [f"{plans.inner.leaf(leaf)} {name}" for leaf, name in plans.summed.items()]


def known(metric: Metric, plans: Plans, value: str) -> str:
    """The value where the metric has the window and history reaches as far back as it looks; else null."""
    return f"if({has_window(metric)} and {reaches(first_needed(metric, plans))}, {value}, null)"


def has_window(metric: Metric) -> str:
    return f"window in ({', '.join(repr(name) for name in metric.windows)})"


def first_needed(metric: Metric, plans: Plans) -> str:
    """The first local day that the metric reads."""
    start = atom("window_start", plans.catalogue.look_back(metric.id))
    return f"date_sub({start}, {plans.catalogue.days_before(metric.id)})"
