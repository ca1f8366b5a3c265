"""Pages and data contracts follow the declarations, and a contract cannot break its readers in silence."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import yaml

from visitgrain.docs import generate
from visitgrain.docs.breaking import breaking_changes
from visitgrain.docs.contracts import contract
from visitgrain.docs.lineage import Lineage
from visitgrain.docs.pages import table_page
from visitgrain.errors import GateRefused
from visitgrain.tables import TABLES, Kind, Table
from visitgrain.tables.model import col, key

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
