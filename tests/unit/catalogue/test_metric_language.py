"""The formula language: what is refused, where a mistake is shown, and what a formula is known to read."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.unit.catalogue.hostile_expressions import HOSTILE
from visitgrain.catalogue.expression_tree import ExpressionError
from visitgrain.catalogue.formulas import checked, fraction, inlined, is_linear, plan
from visitgrain.catalogue.metrics import MetricCatalogue, load_metrics
from visitgrain.errors import ConfigError

CATALOGUE = Path(__file__).parents[3] / "conf" / "catalogue"


@pytest.fixture(scope="module")
def catalogue() -> MetricCatalogue:
    return load_metrics(CATALOGUE)


@pytest.mark.parametrize("payload", HOSTILE.values(), ids=list(HOSTILE))
def test_hostile_expression_is_refused(payload: str, catalogue: MetricCatalogue) -> None:
    with pytest.raises(ExpressionError):
        checked(payload, catalogue.names)


def test_every_shipped_formula_is_accepted(catalogue: MetricCatalogue) -> None:
    assert len(catalogue.metrics) == 157
    assert sum(metric.of_subscribers for metric in catalogue.metrics.values()) == 122
    for metric in catalogue.metrics.values():
        checked(metric.formula, catalogue.names)


def test_no_two_definitions_are_equal(catalogue: MetricCatalogue) -> None:
    assert len({catalogue.definition_hash(name) for name in catalogue.metrics}) == 157


@pytest.mark.parametrize(
    ("formula", "says"),
    [
        ("users(active_dayz)", "unknown measure, metric or parameter 'active_dayz'; did you mean 'active_days'?"),
        ("userz(active_days)", "unknown function 'userz'; did you mean 'users'?"),
        ("n('page_vew')", "event_counts has no key 'page_vew'; did you mean 'page_view'?"),
        ("first_active_date", "first_active_date is a date of one subscriber"),
        ("users(stickiness > 1)", "stickiness is a metric; inside users, total and mean only measures are allowed"),
        ("users(users(visits))", "users() inside another users"),
        ("visits > 1", "`>` stands only inside users, total or mean"),
        ("users(visits > first_active_date)", "`>` compares num with date"),
        ("users(prev(last_active_date) < window_start)", "prev() of last_active_date"),
        ("prev(prev(active_days, 12), 2)", "looks back 14 windows; at most 12"),
    ],
)
def test_mistake_is_explained(formula: str, says: str, catalogue: MetricCatalogue) -> None:
    with pytest.raises(ExpressionError) as error:
        checked(formula, catalogue.names)
    assert says in str(error.value)


def _edited(tmp_path: Path, file: str, old: str, new: str) -> Path:
    folder = tmp_path / "catalogue"
    shutil.copytree(CATALOGUE, folder)
    text = (folder / file).read_text(encoding="utf-8")
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        (
            "metrics/rfv.yaml",
            "formula: gap_days_sum / gap_count",
            "formula: gap_days_sum / gap_cout",
            "conf/catalogue/metrics/rfv.yaml:12:5: visit_interval: unknown measure, metric or parameter 'gap_cout'; "
            "did you mean 'gap_count'?",
        ),
        (
            "metrics/user_scale.yaml",
            "formula: new_users / active_users",
            "formula: new_user_share / active_users",
            "new_user_share: reads itself: new_user_share -> new_user_share; break the circle",
        ),
        (
            "metrics/transaction.yaml",
            "formula: users(orders_ech)",
            "formula: orders_ech",
            "the same formula as echannel_orders; remove one",
        ),
        ("metrics/rfv.yaml", "no: 54", "no: 55", "'55' is also that of visit_interval"),
        ("metric_settings.yaml", "  - csat", "  - csatt", "unknown metric 'csatt'; did you mean 'csat'?"),
        ("measures/visits.yaml", "when: bounced", "when: bounced and eval('1')", "visits.yaml:23:5: measures.2.when"),
        ("measures/visits.yaml", "by: hour", "by: houre", "'houre' is no list of keys"),
        ("metrics/rfv.yaml", "direction: down", "direction: sideways", "metrics.0.direction"),
    ],
)
def test_mistake_in_a_file_is_shown_with_its_place(file: str, old: str, new: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        load_metrics(_edited(tmp_path, file, old, new))
    assert says in str(error.value)


def test_hash_changes_with_the_definition_alone(tmp_path: Path, catalogue: MetricCatalogue) -> None:
    edited = load_metrics(_edited(tmp_path, "metric_settings.yaml", "POWER_DAYS: {value: 12", "POWER_DAYS: {value: 13"))
    changed = [name for name in catalogue.metrics if catalogue.definition_hash(name) != edited.definition_hash(name)]
    assert changed == ["power_user_share"]


def test_slices_follow_from_measures(catalogue: MetricCatalogue) -> None:
    assert catalogue.slices("ctr") == ("channel", "business", "touchpoint_id", "campaign_id", "os", "app_version")
    assert catalogue.slices("pages_per_visit") == ("channel", "campaign_id")
    assert catalogue.slices("echannel_penetration") == ()  # who is in service is no attribute of an event
    assert catalogue.slices("active_regular_rate") == ()  # twelve months back there are no slices


def test_fraction_of_nested_ratios(catalogue: MetricCatalogue) -> None:
    def parts(formula: str) -> tuple[bool, bool]:
        tree = inlined(checked(formula, catalogue.names), {}, {})
        made = fraction(plan(tree, catalogue.names.measures))
        return made.denominator is not None, is_linear(made.numerator) and is_linear(made.denominator)

    assert parts("visits") == (False, True)
    assert parts("sales_ech_fen / 100") == (False, True)
    assert parts("1 - crash_visits / visits") == (True, True)
    assert parts("visits / users(visits) - 1") == (True, True)
    assert parts("visits / users(visits) - actions / visits") == (True, False)  # two denominators do not add up
