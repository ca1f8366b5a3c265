"""All 157 metrics through the compiler, the reference interpreter and DuckDB, on random and hand-made populations."""

from __future__ import annotations

import math
import random
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml

from tests.conftest import PROPERTY_SCALE, ROOT
from tests.golden.metric_population import SUBSCRIBERS, WINDOW, windows_of
from tests.oracles.duckdb_metrics import duckdb_values
from tests.oracles.formula_mutants import mutants
from tests.oracles.reference_metrics import DAYS, FIRST_DAY, reference, rows
from visitgrain.catalogue.metrics import MetricCatalogue, load_metrics
from visitgrain.metrics.plans import Plans
from visitgrain.metrics.populations import cells, values
from visitgrain.metrics.quantiles import with_quantiles
from visitgrain.metrics.subscribers import subscriber_values
from visitgrain.metrics.windows import WindowEnd
from visitgrain.tables.measuring import WINDOWS

POPULATIONS = 200 * PROPERTY_SCALE
LAST = FIRST_DAY + timedelta(days=(WINDOW + 1) * DAYS - 1)


@pytest.fixture(scope="module")
def shared_document(shared: Path) -> dict:
    return yaml.safe_load((shared / "metrics" / "metrics.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def interpreter(shared: Path, shared_document: dict):
    checked = reference(shared)
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
    return Plans(everywhere, "Asia/Shanghai", tuple(everywhere.metrics), ("month",))


@pytest.fixture(scope="module")
def wanted(interpreter, populations) -> dict[tuple[str, str], float | None]:
    _, evaluate = interpreter
    return {
        (name, metric): evaluate.o(evaluate.tree(found["formula"]), population, WINDOW)
        for name, population in populations.items()
        for metric, found in evaluate.mets.items()
    }


@pytest.fixture(scope="module")
def frame(spark, populations, plans):
    """One row per subscriber of every population, with all that formulas read."""
    table = rows(populations, WINDOW, plans.atoms, plans.catalogue.names.measures)
    through = datetime(2100, 1, 1, tzinfo=ZoneInfo("UTC"))
    return spark.createDataFrame(table).selectExpr(
        "*",
        "monotonically_increasing_id() subscriber_id",
        "'r30' window",
        "'all' slice",
        "population slice_value",
        "date'2000-01-01' covered_from",
        f"timestamp'{through:%Y-%m-%d}' complete_through",
    )


@pytest.fixture(scope="module")
def computed(spark, frame, plans, populations) -> dict[tuple[str, str], dict]:
    """Rows of population_metrics by population and metric."""
    sketches = [
        (number, LAST, "all", name, *({int(k): v for k, v in (s.v[WINDOW].get(m) or {}).items()} for m in SKETCHES))
        for name, population in populations.items()
        for number, s in enumerate(population)
    ]
    types = "subscriber_id bigint, day date, slice string, slice_value string, " + ", ".join(
        f"{name} map<int,bigint>" for name in SKETCHES
    )
    days = spark.createDataFrame(sketches, types)
    window = WindowEnd("r30", LAST)
    summed = cells(frame, plans)
    found = values(with_quantiles(summed, days, None, [window], plans), plans).collect()
    return {(row["slice_value"], row["metric"]): row.asDict() for row in found}


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
    wrong = []
    for key, row in computed.items():
        above, below = row["numerator"], row["denominator"]
        if row["value"] is not None and _differ(row["value"], above if below is None else above / below):
            wrong.append((key, row))
    assert not wrong, wrong[:5]


def test_subscriber_equals_population_of_one(frame, computed, plans) -> None:
    of_one = plans.only([metric.id for metric in plans.metrics if metric.of_subscribers])
    alone = subscriber_values(frame.where("population like 'golden %'"), of_one)
    alone = alone.join(frame.select("subscriber_id", "population"), "subscriber_id").collect()
    assert len(alone) == len(SUBSCRIBERS)
    names = of_one.wanted
    assert len(names) == 122
    pairs = [
        (row["population"], name, row[name], computed[row["population"], name]["value"])
        for row in alone
        for name in names
    ]
    different = [pair for pair in pairs if _differ(pair[2], pair[3])]
    assert not different, different[:5]


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
