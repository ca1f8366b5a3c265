"""I22: every export and every look at somebody leaves a row, and an edit of the rows is seen. No Spark."""

from __future__ import annotations

import shutil

import pytest

from tests.unit.metrics.test_metrics_commands import lake  # noqa: F401
from visitgrain.cli import main
from visitgrain.errors import GateRefused, UsageError
from visitgrain.runtime.audit import END, FIRST, note, subject_of, verified
from visitgrain.runtime.records import records
from visitgrain.runtime.settings import default_conf, resolve
from visitgrain.runtime.small_tables import write_rows
from visitgrain.runtime.storage import Store
from visitgrain.tables.privacy import ACCESS_AUDIT

SUBSCRIBER = 7_052_336_015_471_209_338


@pytest.fixture
def noted(tmp_path):
    """Settings and store of a lake in which three looks were noted."""
    settings = resolve(default_conf(), overrides=[f"lake={tmp_path}", "lock_wait_s=0"]).settings
    for number in range(3):
        note(
            settings, run_id=f"r{number}", action="explain", subject=subject_of(SUBSCRIBER), rows=1, purpose="complaint"
        )
    return settings, Store(str(tmp_path))


def rewrite(store: Store, change) -> None:
    rows = sorted(records(store, ACCESS_AUDIT), key=lambda row: row["seq"])
    write_rows(store, ACCESS_AUDIT, change(rows), run_id="forger", replace=True)


def test_rows_are_chained_and_name_nobody(noted):
    _, store = noted
    rows = verified(store)
    assert [row["seq"] for row in rows] == [1, 2, 3]
    assert [row["previous"] for row in rows] == [FIRST, rows[0]["hash"], rows[1]["hash"]]
    assert str(SUBSCRIBER) not in str(rows)
    assert {row["purpose"] for row in rows} == {"complaint"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: [rows[0], {**rows[1], "who": "somebody_else"}, rows[2]], "row 2 of .* was changed"),
        (lambda rows: [rows[0], {**rows[1], "purpose": "x"}, rows[2]], "row 2 of .* was changed"),
        (lambda rows: [rows[0], rows[2]], "row 2 is missing or came twice; found 3"),
        (lambda rows: rows[:2], "it ends at row 2, .* says 3"),
        (lambda rows: [], "it ends at row 0, .* says 3"),
        (lambda rows: [*rows, rows[2]], "row 4 is missing or came twice; found 3"),
    ],
    ids=["who", "why", "dropped", "cut off", "emptied", "doubled"],
)
def test_i22_an_edit_is_seen(noted, change, message):
    settings, store = noted
    rewrite(store, lambda rows: rows)
    assert len(verified(store)) == 3  # the control: written anew as it was
    rewrite(store, change)
    with pytest.raises(GateRefused, match=message):
        verified(store)
    with pytest.raises(GateRefused, match="somebody edited it"):  # and nobody is shown anything any more
        note(settings, run_id="r", action="explain", subject="s", rows=1, purpose=None)


def test_a_run_killed_before_the_end_was_noted_is_no_edit(noted):
    settings, store = noted
    before = store.read_text(END)
    note(settings, run_id="r", action="explain", subject="s", rows=1, purpose=None)
    store.write_text(END, before)
    assert len(verified(store)) == 4
    shutil.rmtree(store.local_path("_receipts"))
    with pytest.raises(GateRefused, match="is missing"):
        verified(store)


def test_a_purpose_may_be_required(noted):
    settings, _ = noted
    strict = settings.model_copy(update={"audit_purpose": "required"})
    with pytest.raises(UsageError, match="say why: --purpose"):
        note(strict, run_id="r", action="explain", subject="s", rows=1, purpose=None)


def test_an_export_is_noted(lake, capsys):  # noqa: F811
    arguments = ["--lake", str(lake), "metrics", "export", "--window", "month", "--date", "2026-03-31"]
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--metric", "active_users", "--purpose", "board meeting"])
    assert not ended.value.code
    exported = len(capsys.readouterr().out.splitlines()) - 1
    [row] = verified(Store(str(lake)))
    assert (row["action"], row["subject"], row["rows"]) == ("metrics export", "month 2026-03-31", exported)
    assert row["purpose"] == "board meeting"
    with pytest.raises(SystemExit):
        main(["--lake", str(lake), "audit", "verify"])
    assert f"1 rows, none was changed; the last hash is {row['hash']}" in capsys.readouterr().out


def test_a_look_at_somebody_is_noted_before_it_is_shown(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("visitgrain.cli.explain_subscriber.explain_subscriber", lambda *_: "segment 7")
    look = ["explain", "subscriber", str(SUBSCRIBER), "--month", "2026-03"]
    with pytest.raises(SystemExit) as ended:
        main(["--lake", str(tmp_path), *look, "--purpose", "complaint 12"])
    assert not ended.value.code
    assert capsys.readouterr().out == "segment 7\n"
    [row] = verified(Store(str(tmp_path)))
    assert (row["action"], row["subject"], row["rows"]) == ("explain subscriber", subject_of(SUBSCRIBER), 1)
    with pytest.raises(SystemExit) as ended:
        main(["--lake", str(tmp_path), "--set", "audit_purpose=required", *look])
    assert ended.value.code == 2
    assert "segment 7" not in capsys.readouterr().out
    assert len(verified(Store(str(tmp_path)))) == 1
