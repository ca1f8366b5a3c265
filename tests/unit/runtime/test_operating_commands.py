"""`maintain`, `restore`, `lineage`, `status --check` and `--watch` as they are typed. None starts Spark."""

from __future__ import annotations

import json
from datetime import timedelta
from types import SimpleNamespace

import pytest

from tests.unit.runtime.test_telemetry import FAILED, STARTED, entry
from visitgrain.cli import main, status
from visitgrain.runtime.context import Context
from visitgrain.runtime.lake import Lake
from visitgrain.runtime.ledger import Ledger
from visitgrain.tables.runs import RUN_LEDGER


@pytest.fixture
def lake(tmp_path, monkeypatch) -> Lake:
    """Five runs in the ledger, one file each; the last one failed."""
    monkeypatch.setattr(Context, "spark", property(lambda _: pytest.fail("a JVM was started")))
    made = Lake(None, str(tmp_path / "lake"), "Asia/Shanghai", lock_wait_s=0)
    ledger = Ledger(made.store)
    for number in range(4):
        ledger.record(made, [entry(run_id=f"ok{number}", started_at=STARTED - timedelta(days=4 - number))])
    ledger.record(made, [FAILED])
    return made


@pytest.fixture
def call(lake, capsys):
    """Exit code, standard output and standard error of a command."""

    def called(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main(["--lake", lake.store.root, "--set", "lock_wait_s=0", *arguments])
        told = capsys.readouterr()
        return int(left.value.code or 0), told.out, told.err

    return called


def test_maintain_reports_and_joins_and_a_dry_run_only_reports(lake, call):
    before = Ledger(lake.store).entries()
    code, out, _ = call("maintain", "--dry-run")
    assert (code, len(lake.data_files(RUN_LEDGER))) == (0, 5)
    assert "4 files would be joined to others" in out
    code, out, _ = call("maintain", "--table", "run_ledger")
    header, line, told = out.splitlines()
    row = dict(zip(header.split(), line.split(), strict=False))
    assert (code, row["table"], row["files"], row["small"]) == (0, "run_ledger", "5", "5")
    assert told.startswith("4 files were joined to others, 0 that nobody needs were removed")
    fresh = Lake(None, lake.store.root, "Asia/Shanghai")
    assert len(fresh.data_files(RUN_LEDGER)) == 1
    assert Ledger(lake.store).entries() == before
    assert call("maintain")[1].splitlines()[-3].startswith("run_ledger")  # and table_reports behind it


def test_a_table_that_does_not_exist_is_named(call):
    code, _, err = call("maintain", "--table", "vists")
    assert (code, "did you mean 'visits'" in err) == (2, True)
    assert call("restore", "vists", "--to", "1")[0] == 2


def test_restore_says_what_it_did(lake, call):
    code, out, _ = call("restore", "run_ledger", "--to", "2")
    assert (code, out.splitlines()[0]) == (0, "run_ledger is what it was at version 2: 2 rows, now version 6")
    code, _, err = call("restore", "run_ledger", "--to", "9")
    assert (code, "there are 0 to 6" in err) == (2, True)


def test_lineage_prints_a_run_or_names_the_last(call):
    code, out, _ = call("lineage", "--run", "latest")
    assert (code, [json.loads(line)["eventType"] for line in out.splitlines()]) == (0, ["START", "FAIL"])
    code, _, err = call("lineage", "--run", "r9")
    assert (code, "the last run is r2" in err) == (2, True)


def test_a_late_table_is_exit_code_8_once(call):
    at = ("--check", "--at", "2026-03-02T06:00:00")
    code, out, err = call("status", *at)
    late = "table visits: due 2026-03-02 06:00 through 2026-03-01, nothing of it is complete; owner platform team"
    assert (code, late in out) == (8, True)
    assert "promises are broken: events, visits" in err
    code, out, err = call("status", *at)
    assert (code, late in out, late in err) == (0, False, True)
    code, out, _ = call("status", *at, "--again")
    assert (code, late in out) == (8, True)


def test_watch_shows_it_again_until_it_is_interrupted(call, monkeypatch):
    naps = []

    def nap(seconds):
        naps.append(seconds)
        if len(naps) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(status, "time", SimpleNamespace(sleep=nap))  # not of other threads: Py4J's sleep, too
    code, out, _ = call("status", "--watch", "--every", "7")
    assert (code, naps, out.count("cut_visits  ")) == (130, [7.0, 7.0], 2)
