"""What a worker makes of rows of features: score, tier, reasons in words; held packed until their ranks are known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from visitgrain.arrow.casting import constant
from visitgrain.arrow.ranks import Integers
from visitgrain.arrow.rows import Function
from visitgrain.arrow.shuffle import as_binary, tables_in
from visitgrain.catalogue.churn_phrases import Phrase
from visitgrain.churn.drift import Reference
from visitgrain.churn.model import ChurnModel, load
from visitgrain.churn.quality import Floats
from visitgrain.churn.reasons import codes, top_reasons, worded
from visitgrain.churn.shipping import unpacked
from visitgrain.churn.tiers import TIERS, level

TOP = 5
LANGUAGES = ("en", "zh")
STEPS = 1_000_000  # of the probability that ranks tell apart
PIECE = 50_000  # rows scored at once
HELD = pa.schema([("month", pa.date32()), ("bins", pa.list_(pa.int64())), ("rows", pa.binary())])
HELD_DDL = "month date, bins array<bigint>, rows binary"


def held(
    batches: Iterator[pa.RecordBatch],
    *,
    rows: Function,
    sent: Any,
    phrases: Mapping[str, Phrase],
    explained: Sequence[str],
) -> Iterator[pa.RecordBatch]:
    """Batches of HELD: scored rows of one month, packed, and how many of them fall into each bin of the reference."""
    model = unpacked(sent.value, load)
    for table in rows(batches):
        for start in range(0, table.num_rows, PIECE):
            for own in _by_month(scored(table.slice(start, PIECE), model, phrases, explained)):
                yield _held(own, model.references["score"])


def scored(
    rows: pa.Table, model: ChurnModel, phrases: Mapping[str, Phrase], explained: Sequence[str] = TIERS
) -> pa.Table:
    """KEY, score, tier, and reasons in the tiers of `explained`. Raises ValueError for an infinite feature."""
    names = model.features.names
    x = matrix(rows, names)
    raw = model.fitted.score(x)
    probability = model.calibration.apply(raw)
    levels = level(probability, model.cut_points)
    told = np.isin(TIERS, explained)[levels]
    reasons = top_reasons(model.fitted.contributions(x[told])[0], names, phrases, TOP)
    words = [worded(reasons, x[told], names, model.usual, phrases, language) for language in LANGUAGES]
    en, zh, features = (lists(texts, told) for texts in (*words, codes(reasons, names)))
    return pa.table(
        {
            "subscriber_id": rows["subscriber_id"],
            "month": rows["month"],
            "probability": probability,
            "raw_score": raw,
            "tier": pa.DictionaryArray.from_arrays(levels, TIERS),
            "reasons": en,
            "reasons_zh": zh,
            "reason_features": features,
        }
    )


def told_by(names: Sequence[str], phrases: Mapping[str, Phrase]) -> dict[str, Phrase]:
    """Phrases of the model's features. A habit that is none of them is not told: the usual of stayers is."""
    known = {name: phrases[name] for name in names if name in phrases}
    strange = {name for name, phrase in known.items() if phrase.usual and phrase.usual.feature not in names}
    return {
        name: phrase.model_copy(update={"usual": None}) if name in strange else phrase for name, phrase in known.items()
    }


def matrix(rows: pa.Table | pa.RecordBatch, names: Sequence[str]) -> Floats:
    """(rows, features), null = nan. Raises ValueError for an infinite feature, as training does."""
    x = np.empty((rows.num_rows, len(names)), order="F")  # filled, and read by trees, column by column
    for place, name in enumerate(names):
        x[:, place] = rows[name].to_numpy(zero_copy_only=False)
    if np.isinf(x).any():
        wrong = [name for name, column in zip(names, x.T, strict=True) if np.isinf(column).any()]
        raise ValueError(f"infinite: {', '.join(wrong)}; missing is null")
    return x


def lists(words: NDArray[np.object_], told: NDArray[np.bool_]) -> pa.Array:
    """(rows that are told, top) of text or None -> a list without the Nones per row, empty where it is not told."""
    there = words != None  # noqa: E711 - element by element
    lengths = np.zeros(len(told), np.int32)
    lengths[told] = there.sum(axis=1)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(words[there].tolist(), pa.string()))


def steps(rows: pa.Table) -> Integers:
    """What is ranked."""
    found: Integers = np.rint(rows["probability"].to_numpy() * STEPS).astype(np.int64)
    return found


def ranked(batches: Iterable[pa.RecordBatch], *, ranks: Any, told: Mapping[str, Any]) -> Iterator[pa.Table]:
    """Held rows with their rank, and what is told of all of them. `ranks`: by month, as a broadcast."""
    for table in tables_in(batches):
        rank = ranks.value[table["month"][0].as_py()].of(steps(table))
        table = table.append_column("rank", pa.array(rank))
        for name, value in told.items():
            same = constant(value, len(rank)) if isinstance(value, str) else pa.repeat(value, len(rank))
            table = table.append_column(name, same)
        yield table


def _by_month(rows: pa.Table) -> Iterator[pa.Table]:
    months = rows["month"].unique()
    for month in months:
        yield rows if len(months) == 1 else rows.filter(pc.equal(rows["month"], month))


def _held(rows: pa.Table, reference: Reference) -> pa.RecordBatch:
    bins = pa.array([reference.count(rows["probability"].to_numpy())], HELD.field("bins").type)
    return pa.RecordBatch.from_arrays(
        [pa.array([rows["month"][0].as_py()], pa.date32()), bins, as_binary([rows])], schema=HELD
    )
