"""Why a subscriber's risk is high: the features that add most to it, in words beside the usual value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from visitgrain.catalogue.churn_phrases import Phrase
from visitgrain.churn.panel import Panel
from visitgrain.churn.quality import Floats

NOBODY = -1  # no (further) reason: nothing else adds to the risk
MISSING = {"en": "none", "zh": "无"}
USUAL = {"en": ", usual: ", "zh": "，平时："}
COLON = {"en": ": ", "zh": "："}


class Reasons(NamedTuple):
    """Both (rows, top), the strongest first."""

    feature: NDArray[np.int64]  # place in the panel's features, NOBODY where there is none
    log_odds: Floats  # what the feature's family adds to the risk, 0 where there is none


def top_reasons(contributions: Floats, features: Sequence[str], phrases: Mapping[str, Phrase], top: int = 3) -> Reasons:
    """The families with the largest positive sums of log-odds; ties in the order of the features.

    Each is told by its member with the largest contribution. Features that say the same share what they explain: their
    sum is what counts.
    """
    families: dict[str, list[int]] = {}
    for place, name in enumerate(features):
        if name in phrases:
            families.setdefault(phrases[name].family or name, []).append(place)
    rows, width = len(contributions), max(top, len(families))
    sums, tellers = np.zeros((rows, width)), np.full((rows, width), NOBODY, dtype=np.int64)
    for number, places in enumerate(families.values()):
        own = contributions[:, places]
        sums[:, number] = own.sum(axis=1)
        tellers[:, number] = np.asarray(places)[own.argmax(axis=1)]
    order = np.argsort(-sums, axis=1, kind="stable")[:, :top]
    log_odds = np.take_along_axis(sums, order, axis=1)
    feature = np.where(log_odds > 0, np.take_along_axis(tellers, order, axis=1), NOBODY)
    return Reasons(feature, np.where(log_odds > 0, log_odds, 0.0))


def usual_of_stayers(panel: Panel) -> Floats:
    """Median of each feature over the rows that stayed; NaN where none has a value."""
    stayed = panel.y == 0
    columns = (column[stayed] for column in panel.x.T)  # one at a time: together they are as large as the panel
    return np.array([np.median(known) if len(known := own[~np.isnan(own)]) else np.nan for own in columns])


def codes(reasons: Reasons, features: Sequence[str]) -> NDArray[np.object_]:
    """(rows, top): the names of the features, None where there is no reason."""
    return np.array([*features, None], dtype=object)[reasons.feature]  # NOBODY is the last place


def worded(
    reasons: Reasons,
    x: Floats,
    features: Sequence[str],
    usual: Floats,
    phrases: Mapping[str, Phrase],
    language: str = "en",
) -> NDArray[np.object_]:
    """(rows, top): "visits in the last 30 days: 1, usual: 9", None where there is no reason.

    `usual` as of `usual_of_stayers`; `language` is en or zh. Raises ValueError for a habit that is no feature.
    """
    text = np.full(reasons.feature.shape, None, dtype=object)
    for place in np.unique(reasons.feature[reasons.feature != NOBODY]).tolist():
        phrase = phrases[features[place]]
        cells = np.nonzero(reasons.feature == place)
        values = x[cells[0], place]
        text[cells] = _sentences(phrase, values, _usual(phrase, x[cells[0]], features, usual[place]), language)
    return text


def _usual(phrase: Phrase, x: Floats, features: Sequence[str], median: float) -> Floats:
    if phrase.usual is None:
        return np.full(len(x), median)
    if phrase.usual.feature not in features:
        raise ValueError(f"{phrase.en}: usual is {phrase.usual.feature}, which is no feature of the panel")
    habit: Floats = x[:, features.index(phrase.usual.feature)] / phrase.usual.divided_by
    return habit


def _sentences(phrase: Phrase, values: Floats, usual: Floats, language: str) -> NDArray[np.object_]:
    words, unit = (phrase.en, phrase.unit_en) if language == "en" else (phrase.zh, phrase.unit_zh)
    frame = pl.DataFrame({"value": values, "usual": usual}).fill_nan(None)
    rounded = frame.with_columns(pl.all().round(phrase.decimals) + 0.0)  # + 0.0: no minus zero
    value, habit = (pl.col(name).cast(pl.String).str.strip_suffix(".0") + pl.lit(unit) for name in rounded.columns)
    sides = {"low": pl.col("value") < pl.col("usual"), "high": pl.col("value") > pl.col("usual"), None: pl.lit(True)}
    compared = pl.when(sides[phrase.worse]).then(pl.lit(USUAL[language]) + habit).fill_null("")
    sentence = pl.concat_str(pl.lit(words + COLON[language]), value.fill_null(MISSING[language]), compared)
    return rounded.select(sentence).to_series().to_numpy()
