"""The score of a visit: a score card summed over its behaviours."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from visitgrain.arrow.maps import map_of_columns
from visitgrain.catalogue.score_cards import THOUSANDTHS, ScoreCard


def visit_scores(visits: pa.Table, cards: Mapping[str, ScoreCard]) -> pa.MapArray:
    """Purpose -> score of the visit, with every purpose. Needs the count columns of `visits`."""
    return map_of_columns({card.purpose: _units(visits, card) / THOUSANDTHS for card in cards.values()})


def _units(visits: pa.Table, card: ScoreCard) -> np.ndarray:
    """Score of each row of behaviour counts in whole thousandths: exact, so it may be summed in any order."""
    units = np.zeros(visits.num_rows, np.int64)
    for name, weight in card.weights.items():
        units += visits[name].to_numpy().astype(np.int64) * round(weight * THOUSANDTHS)
    return units
