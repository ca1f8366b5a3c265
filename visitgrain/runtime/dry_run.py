"""What a job would do: its transform built and analysed on the real inputs, or on empty ones; nothing runs."""

from __future__ import annotations

import re
from typing import Any

from pyspark.sql import DataFrame

from visitgrain.runtime.attempt import outputs_of
from visitgrain.runtime.context import Context
from visitgrain.runtime.contract import conformed
from visitgrain.runtime.job import Job
from visitgrain.runtime.spark_errors import as_visitgrain_error
from visitgrain.span import Span
from visitgrain.tables import TABLES

_SHUFFLE = re.compile(r"^[\s:+|*()0-9-]*Exchange\b", re.MULTILINE)


def check(job: Job, span: Span, context: Context) -> list[str]:
    """Notes on what could not be checked. Raises what a run would raise before it touches a row."""
    frames, notes = outputs(job, span, context)
    for name, frame in frames.items():
        conformed(frame, TABLES[name], edge="written")
    return notes


def outputs(job: Job, span: Span, context: Context) -> tuple[dict[str, DataFrame], list[str]]:
    """Frames of the job by table name, and a note per input that is not there yet."""
    frames, notes = {}, []
    for read in job.reads:
        window = read.window(span) if read.window else None
        if not context.lake.has(read.table) and not read.optional:
            notes.append(f"input {read.table.name} is not there yet; checked against an empty one")
        frames[read.argument] = context.lake.read(read.table, window, optional=True)
    try:
        return outputs_of(job, span, context, frames), notes
    except Exception as error:
        raise as_visitgrain_error(error, doing=f"job {job.name} for {span}") from error


def plan_text(frame: DataFrame, mode: str) -> str:
    """The plan as `DataFrame.explain` prints it."""
    jvm: Any = frame.sparkSession._jvm
    query = frame._jdf.queryExecution()
    return str(jvm.org.apache.spark.sql.api.python.PythonSQLUtils.explainString(query, mode))


def exchanges(frame: DataFrame) -> int:
    """Shuffles in the physical plan; broadcasts do not count."""
    return len(_SHUFFLE.findall(plan_text(frame, "simple")))
