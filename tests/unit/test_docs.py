"""Pages and data contracts follow the declarations, and a contract cannot break its readers in silence."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from click.testing import CliRunner

from visitgrain.catalogue.formula_text import text_of
from visitgrain.catalogue.metric_language import parsed
from visitgrain.catalogue.metrics import load_metrics
from visitgrain.catalogue.yaml_file import load
from visitgrain.cli import docs as command
from visitgrain.docs import generate, update_columns
from visitgrain.docs.breaking import breaking_changes
from visitgrain.docs.contracts import contract
from visitgrain.docs.divisors import null_when
from visitgrain.docs.generate import COLUMNS
from visitgrain.docs.lineage import Lineage
from visitgrain.docs.metric_pages import metrics_page
from visitgrain.docs.pages import table_page
from visitgrain.docs.schemas import schemas
from visitgrain.errors import GateRefused
from visitgrain.tables import TABLES, Kind, Table
from visitgrain.tables.model import col, key

pytestmark = pytest.mark.slow  # some seconds

CATALOGUE = Path(__file__).resolve().parents[2] / "conf" / "catalogue"
SCHEMAS = {name: json.loads(content) for name, content in schemas().items()}
TABLE = Table(
    name="teas",
    kind=Kind.OUTPUT,
    grain="one row per tea",
    description="What is on the shelf.",
    columns=(
        key("tea_id", "bigint", "unique"),
        key("day", "date", "local day"),
        col("colour", "string", "of the leaf", values=("green", "black")),
        col("weight_g", "double", "of the pack", unit="g"),
        col("names", "array<string>", "what people call it", personal=True),
    ),
    key=("tea_id", "day"),
    partition="day",
)


def changed(*columns, **more) -> Table:
    return TABLE.model_copy(update={"columns": columns or TABLE.columns, **more})


@pytest.fixture(scope="module")
def catalogue():
    return load_metrics(CATALOGUE)


@pytest.fixture
def checkout(tmp_path):
    """A checkout with nothing but the catalogue."""
    shutil.copytree(CATALOGUE, tmp_path / "conf" / "catalogue", ignore=shutil.ignore_patterns("*.json"))
    (tmp_path / "docs").mkdir()
    return tmp_path


def rows_of(page: str) -> dict[str, list[str]]:
    """Cells of a row by the id in its second cell."""
    rows = [line.removeprefix("| ").removesuffix(" |").split(" | ") for line in page.splitlines() if line[:1] == "|"]
    return {row[1].strip("`"): row for row in reversed(rows) if len(row) > 4}


def test_a_page_says_what_the_declaration_says():
    job = SimpleNamespace(name="weigh_teas", writes=(TABLE,), reads=())
    page = table_page(TABLE, Lineage.of([job]))
    assert "| key | `tea_id`, `day` |" in page
    assert "| written by | [weigh_teas](../../../jobs/weigh_teas.py) |" in page
    assert "| `colour` | `string` | yes |  | of the leaf; one of `green`, `black` |" in page
    assert "| `names` | `array<string>` | yes |  | what people call it; **personal data** |" in page


def test_a_contract_is_odcs():
    body = yaml.safe_load(contract(TABLE))
    assert (body["apiVersion"], body["kind"], body["status"]) == ("v3.1.0", "DataContract", "active")
    columns = {entry["name"]: entry for entry in body["schema"][0]["properties"]}
    assert columns["day"] == {
        "name": "day",
        "logicalType": "date",
        "physicalType": "date",
        "description": "local day",
        "required": True,
        "primaryKey": True,
        "primaryKeyPosition": 2,
        "partitioned": True,
        "partitionKeyPosition": 1,
    }
    assert columns["colour"]["quality"][0]["arguments"] == {"validValues": ["green", "black"]}
    assert columns["names"]["items"] == {"logicalType": "string", "physicalType": "string"}
    assert columns["names"]["classification"] == "personal"


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (TABLE, []),
        (changed(*TABLE.columns, col("price", "double", "new")), []),  # additions break nobody
        (changed(*TABLE.columns[:-1]), [("teas.names", "removed")]),
        (
            changed(*TABLE.columns[:3], col("weight_g", "float", "of the pack"), TABLE.columns[4]),
            [("teas.weight_g", "type double became float")],
        ),
        (changed(col("tea_id", "bigint", "unique"), *TABLE.columns[1:]), [("teas.tea_id", "may now be null")]),
    ],
    ids=["same", "added", "removed", "retyped", "nullable"],
)
def test_breaking_changes_are_found(now, expected):
    assert breaking_changes(contract(TABLE), now) == expected


def test_a_breaking_change_needs_a_line_in_the_changelog(tmp_path, monkeypatch):
    monkeypatch.setitem(TABLES, "teas", TABLE)
    generate(tmp_path, jobs=[])
    monkeypatch.setitem(TABLES, "teas", changed(*TABLE.columns[:-1]))
    with pytest.raises(GateRefused, match=r"contracts: teas\.names: removed"):
        generate(tmp_path, jobs=[])
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## [Unreleased]\n\n### Removed\n\n- `teas.names`\n")
    assert generate(tmp_path, jobs=[]) == ["docs/generated/contracts/teas.odcs.yaml", "docs/generated/tables/teas.md"]
    assert generate(tmp_path, check=True, jobs=[]) == []


def test_an_entry_of_an_older_release_announces_nothing(tmp_path, monkeypatch):
    monkeypatch.setitem(TABLES, "teas", TABLE)
    generate(tmp_path, jobs=[])
    monkeypatch.delitem(TABLES, "teas")
    (tmp_path / "CHANGELOG.md").write_text("## [Unreleased]\n\n## [0.1.0]\n\n- `teas`\n")
    with pytest.raises(GateRefused, match="teas: table removed"):
        generate(tmp_path, jobs=[])


def test_check_writes_nothing(tmp_path):
    assert len(generate(tmp_path, check=True, jobs=[])) == 2 * len(TABLES) + 1
    assert list(tmp_path.iterdir()) == []


def test_the_page_of_metrics_names_everything_in_both_languages(catalogue):
    page = metrics_page(catalogue)
    rows = rows_of(page)
    assert (len(catalogue.metrics), len(catalogue.measures)) == (157, 89)
    for own in (*catalogue.metrics.values(), *catalogue.measures.values()):
        assert rows[own.id][:4] == [str(own.no), f"`{own.id}`", own.zh, own.en]
    for family in catalogue.families.values():
        assert f"### {family.zh} {family.en}\n" in page
    for name, parameter in catalogue.settings.parameters.items():
        assert f"| `{name}` | {parameter.value} | {parameter.meaning} |" in page
    assert "| `CORE` | `query`, `topup`, `sign_in`, `order_submit` |" in page
    first_screen = page.partition("First screen")[2].partition("\n## ")[0]
    shown = [line.split(" | ")[2] for line in first_screen.splitlines() if " | `" in line]
    assert shown == [f"`{name}`" for name in catalogue.settings.first_screen]


def test_a_metric_is_told_in_full(catalogue):
    row = rows_of(metrics_page(catalogue))["active_user_growth"]
    hashed = catalogue.definition_hash("active_user_growth")
    assert row[4:9] == ["ratio", "P", "all", "`active_users / prev(active_users) - 1`", "`prev(active_users) == 0`"]
    assert row[10:] == ["1", "up", f"`{hashed}`", "user operations", "reported by an operator: MAU +60 %"]


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("visits", []),
        ("sales / 100", []),
        ("days / window_days", []),
        ("a / b", ["b"]),
        ("a / (window_days * users(b))", ["users(b)"]),
        ("(a / b) / (c / d) - 1", ["b", "d", "c"]),  # c / d is null where d is 0, and 0 where c is
        ("a / prev(ratio, 2)", ["prev(n, 2)", "prev(m, 2)", "prev(ratio, 2)"]),
        ("a / (b - c)", ["b - c"]),
        ("share(v, 'x')", ["vsum(v)"]),
        ("quantile(h, 0.5)", ["n_obs(h)"]),
        ("mean(a / b)", ["users(not is_null(a / b))"]),
        ("users(a / b > 1)", []),  # of one subscriber: null is false there
    ],
)
def test_what_makes_a_formula_null(formula, expected):
    formulas = {"ratio": parsed("m2 / n + 1 / m")}
    assert [text_of(divisor) for divisor in null_when(parsed(formula), formulas)] == expected


def test_trees_are_written_back_as_they_were_read(catalogue):
    for metric in catalogue.metrics.values():
        assert parsed(text_of(parsed(metric.formula))) == parsed(metric.formula)


def fits(value, schema: dict, root: dict) -> bool:
    """Does the value follow the parts of JSON Schema that the catalogue's schemas are made of?"""
    if "$ref" in schema:
        return fits(value, root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    if "anyOf" in schema:
        return any(fits(value, one, root) for one in schema["anyOf"])
    if value not in schema.get("enum", [value]) or value != schema.get("const", value):
        return False
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "number": int | float, "null": type(None)}
    if "type" in schema and not isinstance(value, kinds[schema["type"]]):
        return False
    if isinstance(value, list):
        return all(fits(item, schema.get("items", {}), root) for item in value)
    if isinstance(value, dict):
        others = schema.get("additionalProperties", {})
        known = schema.get("properties", {})
        there = set(schema.get("required", [])) <= set(value) and (others is not False or set(value) <= set(known))
        return there and all(fits(item, known.get(key, others), root) for key, item in value.items())
    return True


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("metrics.schema.json", "metrics/*.yaml"),
        ("measures.schema.json", "measures/*.yaml"),
        ("metric_settings.schema.json", "metric_settings.yaml"),
    ],
)
def test_a_schema_accepts_what_is_shipped_and_no_key_less(name, pattern):
    paths = sorted(CATALOGUE.glob(pattern))
    assert paths
    for path in paths:
        content, _ = load(path)
        assert fits(content, SCHEMAS[name], SCHEMAS[name]), path.name
        for left_out in content:
            partial = {key: value for key, value in content.items() if key != left_out}
            assert not fits(partial, SCHEMAS[name], SCHEMAS[name]), left_out


def test_the_schema_of_metrics_knows_windows_by_name_and_all_of_them():
    windows = SCHEMAS["metrics.schema.json"]["$defs"]["Metric"]["properties"]["windows"]
    root = SCHEMAS["metrics.schema.json"]
    values = ("all", ["day", "r7"], "day", ["year"])
    assert [fits(value, windows, root) for value in values] == [True, True, False, False]


def test_the_catalogue_gives_a_page_schemas_and_columns(checkout):
    expected = {"docs/generated/metrics.md", str(COLUMNS), *(f"conf/catalogue/{name}" for name in SCHEMAS)}
    assert expected < set(generate(checkout, check=True, jobs=[]))
    assert not (checkout / "visitgrain").exists()
    generate(checkout, jobs=[])
    assert generate(checkout, check=True, jobs=[]) == []
    assert load_metrics(checkout / "conf" / "catalogue").metrics  # schemas beside the YAML are not read


def test_columns_are_written_once(checkout):
    assert update_columns(checkout)
    assert not update_columns(checkout)


def test_the_command_starts_again_when_columns_changed(checkout, monkeypatch):
    """Tables are declared at import, so pages of this process would be of the old columns."""
    started = []
    monkeypatch.setattr(command, "ROOT", checkout)
    outcome = SimpleNamespace(returncode=5)
    monkeypatch.setattr(command.subprocess, "run", lambda words, **_: started.append(words) or outcome)
    assert CliRunner().invoke(command.docs, []).exit_code == 5
    assert started == [[sys.executable, "-m", "visitgrain.cli", "docs"]]
    assert (checkout / COLUMNS).is_file()
    assert not (checkout / "docs" / "generated").exists()


def test_the_command_checks_columns_without_writing(checkout, monkeypatch):
    monkeypatch.setattr(command, "ROOT", checkout)
    outcome = CliRunner().invoke(command.docs, ["--check"])
    assert isinstance(outcome.exception, GateRefused)
    assert str(COLUMNS) in str(outcome.exception)
    assert not (checkout / COLUMNS).exists()
