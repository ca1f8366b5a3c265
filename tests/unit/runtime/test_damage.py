"""Damage of logs and files: refused, or read as before; never other rows."""

from __future__ import annotations

import shutil
from contextlib import suppress
from random import Random

import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from tests.unit.runtime.damage_world import (
    DAMAGES,
    TABLE,
    append,
    commit_file,
    data_file,
    lose_a_line,
    make_table,
    read,
    rows_of,
)
from visitgrain.arrow.rows import read_part
from visitgrain.errors import GateRefused
from visitgrain.runtime import faults
from visitgrain.runtime.file_check import is_intact
from visitgrain.runtime.listing import parts_of_files
from visitgrain.runtime.storage import Store

pytestmark = pytest.mark.slow  # some seconds

ALL = sorted(rows_of(1) + rows_of(2) + rows_of(3))
FLIPS = 800  # of the bits of a data file


@pytest.fixture
def store(tmp_path) -> Store:
    """A table of three commits of ten rows."""
    made = make_table(tmp_path / "lake", 3)
    assert read(made) == ALL
    return made


def told_by_delta(store: Store) -> int:
    """Control: rows as the log alone tells them."""
    return sum(DeltaTable(store.path(TABLE.name)).get_add_actions(flatten=True)["num_records"].to_pylist())


def test_a_middle_commit_that_lost_a_line_is_refused(store):
    path = commit_file(store, 2)
    path.write_text(path.read_text().splitlines(keepends=True)[0])
    assert told_by_delta(store) == 20  # control: without an error
    with pytest.raises(GateRefused, match=r"version 3 tells 20 rows in 2 files, 30 acknowledged; .*run run-3 wrote"):
        read(store)


def test_the_newest_commit_that_lost_its_receipt_and_a_line_is_refused(store):
    """Its own commit information is left, and says what the table was."""
    store.remove_file(f"_receipts/{TABLE.name}.json")
    assert read(store) == ALL  # control: a receipt that is gone hurts nobody
    path = commit_file(store, 3)
    path.write_text(path.read_text().splitlines(keepends=True)[0])
    with pytest.raises(GateRefused, match="version 3 tells 20 rows in 2 files; that is not what run run-3 wrote"):
        read(store)


@pytest.mark.parametrize("version", [1, 3])
def test_an_empty_commit_is_refused(store, version):
    commit_file(store, version).write_bytes(b"")
    with pytest.raises(
        GateRefused, match=rf"table test_steps: empty commit file 0+{version}.json .*restore test_steps --to"
    ):
        read(store)


@pytest.mark.parametrize("version", [1, 3])
def test_half_a_commit_is_refused(store, version):
    path = commit_file(store, version)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(GateRefused, match=r"table test_steps: .*restore test_steps --to"):
        read(store)


def test_a_missing_middle_commit_is_refused(store):
    commit_file(store, 2).unlink()
    with pytest.raises(
        GateRefused, match=r"table test_steps: the log does not tell version 3 .*restore test_steps --to"
    ):
        read(store)


def test_a_damaged_receipt_is_refused_and_may_be_deleted(store):
    receipt = store.local_path("_receipts", f"{TABLE.name}.json")
    receipt.write_text(receipt.read_text()[:-10])
    with pytest.raises(GateRefused, match=r"the receipt .* is damaged .*delete it"):
        read(store)
    receipt.unlink()
    assert read(store) == ALL


def test_a_commit_without_its_receipt_is_read(store, monkeypatch):
    """Killed in between: the commit says itself what it left, nobody repeats it."""
    monkeypatch.setenv(faults.FAULT, "before-receipt:1:raise")
    with pytest.raises(faults.InjectedFault):
        append(store, rows_of(4), run_id="run-4")
    assert read(store) == sorted(ALL + rows_of(4))
    path = commit_file(store, 4)
    path.write_text(path.read_text().splitlines(keepends=True)[0])
    with pytest.raises(GateRefused, match="run run-4 wrote"):
        read(store)


def test_a_commit_whose_response_got_lost_is_ones_own(store, monkeypatch, tmp_path):
    monkeypatch.setenv(faults.FAULT, "lost-response:1:raise")
    monkeypatch.setenv(faults.FAULT_LOG, str(tmp_path / "log"))
    assert append(store, rows_of(4), run_id="run-4") == 4
    assert (tmp_path / "log").read_text() == "lost-response:1:raise\n"
    assert read(store) == sorted(ALL + rows_of(4))


@pytest.mark.parametrize(
    ("damage", "message"), [("delete", "is missing"), ("truncate", r"has \d+ bytes, the log says \d+")]
)
def test_a_truncated_or_missing_data_file_is_refused(store, damage, message):
    _, path = data_file(store)
    DAMAGES[damage](path, Random(1))
    with pytest.raises(GateRefused, match=rf"table test_steps: file .*parquet {message}; .*Restore it from a backup"):
        read(store)


def test_a_flipped_bit_of_a_data_file_is_refused_or_changes_nothing(store):
    """Pages have checksums, the footer has one in the name of the file; what is left fails, or is never looked at."""
    file, path = data_file(store)
    [part] = parts_of_files(store.path(TABLE.name), [file])
    content = path.read_bytes()
    before, plain = read_part(part, TABLE.column_names), pq.ParquetFile(path).read()
    random, refused, wrong_without = Random(7), 0, 0
    for place in random.sample(range(len(content) * 8), FLIPS):
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        with suppress(OSError, ValueError):
            wrong_without += not pq.ParquetFile(path).read().equals(plain)
        if not is_intact(store, TABLE, file):
            refused += 1
            continue
        try:
            found = read_part(part, TABLE.column_names)
        except OSError as error:
            refused += path.name in str(error)
        else:
            assert found == before
    assert refused > FLIPS / 2  # they do damage
    assert wrong_without > FLIPS / 10  # control: other rows without an error


def test_whatever_happens_to_a_file_of_the_log_no_other_rows_are_read(tmp_path):
    """Seeded damage of each kind to commits, checkpoint and receipt."""
    random, refused = Random(11), 0
    make_table(tmp_path / "sound", 22)  # with a checkpoint
    expected = read(Store(str(tmp_path / "sound")))
    assert len(expected) == 220
    log = tmp_path / "sound" / TABLE.name / "_delta_log"
    read_again = sorted(log.iterdir())[-5:]  # the checkpoint, what came after it
    victims = [*read_again, tmp_path / "sound" / "_receipts" / f"{TABLE.name}.json"]
    assert any("checkpoint" in victim.name for victim in victims)
    kinds = [*DAMAGES.values(), lose_a_line]
    for case in range(100):
        shutil.copytree(tmp_path / "sound", tmp_path / "case", dirs_exist_ok=True)
        victim = tmp_path / "case" / victims[case % len(victims)].relative_to(tmp_path / "sound")
        kinds[case % len(kinds)](victim, random)
        try:
            assert read(Store(str(tmp_path / "case"))) == expected, (case, victim.name)
        except GateRefused as error:
            refused += TABLE.name in str(error)
        shutil.rmtree(tmp_path / "case")
    assert refused > 20  # commits behind the checkpoint are not read any more
