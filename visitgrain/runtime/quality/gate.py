"""Judges what a pipeline wrote, before readers are told of it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from visitgrain.arrow.rows import FilePart
from visitgrain.catalogue.quality import QualityRules, Reference, Rule, Share, Sum, Unique, split
from visitgrain.errors import MOST_TOLD, GateRefused, VisitgrainError, some_of
from visitgrain.runtime import delta_log
from visitgrain.runtime.context import Context
from visitgrain.runtime.job import Pipeline, target_window
from visitgrain.runtime.lake import Lake
from visitgrain.runtime.ledger import Entry
from visitgrain.runtime.listing import parts_of_files
from visitgrain.runtime.progress import progress
from visitgrain.runtime.quality import history
from visitgrain.runtime.quality.gathering import Hashed, Unit, gathered
from visitgrain.runtime.quality.judge import Finding, Judge, Verdict
from visitgrain.runtime.quality.quarantine import quarantine_findings
from visitgrain.runtime.spark_errors import as_visitgrain_error
from visitgrain.span import Span
from visitgrain.tables import TABLES, Table
from visitgrain.tables.runs import QUALITY_RESULTS

LOG = logging.getLogger(__name__)
Periods = dict[str, set[date | None]]  # by table


def check(pipeline: Pipeline, span: Span, entries: Sequence[Entry], before: Sequence[Entry], context: Context) -> None:
    """Raises GateRefused when a rule that blocks is broken, or when the gate itself cannot say.

    What it found is in `quality_results` either way. Judged are the periods that this run wrote, and all that were
    changed since their table was last published: those would become visible, too.
    """
    label = f"quality gate of {pipeline.name}"
    try:
        with progress(context.spark, label):
            findings = _findings(pipeline, span, entries, before, context)
            rows = history.rows_of(
                findings, run_id=context.run_id, pipeline=pipeline.name, checked_at=datetime.now(UTC)
            )
            context.lake.append(QUALITY_RESULTS, rows, run_id=context.run_id)
    except Exception as error:
        known = error if isinstance(error, VisitgrainError) else as_visitgrain_error(error, doing=label)
        raise GateRefused(
            f"{known}. The {label} failed, so nobody knows whether the data are right: nothing was published"
        ) from error
    for finding in findings:
        if finding.verdict == Verdict.WARN:
            LOG.warning("%s", finding.told)
    _refuse(pipeline, [finding for finding in findings if finding.verdict == Verdict.BLOCK])


def _refuse(pipeline: Pipeline, blocked: Sequence[Finding]) -> None:
    if not blocked:
        return
    names = list(dict.fromkeys(finding.full_rule for finding in blocked))
    allow = " ".join(f"--allow-quality {name}" for name in names[:MOST_TOLD])
    raise GateRefused(
        f"{some_of([finding.told for finding in blocked])}. {pipeline.name} was not published, "
        "readers keep the version before (`visitgrain quality` shows all rules): correct the input and run it again, "
        f"or, if the data are right, run it with {allow}"
    )


def _findings(
    pipeline: Pipeline, span: Span, entries: Sequence[Entry], before: Sequence[Entry], context: Context
) -> list[Finding]:
    lake, rules = context.lake, context.quality
    tables = list({table.name: table for job in pipeline.jobs for table in job.writes}.values())
    periods = _periods(tables, entries, lake)
    units, together = _units(tables, periods, rules, lake)
    facts = gathered(units, together, context.spark)
    past = history.History(one.finding for one in history.checked(lake.store))

    def allowed(finding: Finding) -> bool:
        return finding.full_rule in context.allowed_rules or past.was_allowed(finding)

    judge = Judge(facts, past.past, ZoneInfo(context.settings.zone), allowed)
    found: list[Finding] = []
    for table in tables:
        own = [rule for rule in rules.of(table) if _can_be_judged(rule, lake)]
        for period in sorted(periods[table.name], key=str):
            new = judge.findings(own, period)
            past.add(new)  # a later period of the same run is judged by it
            found += new
    return [*found, *quarantine_findings(pipeline, span, before, rules, judge, lake)]


def _can_be_judged(rule: Rule, lake: Lake) -> bool:
    """Is all there that it compares with?"""
    return all(lake.has(table) for table in _others(rule))


def _others(rule: Rule) -> list[Table]:
    match rule.spec:
        case Reference(to=to):
            terms: Iterable[str] = (to,)
        case Sum(equals=terms) | Share(of=terms):
            pass
        case _:
            terms = ()
    return [TABLES[split(term)[0]] for term in terms]


def _periods(tables: Sequence[Table], entries: Sequence[Entry], lake: Lake) -> Periods:
    """Of each table: those that this run wrote, and those that differ from the published version."""
    published = history.published_versions(lake.store)
    found: Periods = {table.name: _changed(table, published.get(table.name), lake) for table in tables}
    for entry in entries:
        table = TABLES[entry.table_name]
        window = target_window(table, Span(entry.period_start, entry.period_end))
        if window is None:
            found[table.name].add(None)
        elif window[0] and window[1]:
            written = Span(window[0], window[1])
            firsts = [month.start for month in written.months()] if table.partition == "month" else written.days()
            found[table.name].update(firsts)
    return found


def _changed(table: Table, version: int | None, lake: Lake) -> set[date | None]:
    now = lake.data_files(table)
    if version == lake.version(table):
        return set()
    # Of a version so old that its log is gone there are none: all of the table is new to us.
    then = delta_log.files_at(lake.store, table, version) if version is not None else ()
    return {file.partition for file in {*now} ^ {*then}}


def _units(tables: Sequence[Table], periods: Periods, rules: QualityRules, lake: Lake) -> tuple[list[Unit], list[Rule]]:
    """What is looked at in which files; and the rules about all rows together, in the order of their numbers."""
    units: list[Unit] = []
    together: list[Rule] = []
    beside: Periods = {}  # of tables that rules compare with
    for table in tables:
        own, wanted = [rule for rule in rules.of(table) if _can_be_judged(rule, lake)], periods[table.name]
        hashed = []
        for rule in own:
            if isinstance(rule.spec, Unique):
                hashed.append(Hashed(len(together), table.key))
                together.append(rule)
            elif isinstance(rule.spec, Reference):
                [other], column = _others(rule), split(rule.spec.to)[1]
                hashed.append(Hashed(len(together), (str(rule.column),)))
                referred = (Hashed(len(together), (column,), known=True),)
                units += [Unit(other.name, part, referred, facts=False) for part in _parts(other, wanted, lake)]
                together.append(rule)
            elif isinstance(rule.spec, Sum | Share):
                for other in _others(rule):
                    beside.setdefault(other.name, set()).update(wanted)
        sums = tuple(rules.summed.get(table.name, ()))
        units += [Unit(table.name, p, tuple(hashed), True, tuple(own), sums) for p in _parts(table, wanted, lake)]
    for name, wanted in beside.items():
        sums, more = tuple(rules.summed.get(name, ())), wanted - periods.get(name, set())
        units += [Unit(name, part, summed=sums) for part in _parts(TABLES[name], more, lake)]
    return units, together


def _parts(table: Table, periods: set[date | None], lake: Lake) -> list[FilePart]:
    """The files of these periods; of a table without partitions all."""
    files = [f for f in lake.data_files(table) if not table.partition or f.partition in periods]
    return parts_of_files(lake.path(table), files) if periods else []
