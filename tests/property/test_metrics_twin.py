"""All 157 metrics through the compiler, the reference interpreter and DuckDB, on random and hand-made populations."""

from __future__ import annotations

import math
import random
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
import yaml

from tests.conftest import PROPERTY_SCALE, ROOT
from tests.golden.metric_population import SUBSCRIBERS, WINDOW, windows_of
from tests.oracles import metric_language_cases, reference_metrics
from tests.oracles.compiler_mutants import Mutant, compiler_mutants, in_place
from tests.oracles.duckdb_metrics import duckdb_values
from tests.oracles.formula_mutants import mutants
from visitgrain.arrow.shuffle import as_binary
from visitgrain.catalogue.metrics import MetricCatalogue, load_metrics
from visitgrain.metrics import bucket, frames, population_rows, populations as populations_, subscribers
from visitgrain.metrics.history import Reach
from visitgrain.metrics.plans import Plans
from visitgrain.metrics.values import Value
from visitgrain.tables.measuring import WINDOWS

POPULATIONS = 200 * PROPERTY_SCALE


@pytest.fixture(scope="module")
def shared_document(shared: Path) -> dict:
    return yaml.safe_load((shared / "metrics" / "metrics.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def interpreter(shared: Path, shared_document: dict):
    checked = reference_metrics.reference(shared)
    by_id = [{entry["id"]: entry for entry in shared_document[kind]} for kind in ("measures", "metrics")]
    return checked, checked.Ev(*by_id, shared_document["params"])


@pytest.fixture(scope="module")
def populations(interpreter, shared_document: dict) -> dict[str, list]:
    """Random ones, the hand-made one, each of its subscribers alone, and nobody with anything."""
    module, _ = interpreter
    made = {f"random {n}": module.simulate(shared_document["keys"], random.Random(n), 8) for n in range(POPULATIONS)}
    names = {entry["id"] for entry in shared_document["measures"]}
    golden = []
    for line in SUBSCRIBERS:
        golden.append(module.Sub())
        golden[-1].v = windows_of(line, names)
    return made | {"golden": golden} | {f"golden {n}": [one] for n, one in enumerate(golden)}


@pytest.fixture(scope="module")
def plans() -> Plans:
    """Every metric, as if it had every window."""
    found = load_metrics(ROOT / "conf" / "catalogue")
    families = {
        name: family.model_copy(
            update={"metrics": tuple(m.model_copy(update={"windows": WINDOWS, "rollup": None}) for m in family.metrics)}
        )
        for name, family in found.families.items()
    }
    everywhere = MetricCatalogue(measures=found.measures, families=families, settings=found.settings)
    return Plans(everywhere, "Asia/Shanghai", tuple(everywhere.metrics), ("r30",))


@pytest.fixture(scope="module")
def wanted(interpreter, populations) -> dict[tuple[str, str], float | None]:
    _, evaluate = interpreter
    return {
        (name, metric): evaluate.o(evaluate.tree(found["formula"]), population, WINDOW)
        for name, population in populations.items()
        for metric, found in evaluate.mets.items()
    }


@pytest.fixture(scope="module")
def computed(plans, populations) -> dict[tuple[str, str], dict]:
    return _computed(plans, populations)


def _computed(plans: Plans, populations: dict[str, list]) -> dict[tuple[str, str], dict]:
    """Rows of population_metrics by population, as if it were an attribute, and metric. Modules are looked up when
    they are used: mutants take their place."""
    subscribers = [subscriber for population in populations.values() for subscriber in population]
    everybody = reference_metrics.people(subscribers, WINDOW, plans)
    codes = np.repeat(np.arange(len(populations)), [len(population) for population in populations.values()])
    known = np.ones(everybody.size, np.bool_)
    days = reference_metrics.sketch_days(subscribers, WINDOW, SKETCHES)
    held = SimpleNamespace(size=everybody.size, known=known, days=days)
    frame = frames.Frame(everybody, known, {"area": bucket.Coded(list(populations), codes)})
    cells = populations_.of_people(held, frame, plans)
    tables = [populations_.of_window(of, found, everybody.window, REACH) for of, found in cells]
    batch = pa.record_batch({"rows": as_binary(tables)})
    asked = population_rows.Asked.of(plans, [everybody.window])
    found = pa.concat_tables(population_rows.population_rows([batch], asked=asked), promote_options="permissive")
    return {(row["slice_value"], row["metric"]): row for row in found.to_pylist()}


REACH = Reach(date(2000, 1, 1), datetime(2100, 1, 1, tzinfo=UTC))
SKETCHES = ("load_ms_sketch", "submit_seconds_sketch")


def _differ(a: float | None, b: float | None) -> bool:
    if a is None or b is None:
        return a is not b
    return not math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9)


def test_compiler_equals_the_reference(computed, wanted) -> None:
    different = [
        (key, computed[key]["value"], want) for key, want in wanted.items() if _differ(computed[key]["value"], want)
    ]
    assert not different, f"{len(different)} of {len(wanted)}: {different[:5]}"


def test_duckdb_equals_the_reference(shared_document, populations, wanted) -> None:
    found = duckdb_values(shared_document, populations, WINDOW)
    different = [(key, found[key], want) for key, want in wanted.items() if _differ(found[key], want)]
    assert not different, f"{len(different)} of {len(wanted)}: {different[:5]}"


def test_value_is_numerator_over_denominator(computed) -> None:
    wrong = [row for row in computed.values() if _broken(row)]
    assert not wrong, wrong[:5]


def test_subscriber_equals_population_of_one(populations, computed, plans) -> None:
    of_one = plans.only([metric.id for metric in plans.metrics if metric.of_subscribers])
    alone = subscribers.subscriber_values(
        reference_metrics.people(populations["golden"], WINDOW, of_one), of_one, REACH
    )
    assert len(alone) == 122
    size = len(populations["golden"])
    pairs = [
        (number, name, value, computed[f"golden {number}", name]["value"])
        for name, found in alone.items()
        for number, value in enumerate(_values(found, size))
    ]
    assert len(pairs) == 122 * len(SUBSCRIBERS)
    different = [pair for pair in pairs if _differ(pair[2], pair[3])]
    assert not different, different[:5]


def _values(found: Value, size: int) -> list[float | None]:
    return [value if known else None for value, known in zip(*found.of_all(size), strict=True)]


def test_every_metric_says_something_about_the_golden_population(wanted, plans) -> None:
    """Not null, and different for somebody in it or for the random ones."""
    mute = [
        name
        for name in plans.wanted
        if (wanted["golden", name] is None and name not in NOT_IN_GOLDEN)
        or len({value for (_, metric), value in wanted.items() if metric == name}) < 3
    ]
    assert not mute, mute


# Of these the random populations say enough: campaigns, referrals, ratings.
NOT_IN_GOLDEN = {
    *("organic_new_share", "paid_new_share", "referral_new_share", "share_return_rate", "share_new_rate"),
    *("zero_result_rate", "search_ctr", "csat", "nps", "error_exit_rate", "direct_visit_share", "push_visit_share"),
    *("coupon_redeem_rate", "unsubscribe_save_rate", "campaign_reach_rate", "campaign_click_rate", "push_open_rate"),
    *("campaign_conversion_rate", "campaign_uplift_pp", "campaign_lift", "incremental_revenue_per_member"),
    *("contact_pressure", "push_optout_rate", "dou", "sticky_services_per_user", "score_per_visit", "score_trend"),
}


def test_wrong_formulas_are_noticed(interpreter, populations, wanted, shared_document) -> None:
    """Nine in ten changes of one operator show in some population; those that cannot show are few."""
    _, evaluate = interpreter
    tried = caught = 0
    missed = []
    for entry in shared_document["metrics"]:
        for formula in mutants(entry["formula"]):
            tried += 1
            if _noticed(evaluate, formula, entry["id"], populations, wanted):
                caught += 1
            else:
                missed.append((entry["id"], formula))
    assert tried >= 200
    assert caught >= 0.9 * tried, f"{caught} of {tried} caught, not: {missed}"


def test_wrong_operators_of_the_compiler_are_noticed(plans, populations, wanted) -> None:
    """Nine in ten, of which some are no other programs; every tenth is tried here, all by `make test-property`."""
    few = {name: found for name, found in populations.items() if name.startswith("golden")}
    few |= {f"random {number}": populations[f"random {number}"] for number in range(60)}
    tried = list(compiler_mutants())[:: max(1, 10 // PROPERTY_SCALE)]
    missed = [str(mutant) for mutant in tried if not _caught(mutant, plans, few, wanted)]
    allowed = 0.1 if PROPERTY_SCALE >= 10 else 0.25  # of a dozen
    assert len(missed) <= allowed * len(tried), f"{len(missed)} of {len(tried)} not caught: {missed}"
    assert not _different(_computed(plans, few), wanted), "a mutant stayed"


def _caught(mutant: Mutant, plans: Plans, few: dict[str, list], wanted) -> bool:
    with in_place(mutant), np.errstate(all="ignore"):
        try:
            return bool(metric_language_cases.broken_cases() or _different(_computed(plans, few), wanted))
        except Exception:  # whatever it breaks shows
            return True


def _different(found: dict[tuple[str, str], dict], wanted) -> list[tuple[str, str]]:
    """Also where numerator and denominator do not make the value."""
    return [
        (name, metric)
        for (name, metric), row in found.items()
        if (name, metric) in wanted and (_differ(row["value"], wanted[name, metric]) or _broken(row))
    ]


def _broken(row: dict) -> bool:
    above, below = row["numerator"], row["denominator"]
    return row["value"] is not None and _differ(row["value"], above if below is None else above / below)


def _noticed(evaluate, formula: str, metric: str, populations, wanted) -> bool:
    """Golden populations first: they are small and were made for it."""
    tree = evaluate.tree(formula)
    for name in sorted(populations, key=lambda name: not name.startswith("golden")):
        try:
            found = evaluate.o(tree, populations[name], WINDOW)
        except (TypeError, OverflowError, ZeroDivisionError):
            return True
        if _differ(found, wanted[name, metric]):
            return True
    return False
