"""Table locks between processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from visitgrain.errors import Locked
from visitgrain.runtime.locks import TableLocks

HOLDER = """
import sys, time
from pathlib import Path
from visitgrain.runtime.locks import TableLocks
with TableLocks(Path(sys.argv[1]), wait_s=0).hold([sys.argv[2]]):
    print("held", flush=True)
    time.sleep(60)
"""


@contextmanager
def holder(folder: Path, table: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock of `table`."""
    arguments = [sys.executable, "-c", HOLDER, str(folder), table]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_second_writer_is_refused_and_told_who_writes(tmp_path):
    with holder(tmp_path, "visits") as process:
        mine = TableLocks(tmp_path, wait_s=0.2)
        message = rf"table visits: process {process.pid} on .*--set lock_wait_s"
        with pytest.raises(Locked, match=message) as refused, mine.hold(["visits"]):
            pass
        assert refused.value.exit_code == 7
        with mine.hold(["orders"]):
            pass  # another table is free


def test_the_lock_of_a_killed_writer_is_taken_over(tmp_path):
    with holder(tmp_path, "visits") as process:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert str(process.pid) in (tmp_path / "visits.lock").read_text()
        with TableLocks(tmp_path, wait_s=0).hold(["visits"]):
            assert str(os.getpid()) in (tmp_path / "visits.lock").read_text()


def test_a_waiting_writer_goes_on_when_the_lock_is_free(tmp_path):
    with holder(tmp_path, "visits") as process:
        os.kill(process.pid, signal.SIGTERM)
        with TableLocks(tmp_path, wait_s=10).hold(["visits"]):
            pass


def test_a_lock_held_twice_is_freed_by_the_outer_release(tmp_path):
    mine, other = TableLocks(tmp_path, wait_s=0), TableLocks(tmp_path, wait_s=0)
    with mine.hold(["visits"]):
        with mine.hold(["visits", "orders"]):
            pass
        with pytest.raises(Locked), other.hold(["visits"]):
            pass
        with other.hold(["orders"]):
            pass
    with other.hold(["visits"]):
        pass


def test_a_lock_left_without_a_word_is_taken_over_with_a_warning(tmp_path, caplog):
    with TableLocks(tmp_path, wait_s=0).hold(["visits"]):
        pass
    with TableLocks(tmp_path, wait_s=0).hold(["visits"]):
        assert not caplog.messages  # control: released in order
    with holder(tmp_path, "visits") as process:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    with TableLocks(tmp_path, wait_s=0).hold(["visits"]):
        [message] = caplog.messages
    assert f'table visits: its last writer {{"pid": {process.pid}, ' in message
