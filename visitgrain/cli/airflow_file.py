"""The text of the DAG file that `export airflow` writes, with $PLACES for what it is about."""

from __future__ import annotations

from string import Template

AIRFLOW_FILE = Template('''\
"""DAGs of visitgrain, written by `visitgrain export airflow`: write it anew after an upgrade instead of editing it.

One DAG per grain, in it a group per pipeline, a task per job, and one task that publishes. The tasks of a pipeline are
one run of visitgrain, named after Airflow's run: a task that is tried again goes on where it failed, a task that is
cleared computes only what has changed since. The period is that of the data interval, so backfills compute the past.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum

try:  # Airflow 3
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.sdk import DAG, TaskGroup
except ImportError:  # Airflow 2.4 and later
    from airflow import DAG
    from airflow.operators.bash import BashOperator
    from airflow.utils.task_group import TaskGroup
from airflow.timetables.interval import CronDataIntervalTimetable  # a plain cron text has no interval in Airflow 3

PROGRAM = $PROGRAM
ZONE = $ZONE
START = $START
SCHEDULES = {"day": "0 3 * * *", "month": "0 5 1 * *"}  # after the interval has ended, in ZONE
PERIODS = {"day": "--date {{ %s.strftime('%%Y-%%m-%%d') }}", "month": "--month {{ %s.strftime('%%Y-%%m') }}"}
INTERVAL = f"data_interval_start.in_timezone('{ZONE}')"
PIPELINES = $PIPELINES


def command(pipeline: dict, until: str | None = None) -> str:
    period = PERIODS[pipeline["grain"]] % INTERVAL
    run = f"{PROGRAM} --run-id '{pipeline['name']}--{{{{ run_id }}}}' run {pipeline['name']} {period}"
    return f"{run} --until {until}" if until else run


def add(pipeline: dict) -> TaskGroup:
    """Job after job, then the publication of all that they wrote."""
    with TaskGroup(pipeline["name"], tooltip=pipeline["summary"]) as group:
        before = None
        for job in [*pipeline["jobs"], None]:
            task = BashOperator(task_id=job or "publish", bash_command=command(pipeline, job))
            if before is not None:
                before >> task
            before = task
    return group


def dag_of(grain: str) -> DAG:
    with DAG(
        dag_id=f"visitgrain_{grain}",
        schedule=CronDataIntervalTimetable(SCHEDULES[grain], timezone=pendulum.timezone(ZONE)),
        start_date=pendulum.parse(START, tz=ZONE),
        catchup=True,
        max_active_runs=1,  # two runs would wait for each other's tables
        default_args={"owner": "visitgrain", "retries": 2, "retry_delay": timedelta(minutes=5)},
        tags=["visitgrain"],
    ) as dag:
        groups = {}
        for pipeline in PIPELINES:
            if pipeline["grain"] == grain:
                groups[pipeline["name"]] = add(pipeline)
                for earlier in pipeline["after"]:
                    groups[earlier] >> groups[pipeline["name"]]
    return dag


for grain in sorted({pipeline["grain"] for pipeline in PIPELINES}):
    globals()[f"visitgrain_{grain}"] = dag_of(grain)
''')
