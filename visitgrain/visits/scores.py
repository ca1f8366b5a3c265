"""The score of a visit: a score card summed over its behaviours."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from visitgrain.catalogue.score_cards import THOUSANDTHS, ScoreCard


def visit_scores(visits: pa.Table, cards: Mapping[str, ScoreCard]) -> pa.MapArray:
    """Purpose -> score of the visit, with every purpose. Needs the count columns of `visits`."""
    scores = np.empty((visits.num_rows, len(cards)))
    for position, card in enumerate(cards.values()):
        scores[:, position] = _units(visits, card) / THOUSANDTHS
    purposes = pa.array([card.purpose for card in cards.values()])
    keys = pa.DictionaryArray.from_arrays(np.tile(np.arange(len(cards), dtype=np.int32), visits.num_rows), purposes)
    offsets = np.arange(0, visits.num_rows * len(cards) + 1, len(cards), dtype=np.int32)
    return pa.MapArray.from_arrays(offsets, keys.cast(pa.string()), scores.ravel())


def _units(visits: pa.Table, card: ScoreCard) -> np.ndarray:
    """Score of each row of behaviour counts in whole thousandths: exact, so it may be summed in any order."""
    units = np.zeros(visits.num_rows, np.int64)
    for name, weight in card.weights.items():
        units += visits[name].to_numpy().astype(np.int64) * round(weight * THOUSANDTHS)
    return units
