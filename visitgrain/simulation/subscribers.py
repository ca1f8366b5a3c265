"""Subscribers and their life: who they are, what they hold, when they fall silent and when they leave."""

from __future__ import annotations

from datetime import date

from pyspark.sql import Column, DataFrame, functions as F

from visitgrain.simulation.chance import between, choose_index, hashed, normal, uniform
from visitgrain.simulation.world import Product, World

NEVER = date(9999, 1, 1)
CONTRACT_MONTHS = 24


def to_subscribers(indexes: DataFrame, *, world: World, start: date, end: date, seed: int) -> DataFrame:
    """One row per index (column `id`): traits, visit rate, first silent day, month of leaving.

    `person` is the key every later draw starts from; it depends on index and seed alone, so the first subscribers of a
    larger world are those of a smaller one.
    """
    people = indexes.select(F.col("id").alias("index"), person_of(F.col("id"), seed).alias("person"))
    traits = people.select("*", *_traits(world, start, seed))
    holdings = traits.select("*", *_holdings(world, start))
    silent = holdings.select("*", _first_silent_month(world, start, end).alias("silent_month"))
    return silent.select("*", *_endings(world, start))


def person_of(index: Column, seed: int) -> Column:
    """Key of all draws about a subscriber."""
    return F.xxhash64(index, F.lit(seed).cast("bigint"))


def subscriber_id_of(index: Column, seed: int) -> Column:
    """Pseudonym: positive, 63 bits."""
    return F.shiftrightunsigned(hashed(person_of(index, seed), "subscriber"), 1)


def silence_hazard(world: World, start: date, month_no: Column) -> Column:
    """Probability of falling silent in month `month_no` (0 = the month of `start`): logistic in the drivers."""
    weights, month = world.silence, month_start(start, month_no)
    until_contract_ends = F.months_between(F.trunc("contract_end", "month"), month)
    drivers = (
        (weights.contract_ends, F.abs(until_contract_ends) <= 1),
        (weights.over_quota, F.col("data_use") > 1),
        (weights.new_customer, F.date_diff(month, F.col("activation_date")) < 180),
        (weights.few_sticky_services, F.col("sticky_services") == 0),
    )
    log_odds = F.lit(weights.base)
    for weight, holds in drivers:
        log_odds = log_odds + F.lit(weight) * F.coalesce(holds, F.lit(False)).cast("double")
    return F.lit(1.0) / (F.lit(1.0) + F.exp(-log_odds))


def month_start(start: date, month_no: Column) -> Column:
    """First day of the month `month_no` months after that of `start`."""
    return F.add_months(F.lit(start.replace(day=1)), month_no)


def months_of(start: date, end: date) -> int:
    """Calendar months that the span touches."""
    return (end.year - start.year) * 12 + end.month - start.month + 1


def _traits(world: World, start: date, seed: int) -> list[Column]:
    population, person = world.population, F.col("person")
    joins = uniform(person, "joins") < population.joiners_share
    joined = between(uniform(person, "joined"), F.lit(0), F.lit(population.joining_days - 1))
    tenure = F.ceil(F.lit(-population.tenure_days) * F.log(F.lit(1.0) - uniform(person, "tenure")))
    # The mean of exp(sigma * z) is exp(sigma^2 / 2); it is taken out so that `visits_per_month` is the mean.
    spread = population.visits_spread
    rate = F.exp(F.lit(spread) * normal(person, "rate") - F.lit(spread**2 / 2))
    areas = F.array(*(F.lit(area) for area in population.areas))
    return [
        subscriber_id_of(F.col("index"), seed).alias("subscriber_id"),
        F.date_add(F.lit(start), F.when(joins, joined).otherwise(-tenure).cast("int")).alias("activation_date"),
        F.element_at(areas, between(uniform(person, "area"), F.lit(1), F.lit(len(population.areas))).cast("int")).alias(
            "area_code"
        ),
        (F.lit(start.year - 18) - F.floor(F.lit(55) * uniform(person, "age") ** F.lit(1.3)))
        .cast("int")
        .alias("birth_year"),
        F.when(uniform(person, "gender") < 0.52, F.lit("male")).otherwise(F.lit("female")).alias("gender"),
        choose_index(uniform(person, "plan"), [plan.weight for plan in world.plans]).alias("plan_no"),
        (uniform(person, "e_channel") < population.e_channel_share).alias("uses_e_channel"),
        (uniform(person, "bot") < population.bot_share).alias("has_bot"),
        (rate * F.lit(population.visits_per_month / 30)).alias("visit_rate"),
    ]


def _holdings(world: World, start: date) -> list[Column]:
    person, plan_no = F.col("person"), F.col("plan_no") + F.lit(1)
    plans = _plan_array(world.plans)
    months_to_end = between(uniform(person, "contract"), F.lit(-6), F.lit(CONTRACT_MONTHS - 6)).cast("int")
    has_contract = uniform(person, "has_contract") < 0.6
    broadband = uniform(person, "broadband")
    return [
        F.element_at(plans, plan_no).alias("plan"),
        F.when(has_contract, F.last_day(month_start(start, months_to_end))).alias("contract_end"),
        F.when(broadband < 0.35, F.date_add(F.lit(start), (broadband * F.lit(2000)).cast("int"))).alias(
            "broadband_expiry"
        ),
        # Share of the plan's data that is used in a usual month: log-normal around 0.6.
        (F.lit(0.6) * F.exp(F.lit(0.6) * normal(person, "data_use"))).alias("data_use"),
        choose_index(uniform(person, "sticky"), [4, 3, 2, 1]).alias("sticky_services"),
    ]


def _plan_array(plans: tuple[Product, ...]) -> Column:
    return F.array(
        *(
            F.struct(
                F.lit(plan.product_id).alias("product_id"),
                F.lit(plan.price_fen).cast("bigint").alias("price_fen"),
                F.lit(float(plan.quota_mb or 0)).alias("quota_mb"),
            )
            for plan in plans
        )
    )


def _first_silent_month(world: World, start: date, end: date) -> Column:
    """Number of the first month whose draw falls under its hazard; null = not within the span."""
    months = F.sequence(F.lit(0), F.lit(months_of(start, end) - 1))

    def falls_silent(month_no: Column) -> Column:
        joined = F.col("activation_date") <= F.last_day(month_start(start, month_no))
        return joined & (uniform(F.col("person"), "silence", month_no) < silence_hazard(world, start, month_no))

    return F.get(F.filter(months, falls_silent), F.lit(0))


def _endings(world: World, start: date) -> list[Column]:
    person, silent_month = F.col("person"), F.col("silent_month")
    day = between(uniform(person, "silent_day"), F.lit(0), F.lit(27)).cast("int")
    silent_from = F.greatest(F.date_add(month_start(start, silent_month), day), F.col("activation_date"))
    leaves = silent_month.isNotNull() & (uniform(person, "leaves") < world.silence.leaves_share)
    ported = uniform(person, "ports_out") < 0.5
    return [
        F.when(silent_month.isNull(), F.lit(NEVER)).otherwise(silent_from).alias("silent_from"),
        F.when(leaves, silent_month + F.lit(1)).alias("leaving_month"),
        F.when(leaves, F.when(ported, F.lit("ported_out")).otherwise(F.lit("cancelled"))).alias("leaving_status"),
    ]
