"""Faults happen at the point, the time and in the way that was asked for, once."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys

import pytest

from visitgrain.errors import ConfigError
from visitgrain.runtime import faults
from visitgrain.runtime.faults import FAULT, FAULT_LOG, InjectedFault, reached


@pytest.fixture(autouse=True)
def _log(tmp_path, monkeypatch):
    monkeypatch.setenv(FAULT_LOG, str(tmp_path / "faults"))


def noted(tmp_path) -> list[str]:
    log = tmp_path / "faults"
    return log.read_text().splitlines() if log.exists() else []


def test_nothing_happens_unless_asked_for(tmp_path, monkeypatch):
    monkeypatch.delenv(FAULT, raising=False)
    reached("before-stage")
    assert noted(tmp_path) == []


def test_a_fault_happens_the_nth_time_its_point_is_passed_and_once(tmp_path, monkeypatch):
    monkeypatch.setenv(FAULT, "after-stage:2:raise,before-stage:1:enospc")
    reached("after-stage")
    with pytest.raises(InjectedFault, match="after-stage:2:raise"):
        reached("after-stage")
    reached("after-stage")
    with pytest.raises(OSError, match="No space left") as full:
        reached("before-stage")
    assert full.value.errno == errno.ENOSPC
    assert noted(tmp_path) == ["after-stage:2:raise", "before-stage:1:enospc"]


def test_what_the_log_tells_does_not_happen_again_in_another_process(tmp_path, monkeypatch):
    program = "from visitgrain.runtime.faults import reached; reached('write-file')"
    environment = {**os.environ, FAULT: "write-file:1:kill"}
    codes = [subprocess.run([sys.executable, "-c", program], env=environment).returncode for _ in range(2)]
    assert codes == [-signal.SIGKILL, 0]
    assert noted(tmp_path) == ["write-file:1:kill"]


def test_sleep_goes_on_afterwards(monkeypatch):
    monkeypatch.setattr(faults, "SLEEP_SECONDS", 0.0)
    monkeypatch.setenv(FAULT, "before-receipt:1:sleep")
    reached("before-receipt")


@pytest.mark.parametrize("text", ["nowhere:1:raise", "before-stage:x:raise", "before-stage:1:explode", "before-stage"])
def test_a_fault_that_cannot_be_is_refused(monkeypatch, text):
    monkeypatch.setenv(FAULT, text)
    with pytest.raises(ConfigError, match=f"{FAULT}={text}: expected point:n:action"):
        reached("before-stage")
