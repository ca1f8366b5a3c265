"""Everybody who was active in the month gets a probability of silence, a tier, a rank and reasons in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, functions as F
from pyspark.sql.types import DoubleType, StructType

from visitgrain.catalogue.catalogue import Catalogue
from visitgrain.catalogue.churn import Tracking
from visitgrain.catalogue.churn_phrases import Phrase
from visitgrain.churn.drift import Reference, drift_of
from visitgrain.churn.histograms import histograms
from visitgrain.churn.model import ChurnModel, load
from visitgrain.churn.model_rows import KEY, FeatureSet, feature_set, rows_of
from visitgrain.churn.phrases import phrases_of
from visitgrain.churn.quality import Floats
from visitgrain.churn.reasons import codes, top_reasons, worded
from visitgrain.churn.shipping import packed, unpacked
from visitgrain.churn.tiers import tier
from visitgrain.churn.tracking import CHAMPION, MODEL, RETURN, aliased, tracked
from visitgrain.errors import GateRefused, InputMissing
from visitgrain.expressions import ranks
from visitgrain.span import Span
from visitgrain.tables.churning import CHURN_SCORES, TIERS

TOP = 5
LANGUAGES = ("en", "zh")
STEPS = 1_000_000  # of the probability that ranks tell apart
SCORED = (
    "subscriber_id bigint, month date, probability double, raw_score double, tier string, "
    "reasons array<string>, reasons_zh array<string>, reason_features array<string>"
)


def score_churn(
    *, churn_features: DataFrame, subscriber_metrics: DataFrame, spec: Catalogue, span: Span, tracking: Tracking
) -> DataFrame:
    """One row per subscriber of the months' churn_features who may go silent, by the model that is champion now.

    Raises GateRefused where there is no champion, its features are not those of the tables, or scores have drifted
    beyond the hard limit, InputMissing where a month has nobody; what was published before stays.
    """
    rows = rows_of(churn_features, subscriber_metrics, spec)
    return _by_champion(rows, spec, span, tracking, MODEL, phrases_of(spec))


def score_returns(
    *, churn_features: DataFrame, subscriber_metrics: DataFrame, spec: Catalogue, span: Span, tracking: Tracking
) -> DataFrame:
    """One row per subscriber who is silent already: the probability of coming back unaided. Raises as `score_churn`."""
    rows = rows_of(churn_features, subscriber_metrics, spec, active=False)
    # Which side of the usual value is worse is about silence: here the usual value is always told.
    plain = {name: phrase.model_copy(update={"worse": None}) for name, phrase in phrases_of(spec).items()}
    return _by_champion(rows, spec, span, tracking, RETURN, plain)


def _by_champion(
    rows: DataFrame, spec: Catalogue, span: Span, tracking: Tracking, name: str, phrases: Mapping[str, Phrase]
) -> DataFrame:
    with tracked(tracking, name) as client:
        champion = aliased(client, CHAMPION, name)
    if champion is None:
        raise GateRefused(
            f"no version of model {name!r} has the alias {CHAMPION}. Run train_{name}; where the gate refused what it "
            f"trained, `visitgrain models list --model {name}` says why, and `models promote` takes a version by hand"
        )
    model, version = champion
    check_features(model.features, feature_set(spec), rows.schema, version, name)
    scored = applied(rows, model, phrases, spec.churn.explained)
    scored = scored.persist()  # for counts, ranks and the table; the runner lets it go
    _check_scores(scored, model.references["score"], spec.churn.monitoring.psi_block, version, span)
    told = {
        "model_version": F.lit(int(version)),
        "feature_hash": F.lit(model.features.hash),
        "run_id": F.lit(tracking.run_id),
    }
    return ranked(scored).withColumns(told).select(*CHURN_SCORES.column_names)


def check_features(wanted: FeatureSet, there: FeatureSet, schema: StructType, version: str, name: str = MODEL) -> None:
    """Raises GateRefused, naming the model, for a feature that is missing, of another kind, or defined in another way
    than in training."""
    types = {field.name: field.dataType for field in schema}
    wrong = [f"{name} is not there" for name in wanted.names if name not in types]
    wrong += [
        f"{name} is {types[name].simpleString()}, not double"
        for name in wanted.names
        if name in types and not isinstance(types[name], DoubleType)
    ]
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


def applied(rows: DataFrame, model: ChurnModel, phrases: Mapping[str, Phrase], explained: Sequence[str]) -> DataFrame:
    """KEY, score, tier, and reasons in the tiers of `explained`. The model's files go to each executor once."""
    sent = rows.sparkSession.sparkContext.broadcast(packed(model))
    told = told_by(model.features.names, phrases)
    function = partial(_scored, sent=sent, phrases=told, explained=tuple(explained))
    return rows.select(*KEY, *model.features.names).mapInArrow(function, SCORED)


def told_by(names: Sequence[str], phrases: Mapping[str, Phrase]) -> dict[str, Phrase]:
    """Phrases of the model's features. A habit that is none of them is not told: the usual of stayers is."""
    known = {name: phrases[name] for name in names if name in phrases}
    strange = {name for name, phrase in known.items() if phrase.usual and phrase.usual.feature not in names}
    return {
        name: phrase.model_copy(update={"usual": None}) if name in strange else phrase for name, phrase in known.items()
    }


def _scored(
    batches: Iterable[pa.RecordBatch], *, sent: Any, phrases: Mapping[str, Phrase], explained: Sequence[str] = TIERS
) -> Iterator[pa.RecordBatch]:
    model = unpacked(sent.value, load)
    for batch in batches:
        yield scored_batch(batch, model, phrases, explained)


def scored_batch(
    batch: pa.RecordBatch, model: ChurnModel, phrases: Mapping[str, Phrase], explained: Sequence[str] = TIERS
) -> pa.RecordBatch:
    """The columns of SCORED, one row per row. Raises ValueError for an infinite feature."""
    names = model.features.names
    x = matrix(batch, names)
    raw = model.fitted.score(x)
    probability = model.calibration.apply(raw)
    tiers = tier(probability, model.cut_points)
    told = np.isin(tiers, explained)
    reasons = top_reasons(model.fitted.contributions(x[told])[0], names, phrases, TOP)
    words = [worded(reasons, x[told], names, model.usual, phrases, language) for language in LANGUAGES]
    lists = [_lists(_of_all(texts, told)) for texts in (*words, codes(reasons, names))]
    numbers = [pa.array(probability), pa.array(raw), pa.array(tiers, pa.string())]
    scores = [batch["subscriber_id"], batch["month"], *numbers]
    return pa.RecordBatch.from_arrays([*scores, *lists], names=_NAMES)


def _of_all(texts: Any, told: Any) -> Any:
    """Rows of `told`, None for all others."""
    found = np.full((len(told), texts.shape[1]), None, dtype=object)
    found[told] = texts
    return found


_NAMES = [part.split()[0] for part in SCORED.split(", ")]


def matrix(batch: pa.RecordBatch, names: Sequence[str]) -> Floats:
    """(rows, features), null = nan. Raises ValueError for an infinite feature, as training does."""
    x = np.empty((batch.num_rows, len(names)))
    for place, name in enumerate(names):
        x[:, place] = batch[name].to_numpy(zero_copy_only=False)
    if np.isinf(x).any():
        wrong = [name for name, column in zip(names, x.T, strict=True) if np.isinf(column).any()]
        raise ValueError(f"infinite: {', '.join(wrong)}; missing is null")
    return x


def _lists(words: Any) -> pa.Array:
    """(rows, top) of text or None -> lists without the Nones."""
    there = words != None  # noqa: E711 - element by element
    offsets = np.concatenate([[0], np.cumsum(there.sum(axis=1))])
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(words[there].tolist(), pa.string()))


def ranked(scored: DataFrame) -> DataFrame:
    """With `rank`: 1 + how many of the month have a higher probability; equals, to a millionth, share it."""
    return ranks.ranked(scored, F.round(F.col("probability") * STEPS), within="month")


def _check_scores(scored: DataFrame, before: Reference, limit: float, version: str, span: Span) -> None:
    """Raises InputMissing for a month without anybody, GateRefused where a month's scores drifted beyond the limit."""
    found = histograms(scored, {"probability": before})
    if empty := [f"{one.month:%Y-%m}" for one in span.months() if one.month not in found]:
        raise InputMissing(
            f"churn_features has nobody to score in {', '.join(empty)}. Nothing was changed. Run monthly_churn first"
        )
    for month, counts in sorted(found.items()):
        drift, at_most = drift_of(before, counts["probability"], limit)
        if drift > at_most:
            raise GateRefused(
                f"scores of {month:%Y-%m} by model version {version} have drifted: PSI {drift:.3f}, at most "
                f"{at_most:.3g} (monitoring.psi_block). Nothing was published. Run monitor_churn, look at "
                "churn_monitoring, train again"
            )
