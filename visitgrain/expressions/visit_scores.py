"""The score of a visit: a score card summed over its behaviours."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import add

from pyspark.sql import Column, functions as F

from visitgrain.catalogue.score_cards import SCORE_DECIMALS, ScoreCard

THOUSANDTHS = 10**SCORE_DECIMALS


def card_units(card: ScoreCard) -> Column:
    """Score of one row of behaviour counts in whole thousandths, as bigint: exact, so it may be summed in any order."""
    terms = [F.col(name).cast("bigint") * F.lit(round(weight * THOUSANDTHS)) for name, weight in card.weights.items()]
    return reduce(add, terms)


def visit_scores(cards: Mapping[str, ScoreCard]) -> Column:
    """Purpose -> score of the visit, as map<string,double> with every purpose. Needs the count columns of `visits`."""
    scores = {card.purpose: card_units(card) / F.lit(float(THOUSANDTHS)) for card in cards.values()}
    return F.create_map(*[part for purpose, score in scores.items() for part in (F.lit(purpose), score)])


def score_versions(cards: Mapping[str, ScoreCard]) -> str:
    """`purpose=version` of every card, sorted and joined by commas."""
    return ",".join(f"{purpose}={cards[purpose].version}" for purpose in sorted(cards))
