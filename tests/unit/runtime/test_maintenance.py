"""Upkeep changes no row and no content; what somebody may still need stays. No Spark."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from tests.jobs.runtime_world import CALLS, DAY, LONG_CALLS
from tests.unit.runtime.test_locks import holder
from visitgrain.catalogue.operations import MaintenancePolicy, load_maintenance
from visitgrain.errors import ConfigError, GateRefused, Locked
from visitgrain.runtime import compaction, delta_log
from visitgrain.runtime.content import by_partition
from visitgrain.runtime.lake import Lake
from visitgrain.runtime.maintenance import Report, maintain
from visitgrain.runtime.records import records
from visitgrain.runtime.settings import default_conf
from visitgrain.runtime.staging import Staged
from visitgrain.runtime.vacuum import pinned_versions
from visitgrain.tables.runs import PUBLISHED_RUNS, TABLE_REPORTS

POLICY = MaintenancePolicy(
    small_file_mb=1, least_files=3, target_file_mb=2, keep_days=30, keep_published=1, orphan_days=7, checkpoint_after=5
)
NOW = datetime.now(UTC)
NEXT = DAY + timedelta(days=1)


def call(number: int, day=DAY) -> dict:
    return {"call_id": number, "day": day, "seconds": number * 10, "number": f"n{number}", "labels": {"x": number}}


@pytest.fixture
def lake(tmp_path) -> Lake:
    """Five files on the first day, two on the next."""
    made = Lake(None, str(tmp_path / "lake"), "Asia/Shanghai", lock_wait_s=0)
    for number in range(1, 8):
        made.append(CALLS, [call(number, DAY if number <= 5 else NEXT)], run_id="feed")
    return made


def contents(lake: Lake, table=CALLS) -> dict:
    """What the planner knows of the table."""
    return by_partition((file.partition, file.content) for file in Lake.data_files(lake, table))


def numbers(lake: Lake, table=CALLS, version: int | None = None) -> list[int]:
    found = lake.data_files(table, version)
    rows = [lake.store.read_parquet(f"{table.name}/{file.path}", ["call_id"]) for file in found]
    return sorted(number for table in rows for number in table["call_id"].to_pylist())


def run(lake: Lake, *tables, now=NOW, policy=POLICY, dry_run=False) -> list:
    return list(maintain(lake, tables or (CALLS,), policy, run_id="upkeep", dry_run=dry_run, now=now))


def age(lake: Lake, days: float) -> None:
    """Make every file of the lake so old."""
    then = (NOW - timedelta(days=days)).timestamp()
    for path in lake.store.local_path().rglob("*"):
        if path.is_file():
            os.utime(path, (then, then))


def on_disk(lake: Lake, table=CALLS) -> int:
    return len(list(lake.store.local_path(table.name).rglob("*.parquet"))) - len(
        list(lake.store.local_path(table.name, "_delta_log").glob("*.parquet"))
    )


def test_small_files_become_one_and_no_content_changes(lake):
    """Five files of the first day become one; two on the next day are too few to be worth it."""
    before = contents(lake)
    [report] = run(lake)
    assert (report.files, report.small_files, report.rows, report.partitions, report.fewer_files) == (7, 7, 7, 2, 4)
    assert [len([f for f in lake.data_files(CALLS) if f.partition == day]) for day in (DAY, NEXT)] == [1, 2]
    assert contents(lake) == before
    assert numbers(lake) == [1, 2, 3, 4, 5, 6, 7]
    assert numbers(lake, version=4) == [1, 2, 3, 4]  # time travel: earlier files are still there
    assert run(lake)[0].fewer_files == 0
    assert delta_log.verified_version(lake.store, CALLS) == lake.version(CALLS)


def test_parts_stay_apart(lake):
    """Three files of each of two parts on a day: one file each."""
    table = CALLS.model_copy(update={"name": "test_parts", "parts": ("open", "settled")})
    for number in range(6):
        staged = lake.writer(table, part=table.parts[number % 2]).write(iter([_batch(lake, number)]))
        lake.commit(Staged(table, staged, None, lake.version(table)), run_id="job")
    [report] = run(lake, table)
    assert report.fewer_files == 4
    assert sorted((file.part, file.rows) for file in lake.data_files(table)) == [("open", 3), ("settled", 3)]
    assert numbers(lake, table) == [0, 1, 2, 3, 4, 5]


def test_skew_and_age_are_of_what_changed_rows(lake):
    """Five files of a size on one day and two on the other: the largest over the mean of both, 5 / 3.5 = 1.43."""
    age(lake, 3)
    [first] = run(lake)
    assert first.skew == pytest.approx(5 / 3.5, abs=0.02)
    [second] = run(lake)  # the versions since then only moved files
    assert second.written_at.date() == (NOW - timedelta(days=3)).date()
    assert second.version > first.version


def test_a_dry_run_says_the_same_and_changes_nothing(lake):
    version = lake.version(CALLS)
    [foreseen] = run(lake, dry_run=True)
    assert (lake.version(CALLS), on_disk(lake), records(lake.store, TABLE_REPORTS)) == (version, 7, [])
    [done] = run(lake)
    assert (foreseen.fewer_files, foreseen.removed_files) == (done.fewer_files, done.removed_files) == (4, 0)
    [row] = records(lake.store, TABLE_REPORTS)
    assert (row["table_name"], row["files"], row["fewer_files"]) == ("test_calls", 7, 4)


def test_a_damaged_file_is_found_not_copied(lake):
    """Two rows are swapped for others of the same file size: only the content tells."""
    file, other = (lake.store.local_path(CALLS.name, f.path) for f in sorted(lake.data_files(CALLS), key=str)[:2])
    file.write_bytes(other.read_bytes())
    version = lake.version(CALLS)
    [error] = run(lake)
    assert isinstance(error, GateRefused)
    assert "not those that were written" in str(error)
    assert (lake.version(CALLS), on_disk(lake)) == (version, 7)
    file.write_bytes(b"PAR1")
    [error] = run(lake)
    assert "cannot be read" in str(error)


def test_a_locked_table_is_left_and_the_others_are_done(lake):
    lake.append(LONG_CALLS, [call(1)], run_id="feed")
    with holder(lake.store.local_path("_locks"), CALLS.name):
        locked, other = run(lake, CALLS, LONG_CALLS)
    assert isinstance(locked, Locked)
    assert isinstance(other, Report)
    assert numbers(lake) == [1, 2, 3, 4, 5, 6, 7]
    assert on_disk(lake) == 7  # what was rewritten in vain is gone
    assert isinstance(run(lake)[0], Report)  # control


def test_what_a_job_replaced_meanwhile_stays(lake, monkeypatch):
    """A job writes the day after its files were rewritten and before that is committed."""
    rewritten = compaction._rewritten

    def slow(*arguments):
        found = rewritten(*arguments)
        old = [file for file in lake.data_files(CALLS) if file.partition == DAY]
        staged = lake.writer(CALLS).write(iter([_batch(lake, 9)]))
        upon = delta_log.snapshot(lake.store, CALLS, lake.version(CALLS))
        delta_log.commit(lake.store, CALLS, upon=upon, added=staged.files, removed=old, run_id="job")
        return found

    monkeypatch.setattr(compaction, "_rewritten", slow)
    [report] = run(lake)
    assert report.fewer_files == 0
    assert numbers(lake) == [6, 7, 9]


def _batch(lake: Lake, number: int):
    import pyarrow as pa

    return pa.Table.from_pylist([call(number)], schema=lake.writer(CALLS).schema).to_batches()[0]


def test_files_go_when_no_version_of_the_kept_days_has_them(lake):
    run(lake)
    assert on_disk(lake) == 8
    [later] = run(lake, now=NOW + timedelta(days=29))
    assert (later.removed_files, on_disk(lake)) == (0, 8)
    [last] = run(lake, now=NOW + timedelta(days=31))
    assert (last.removed_files, on_disk(lake)) == (5, 3)
    assert numbers(lake) == [1, 2, 3, 4, 5, 6, 7]


def test_what_the_newest_run_published_stays_whatever_its_age(lake):
    for number, version in ((1, 3), (2, 4)):
        row = {
            "run_id": f"run-{number}",
            "pipeline": "daily",
            "period_start": DAY,
            "period_end": DAY,
            "published_at": NOW + timedelta(minutes=number),
            "versions": {CALLS.name: version},
        }
        lake.append(PUBLISHED_RUNS, [row], run_id="run")
    run(lake)
    age(lake, 60)
    [report] = run(lake)
    assert report.removed_files == 1  # call 5, in no version that is needed
    assert numbers(lake, version=4) == [1, 2, 3, 4]  # the log keeps it, too
    assert pinned_versions(lake.store, keep=2) == {CALLS.name: {3, 4}}


def test_orphans_go_after_their_days_but_not_a_younger_file(lake):
    report = lake.writer(CALLS).write(iter([_batch(lake, 8)]))
    [orphan] = (lake.store.local_path(CALLS.name, file["path"]) for file in report.files)
    assert run(lake)[0].removed_files == 0
    assert orphan.exists()
    assert run(lake, now=NOW + timedelta(days=8))[0].removed_files == 1
    assert not orphan.exists()


def test_a_log_is_shortened_to_the_kept_days_and_every_kept_version_can_be_read(lake):
    run(lake)  # a checkpoint
    age(lake, 40)
    oldest = lake.version(CALLS)
    lake.append(CALLS, [call(8, NEXT)], run_id="feed")
    [report] = run(lake)
    assert report.versions == oldest + 2  # from 0 on
    kept = delta_log.commits(lake.store, CALLS).written
    assert min(kept) == oldest
    assert numbers(lake, version=oldest) == [1, 2, 3, 4, 5, 6, 7]
    assert numbers(lake, version=oldest + 1) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert delta_log.verified_version(lake.store, CALLS) == lake.version(CALLS)
    lake.append(CALLS, [call(9)], run_id="feed")
    assert numbers(lake) == [1, 2, 3, 4, 5, 6, 7, 8, 9]


def test_a_damaged_log_gets_no_checkpoint(lake):
    newest = lake.store.local_path(CALLS.name, "_delta_log", f"{lake.version(CALLS):020}.json")
    newest.write_bytes(b"")
    [error] = run(lake)
    assert isinstance(error, GateRefused)
    assert not delta_log.commits(lake.store, CALLS).checkpoints


KILL = """
import os, signal, sys
from visitgrain.runtime import {module}
def kill(*arguments, **more):
    print("fired", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
{patch}
from tests.unit.runtime.test_maintenance import CALLS, Lake, run, NOW
from datetime import timedelta
run(Lake(None, sys.argv[1], "Asia/Shanghai"), now=NOW + timedelta(days={days}))
"""


@pytest.mark.faults
@pytest.mark.parametrize(
    ("module", "patch", "days"),
    [
        ("delta_log", "delta_log.commit = kill", 0),  # small files are rewritten, not committed
        ("delta_log", "delta_log.write_receipt = kill", 0),  # committed, no receipt yet
        ("storage", "storage.Store.remove_file = kill", 31),  # at the first file to remove
    ],
)
def test_a_kill_at_any_point_leaves_the_table_as_it_was(lake, module, patch, days):
    before = contents(lake)
    if days:
        run(lake)
    script = KILL.format(module=module, patch=patch, days=days)
    done = subprocess.run(
        [sys.executable, "-c", script, lake.store.root], capture_output=True, text=True, check=False, env=_environment()
    )
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "fired\n"), done.stderr
    fresh = Lake(None, lake.store.root, "Asia/Shanghai", lock_wait_s=0)
    assert contents(fresh) == before
    assert numbers(fresh) == [1, 2, 3, 4, 5, 6, 7]
    run(fresh, now=NOW + timedelta(days=40))  # it goes on from there, and cleans up
    assert contents(fresh) == before
    assert on_disk(fresh) == len(fresh.data_files(CALLS)) == 3


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(["", *sys.path])}


@pytest.mark.parametrize("name", ["keep_days", "orphan_days"])
def test_less_than_seven_days_are_refused(tmp_path, name):
    folder = tmp_path / "operations"
    folder.mkdir()
    text = (default_conf() / "operations/maintenance.yaml").read_text()
    value = getattr(load_maintenance(default_conf()), name)
    (folder / "maintenance.yaml").write_text(text.replace(f"{name}: {value}", f"{name}: 6"))
    with pytest.raises(ConfigError, match=f"{name}.*greater than or equal to 7"):
        load_maintenance(tmp_path)
