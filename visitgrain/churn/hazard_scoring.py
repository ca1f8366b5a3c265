"""Everybody who is not silent at the month's end gets hazards of silence, and a flag where activity fell far."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, functions as F

from visitgrain.catalogue.catalogue import Catalogue
from visitgrain.catalogue.churn import ChangeMoment, Tracking
from visitgrain.churn.change_moment import READS, change_moments
from visitgrain.churn.hazard_model import HazardModel, load
from visitgrain.churn.model_rows import KEY, feature_set, rows_of
from visitgrain.churn.onsets import not_silent
from visitgrain.churn.scored_rows import matrix
from visitgrain.churn.scoring import check_features
from visitgrain.churn.shipping import packed, unpacked
from visitgrain.churn.survival import DAYS, expected_days, median_weeks, silent_within
from visitgrain.churn.tracking import CHAMPION, HAZARD, aliased, tracked
from visitgrain.errors import GateRefused
from visitgrain.span import Span
from visitgrain.tables.hazards import SILENCE_HAZARDS

ESTIMATED = (
    "subscriber_id bigint, month date, hazard_1w double, p_silent_4w double, expected_days double, median_days double, "
    "change_moment boolean, change_moment_reason string, change_moment_reason_zh string"
)
_NAMES = [part.split()[0] for part in ESTIMATED.split(", ")]


def estimate_hazards(
    *, churn_features: DataFrame, subscriber_metrics: DataFrame, spec: Catalogue, span: Span, tracking: Tracking
) -> DataFrame:
    """One row per subscriber of the month's churn_features who is neither gone nor silent, by the champion's hazards.

    Raises GateRefused where there is no champion or its features are not those of the tables; what was published stays.
    """
    with tracked(tracking, HAZARD) as client:
        champion = aliased(client, CHAMPION, HAZARD, load)
    if champion is None:
        raise GateRefused(
            f"no version of model {HAZARD!r} has the alias {CHAMPION}: run train_hazards, or set the alias"
        )
    model, version = champion
    rows = rows_of(not_silent(churn_features, model.silence_days), subscriber_metrics, spec)
    check_features(model.features, feature_set(spec), dict(rows.dtypes), version, HAZARD)
    told = {"model_version": F.lit(int(version)), "feature_hash": F.lit(model.features.hash)}
    return estimated(rows, model, spec.churn.change_moment).withColumns(told).select(*SILENCE_HAZARDS.column_names)


def estimated(rows: DataFrame, model: HazardModel, settings: ChangeMoment) -> DataFrame:
    """KEY, what the hazards say, the change moment. The model's files go to each executor once."""
    sent = rows.sparkSession.sparkContext.broadcast(packed(model))
    wanted = dict.fromkeys([*KEY, *model.features.names, *READS])
    return rows.select(*wanted).mapInArrow(partial(_estimated, sent=sent, settings=settings), ESTIMATED)


def _estimated(batches: Iterable[pa.RecordBatch], *, sent: Any, settings: ChangeMoment) -> Iterator[pa.RecordBatch]:
    model = unpacked(sent.value, load)
    for batch in batches:
        hazard = model.hazard(matrix(batch, model.features.names))
        habits = dict(zip(READS, matrix(batch, READS).T, strict=True))
        moments = change_moments(habits, settings)
        median = DAYS * median_weeks(hazard)
        columns = [
            *(batch["subscriber_id"], batch["month"]),
            *(pa.array(values) for values in (hazard[:, 0], silent_within(hazard, 4), expected_days(hazard))),
            pa.array(median, mask=np.isnan(median)),
            pa.array(moments.flag),
            *(pa.array(words, pa.string()) for words in (moments.reason, moments.reason_zh)),
        ]
        yield pa.RecordBatch.from_arrays(columns, names=_NAMES)
