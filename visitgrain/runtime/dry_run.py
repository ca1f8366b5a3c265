"""What a job would do: its transform built and analysed on the real inputs, or on empty ones; nothing runs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pyspark.sql import DataFrame

from visitgrain.arrow.rows import ArrowRows
from visitgrain.runtime.attempt import inputs_of, outputs_of
from visitgrain.runtime.context import Context
from visitgrain.runtime.contract import conformed
from visitgrain.runtime.job import Job
from visitgrain.runtime.spark_errors import as_visitgrain_error
from visitgrain.span import Span
from visitgrain.tables import TABLES

_SHUFFLE = re.compile(r"^[\s:+|*()0-9-]*Exchange\b", re.MULTILINE)


def check(job: Job, span: Span, context: Context) -> list[str]:
    """Notes on what could not be checked. Raises what a run would raise before it touches a row."""
    planned, notes = outputs(job, span, context)
    for name, rows in planned.items():
        if isinstance(rows, DataFrame):
            conformed(rows, TABLES[name], edge="written")
    return notes


def outputs(job: Job, span: Span, context: Context) -> tuple[dict[str, DataFrame | ArrowRows], list[str]]:
    """What the job would write by table name, and a note per input that is not there yet."""
    lacking = [r.table.name for r in job.reads if not r.optional and not context.lake.has(r.table)]
    notes = [f"input {name} is not there yet; checked against an empty one" for name in lacking]
    if job.tracked:
        return {}, [*notes, "it trains or applies models: only its inputs were looked at"]
    try:
        return outputs_of(job, span, context, inputs_of(job, span, context.lake, optional=True)), notes
    except Exception as error:
        raise as_visitgrain_error(error, doing=f"job {job.name} for {span}") from error


def frames(planned: Mapping[str, DataFrame | ArrowRows]) -> dict[str, DataFrame]:
    """The part of each output that Spark plans: all of it, or what feeds the function in the workers."""
    return {name: rows if isinstance(rows, DataFrame) else rows.frame for name, rows in planned.items()}


def plan_text(frame: DataFrame, mode: str) -> str:
    """The plan as `DataFrame.explain` prints it."""
    jvm: Any = frame.sparkSession._jvm
    query = frame._jdf.queryExecution()
    return str(jvm.org.apache.spark.sql.api.python.PythonSQLUtils.explainString(query, mode))


def exchanges(frame: DataFrame) -> int:
    """Shuffles in the physical plan; broadcasts do not count."""
    return len(_SHUFFLE.findall(plan_text(frame, "simple")))
