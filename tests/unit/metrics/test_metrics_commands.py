"""`visitgrain metrics` over the shipped catalogue and a small table that the test writes: no Spark."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from visitgrain.catalogue.formula_text import text_of
from visitgrain.catalogue.metric_language import parsed
from visitgrain.catalogue.metrics import load_metrics
from visitgrain.cli import main

pytestmark = pytest.mark.slow  # some seconds

FEBRUARY, MARCH = date(2026, 2, 28), date(2026, 3, 31)
TYPES = pa.schema(
    [
        *((name, pa.string()) for name in ("metric", "window")),
        ("window_end", pa.date32()),
        *((name, pa.string()) for name in ("slice", "slice_value")),
        *((name, pa.float64()) for name in ("value", "numerator", "denominator")),
        ("subscribers", pa.int64()),
        ("definition_hash", pa.string()),
        ("complete_through", pa.timestamp("us", "UTC")),
    ]
)
# Active users by area in both months; D is small in March. And visits of them.
USERS = {FEBRUARY: {"A": 100, "B": 50, "-C": 40, "D": 20}, MARCH: {"A": 130, "B": 50, "-C": 30, "D": 4}}
VISITS = {FEBRUARY: {"A": 200, "B": 100, "-C": 40, "D": 30}, MARCH: {"A": 260, "B": 200, "-C": 30, "D": 8}}


def rows(end: date, metric: str, above: dict[str, int], below: dict[str, int] | None, people: dict[str, int]):
    """The cells of a metric and the one for everybody."""
    made_at = datetime(2026, 4, 1, tzinfo=UTC)
    for area in ("all", *people):
        n, d, s = (None if part is None else part.get(area, sum(part.values())) for part in (above, below, people))
        place = ("all", "all") if area == "all" else ("area", area)
        values = (n / (d or 1), n, d, s, "hash", made_at)
        yield dict(zip(TYPES.names, (metric, "month", end, *place, *values), strict=True))


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    made = []
    for end, users in USERS.items():
        made += rows(end, "active_users", users, None, users)
        made += rows(end, "visits_per_user", VISITS[end], users, users)
        made += rows(end, "campaign_lift", VISITS[end], users, {**users, "D": 20})
        made += rows(end, "buyers", {"A": 3, "B": 2}, None, {"A": 3, "B": 2})
    table = pa.Table.from_pylist(made, schema=TYPES)
    write_deltalake(str(tmp_path / "population_metrics"), table, partition_by=["window_end"])
    return tmp_path


@pytest.fixture
def run(capsys):
    """Exit code, standard output and standard error of a command."""

    def command(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as exit_:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return int(exit_.value.code or 0), captured.out, captured.err

    return command


def export(run, lake: Path, *more: object) -> list[dict[str, str]]:
    _, out, _ = run("--lake", lake, "metrics", "export", "--window", "month", "--date", MARCH, *more)
    return list(csv.DictReader(io.StringIO(out)))


def test_list(run):
    _, plain, _ = run("metrics", "list", "--format", "plain")
    assert len(plain.splitlines()) == len(set(plain.split())) == 157
    _, first, _ = run("metrics", "list", "--first-screen", "--format", "plain")
    assert len(first.splitlines()) == 21
    _, table, _ = run("metrics", "list", "--family", "retention", "--dimension", "health")
    assert table.split()[:5] == ["no", "id", "中文名", "English", "unit"]
    assert "d7_retention" in table
    _, as_json, _ = run("metrics", "list", "--format", "json", "--family", "funnel")
    assert {metric["family"] for metric in json.loads(as_json)} == {"funnel"}
    assert run("metrics", "list", "--family", "funel")[0] == 2


def test_show_a_metric_of_metrics_and_one_with_parameters(run):
    _, out, _ = run("metrics", "show", "new_user_share")
    assert "formula          new_users / active_users" in out
    assert "resolved         users(due(first_active_date, 0)) / users(active_days)" in out
    assert "active_days (events): days when event_type in ACTIVE" in out
    _, out, _ = run("metrics", "show", "mature_churn_3m")
    assert "5 windows before" in out
    assert "REGULAR_MONTHS = 3" in out
    assert "the denominator is 0" in out


@pytest.mark.parametrize("command", ["show stikiness", "export --window month --date 2026-03-31 --metric stikiness"])
def test_an_unknown_metric(run, command):
    code, _, err = run("metrics", *command.split())
    assert code == 2
    assert "did you mean 'stickiness'" in err


def test_resolved_formulas_read_back():
    catalogue = load_metrics(Path(__file__).parents[3] / "conf" / "catalogue")
    for name, tree in catalogue.trees.items():
        assert parsed(text_of(tree)) == tree, name


def test_export_hides_small_cells_and_what_gives_them_away(run, lake):
    found = {(row["metric"], row["slice_value"]): row for row in export(run, lake)}
    assert found["active_users", "D"]["hidden"] == "small cell"
    assert found["active_users", "'-C"]["hidden"] == "protects a small cell"  # the smallest other; no formula in a cell
    assert found["active_users", "A"]["hidden"] == found["active_users", "all"]["hidden"] == ""
    assert found["active_users", "A"]["value"] == "130.0"
    assert all(found["buyers", cell]["hidden"] == "small cell" for cell in ("all", "A", "B"))
    assert found["visits_per_user", "D"]["hidden"]  # its denominator is the number of active users
    for row in found.values():
        assert (row["subscribers"] == "") == (row["numerator"] == "") == bool(row["hidden"])


def test_export_hides_with_all_metrics_in_view(run, lake):
    """campaign_lift alone has no small cell; with the others it still prints no hidden number of active users."""
    assert {row["metric"] for row in export(run, lake, "--metric", "buyers")} == {"buyers"}
    assert all(row["value"] == "" for row in export(run, lake, "--metric", "buyers"))
    assert [row["slice"] for row in export(run, lake, "--metric", "active_users", "--slice", "all")] == ["all"]


def test_export_to_a_file_as_json(run, lake):
    target = lake / "out.json"
    options = ("--window", "month", "--date", MARCH, "--format", "json", "--out", target)
    _, out, _ = run("--lake", lake, "metrics", "export", *options)
    found = json.loads(target.read_text(encoding="utf-8"))
    assert f"{len(found)} rows" in out
    assert {row["window_end"] for row in found} == {"2026-03-31"}
    assert [r["value"] for r in found if (r["metric"], r["slice_value"]) == ("active_users", "D")] == [None]


def test_export_of_what_is_not_there(run, lake, tmp_path):
    code, _, err = run("--lake", tmp_path / "none", "metrics", "export", "--window", "month", "--date", MARCH)
    assert (code, "run monthly_metrics" in err) == (4, True)
    code, _, err = run("--lake", lake, "metrics", "export", "--window", "month", "--date", "2026-03-30")
    assert (code, "2026-03-31, 2026-02-28" in err) == (4, True)
    code, _, err = run("--lake", lake, "metrics", "export", "--window", "r7", "--date", MARCH)
    assert (code, "none at all" in err) == (4, True)
    month = ("--lake", lake, "metrics", "export", "--window", "month", "--date", MARCH)
    assert "there are all, area" in run(*month, "--slice", "aera")[2]
    assert run(*month, "--metric", "csat")[0] == 2


def test_diff_orders_metrics_and_explains_them(run, lake):
    code, out, _ = run("--lake", lake, "metrics", "diff", "--window", "month", "--from", FEBRUARY, "--to", MARCH)
    assert code == 0
    lines = out.splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["visits_per_user", "campaign_lift", "active_users"]
    assert "  area: A +30, hidden -26, B +0" in lines  # D and -C, which protects it
    assert "1.9%" in lines[3]  # 210 -> 214 active users
    assert any(line.startswith("  area: B ") and "rate" in line and "mix" in line for line in lines)
    assert "  no contributions: the formula is not linear" in out
    assert "not compared, hidden: buyers" in lines
    assert not any(f" {cell} " in line for line in lines if "area:" in line for cell in ("D", "-C"))
    assert "not in both windows" not in out


def test_diff_of_one_metric_and_of_nothing(run, lake):
    both = ("--lake", lake, "metrics", "diff", "--window", "month", "--from", FEBRUARY)
    _, out, _ = run(*both, "--to", MARCH, "--metric", "active_users")
    assert "visits_per_user" not in out
    assert "not compared" not in out
    assert run(*both, "--to", FEBRUARY)[0] == 2
    assert run(*both, "--to", "2026-04-30")[0] == 4
    assert "not compared, not in both windows: csat" in run(*both, "--to", MARCH, "--metric", "csat")[1]
    _, out, _ = run(*both, "--to", MARCH, "--top", 1)
    assert "active_users" not in out.split("not compared")[0]
