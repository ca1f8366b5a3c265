"""Logs, progress and one-line errors, on stand-ins for Spark."""

from __future__ import annotations

import io
import json
import logging
import time
from types import SimpleNamespace

import pytest
from pyspark.errors import AnalysisException, ArithmeticException

from visitgrain.errors import InputMissing, JobFailed, Locked
from visitgrain.runtime.logs import configure_logs
from visitgrain.runtime.progress import progress
from visitgrain.runtime.spark_errors import as_visitgrain_error, one_line


@pytest.fixture(autouse=True)
def _logging():
    """Give pytest its own handlers back."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers, root.level = handlers, level


def test_json_logs_are_one_object_per_line_with_the_run_id(capsys):
    configure_logs(run_id="run-1", form="json", debug=False)
    logging.getLogger("visitgrain.test").info("read %s\nrows", 3)
    logging.getLogger("visitgrain.test").debug("not shown")
    [line] = capsys.readouterr().err.splitlines()
    found = json.loads(line)
    assert (found["run_id"], found["level"], found["msg"]) == ("run-1", "INFO", "read 3\nrows")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def stand_in(done: int, total: int) -> SimpleNamespace:
    """A session whose only stage has `done` of `total` tasks."""
    stage = SimpleNamespace(numTasks=total, numCompletedTasks=done, numActiveTasks=2)
    tracker = SimpleNamespace(getActiveStageIds=lambda: [7] if total else [], getStageInfo=lambda stage_id: stage)
    return SimpleNamespace(sparkContext=SimpleNamespace(statusTracker=lambda: tracker))


def test_a_terminal_gets_a_bar_that_is_wiped_at_the_end():
    stream = Terminal()
    with progress(stand_in(6, 12), "job x", stream=stream, every_s=0.01):
        time.sleep(0.1)
    assert "\rjob x  [============>           ] 6/12 tasks, 2 running, 0 s" in stream.getvalue()
    assert stream.getvalue().endswith("\r\x1b[K")


def test_elsewhere_progress_is_a_log_line(caplog):
    stream = io.StringIO()
    with caplog.at_level(logging.INFO), progress(stand_in(0, 0), "job x", stream=stream, every_s=0.01):
        time.sleep(0.1)
    assert "job x  planning or committing, 0 s" in caplog.messages
    assert stream.getvalue() == ""


def test_values_are_cut_out_of_runtime_errors_but_names_stay():
    runtime = ArithmeticException("[CAST_INVALID_INPUT] The value '13800138000' of the type STRING\nmore")
    assert one_line(runtime) == "[CAST_INVALID_INPUT] The value '…' of the type STRING"
    names = AnalysisException("[UNRESOLVED_COLUMN] A column with name 'visit_idd' cannot be resolved.")
    assert "'visit_idd'" in one_line(names)


def test_errors_keep_their_class_and_say_what_was_done():
    missing = as_visitgrain_error(InputMissing("table x: not there"), doing="job y")
    assert (type(missing), str(missing)) == (InputMissing, "job y: table x: not there")
    assert type(as_visitgrain_error(ValueError("no"), doing="job y")) is JobFailed
    gone = as_visitgrain_error(ConnectionRefusedError(111, "Connection refused"), doing="job y")
    assert "job y: the connection to Spark's JVM broke; it may have been killed or run out of memory" in str(gone)
    conflict = AnalysisException("[DELTA_CONCURRENT_APPEND] files were added")
    assert type(as_visitgrain_error(conflict, doing="job y")) is Locked
