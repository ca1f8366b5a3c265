"""Everybody who was active in the month gets a probability of silence, a tier, a rank and reasons in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import partial

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import DataFrame

from visitgrain.arrow.ranks import ranks_of
from visitgrain.arrow.rows import ArrowRows, TableFiles
from visitgrain.arrow.shuffle import buckets_of
from visitgrain.catalogue.catalogue import Catalogue
from visitgrain.catalogue.churn import Tracking
from visitgrain.catalogue.churn_phrases import Phrase
from visitgrain.churn.drift import Reference, drift_of
from visitgrain.churn.model import ChurnModel
from visitgrain.churn.model_rows import FeatureSet, feature_set
from visitgrain.churn.phrases import phrases_of
from visitgrain.churn.row_files import RowFiles, metrics_in, rows_in_files
from visitgrain.churn.scored_rows import HELD_DDL, held, ranked, steps, told_by
from visitgrain.churn.shipping import packed
from visitgrain.churn.tracking import CHAMPION, MODEL, RETURN, aliased, tracked
from visitgrain.errors import GateRefused, InputMissing
from visitgrain.span import Span

COUNTED_PER_TASK = 5_000_000  # rows whose ranks are found in one task


def score_churn(
    *, churn_features: TableFiles, subscriber_metrics: TableFiles, spec: Catalogue, span: Span, tracking: Tracking
) -> ArrowRows:
    """One row per subscriber of the months' churn_features who may go silent, by the model that is champion now.

    Raises GateRefused where there is no champion, its features are not those of the tables, or scores have drifted
    beyond the hard limit, InputMissing where a month has nobody or none of the metrics that the model reads; what was
    published before stays.
    """
    model, version = _champion(spec, tracking, MODEL)
    rows = _rows(churn_features, subscriber_metrics, model, spec, span)
    return _told(rows, churn_features.rows, model, version, phrases_of(spec), spec, span, tracking)


def score_returns(
    *, churn_features: TableFiles, subscriber_metrics: TableFiles, spec: Catalogue, span: Span, tracking: Tracking
) -> ArrowRows:
    """One row per subscriber who is silent already: the probability of coming back unaided. Raises as `score_churn`."""
    model, version = _champion(spec, tracking, RETURN)
    rows = _rows(churn_features, subscriber_metrics, model, spec, span, active=False)
    # Which side of the usual value is worse is about silence: here the usual value is always told.
    plain = {name: phrase.model_copy(update={"worse": None}) for name, phrase in phrases_of(spec).items()}
    return _told(rows, churn_features.rows, model, version, plain, spec, span, tracking)


def _champion(spec: Catalogue, tracking: Tracking, name: str) -> tuple[ChurnModel, str]:
    with tracked(tracking, name) as client:
        champion = aliased(client, CHAMPION, name)
    if champion is None:
        raise GateRefused(
            f"no version of model {name!r} has the alias {CHAMPION}. Run train_{name}; where the gate refused what it "
            f"trained, `visitgrain models list --model {name}` says why, and `models promote` takes a version by hand"
        )
    model, version = champion
    there = feature_set(spec)  # the lake has seen to it that stored columns are the declared ones
    check_features(model.features, there, dict.fromkeys(there.names, "double"), version, name)
    return champion


def check_features(
    wanted: FeatureSet, there: FeatureSet, types: Mapping[str, str], version: str, name: str = MODEL
) -> None:
    """Raises GateRefused, naming the model, for a feature that is missing, of another kind, or defined in another way
    than in training. `types`: of the columns that are there, in Spark SQL."""
    wrong = [f"{name} is not there" for name in wanted.names if name not in types]
    wrong += [f"{name} is {types[name]}, not double" for name in wanted.names if types.get(name, "double") != "double"]
    wrong += [
        f"{name} is defined in another way than in training"
        for name, definition in wanted.definitions.items()
        if name in types and there.definitions.get(name) != definition
    ]
    if wrong:
        raise GateRefused(
            f"model {name} version {version} does not fit the features: {'; '.join(wrong)}. Nothing was changed. "
            "Train again, or move the alias champion to a version that fits"
        )


def _rows(
    churn_features: TableFiles,
    subscriber_metrics: TableFiles,
    model: ChurnModel,
    spec: Catalogue,
    span: Span,
    *,
    active: bool = True,
) -> RowFiles:
    names, windows = model.features.names, spec.churn.metric_windows
    if metrics := metrics_in(names, windows):
        there = {file.partition for file in subscriber_metrics.files}
        if lacking := [f"{one.month:%Y-%m}" for one in span.months() if one.end not in there]:
            raise InputMissing(
                f"the model reads metrics of {', '.join(metrics)}, subscriber_metrics has none for the end of "
                f"{', '.join(lacking)}. Nothing was changed. Run monthly_metrics first"
            )
    return rows_in_files(churn_features, subscriber_metrics, names, windows, active=active)


def _told(
    rows: RowFiles,
    at_most: int,
    model: ChurnModel,
    version: str,
    phrases: Mapping[str, Phrase],
    spec: Catalogue,
    span: Span,
    tracking: Tracking,
) -> ArrowRows:
    kept = applied(rows, model, phrases, spec.churn.explained).persist()  # the runner lets it go
    check_scores(bins_of(kept), model.references["score"], spec.churn.monitoring.psi_block, version, span)
    told: dict[str, int | str] = {
        "model_version": int(version),
        "feature_hash": model.features.hash,
        "run_id": tracking.run_id,
    }
    return with_ranks(kept, at_most, told)


def applied(rows: RowFiles, model: ChurnModel, phrases: Mapping[str, Phrase], explained: Sequence[str]) -> DataFrame:
    """Scored rows, packed, as of `HELD`. The model's files go to each executor once."""
    sent = rows.frame.sparkSession.sparkContext.broadcast(packed(model))
    told = told_by(model.features.names, phrases)
    function = partial(held, rows=rows.function, sent=sent, phrases=told, explained=tuple(explained))
    return rows.frame.mapInArrow(function, HELD_DDL)


def bins_of(kept: DataFrame) -> dict[date, NDArray[np.int64]]:
    """By month: scores per bin of the model's reference."""
    found: dict[date, NDArray[np.int64]] = {}
    for row in kept.select("month", "bins").collect():
        found[row.month] = found.get(row.month, 0) + np.array(row.bins)
    return found


def with_ranks(kept: DataFrame, at_most: int, told: Mapping[str, int | str]) -> ArrowRows:
    """The held rows, each with its rank among those of the month: 1 + how many have a higher probability; equals, to a
    millionth, share it. `at_most`: so many rows; `told` is said of each."""
    ranks = ranks_of(kept, steps, buckets=buckets_of(at_most, each=COUNTED_PER_TASK))
    sent = kept.sparkSession.sparkContext.broadcast(ranks)
    return ArrowRows(kept.select("rows"), partial(ranked, ranks=sent, told=told))


def check_scores(
    found: Mapping[date, NDArray[np.int64]], before: Reference, limit: float, version: str, span: Span
) -> None:
    """Raises InputMissing for a month without anybody, GateRefused where a month's scores drifted beyond the limit."""
    if empty := [f"{one.month:%Y-%m}" for one in span.months() if one.month not in found]:
        raise InputMissing(
            f"churn_features has nobody to score in {', '.join(empty)}. Nothing was changed. Run monthly_churn first"
        )
    for month, counts in sorted(found.items()):
        drift, at_most = drift_of(before, counts, limit)
        if drift > at_most:
            raise GateRefused(
                f"scores of {month:%Y-%m} by model version {version} have drifted: PSI {drift:.3f}, at most "
                f"{at_most:.3g} (monitoring.psi_block). Nothing was published. Run monitor_churn, look at "
                "churn_monitoring, train again"
            )
