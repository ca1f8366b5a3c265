"""Real signals to a real process: SIGKILL at points and at random, SIGTERM, Ctrl-C; a second run beside the first."""

from __future__ import annotations

import shutil
import signal
import time
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from tests.faults.chain import copy, held
from tests.faults.command import DAILY, Command
from visitgrain.runtime.ledger import Ledger
from visitgrain.runtime.storage import Store
from visitgrain.tables.runs import PUBLISHED_RUNS
from visitgrain.tables.visiting import DEVICE_VISITS

pytestmark = pytest.mark.faults

KILLED = -signal.SIGKILL
KILLS_OF_A_LAKE = 5


@pytest.mark.parametrize(
    "fault",
    [
        "before-stage:1:kill",
        "after-stage:2:kill",
        "between-commits:1:kill",
        "before-receipt:4:kill",
        "before-ledger:3:kill",
        "before-publish:1:kill",
    ],
)
def test_sigkill_at_a_point_and_the_command_again(world, undisturbed, tmp_path, fault):
    lake = copy(world / "lake", tmp_path / "lake")
    command = Command(world, lake, *DAILY, fault=fault)
    assert command.end()[0] == KILLED
    assert command.fired == [fault]
    held(lake)  # it can be read
    assert not Store(str(lake)).exists(PUBLISHED_RUNS.name)
    code, said = Command(world, lake, *DAILY).end()
    assert code == 0, said
    assert held(lake) == undisturbed[0]


def test_sigkill_at_random_times_and_the_command_again(world, undisturbed, tmp_path, request, record_property):
    """--kills of them, five on each lake, then a run to the end; seeds are fixed, what is hit is up to the machine."""
    expected, seconds = undisturbed
    random, kills, ends = Random(20260301), request.config.getoption("--kills"), Counter[str]()
    for first in range(0, kills, KILLS_OF_A_LAKE):
        lake = copy(world / "lake", tmp_path / f"lake-{first}")
        for _ in range(min(KILLS_OF_A_LAKE, kills - first)):
            before = _versions(lake)
            command = Command(world, lake, *DAILY)
            time.sleep(random.uniform(0.3, 1.0) * seconds)
            command.process.send_signal(signal.SIGKILL)
            killed = command.end()[0] == KILLED
            ends[
                "ended before" if not killed else "killed, had committed" if _versions(lake) != before else "killed"
            ] += 1
            held(lake)  # it can be read
        code, said = Command(world, lake, *DAILY).end()
        assert code == 0, said
        assert held(lake) == expected
        shutil.rmtree(lake)
    record_property("kills", dict(ends))
    assert ends["killed, had committed"] > 0
    assert ends["ended before"] <= kills / 3, ends


def _versions(lake: Path) -> int:
    return len([*lake.glob("*/_delta_log/*.json")])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_run_ends_soon_publishes_nothing_and_frees_its_locks(world, tmp_path, number):
    lake = copy(world / "lake", tmp_path / "lake")
    command = Command(world, lake, *DAILY, fault="after-stage:1:sleep")
    command.wait_for_fault()
    began = time.monotonic()
    command.process.send_signal(number)
    code, said = command.end(60)
    assert (code, time.monotonic() - began < 10) == (130, True), said
    store = Store(str(lake))
    assert not store.exists(PUBLISHED_RUNS.name)
    assert not store.exists(f"{DEVICE_VISITS.name}/_delta_log")
    assert {entry.error for entry in Ledger(store).entries() if entry.job == "cut_visits"} == {"interrupted"}
    assert Command(world, lake, "run", "cut_visits", "--date", "2026-03-01", lock_wait_s="0").end()[0] == 0


def test_a_second_run_is_refused_or_waits_and_changes_nothing(world, undisturbed, tmp_path):
    lake = copy(world / "lake", tmp_path / "lake")
    first = Command(world, lake, *DAILY, fault="after-stage:1:sleep")
    first.wait_for_fault()
    waits = Command(world, lake, *DAILY, lock_wait_s="300")
    code, said = Command(world, lake, *DAILY, lock_wait_s="0").end()
    assert code == 7, said
    assert f"process {first.process.pid} on" in said
    assert [first.end()[0], waits.end()[0]] == [0, 0]
    assert held(lake) == undisturbed[0]


def test_a_killed_python_worker_fails_the_job_and_the_command_again(world, undisturbed, tmp_path):
    lake = copy(world / "lake", tmp_path / "lake")
    command = Command(world, lake, *DAILY, fault="write-file:1:kill")
    code, said = command.end()
    assert (code, command.fired) == (6, ["write-file:1:kill"]), said
    assert "job cut_visits for 2026-03-01..2026-03-03" in said
    assert Command(world, lake, *DAILY).end()[0] == 0
    assert held(lake) == undisturbed[0]


def test_a_killed_python_worker_is_replaced_where_tasks_are_tried_again(world, undisturbed, tmp_path: Path):
    lake = copy(world / "lake", tmp_path / "lake")
    command = Command(world, lake, *DAILY, fault="write-file:1:kill", master="local[2,4]")
    code, said = command.end()
    assert (code, command.fired) == (0, ["write-file:1:kill"]), said
    assert held(lake) == undisturbed[0]
