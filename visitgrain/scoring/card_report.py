"""How well the score cards of a month predict activity and orders of the next, and the weights a ridge fit proposes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame, Window, functions as F

from visitgrain.catalogue.score_cards import SCORE_DECIMALS, ScoreCard
from visitgrain.expressions.visit_scores import card_units
from visitgrain.scoring.products import PRODUCT_SCHEMA, correlation, covariances, products, ridge_weights
from visitgrain.span import Span
from visitgrain.tables.segmentation import SCORE_CARD_REPORTS

CARD = "card"  # the line of a card as a whole
TARGETS = ("active_next_month", "orders_next_month")
FIT_SCHEMA = (
    "purpose string, version string, target string, behaviour string, predictor string, "
    "correlation double, weight double, proposed_weight double, subscribers bigint, positives bigint"
)


def report_score_cards(
    visits_before: DataFrame, month_features: DataFrame, *, spec: Mapping[str, ScoreCard], span: Span
) -> DataFrame:
    """One row per card, target and behaviour: scores are of the month before, targets of the month of the span.

    Who is scored: every subscriber with a visit in the month before. No rows when there was none.
    """
    behaviours = sorted({name for card in spec.values() for name in card.weights})
    scored = _counts(visits_before, behaviours).join(_targets(month_features), on="subscriber_id", how="left")
    people = scored.select(
        *behaviours,
        *[F.coalesce(name, F.lit(False)).cast("bigint").alias(name) for name in TARGETS],
        *[card_units(card).alias(f"{CARD}_{purpose}") for purpose, card in spec.items()],
    )
    fitted = _fitted(people, behaviours, spec)
    report = fitted.join(_aucs(people, behaviours, spec), on=["predictor", "target"], how="left")
    return report.select(F.lit(span.month).alias("month"), *SCORE_CARD_REPORTS.column_names[1:])


def _counts(visits: DataFrame, behaviours: list[str]) -> DataFrame:
    known = visits.filter(F.col("subscriber_id").isNotNull())
    return known.groupBy("subscriber_id").agg(*[F.sum(name).alias(name) for name in behaviours])


def _targets(month_features: DataFrame) -> DataFrame:
    ordered = (F.col("orders") + F.col("topups") > 0) | (F.size("ordered_businesses") > 0)
    return month_features.select("subscriber_id", (F.col("visits") > 0).alias(TARGETS[0]), ordered.alias(TARGETS[1]))


def _fitted(people: DataFrame, behaviours: list[str], cards: Mapping[str, ScoreCard]) -> DataFrame:
    """Correlations and proposed weights: people are reduced to sums of products, one task solves the small matrix."""
    columns = [F.lit(1).cast("bigint").alias("one"), *[F.col(name) for name in (*behaviours, *TARGETS)]]
    totals = people.select(*columns).mapInArrow(products, PRODUCT_SCHEMA)
    summed = totals.groupBy("i", "j").agg(F.sum(F.col("total").cast("decimal(30,0)")).cast("double").alias("total"))

    def solve(table: pa.Table) -> pa.Table:
        return pa.Table.from_pylist(list(fit_lines(table, behaviours, cards)), schema=FIT_ARROW)

    return summed.select("*", F.lit(0).alias("whole")).groupBy("whole").applyInArrow(solve, FIT_SCHEMA)


FIT_ARROW = pa.schema(
    [(name, pa.string()) for name in ("purpose", "version", "target", "behaviour", "predictor")]
    + [(name, pa.float64()) for name in ("correlation", "weight", "proposed_weight")]
    + [(name, pa.int64()) for name in ("subscribers", "positives")]
)


def fit_lines(totals: pa.Table, behaviours: list[str], cards: Mapping[str, ScoreCard]) -> Iterator[dict[str, object]]:
    """Report lines without AUC. `totals`: sums of products (i, j, total) of the constant 1, behaviours and targets."""
    size = 1 + len(behaviours) + len(TARGETS)
    matrix = np.zeros((size, size))
    matrix[totals["i"].to_numpy(), totals["j"].to_numpy()] = totals["total"].to_numpy()
    covariance = covariances(matrix)
    for card in cards.values():
        places = [behaviours.index(name) for name in card.weights]
        weights = np.array(list(card.weights.values()))
        within = covariance[np.ix_(places, places)]
        for number, target in enumerate(TARGETS):
            place = len(behaviours) + number
            with_target, variance = covariance[places, place], covariance[place, place]
            common = {
                "purpose": card.purpose,
                "version": card.version,
                "target": target,
                "subscribers": int(matrix[0, 0]),
                "positives": int(matrix[0, 1 + place]),
            }
            score = correlation(weights @ with_target, weights @ within @ weights, variance)
            yield {**common, "behaviour": CARD, "predictor": f"{CARD}_{card.purpose}", "correlation": score}
            proposed = ridge_weights(within, with_target, ridge=card.ridge, size=np.abs(weights).sum())
            for i, (name, weight) in enumerate(card.weights.items()):
                yield {
                    **common,
                    "behaviour": name,
                    "predictor": name,
                    "correlation": correlation(with_target[i], within[i, i], variance),
                    "weight": weight,
                    # As many decimals as a card takes, so that it can be copied into the YAML.
                    "proposed_weight": None if proposed is None else round(float(proposed[i]), SCORE_DECIMALS),
                }


def _aucs(people: DataFrame, behaviours: list[str], cards: Mapping[str, ScoreCard]) -> DataFrame:
    """(predictor, target, auc): chance that one with the target has the greater number than one without, ties as half.

    People are counted per predictor and value first, so that the ranking runs over the few values there are.
    """
    predictors = [*behaviours, *[f"{CARD}_{purpose}" for purpose in cards]]
    pairs = [F.struct(F.lit(name).alias("predictor"), F.col(name).alias("value")) for name in predictors]
    counted = (
        people.select(F.explode(F.array(*pairs)).alias("p"), *TARGETS)
        .groupBy("p.predictor", "p.value")
        .agg(F.count(F.lit(1)).alias("n"), *[F.sum(name).alias(name) for name in TARGETS])
    )
    per_target = counted.select("predictor", "value", "n", F.explode(_by_target()).alias("target", "positives"))
    negatives = F.col("n") - F.col("positives")
    below = Window.partitionBy("predictor", "target").orderBy("value").rowsBetween(Window.unboundedPreceding, -1)
    ranked = per_target.select(
        "predictor",
        "target",
        "positives",
        negatives.alias("negatives"),
        F.coalesce(F.sum(negatives).over(below), F.lit(0)).alias("negatives_below"),
    )
    wins = F.sum(F.col("positives") * (2 * F.col("negatives_below") + F.col("negatives")))
    pairs_twice = 2 * F.sum("positives") * F.sum("negatives")
    return ranked.groupBy("predictor", "target").agg(F.try_divide(wins, pairs_twice).alias("auc"))


def _by_target() -> Column:
    return F.create_map(*[part for name in TARGETS for part in (F.lit(name), F.col(name))])
