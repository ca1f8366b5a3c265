"""One execution of a job: opens what it reads, saves what it writes, checks the laws of its rows."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

from py4j.protocol import Py4JError
from pyspark.sql import DataFrame

from visitgrain.arrow.rows import ArrowRows, TableFiles
from visitgrain.errors import GateRefused, some_of
from visitgrain.runtime import faults, partitions
from visitgrain.runtime.context import Context
from visitgrain.runtime.job import Job, target_window
from visitgrain.runtime.lake import Lake, Written
from visitgrain.runtime.ledger import Entry, code_version
from visitgrain.runtime.planning import Book, Inputs
from visitgrain.runtime.progress import progress
from visitgrain.runtime.retention import refuse_retired
from visitgrain.runtime.side_by_side import side_by_side
from visitgrain.runtime.spark_errors import as_visitgrain_error
from visitgrain.runtime.staging import Staged
from visitgrain.runtime.touched import Touched, touched
from visitgrain.span import Span
from visitgrain.tables import TABLES, Table

LOG = logging.getLogger(__name__)
INTERRUPTED = "interrupted"


def inputs_of(job: Job, span: Span, lake: Lake, *, optional: bool = False) -> dict[str, DataFrame | TableFiles]:
    """What the transform is given, by argument. `optional`: tables that are not there yet are read as empty."""
    opened: dict[str, DataFrame | TableFiles] = {}
    for read in job.reads:
        open_ = partial(lake.files, columns=read.columns) if read.as_files else lake.read
        opened[read.argument] = open_(read.table, read.of(span), optional=optional or read.optional, part=read.part)
    return opened


def spec_of(job: Job, context: Context) -> Any:
    """What of the catalogue the transform needs."""
    return job.spec(context.catalogue) if job.spec else None


def outputs_of(
    job: Job,
    span: Span,
    context: Context,
    inputs: Mapping[str, DataFrame | TableFiles],
    touched: Touched | None = None,
) -> dict[str, DataFrame | ArrowRows]:
    """What the transform makes of `inputs`, by table name. Raises GateRefused when they are not the declared tables."""
    more: dict[str, Any] = {"touched": touched.keys} if touched else {}
    if job.tracked:
        more["tracking"] = context.tracking(job)
    result = job.transform(**inputs, spec=spec_of(job, context), span=span, **more)
    outputs = result if isinstance(result, dict) else {job.writes[0].name: result}
    declared = [table.name for table in job.writes]
    if sorted(outputs) != sorted(declared):
        raise GateRefused(
            f"job {job.name}: the transform returned {sorted(outputs)}, declared in writes: {sorted(declared)}"
        )
    return {name: outputs[name] for name in declared}


class Attempt:
    """What a job read, counted and wrote so far."""

    def __init__(self, job: Job, span: Span, context: Context, ran_before: Sequence[Entry]) -> None:
        self.job, self.span, self.context, self.ran_before = job, span, context, ran_before
        self.lake = context.lake
        self.input_versions: dict[str, int] = {}
        self.periods = span.periods(job.grain)
        self.input_hashes = {str(period.start): "" for period in self.periods}
        self.written: dict[str, Written] = {}
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
            if self.job.tracked:  # they may act on what they read, and so cache it
                with suppress(Py4JError, ConnectionRefusedError):  # a JVM that has gone keeps nothing
                    self.context.spark.catalog.clearCache()
            self.seconds = round((datetime.now(UTC) - self.started).total_seconds(), 3)
        LOG.info("%s: %s rows in %.1f s", label, sum(w.rows for w in self.written.values()), self.seconds)

    def _execute(self) -> None:
        """Everything is staged and counted before the first table changes."""
        refuse_retired(self.job, self.periods, self.context.ledger.kept_from())
        contents = Inputs(self.lake.data_files)
        contents.look_at(self.job)  # before they are opened: what changes in between makes the periods touched
        self._look_at_inputs()
        inputs = inputs_of(self.job, self.span, self.lake)
        book = Book(self.ran_before, contents, catalogue_hash=self.context.catalogue.hash)
        only = touched(self.job, self.span, self.lake, book, spec_of(self.job, self.context))
        outputs = outputs_of(self.job, self.span, self.context, inputs, only)
        faults.reached("before-stage")
        work = [partial(self._staged, TABLES[name], rows, only) for name, rows in outputs.items()]
        staged = dict(zip(outputs, side_by_side(work), strict=True))
        if self.rows_in is not None:
            self._check_conservation(staged)
        if self.job.laws is not None:
            self._check_laws(*staged.values())
        faults.reached("after-stage")
        for name, output in staged.items():
            if self.written:
                faults.reached("between-commits")
            self.written[name] = self.lake.commit(output, run_id=self.context.run_id)
        contents.forget(self.job.writes)  # a later day of the span has read what became of the earlier ones
        own = {read.table.name for read in self.job.reads} & self.written.keys()
        self.input_versions |= {name: self.written[name].version for name in own}
        self.input_hashes = {str(period.start): contents.hash(self.job, period) for period in self.periods}

    def _look_at_inputs(self) -> None:
        for read in self.job.reads:
            version = self.lake.version(read.table)
            if version >= 0:
                self._check_acknowledged(read.table, version)
                self.input_versions[read.table.name] = version
            if read.argument == self.job.conserves:
                self.rows_in = self.lake.rows(read.table, read.of(self.span), part=read.part)

    def _check_acknowledged(self, table: Table, version: int) -> None:
        """The table has not gone back behind what the ledger says of it: its receipt may be gone with its commits."""
        known = [e for e in self.ran_before if e.table_name == table.name and e.output_version is not None]
        last = max(known, key=lambda entry: entry.started_at, default=None)
        if last and last.output_version is not None and version < last.output_version:
            raise GateRefused(
                f"table {table.name}: version {version} found, the ledger acknowledged version {last.output_version} "
                f"(run {last.run_id}); later rows are gone. Restore {self.lake.path(table)} from a backup, or delete "
                "it and run its job again"
            )

    def _staged(self, table: Table, rows: DataFrame | ArrowRows, only: Touched | None) -> Staged:
        window = target_window(table, self.span)
        return self.lake.stage(
            table,
            rows,
            replaces=partitions.in_window(window or (None, None)),
            outcomes=self.job.outcomes,
            spread=partitions.is_wide(window),
            part=self.job.part,
            touched=only,
        )

    def _check_conservation(self, staged: Mapping[str, Staged]) -> None:
        """Rows in = rows by outcome."""
        marked = {name for name, output in staged.items() if output.report.marked}
        totals: Counter[str] = Counter()
        for name in marked or staged:
            totals.update(staged[name].outcomes)
        accounted = totals.total()
        if accounted == self.rows_in:
            return
        for output in staged.values():
            self.lake.discard(output)
        listed = ", ".join(f"{outcome} {rows}" for outcome, rows in sorted(totals.items()))
        raise GateRefused(
            f"{self.rows_in} rows of {self.job.conserves} in, {accounted} accounted for ({listed}): "
            f"{abs((self.rows_in or 0) - accounted)} {'lost' if accounted < (self.rows_in or 0) else 'too many'}. "
            f"Nothing was changed in {', '.join(staged)}. Give every input row an outcome in the transform"
        )

    def _check_laws(self, staged: Staged) -> None:
        """What the job says about its rows holds for those that are about to be published."""
        assert self.job.laws is not None
        broken = self.job.laws(staged.rows(self.lake.store), spec_of(self.job, self.context))
        if not broken:
            return
        self.lake.discard(staged)
        raise GateRefused(
            f"table {staged.table.name}: {some_of(broken)}. Nothing was changed in it: "
            "a definition, or the code that computes it, is wrong"
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
            input_hashes=self.input_hashes,
            output_version=written.version if written else None,
            rows_in=self.rows_in,
            outcomes=written.outcomes if written else {},
            rows_out=written.rows if written else None,
            content_hash=written.content_hash if written else None,
            error=self.error,
            started_at=self.started,
            seconds=self.seconds,
        )
