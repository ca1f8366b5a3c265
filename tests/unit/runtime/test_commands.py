"""The command line without Spark: exit codes, messages, what needs no JVM."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from visitgrain.cli import main
from visitgrain.cli.periods import between, span_of
from visitgrain.errors import UsageError
from visitgrain.span import Span

NO_JVM = """
import subprocess, sys
def refuse(*arguments, **more):
    raise AssertionError(f"a process was started: {arguments}")
subprocess.Popen.__init__ = refuse
from visitgrain.cli import main
for command in ("jobs", "plan monthly --month 2026-03", "status", "config show", "telemetry"):
    try:
        main(["--lake", sys.argv[1], *command.split()])
    except SystemExit as end:
        assert not end.code, command
    assert "visitgrain.runtime.session" not in sys.modules, command
"""


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command."""
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    captured = capsys.readouterr()
    return int(exit_.value.code or 0), captured.out, captured.err


def test_an_unusual_volume_is_allowed_of_tables_that_are_judged_by_it(monkeypatch):
    """Of a pipeline that writes others, too: quarantined_visits has no such rule."""
    allowed = []
    monkeypatch.setattr(
        "visitgrain.cli.run._run_once", lambda found, span, context, until: allowed.append(context.allowed_rules) or []
    )
    with pytest.raises(SystemExit):
        main(["run", "daily", "--date", "2026-03-01", "--allow-volume"])
    assert allowed == [{"visits.volume", "device_visits.volume", "visit_days.volume"}]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["jobs"], 0, ""),
        (["run", "dialy", "--date", "2026-03-01"], 2, "did you mean 'daily'?"),
        (["run", "daily"], 2, "say when"),
        (["run", "daily", "--date", "2026-03-1x"], 2, "neither a day (2026-03-01) nor a month (2026-03)"),
        (["run", "daily", "--date", "2026-03-01", "--month", "2026-03"], 2, "say when"),
        (["plan", "daily", "--from", "2026-03-02", "--to", "2026-03-01"], 2, "swap them"),
        (["nothing"], 2, "No such command"),
        (["--set", "zoen=UTC", "jobs"], 3, "did you mean 'zone'"),
        (["--env", "moon", "jobs"], 3, "environment 'moon'"),
    ],
)
def test_exit_codes(capsys, arguments, code, message):
    found, _, err = run(capsys, *arguments)
    assert found == code
    assert message in err
    assert "Traceback" not in err


def test_reporting_commands_start_no_jvm(tmp_path):
    command = [sys.executable, "-c", NO_JVM, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[3])
    assert done.returncode == 0, done.stderr


def test_plan_shows_order_reads_and_replaced_days(capsys):
    code, out, _ = run(capsys, "plan", "daily", "--date", "2026-03-01")
    assert code == 0
    lines = [line.strip() for line in out.splitlines()]
    assert lines[0] == "daily for 2026-03-01"
    assert "replaces visits (settled) visit_date 2026-03-01" in lines
    assert lines.index("1. cut_visits: Cuts each device's events into visits.") == 1


def test_config_show_names_the_origin(capsys, tmp_path):
    _, out, _ = run(
        capsys, "--set", "spark.sql.shuffle.partitions=3", "--lake", str(tmp_path), "config", "show", "--origin"
    )
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines()}
    assert rows["lake"] == [str(tmp_path), "command", "line"]
    assert rows["spark.sql.shuffle.partitions"] == ["3", "command", "line"]
    assert rows["zone"][1].startswith("conf/base.yaml:")


MARCH = Span(date(2026, 3, 1), date(2026, 3, 31))
DAY = Span(date(2026, 3, 5), date(2026, 3, 5))


def test_a_monthly_run_takes_the_month_around_a_day():
    assert span_of("month", day=DAY, month=None, start=None, end=None) == MARCH
    assert span_of("day", day=None, month=MARCH, start=None, end=None) == MARCH
    with pytest.raises(UsageError, match="use backfill"):
        span_of("month", day=None, month=None, start=MARCH, end=Span(date(2026, 4, 1), date(2026, 4, 30)))


def test_a_backfill_runs_once_per_period():
    february = Span.month_of(date(2026, 2, 10))
    assert between(february, MARCH).periods("month") == [february, MARCH]
    assert len(between(february, DAY).periods("day")) == 28 + 5
    assert DAY.periods("month") == [MARCH]


def test_an_interrupted_command_is_130(capsys, monkeypatch):
    from visitgrain.cli import status

    def interrupt() -> dict:
        raise KeyboardInterrupt

    monkeypatch.setattr(status, "discovered_jobs", interrupt)
    code, _, err = run(capsys, "status")
    assert code == 130
    assert "the same command goes on from there" in err
