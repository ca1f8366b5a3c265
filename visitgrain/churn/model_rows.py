"""churn_features and subscriber_metrics -> the rows that models are trained on and applied to: one path for both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from hashlib import sha256

from pyspark.sql import DataFrame, functions as F

from visitgrain.catalogue.catalogue import Catalogue
from visitgrain.tables.churning import CHURN_FEATURES, FEATURES, SLICED_BY

KEY = ["subscriber_id", "month"]
SLICES = tuple(column.name for column in SLICED_BY)


@dataclass(frozen=True)
class FeatureSet:
    """Names of features in the order of a model's columns, and what each one means: as a hash, and for people in words.

    `meanings` is not stored with a model and may lack names.
    """

    definitions: Mapping[str, str]
    meanings: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.definitions)

    @property
    def hash(self) -> str:
        """16 hex digits: models with the same hash read the same columns, defined alike."""
        lines = "\n".join(f"{name}={definition}" for name, definition in self.definitions.items())
        return sha256(lines.encode()).hexdigest()[:16]

    def only(self, names: Sequence[str]) -> FeatureSet:
        """Those of `names`, in this order."""
        return FeatureSet({n: text for n, text in self.definitions.items() if n in set(names)}, self.meanings)

    def described(self) -> list[dict[str, str]]:
        """A row per feature: `feature`, `meaning` ('' where it is not at hand), `definition`."""
        return [
            {"feature": name, "meaning": self.meanings.get(name, ""), "definition": definition}
            for name, definition in self.definitions.items()
        ]


def feature_set(catalogue: Catalogue) -> FeatureSet:
    """All features there may be: of churn_features, and metrics of subscribers per window, as id_window."""
    habits = {name: CHURN_FEATURES.column(name) for name in FEATURES}
    metrics = {
        f"{name}_{window}": (metric, window)
        for window in catalogue.churn.metric_windows
        for name, metric in catalogue.metrics.metrics.items()
        if metric.of_subscribers and window in metric.windows
    }
    definitions = {name: _defined(column.description) for name, column in habits.items()}
    definitions |= {name: catalogue.metrics.definition_hash(metric.id) for name, (metric, _) in metrics.items()}
    meanings = {n: f"{c.description} ({c.unit})" if c.unit else c.description for n, c in habits.items()}
    meanings |= {name: f"{metric.en}, window {window} ({metric.unit})" for name, (metric, window) in metrics.items()}
    return FeatureSet(definitions, meanings)


def _defined(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:16]


def rows_of(
    churn_features: DataFrame, subscriber_metrics: DataFrame, catalogue: Catalogue, *, active: bool = True
) -> DataFrame:
    """One row per subscriber and month that is scored: KEY, SLICES, and every feature of `feature_set` as double.

    `active`: of those who may go silent; otherwise of those who are silent already and may come back.
    """
    there = churn_features.where(f"not gone and {'' if active else 'not '}active").select(*KEY, *SLICES, *FEATURES)
    wanted = feature_set(catalogue).names

    def joined(rows: DataFrame, window: str) -> DataFrame:
        metrics = [name for name in subscriber_metrics.columns if f"{name}_{window}" in wanted]
        values = [F.col(name).cast("double").alias(f"{name}_{window}") for name in metrics]
        # A window of the month is one that ends with it: nothing of later days enters.
        own = subscriber_metrics.where((F.col("window") == window) & (F.col("window_end") == F.last_day("window_end")))
        found = own.select("subscriber_id", F.trunc("window_end", "month").alias("month"), *values)
        return rows.join(found, KEY, how="left")

    return reduce(joined, catalogue.churn.metric_windows, there)


def labelled(rows: DataFrame, churn_labels: DataFrame, *, outcome: str = "silent") -> DataFrame:
    """Those whose next month is over, with `outcome` (0 or 1: silent, or "not silent" for returns) and `departed`."""
    labels = churn_labels.where("not gone").select(
        "subscriber_id",
        F.add_months("month", -1).alias("month"),
        F.expr(outcome).cast("double").alias("outcome"),
        "departed",
    )
    return rows.join(labels, KEY, how="inner")
