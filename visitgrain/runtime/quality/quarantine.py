"""How much of what was delivered for a run's days still lies in quarantine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pyspark.sql import functions as F

from visitgrain.catalogue.quality import QualityRules, Quarantine, Rule
from visitgrain.runtime.job import Pipeline
from visitgrain.runtime.lake import Lake
from visitgrain.runtime.ledger import Entry
from visitgrain.runtime.quality.judge import Finding, Judge, Verdict
from visitgrain.span import Span
from visitgrain.tables import TABLES
from visitgrain.tables.runs import QUARANTINED_EVENTS

INGEST = "ingest_source"


def quarantine_findings(
    pipeline: Pipeline, span: Span, before: Sequence[Entry], rules: QualityRules, judge: Judge, lake: Lake
) -> Iterator[Finding]:
    """Of each input table with such a rule. The loads are those that brought rows of a day that the jobs read."""
    for name in sorted({read.table.name for job in pipeline.jobs for read in job.reads}):
        for rule in rules.of(TABLES[name]):
            if isinstance(rule.spec, Quarantine):
                yield from _of_loads(rule, span, before, judge, lake)


def _of_loads(rule: Rule, span: Span, before: Sequence[Entry], judge: Judge, lake: Lake) -> Iterator[Finding]:
    loads: dict[str, Entry] = {}  # by load id: loading again under the same one took back what was there
    for entry in before:
        of_table = entry.job == INGEST and entry.table_name == rule.table.name and entry.status == "ok"
        if of_table and entry.period_start <= span.end and span.start <= entry.period_end:
            loads[entry.catalogue_hash] = entry
    if not loads:
        return
    rows = sum(entry.rows_in or 0 for entry in loads.values())
    refused = sum(_refused(entry) for entry in loads.values())
    finding = judge.quarantine(rule, span.start, rows, refused)
    if finding.verdict not in (Verdict.PASS, Verdict.NOT_JUDGED):  # some may have been taken over since
        of_loads = F.col("load_id").isin(*loads) & (F.col("table_name") == rule.table.name)
        refused = lake.read(QUARANTINED_EVENTS).where(of_loads & F.col("fixed_by").isNull()).count()
        finding = judge.quarantine(rule, span.start, rows, refused)
    yield finding


def _refused(entry: Entry) -> int:
    return sum(rows for outcome, rows in entry.outcomes.items() if outcome.startswith("quarantined:"))
