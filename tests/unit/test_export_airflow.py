"""`export airflow`: the file compiles, imports nothing of the suite, and its tasks are the pipelines' jobs."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import types
from contextlib import contextmanager
from pathlib import Path

import pytest

from visitgrain.cli import main
from visitgrain.cli.discovery import discovered_pipelines
from visitgrain.cli.export import chosen, needed_by
from visitgrain.errors import UsageError

AIRFLOW = os.environ.get("AIRFLOW_PYTHON")  # of another environment: Airflow's pins are not ours


def exported(folder: Path, *more: str) -> Path:
    file = folder / "visitgrain_dags.py"
    with pytest.raises(SystemExit) as end:
        main(["export", "airflow", "--to", str(file), "--from", "2026-03-01", *more])
    assert not end.value.code
    return file


class Task:
    """What the file uses of Airflow, noted down."""

    made: list[Task] = []
    groups: list[str] = []

    def __init__(self, *, task_id: str, bash_command: str) -> None:
        self.task_id, self.bash_command, self.after = f"{self.groups[-1]}.{task_id}", bash_command, []
        self.made.append(self)

    def __rshift__(self, other: Task) -> Task:
        other.after.append(self.task_id)
        return other


class Group:
    edges: list[tuple[str, str]] = []

    def __init__(self, name: str, **_: str) -> None:
        self.name = name

    def __enter__(self) -> Group:
        Task.groups.append(self.name)
        return self

    def __exit__(self, *_: object) -> None:
        Task.groups.pop()

    def __rshift__(self, other: Group) -> Group:
        self.edges.append((self.name, other.name))
        return other


@pytest.fixture
def loaded(tmp_path, monkeypatch):
    """The file's namespace, run on stand-ins for Airflow: tasks, edges between groups, arguments of the DAGs."""
    dags: dict[str, dict] = {}

    @contextmanager
    def dag(**arguments):
        dags[arguments["dag_id"]] = arguments
        yield arguments

    names = {
        "airflow.sdk": {"DAG": dag, "TaskGroup": Group},
        "airflow.providers.standard.operators.bash": {"BashOperator": Task},
        "airflow.timetables.interval": {"CronDataIntervalTimetable": lambda cron, timezone: (cron, timezone)},
        "pendulum": {"timezone": str, "parse": lambda text, tz: (text, tz)},
    }
    for name, content in names.items():
        parts = name.split(".")
        for depth in range(1, len(parts) + 1):
            monkeypatch.setitem(sys.modules, ".".join(parts[:depth]), types.ModuleType(".".join(parts[:depth])))
        vars(sys.modules[name]).update(content)
    monkeypatch.setattr(Task, "made", [])
    monkeypatch.setattr(Group, "edges", [])
    text = exported(tmp_path, "--program", "cd /srv && visitgrain").read_text(encoding="utf-8")
    module = types.ModuleType("visitgrain_dags")
    file = tmp_path / "visitgrain_dags.py"
    import importlib.util

    spec = importlib.util.spec_from_file_location("visitgrain_dags", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return text, dags, Task.made, Group.edges


def test_it_imports_airflow_and_nothing_of_the_suite(tmp_path):
    tree = ast.parse(exported(tmp_path).read_text(encoding="utf-8"))
    imported = {n.module.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    imported |= {alias.name for n in ast.walk(tree) if isinstance(n, ast.Import) for alias in n.names}
    assert imported == {"__future__", "airflow", "datetime", "pendulum"}


def test_tasks_order_and_commands_are_the_pipelines(loaded):
    _, _, tasks, edges = loaded
    pipelines = chosen(())
    assert {p.name for p in pipelines} == {
        name for name, p in discovered_pipelines().items() if not any(job.tracked for job in p.jobs)
    }
    expected = []
    for grain in ("day", "month"):
        for pipeline in (p for p in pipelines if p.grain == grain):
            names = [job.name for job in pipeline.jobs]
            before = [[], *([f"{pipeline.name}.{name}"] for name in names)]
            for task, after in zip([*names, "publish"], before, strict=True):
                until = f" --until {task}" if task != "publish" else ""
                expected.append((f"{pipeline.name}.{task}", after, f"run {pipeline.name} ", until))
    assert len(tasks) == len(expected)
    for task, (name, after, command, until) in zip(tasks, expected, strict=True):
        assert (task.task_id, task.after) == (name, after)
        assert task.bash_command.startswith("cd /srv && visitgrain --run-id '")
        assert f"'{name.split('.')[0]}--{{{{ run_id }}}}' {command}--" in task.bash_command
        assert task.bash_command.endswith(f"}}}}{until}")
    assert ("daily", "daily_metrics") in edges
    assert {after for before, after in edges if before == "monthly"} >= {"monthly_metrics", "monthly_value"}


def test_a_run_computes_its_data_interval_and_the_past_is_caught_up(loaded):
    _, dags, tasks, _ = loaded
    assert set(dags) == {"visitgrain_day", "visitgrain_month"}
    for dag in dags.values():
        assert (dag["catchup"], dag["max_active_runs"], dag["start_date"]) == (True, 1, ("2026-03-01", "Asia/Shanghai"))
        assert dag["schedule"][1] == "Asia/Shanghai"
        assert dag["default_args"]["retries"] == 2
    by_day = next(task.bash_command for task in tasks if task.task_id == "daily.publish")
    assert "--date {{ data_interval_start.in_timezone('Asia/Shanghai').strftime('%Y-%m-%d') }}" in by_day
    by_month = next(task.bash_command for task in tasks if task.task_id == "monthly.publish")
    assert by_month.endswith("--month {{ data_interval_start.in_timezone('Asia/Shanghai').strftime('%Y-%m') }}")


def test_pipelines_may_be_named_and_come_in_the_order_they_need():
    assert [p.name for p in chosen(("daily_metrics", "daily"))] == ["daily", "daily_metrics"]
    daily = discovered_pipelines()["daily"]
    assert needed_by(daily, list(discovered_pipelines().values())) == []
    with pytest.raises(UsageError, match="did you mean 'daily'"):
        chosen(("dialy",))


LOAD = """
import sys
try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:  # before Airflow 3.1
    from airflow.models import DagBag
bag = DagBag(sys.argv[1])
assert not bag.import_errors, bag.import_errors
for name, dag in sorted(bag.dags.items()):
    print(name, len(dag.tasks))
"""


@pytest.mark.skipif(not AIRFLOW, reason="AIRFLOW_PYTHON names no Python that has Airflow")
def test_airflow_itself_loads_it(tmp_path):
    (tmp_path / "dags").mkdir()
    exported(tmp_path / "dags")
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "JAVA_HOME")}
    environ = {**kept, "AIRFLOW_HOME": str(tmp_path / "home"), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    command = [str(AIRFLOW), "-c", LOAD, str(tmp_path / "dags")]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    counts = {grain: sum(len(p.jobs) + 1 for p in chosen(()) if p.grain == grain) for grain in ("day", "month")}
    assert done.stdout.splitlines()[-2:] == [f"visitgrain_{grain} {count}" for grain, count in counts.items()]
