"""One execution of a job: opens what it reads, saves what it writes, checks the conservation law."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime

from pyspark.sql import DataFrame, Observation

from visitgrain.errors import GateRefused
from visitgrain.runtime import observing
from visitgrain.runtime.context import Context
from visitgrain.runtime.contract import OUTCOME, ROWS
from visitgrain.runtime.job import Job, target_window
from visitgrain.runtime.lake import Written
from visitgrain.runtime.ledger import Entry, code_version
from visitgrain.runtime.progress import progress
from visitgrain.runtime.spark_errors import as_visitgrain_error
from visitgrain.span import Span
from visitgrain.tables import TABLES, Table

LOG = logging.getLogger(__name__)
INTERRUPTED = "interrupted"


def outputs_of(job: Job, span: Span, context: Context, frames: Mapping[str, DataFrame]) -> dict[str, DataFrame]:
    """What the transform makes of `frames`, by table name. Raises GateRefused when they are not the declared tables."""
    spec = job.spec(context.catalogue) if job.spec else None
    result = job.transform(**frames, spec=spec, span=span)
    outputs = result if isinstance(result, dict) else {job.writes[0].name: result}
    declared = [table.name for table in job.writes]
    if sorted(outputs) != sorted(declared):
        raise GateRefused(
            f"job {job.name}: the transform returned {sorted(outputs)}, declared in writes: {sorted(declared)}"
        )
    return {name: outputs[name] for name in declared}


class Attempt:
    """What a job read, counted and wrote so far."""

    def __init__(self, job: Job, span: Span, context: Context) -> None:
        self.job, self.span, self.context = job, span, context
        self.lake = context.lake
        self.input_versions: dict[str, int] = {}
        self.written: dict[str, Written] = {}
        self.before: dict[str, int] = {}
        self.rows_in: int | None = None
        self.error: str | None = INTERRUPTED  # until it ends
        self.started = datetime.now(UTC)
        self.seconds = 0.0

    def run(self) -> None:
        """Raises a VisitgrainError; `entries` tells the story either way."""
        label = f"job {self.job.name} for {self.span}"
        try:
            with progress(self.context.spark, label), self.lake.lock(*self.job.writes):
                self._execute()
        except Exception as error:
            failure = as_visitgrain_error(error, doing=label)
            self.error = str(failure)
            raise failure from error
        else:
            self.error = None
        finally:
            self.seconds = round((datetime.now(UTC) - self.started).total_seconds(), 3)
        LOG.info("%s: %s rows in %.1f s", label, sum(w.rows for w in self.written.values()), self.seconds)

    def _execute(self) -> None:
        frames, observation = self._open()
        outputs = outputs_of(self.job, self.span, self.context, frames)
        for name, frame in outputs.items():
            table = TABLES[name]
            self.before[name] = max(self.lake.version(table), 0)  # 0 = the empty table that the write creates
            self.written[name] = self.lake.replace(
                table,
                frame,
                window=target_window(table, self.job, self.span),
                run_id=self.context.run_id,
                outcomes=self.job.outcomes,
            )
        if observation is not None:
            self.rows_in = int(observing.metrics_of(observation).get("rows", 0))
            self._check_conservation(_accounting(outputs))

    def _open(self) -> tuple[dict[str, DataFrame], Observation | None]:
        frames: dict[str, DataFrame] = {}
        observation = None
        for read in self.job.reads:
            window = read.window(self.span) if read.window else None
            frame = self.lake.read(read.table, window, optional=read.optional)
            version = self.lake.version(read.table)
            if version >= 0:
                self.input_versions[read.table.name] = version
            if read.argument == self.job.conserves:
                frame, observation = observing.counted(frame)
            frames[read.argument] = frame
        return frames, observation

    def _check_conservation(self, accounting: set[str]) -> None:
        """Rows in = rows by outcome. A violation restores every table that this attempt wrote."""
        totals: dict[str, int] = {}
        for name in accounting:
            for outcome, rows in self.written[name].outcomes.items():
                totals[outcome] = totals.get(outcome, 0) + rows
        accounted = sum(totals.values())
        if accounted == self.rows_in:
            return
        for name, version in self.before.items():
            self.lake.restore(TABLES[name], version, run_id=self.context.run_id)
        listed = ", ".join(f"{outcome} {rows}" for outcome, rows in sorted(totals.items()))
        raise GateRefused(
            f"{self.rows_in} rows of {self.job.conserves} in, {accounted} accounted for ({listed}): "
            f"{abs((self.rows_in or 0) - accounted)} {'lost' if accounted < (self.rows_in or 0) else 'too many'}. "
            f"Restored: {', '.join(self.before)}. Give every input row an outcome in the transform"
        )

    def entries(self) -> list[Entry]:
        """One per declared table."""
        return [self._entry(table) for table in self.job.writes]

    def _entry(self, table: Table) -> Entry:
        written = self.written.get(table.name) if self.error is None else None
        return Entry(
            run_id=self.context.run_id,
            job=self.job.name,
            table_name=table.name,
            period_start=self.span.start,
            period_end=self.span.end,
            status="ok" if self.error is None else "failed",
            code_version=code_version(),
            catalogue_hash=self.context.catalogue.hash,
            input_versions=self.input_versions,
            output_version=written.version if written else None,
            rows_in=self.rows_in,
            outcomes=written.outcomes if written else {},
            rows_out=written.rows if written else None,
            content_hash=written.content_hash if written else None,
            error=self.error,
            started_at=self.started,
            seconds=self.seconds,
        )


def _accounting(outputs: Mapping[str, DataFrame]) -> set[str]:
    """Tables whose rows count in the conservation law: those with a reserved column; all of them where none has one."""
    marked = {name for name, frame in outputs.items() if {ROWS, OUTCOME} & set(frame.columns)}
    return marked or set(outputs)
