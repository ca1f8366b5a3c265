"""A full disk, a read-only one, no disk at all; too little memory."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.chain import copy, held
from tests.faults.command import DAILY, ROOT, Command
from visitgrain.runtime.ledger import Ledger
from visitgrain.runtime.storage import Store
from visitgrain.tables.runs import PUBLISHED_RUNS

pytestmark = pytest.mark.faults

CUT = ("run", "cut_visits", "--date", "2026-03-01")


STARVED = """
import sys
from pyspark.sql import functions as F
from tests.jobs.runtime_world import CALLS, LONG_CALLS, SPAN, calls, job
from visitgrain.errors import VisitgrainError
from visitgrain.runtime.context import Context
from visitgrain.runtime.runner import run_job
from visitgrain.runtime.settings import default_conf, resolve
from visitgrain.tables import TABLES

def too_much(test_calls, *, spec, span):
    many = test_calls.sparkSession.range(300_000_000).withColumnRenamed("id", "call_id")
    return test_calls.join(F.broadcast(many), "call_id", "left")

TABLES.update({table.name: table for table in (CALLS, LONG_CALLS)})
pairs = {"lake": sys.argv[1], "master": "local[2]", "spark.driver.memory": "480m",
         "spark.driver.extraJavaOptions": "-XX:+ExitOnOutOfMemoryError",
         "spark.sql.adaptive.enabled": "false"}
made = resolve(default_conf(), overrides=[f"{name}={value}" for name, value in pairs.items()])
context = Context(made.settings, made.conf)
context.lake.append(CALLS, calls(context.spark), run_id="feed")
try:
    run_job(job(too_much, conserves=None, outcomes=()), SPAN, context)
except VisitgrainError as error:
    print(f"error: {error}", file=sys.stderr)
    sys.exit(error.exit_code)
"""


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("mounting needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path, leave_kb: int) -> Path:
    """Nearly all of the space that is left."""
    filler = disk / "filler"
    free = int(subprocess.run(["df", "-k", "--output=avail", disk], capture_output=True).stdout.split()[-1])
    filler.write_bytes(bytes(max(free - leave_kb, 0) << 10))
    return filler


@pytest.mark.parametrize("leave_kb", [0, 24])  # for nothing; for a data file, but not for all that comes after it
def test_a_full_disk_is_refused_and_the_command_again_when_there_is_space(world, undisturbed, tmp_path, leave_kb):
    with small_disk(tmp_path / "disk", 40) as disk:
        lake = copy_over(world / "lake", disk / "lake")
        filler = fill(disk, leave_kb)
        code, said = Command(world, lake, *DAILY).end()
        assert code != 0
        assert "No space left" in said, said
        assert not Store(str(lake)).exists(PUBLISHED_RUNS.name)
        filler.unlink()
        held(lake)
        code, said = Command(world, lake, *DAILY).end()
        assert code == 0, said
        assert held(lake) == undisturbed[0]


def test_no_space_for_a_commit(world, undisturbed, tmp_path):
    lake = copy(world / "lake", tmp_path / "lake")
    command = Command(world, lake, *DAILY, fault="before-receipt:2:enospc")
    code, said = command.end()
    assert (code, command.fired) == (6, ["before-receipt:2:enospc"])
    assert "No space left" in said
    assert Command(world, lake, *DAILY).end()[0] == 0
    assert held(lake) == undisturbed[0]


def test_no_space_for_a_shuffle(world, tmp_path):
    lake = copy(world / "lake", tmp_path / "lake")
    with small_disk(tmp_path / "disk", 1) as disk:
        fill(disk, 0)
        code, said = Command(world, lake, *DAILY, **{"spark.local.dir": str(disk)}).end()
        assert code == 6, said
        assert not Store(str(lake)).exists(PUBLISHED_RUNS.name)


def test_a_read_only_lake_is_refused_at_once(world, tmp_path):
    with small_disk(tmp_path / "disk", 40) as disk:
        lake = copy_over(world / "lake", disk / "lake")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        began = time.monotonic()
        code, said = Command(world, lake, *CUT).end()
        assert (code, time.monotonic() - began < 30) == (3, True), said
        assert "cannot be written to" in said


def test_too_little_memory_ends_the_job_and_says_which(tmp_path):
    """Half a gigabyte for a driver that is to hold 300 million numbers; the JVM ends, as the system would end it."""
    done = subprocess.run(
        [sys.executable, "-c", STARVED, str(tmp_path / "lake")], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 6, done.stderr
    assert "error: job find_long_calls for 2026-03-01: " in done.stderr
    [entry] = Ledger(Store(str(tmp_path / "lake"))).entries()  # the books need no JVM
    assert (entry.job, entry.status) == ("find_long_calls", "failed")
    assert not Store(str(tmp_path / "lake")).exists("test_long_calls/_delta_log")


def copy_over(root: Path, to: Path) -> Path:
    """Onto another disk."""
    subprocess.run(["cp", "-r", str(root), str(to)], check=True)
    return to
