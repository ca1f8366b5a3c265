"""What a score card gives for behaviours that are summed over visits."""

from __future__ import annotations

from functools import reduce
from operator import add

from pyspark.sql import Column, functions as F

from visitgrain.catalogue.score_cards import THOUSANDTHS, ScoreCard


def card_units(card: ScoreCard) -> Column:
    """Score of one row of behaviour counts in whole thousandths, as bigint: exact, so it may be summed in any order."""
    terms = [F.col(name).cast("bigint") * F.lit(round(weight * THOUSANDTHS)) for name, weight in card.weights.items()]
    return reduce(add, terms)
