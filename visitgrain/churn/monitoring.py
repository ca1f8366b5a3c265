"""Whether inputs and scores look as in training, how past scores came true, and whether a new model is due."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, NamedTuple, cast

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from visitgrain.catalogue.catalogue import Catalogue
from visitgrain.catalogue.churn import ChurnSettings, Monitoring, Tracking
from visitgrain.churn.drift import Reference, drift_of
from visitgrain.churn.histograms import Counts, histograms
from visitgrain.churn.model import ChurnModel
from visitgrain.churn.model_rows import KEY, rows_of
from visitgrain.churn.quality import Floats, ece_by_chance, scorecard
from visitgrain.churn.tracking import CHAMPION, aliased, loaded, tracked
from visitgrain.churn.training_data import in_sample
from visitgrain.span import Span, shifted_month
from visitgrain.tables.churning import CHURN_MONITORING

RESULT = CHURN_MONITORING.ddl.replace(" NOT NULL", "")
SCORE = "score"
OK, ALERT, BLOCK = "ok", "alert", "block"
MOST_PAIRS = 1_000_000  # of label and score that come to the driver for one month
# They rise with the calendar and with the months that the lake holds: told, and no reason for an alert.
CALENDAR = frozenset({"moy", "tenure", "n_all", "network_months"})
TOLD = ("auc", "lift_at_10", "capture_at_10", "ece", "base_rate", "mean_score")


class Finding(NamedTuple):
    """One check of one subject; `value`, `reference` and `limit` are None where there is none."""

    check: str
    subject: str
    value: float | None
    reference: float | None
    limit: float | None
    status: str
    version: str


def monitor_churn(
    *,
    churn_features: DataFrame,
    subscriber_metrics: DataFrame,
    churn_scores: DataFrame,
    churn_labels: DataFrame,
    spec: Catalogue,
    span: Span,
    tracking: Tracking,
) -> DataFrame:
    """Rows of CHURN_MONITORING for the months of the span. `churn_scores` are also those of the month before.

    A month that was not scored is compared with the champion; without one there is nothing to tell of it.
    Raises GateRefused where the registry does not answer.
    """
    rows = rows_of(churn_features, subscriber_metrics, spec)
    scored = churn_scores.groupBy("month").agg(F.max("model_version").alias("version")).collect()
    versions = {row.month: str(row.version) for row in scored}
    found: list[tuple[Any, ...]] = []
    with tracked(tracking) as client:
        models = {version: loaded(client, version) for version in set(versions.values())}
        champion = aliased(client, CHAMPION)
    if champion is not None:
        models[champion[1]] = champion[0]
    for month in (one.month for one in span.months()):
        findings: list[Finding] = []
        version = versions.get(month, champion[1] if champion else None)
        if version is not None:
            counts = _counts(rows, churn_scores, month, models[version])
            findings += compared(models[version].references, counts, spec.churn.monitoring, version)
            findings.append(aged(models[version], month, spec.churn, version))
        before = shifted_month(month, -1)
        if before in versions and not _knew(models[versions[before]], before):
            y, p = _pairs(churn_scores, churn_labels, before, spec.churn.seed)
            tested = models[versions[before]].about.get("test", {})
            findings += realised(y, p, tested, spec.churn.monitoring, versions[before])
        found += _told(findings, month, spec.churn)
    return _frame(churn_features, found)


def compared(
    references: Mapping[str, Reference], counts: Mapping[str, Any], limits: Monitoring, version: str
) -> Iterator[Finding]:
    """PSI of each feature and of the score, and the share of each feature that is missing, against the training rows.

    Only the score can block: one of hundreds of features that moves is a reason to look.
    """
    for name, current in counts.items():
        before = references[name]
        if not current.sum():
            continue
        psi, limit = drift_of(before, current, limits.psi_alert)
        status = ALERT if psi > limit and name not in CALENDAR else OK
        if name == SCORE and psi > drift_of(before, current, limits.psi_block)[1]:
            status = BLOCK
        yield Finding("psi", name, psi, None, None if name in CALENDAR else limit, status, version)
        if name != SCORE:
            missing, usual = current[-1] / current.sum(), before.counts[-1] / sum(before.counts)
            limit = usual + limits.nulls_alert
            yield Finding("nulls", name, missing, usual, limit, ALERT if missing > limit else OK, version)


def realised(y: Floats, p: Floats, tested: Mapping[str, float], limits: Monitoring, version: str) -> Iterator[Finding]:
    """How scores of the month before came true, beside the version's test months. Nothing without labels."""
    if not len(y):
        return
    found = scorecard(y, p)
    least_auc = tested["auc"] - limits.auc_drop_alert if "auc" in tested else None
    most_ece = limits.ece_alert + ece_by_chance(p)  # of few rows it is never 0
    for check in TOLD:
        value = found[check]
        limit = {"auc": least_auc, "ece": most_ece}.get(check)
        beyond = limit is not None and (value < limit if check == "auc" else value > limit)
        known = float(value) if np.isfinite(value) else None
        yield Finding(check, SCORE, known, tested.get(check), limit, ALERT if beyond else OK, version)


def aged(model: ChurnModel, month: date, settings: ChurnSettings, version: str) -> Finding:
    """Months since the last one with labels that the version knew; `after_months` of them make a new model due."""
    limit = settings.retrain.after_months
    known = _last_known(model)
    if known is None:
        return Finding("model_age", SCORE, None, None, limit, OK, version)
    age = 12 * (month.year - known.year) + month.month - known.month - 1  # labels of a cut-off are of the month after
    return Finding("model_age", SCORE, age, None, limit, ALERT if age >= limit else OK, version)


def retraining_due(findings: list[Finding], settings: ChurnSettings) -> bool:
    """The model is old, or anything is beyond its limit and the settings want that to count."""
    beyond = {one.check for one in findings if one.status != OK}
    return "model_age" in beyond or (settings.retrain.on_alert and bool(beyond))


def _last_known(model: ChurnModel) -> date | None:
    """The last cut-off with a label that it was trained, chosen or tested on."""
    return max((date.fromisoformat(month) for month in model.about.get("counts", {})), default=None)


def _knew(model: ChurnModel, month: date) -> bool:
    """Scores of such a month do not tell how the model does on new ones."""
    last = _last_known(model)
    return last is not None and month <= last


def _counts(rows: DataFrame, churn_scores: DataFrame, month: date, model: ChurnModel) -> Counts:
    inputs = {name: one for name, one in model.references.items() if name != SCORE and name in rows.columns}
    own = rows.where(F.col("month") == F.lit(month))
    scores = churn_scores.where(F.col("month") == F.lit(month)).withColumn(SCORE, F.col("probability"))
    counts = histograms(own, inputs).get(month, {})
    return counts | histograms(scores, {SCORE: model.references[SCORE]}).get(month, {})


def _pairs(churn_scores: DataFrame, churn_labels: DataFrame, month: date, seed: int) -> tuple[Floats, Floats]:
    """Labels and scores of the month's subscribers, of a sample of them where there are too many."""
    labels = churn_labels.select(
        "subscriber_id", F.add_months("month", -1).alias("month"), F.col("silent").cast("double").alias("y")
    )
    scores = churn_scores.where(F.col("month") == F.lit(month)).select(*KEY, F.col("probability").alias("p"))
    total = scores.count()
    if not total:
        return np.array([]), np.array([])
    sampled = scores.where(in_sample(min(1.0, MOST_PAIRS / total), seed))
    pairs = sampled.join(labels, KEY, how="inner").select("subscriber_id", "y", "p").toArrow()
    order = np.argsort(pairs["subscriber_id"].to_numpy())  # rows come in any order; ties are broken by it
    return pairs["y"].to_numpy()[order], pairs["p"].to_numpy()[order]


def _told(findings: list[Finding], month: date, settings: ChurnSettings) -> list[tuple[Any, ...]]:
    due = retraining_due(findings, settings)
    return [(month, *one[:6], int(one.version), due) for one in findings]


def _frame(anchor: DataFrame, rows: list[tuple[Any, ...]]) -> DataFrame:
    """`anchor` lends its session."""
    schema = to_arrow_schema(cast(StructType, StructType.fromDDL(RESULT)))
    told = pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema)
    return anchor.sparkSession.createDataFrame(told)
