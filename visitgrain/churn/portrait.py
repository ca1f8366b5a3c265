"""How those at risk, and those who went silent, differ from who stays: effect sizes, ranked, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any, cast

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame, functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType
from scipy.stats import norm

from visitgrain.catalogue.catalogue import Catalogue
from visitgrain.catalogue.churn_phrases import Phrase
from visitgrain.churn.model_rows import KEY, SLICES, feature_set, labelled, rows_of
from visitgrain.churn.moments import moments_of
from visitgrain.churn.phrases import phrases_of
from visitgrain.span import Span, shifted_month
from visitgrain.tables.churning import CHURN_PORTRAITS, TIERS

SILENT, STAYED = "silent", "stayed"
FEWEST = 10  # subscribers on either side
SIZES = ((0.2, "hardly", "略"), (0.5, "somewhat", "较"), (0.8, "clearly", "明显"), (np.inf, "much", "显著"))
SURE = float(norm.ppf(0.975))
RESULT = CHURN_PORTRAITS.ddl.replace(" NOT NULL", "")


def portray_churners(
    *,
    churn_features: DataFrame,
    subscriber_metrics: DataFrame,
    churn_scores: DataFrame,
    churn_labels: DataFrame,
    before: DataFrame,
    spec: Catalogue,
    span: Span,
) -> DataFrame:
    """One row per month, group and feature with at least ten subscribers on either side.

    Tiers of the month's scores are compared with all other tiers; those silent in the month with those who stayed, by
    their features of the month before. `before` are the portraits of the month before.
    """
    rows = rows_of(churn_features, subscriber_metrics, spec)
    first, last = span.month, span.end.replace(day=1)
    tiers = churn_scores.where(F.col("month").between(first, last)).select(*KEY, F.col("tier").alias("group"))
    scored = rows.join(tiers, KEY, how="inner")
    named = F.when(F.col("outcome") == 1, SILENT).otherwise(STAYED)
    known = labelled(rows, churn_labels.where(F.col("month").between(first, last))).withColumn("group", named)
    known = known.withColumn("month", F.add_months("month", 1)).select(scored.columns)
    numbers = [name for name in feature_set(spec).names if name in rows.columns]
    moments = moments_of(scored.unionByName(known), numbers, SLICES)
    past = before.where(F.col("month") >= F.lit(shifted_month(first, -1))).select(
        F.add_months("month", 1).alias("month"), "group", "feature", F.col("effect").alias("effect_before")
    )
    told = moments.join(past, ["month", "group", "feature"], how="left")
    # A few thousand rows: everything about a month comes to one task.
    schema = to_arrow_schema(cast(StructType, StructType.fromDDL(RESULT)))  # needs the session: not in a worker
    return told.repartition(1).mapInArrow(partial(_portraits, phrases=phrases_of(spec), schema=schema), RESULT)


def _portraits(
    batches: Iterable[pa.RecordBatch], *, phrases: Mapping[str, Phrase], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    frames = [batch.to_pandas(date_as_object=True) for batch in batches]
    if frames:
        for month, rows in pd.concat(frames).groupby("month"):
            found = portraits(rows, phrases).assign(month=month)
            yield from pa.Table.from_pandas(found[schema.names], schema, preserve_index=False).to_batches()


def portraits(moments: pd.DataFrame, phrases: Mapping[str, Phrase]) -> pd.DataFrame:
    """The rows of one month. `moments`: group, feature, n, total, squares, effect_before."""
    compared, features = [], pd.Index(moments["feature"].unique(), dtype=object)
    for group in (*TIERS, SILENT):
        others = (STAYED,) if group == SILENT else tuple(tier for tier in TIERS if tier != group)
        own, rest = (_shared(moments[moments["group"].isin(names)], features) for names in ((group,), others))
        both = own.join(rest, how="inner", rsuffix="_others")
        both = both[(both.n >= FEWEST) & (both.n_others >= FEWEST)]
        past = moments[moments["group"] == group].set_index("feature")["effect_before"]
        compared.append(_ranked(both.join(past, how="left")).assign(group=group))
    found = pd.concat(compared)
    found["text"], found["text_zh"] = _words(found, phrases, "en"), _words(found, phrases, "zh")
    return found


def _shared(rows: pd.DataFrame, features: pd.Index) -> pd.DataFrame:
    """Moments of all `features` over the groups; values of an attribute are counted among the rows that have any.

    A value that nobody here has is a share of 0, not a missing one.
    """
    added = rows.groupby("feature")[["n", "total", "squares"]].sum().reindex(features, fill_value=0).astype("float64")
    of_value = np.array(["=" in feature for feature in features], dtype=bool)
    sizes = added["n"].reindex([feature.partition("=")[0] for feature in features], fill_value=0)
    added["n"] = np.where(of_value, sizes, added["n"])
    return added[of_value | ~features.isin(SLICES)]


def _ranked(both: pd.DataFrame) -> pd.DataFrame:
    """Cohen's d with its large-sample interval (Hedges & Olkin 1985), and p adjusted by Benjamini & Hochberg."""
    mean, mean_others = both.total / both.n, both.total_others / both.n_others
    within = (both.squares - both.n * mean**2) + (both.squares_others - both.n_others * mean_others**2)
    pooled = np.sqrt(np.maximum(within, 0) / (both.n + both.n_others - 2))
    effect = ((mean - mean_others) / pooled).where(pooled > 1e-12 * (1 + mean.abs()), 0.0)
    inverse = 1 / both.n + 1 / both.n_others
    error = np.sqrt(inverse + effect**2 / (2 * (both.n + both.n_others)))
    p = 2 * norm.sf(np.abs(effect) / np.sqrt(inverse))
    found = pd.DataFrame(
        {
            "feature": both.index,
            "subscribers": both.n.astype("int64"),
            "others": both.n_others.astype("int64"),
            "mean": mean,
            "mean_others": mean_others,
            "effect": effect,
            "effect_low": effect - SURE * error,
            "effect_high": effect + SURE * error,
            "p_adjusted": _adjusted(np.asarray(p)),
            "effect_before": both.effect_before.astype("float64"),
        }
    ).reset_index(drop=True)
    found = found.assign(size=found.effect.abs().round(9)).sort_values(["size", "feature"], ascending=[False, True])
    return found.assign(rank=np.arange(1, len(found) + 1, dtype=np.int32)).drop(columns="size").reset_index(drop=True)


def _adjusted(p: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    order = np.argsort(-p, kind="stable")
    steps = p[order] * len(p) / np.arange(len(p), 0, -1)
    found = np.empty_like(p)
    found[order] = np.minimum.accumulate(np.minimum(steps, 1.0))
    return found


def _words(found: pd.DataFrame, phrases: Mapping[str, Phrase], language: str) -> list[str]:
    """ "visits in the last 30 days: 1.2, others 9.4: much lower"."""
    english = language == "en"
    sizes = np.searchsorted([bound for bound, *_ in SIZES], found.effect.abs(), side="right")
    degree = [SIZES[min(place, len(SIZES) - 1)][1 if english else 2] for place in sizes]
    names = [_name(feature, phrases, language) for feature in found.feature]
    percent = found.feature.str.contains("=", regex=False).to_numpy()
    shown = [[_number(v, share) for v, share in zip(found[c], percent, strict=True)] for c in ("mean", "mean_others")]
    side = np.where(found.effect < 0, "lower" if english else "低", "higher" if english else "高")
    pattern = "{}: {}, others {}: {} {}" if english else "{}：{}，其他人{}：{}{}"
    return [pattern.format(*cells) for cells in zip(names, *shown, degree, side, strict=True)]


def _name(feature: str, phrases: Mapping[str, Phrase], language: str) -> str:
    phrase = phrases.get(feature)
    return getattr(phrase, language) if phrase else feature.replace("_", " ")


def _number(value: float, share: bool) -> str:
    return f"{value:.1%}" if share else f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
