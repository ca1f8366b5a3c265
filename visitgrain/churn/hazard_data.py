"""Rows with onsets -> what hazards are learnt, chosen and tested on: cut-offs in order, each as known at the next.

Silence needs weeks to be seen, so rows of an earlier part are cut back to what could be told when the next part began:
what happened after a test cut-off teaches nothing about it.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame, functions as F

from visitgrain.catalogue.churn import ChurnSettings
from visitgrain.churn.model_rows import KEY, SLICES, FeatureSet
from visitgrain.churn.sent_rows import SentRows
from visitgrain.churn.survival import Spells, first_day_after
from visitgrain.churn.training_data import Slices, Split, in_sample, split_of
from visitgrain.errors import InputMissing

JUDGED_WEEKS = 4  # a cut-off is used when it is known who went silent within so many


@dataclass(frozen=True, eq=False)
class HazardData:
    """`fitting` as known at the first choosing cut-off; `choosing`, and `learning` (both), as known at the first of
    `testing`. `share`: of the subscribers that came to the driver."""

    features: FeatureSet
    fitting: Spells
    choosing: Spells
    learning: Spells
    testing: Spells
    slices: Slices  # of the test rows
    split: Split
    counts: dict[str, dict[str, int]]  # rows and silences of each cut-off's month, all of them
    share: float


def collected_hazards(rows: DataFrame, onsets: DataFrame, features: FeatureSet, settings: ChurnSettings) -> HazardData:
    """Whole subscribers, by hash, where there are too many weeks. Features are left out as from the churn model's.

    Raises InputMissing where cut-offs are too few to leave something to learn from, to choose and to test on.
    """
    horizon = settings.survival.horizon_weeks
    at_risk = F.least(F.col("weeks") + F.col("event"), F.lit(horizon))
    by_month = (
        onsets.where(F.col("known_weeks") >= JUDGED_WEEKS)
        .groupBy("month")
        .agg(F.count(F.lit(1)).alias("rows"), F.sum("event").alias("silences"), F.sum(at_risk).alias("weeks"))
    )
    found = {row.month: row for row in sorted(by_month.collect(), key=lambda row: row.month)}
    split = split_of(list(found), settings.months)
    used = (*split.train, *split.choose, *split.test)
    share = min(1.0, settings.survival.most_person_weeks / max(sum(found[month].weeks for month in used), 1))
    wanted = onsets.where(F.col("month").isin(*used) & in_sample(share, settings.seed)).join(rows, KEY, how="inner")
    number = int(sum(found[month].rows for month in used) * share)
    choose, test = split.firsts
    with SentRows(wanted.select(*KEY, "weeks", "event", *SLICES, *features.names), number) as sent:
        kept, _ = sent.learnable(
            features, choose=choose, test=test, least=settings.minimum_coverage, most=settings.most_drift
        )
        panel, order = sent.panel(kept, "event")
        everything = Spells(panel, sent.numbers("weeks", "int64")[order])
        slices: Slices = {name: sent.texts(name, order) for name in settings.slices}
    counts = {str(month): {"rows": found[month].rows, "silences": int(found[month].silences)} for month in used}
    return parted(everything, kept, split, settings.survival.silence_days, slices, counts, share)


def parted(
    everything: Spells,
    kept: FeatureSet,
    split: Split,
    silence_days: int,
    slices: Slices,
    counts: dict[str, dict[str, int]],
    share: float,
) -> HazardData:
    """Rows in order of months, and what goes with them, as HazardData. Raises InputMissing, see `collected_hazards`."""
    month = everything.panel.month
    choose, test = split.firsts
    learning = everything.where(month < test).as_known_at(first_day_after(test), silence_days)
    fitting = everything.where(month < choose).as_known_at(first_day_after(choose), silence_days)
    choosing = learning.where(learning.panel.month >= choose)
    for name, part in (("train", fitting), ("choose", choosing)):
        if not part.event.any() or not part.weeks.any():
            raise InputMissing(
                f"survival: the {len(counts)} cut-off months are too few: none of those to {name} on is known for a "
                f"week, with silences of {silence_days} days, when the next part begins. Run monthly_churn for more"
            )
    testing = month >= test
    own = {name: values[testing] for name, values in slices.items()}
    return HazardData(kept, fitting, choosing, learning, everything.where(testing), own, split, counts, share)
