"""Faults on purpose, for tests: `VISITGRAIN_FAULT=point:n:action` breaks a run the n-th time it passes a point.

Several are separated by commas. Each happens once: `VISITGRAIN_FAULT_LOG` names a file that gets a line when one does,
and what stands there does not happen again, in whichever process. Without the variable nothing is looked at.
"""

from __future__ import annotations

import errno
import os
import signal
import time
from collections import Counter
from pathlib import Path

from visitgrain.errors import ConfigError

FAULT, FAULT_LOG = "VISITGRAIN_FAULT", "VISITGRAIN_FAULT_LOG"
POINTS = {
    "before-stage": "inputs are open, nothing is written yet",
    "write-file": "in a worker: a data file is computed, not yet written",
    "after-stage": "all files of a job are written and checked, no table has changed",
    "between-commits": "a table of the job has changed, another one has not",
    "lost-response": "a commit is in the log, its writer has not been told",
    "before-receipt": "a commit is in the log, its receipt is not",
    "before-ledger": "all tables of a job have changed, neither result file nor ledger says so",
    "before-publish": "a pipeline's jobs are in the ledger, it is not published",
}
ACTIONS = ("raise", "kill", "enospc", "sleep")
SLEEP_SECONDS = 60.0

_passed: Counter[tuple[str, str]] = Counter()  # times per value of the variable and point


class InjectedFault(Exception):
    """What the action `raise` raises."""


def reached(point: str) -> None:
    """A run passes `point`. Raises ConfigError when the variable names no point or action."""
    if text := os.environ.get(FAULT):
        _break(point, text)


def _break(point: str, text: str) -> None:
    assert point in POINTS
    _passed[text, point] += 1
    for fault in text.split(","):
        where, number, action = _parsed(fault)
        if where == point and number == _passed[text, point] and _note(fault):
            _happen(action, fault)


def _parsed(fault: str) -> tuple[str, int, str]:
    where, _, rest = fault.partition(":")
    number, _, action = rest.partition(":")
    if where not in POINTS or not number.isdigit() or action not in ACTIONS:
        raise ConfigError(
            f"{FAULT}={fault}: expected point:n:action with a point of {', '.join(POINTS)} and an action of "
            f"{', '.join(ACTIONS)}; unset it to run without faults"
        )
    return where, int(number), action


def _note(fault: str) -> bool:
    """Write down that it happens; False when it has happened before."""
    name = os.environ.get(FAULT_LOG)
    if name is None:
        return True
    log = Path(name)
    if log.exists() and fault in log.read_text().splitlines():
        return False
    with log.open("a") as stream:
        stream.write(f"{fault}\n")
    return True


def _happen(action: str, fault: str) -> None:
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif action == "sleep":
        time.sleep(SLEEP_SECONDS)
    elif action == "enospc":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    else:
        raise InjectedFault(f"{FAULT}={fault}")
