"""From numbers to verdicts: pure Python, no table is read here."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from statistics import median
from zoneinfo import ZoneInfo

from visitgrain.catalogue.quality import (
    ROWS,
    Drift,
    Freshness,
    Limits,
    Quarantine,
    Rule,
    Share,
    Sum,
    Volume,
    split,
)
from visitgrain.runtime.quality.facts import Facts, bucket_names
from visitgrain.span import Span, shifted_month
from visitgrain.tables import Table

ALIKE = 6  # former periods that say what is usual: same weekdays, or months
FEWEST = 3  # of them, to say anything
ROBUST_SIGMA = 1.4826  # median absolute deviation -> standard deviation
SIGMAS = 6.0  # usual days differ by less
LEAST_SHARE = 1e-4  # of a bucket: the PSI of an empty one would be infinite


class Verdict(StrEnum):
    PASS = "pass"
    WARN = "warn"
    BLOCK = "block"
    ALLOWED = "allowed"  # would block, and somebody said it may not
    NOT_JUDGED = "not_judged"  # too few rows, or no history


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A row of `quality_results`, of one run: what a rule found in a period and what it expected."""

    table_name: str
    period: date | None
    rule: str
    kind: str
    severity: str
    verdict: str
    value: float
    expected_low: float | None = None
    expected_high: float | None = None
    checked_rows: int
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def full_rule(self) -> str:
        return f"{self.table_name}.{self.rule}"

    @property
    def told(self) -> str:
        """Rule, table, period, found and allowed in one phrase."""
        bounds = [_number(end) for end in (self.expected_low, self.expected_high) if end is not None]
        allowed = " to ".join(dict.fromkeys(bounds)) or "nothing"
        prefix = "at most " if self.expected_low is None else "at least " if self.expected_high is None else ""
        where = f"{self.table_name} {self.period}" if self.period else self.table_name
        return f"{where}: {self.full_rule} found {_number(self.value)}, allowed {prefix}{allowed}"


Past = Mapping[tuple[str, str], Mapping[date | None, Finding]]  # table and rule -> newest finding of each period


@dataclass(frozen=True)
class Judge:
    """`past`: what was found before, blocked findings left out. `allowed`: full names of rules that may not block."""

    facts: Facts
    past: Past
    zone: ZoneInfo
    allowed: Callable[[Finding], bool] = lambda finding: False

    def findings(self, rules: Sequence[Rule], period: date | None) -> list[Finding]:
        """What each rule of one table says of the period. Of a period without rows only the volume is judged."""
        facts = self.facts.get((rules[0].table.name, period)) if rules else None
        if facts is None:
            rules, facts = [rule for rule in rules if isinstance(rule.spec, Volume)], {"rows": 0}
        found = [self._finding(rule, period, facts) for rule in rules]
        return [finding for finding in found if finding]

    def _finding(self, rule: Rule, period: date | None, facts: Mapping[str, int]) -> Finding | None:
        match rule.spec:
            case Volume():
                return self._volume(rule, rule.spec, period, facts)
            case Drift():
                return self._drift(rule, rule.spec, period, facts)
            case Freshness():
                return self._freshness(rule, rule.spec, period, facts)
            case Share():
                rows = sum(self._term(term, period) for term in rule.spec.of)
                return self._small(rule, rule.spec, period, facts["rows"] / rows if rows else 0.0, rows)
            case Quarantine():
                return None  # of loads, not of a period: `quarantine`
            case Sum():
                wanted = sum(self._term(term, period) for term in rule.spec.equals)
                value = self._term(f"{rule.table.name}.{rule.column}", period)
                return self._limited(rule, period, facts, value, wanted, wanted)
        return self._limited(rule, period, facts, facts.get(rule.name, 0), 0, 0)

    def quarantine(self, rule: Rule, period: date, rows: int, refused: int) -> Finding:
        """Of the rows read for the table by the loads of the period's days: `refused` are still in quarantine."""
        assert isinstance(rule.spec, Quarantine)
        return self._small(rule, rule.spec, period, refused / rows if rows else 0.0, rows)

    def _volume(self, rule: Rule, spec: Volume, period: date | None, facts: Mapping[str, int]) -> Finding | None:
        rows = facts["rows"]
        if period is None:
            return None
        volumes = {day: found.value for day, found in self._former(rule).items() if day}
        alike = [volumes[day] for day in former(rule.table, period) if day in volumes]
        usual = median(alike) if alike else 0.0
        if len(alike) < FEWEST or usual < max(spec.min_rows, 1):
            return self._made(rule, period, rows, rows, Verdict.NOT_JUDGED)
        change = min(max(SIGMAS * spread(rule.table, volumes, period), spec.least_change), spec.most_change)
        return self._limited(rule, period, facts, rows, usual * (1 - change), usual * (1 + change))

    def _drift(self, rule: Rule, spec: Drift, period: date | None, facts: Mapping[str, int]) -> Finding | None:
        counts = {name: facts.get(f"{rule.name}:{name}", 0) for name in bucket_names(rule)}
        known = self._former(rule)
        alike = [known[day].counts for day in (former(rule.table, period) if period else ()) if day in known]
        usual = {name: sum(other.get(name, 0) for other in alike) for name in counts}
        if min(sum(usual.values()), facts["rows"]) < max(spec.min_rows, 1):
            return self._made(rule, period, 0.0, facts["rows"], Verdict.NOT_JUDGED, counts=counts)
        return self._small(rule, spec, period, psi(counts, usual), facts["rows"], counts)

    def _freshness(self, rule: Rule, spec: Freshness, period: date | None, facts: Mapping[str, int]) -> Finding | None:
        if period is None or rule.name not in facts:
            return None
        last = Span.month_of(period).end if rule.table.partition == "month" else period
        end = datetime.combine(last + timedelta(days=1), time.min, self.zone).timestamp()
        hours = (end - facts[rule.name]) / 3600
        known = self._former(rule)
        usual = [known[day].checked_rows for day in former(rule.table, period) if day in known]
        if max(facts["rows"], *usual, 0) < spec.min_rows:  # a feed that broke off brings few rows where many are usual
            return self._made(rule, period, hours, facts["rows"], Verdict.NOT_JUDGED)
        return self._limited(rule, period, facts, hours, None, spec.within_hours)

    def _limited(
        self,
        rule: Rule,
        period: date | None,
        facts: Mapping[str, int],
        value: float,
        low: float | None,
        high: float | None,
    ) -> Finding:
        inside = (low is None or low <= value) and (high is None or value <= high)
        assert not isinstance(rule.spec, Limits)
        verdict = Verdict.PASS if inside else Verdict(rule.spec.severity)
        return self._made(rule, period, value, facts["rows"], verdict, low=low, high=high)

    def _small(
        self,
        rule: Rule,
        spec: Limits,
        period: date | None,
        value: float,
        rows: int,
        counts: dict[str, int] | None = None,
    ) -> Finding:
        """`high` is the limit that was passed, else the next one."""
        if rows < spec.min_rows:
            return self._made(rule, period, value, rows, Verdict.NOT_JUDGED, counts=counts)
        blocks, warns = value >= spec.block, value >= spec.warn
        verdict = Verdict.BLOCK if blocks else Verdict.WARN if warns else Verdict.PASS
        return self._made(rule, period, value, rows, verdict, high=spec.block if blocks else spec.warn, counts=counts)

    def _made(
        self,
        rule: Rule,
        period: date | None,
        value: float,
        rows: int,
        verdict: Verdict,
        *,
        low: float | None = None,
        high: float | None = None,
        counts: dict[str, int] | None = None,
    ) -> Finding:
        severity = "block" if isinstance(rule.spec, Limits) else rule.spec.severity
        finding = Finding(
            table_name=rule.table.name,
            period=period,
            rule=rule.name,
            kind=rule.kind,
            severity=severity,
            verdict=verdict,
            value=float(value),
            expected_low=None if low is None else float(low),
            expected_high=None if high is None else float(high),
            checked_rows=rows,
            counts=counts or {},
        )
        allowed = verdict == Verdict.BLOCK and self.allowed(finding)
        return Finding(**{**vars(finding), "verdict": Verdict.ALLOWED}) if allowed else finding

    def _former(self, rule: Rule) -> Mapping[date | None, Finding]:
        return self.past.get((rule.table.name, rule.name), {})

    def _term(self, term: str, period: date | None) -> int:
        name, column = split(term)
        return self.facts.get((name, period), {}).get(ROWS if column == ROWS else f"sum:{column}", 0)


def former(table: Table, period: date) -> list[date]:
    """Periods before that should be like this one, the newest first."""
    if table.partition == "month":
        return [shifted_month(period, -back) for back in range(1, ALIKE + 1)]
    return [period - timedelta(weeks=back) for back in range(1, ALIKE + 1)]


def spread(table: Table, volumes: Mapping[date, float], period: date) -> float:
    """Standard deviation of the logarithm of a usual day against its weekday's median, over the former weeks."""
    by_season: dict[int, list[float]] = {}
    first = former(table, period)[-1]
    for day, rows in volumes.items():
        if first <= day < period and rows > 0:
            by_season.setdefault(0 if table.partition == "month" else day.weekday(), []).append(math.log(rows))
    found = [abs(rows - median(same)) for same in by_season.values() if len(same) >= FEWEST for rows in same]
    return ROBUST_SIGMA * median(found) if found else 0.0


def psi(counts: Mapping[str, int], usual: Mapping[str, int]) -> float:
    """Population stability index of the shares of `counts` against those of `usual`; 0 = the same."""
    total, of_usual = sum(counts.values()), sum(usual.values())
    shares = [
        (max(counts[name] / total, LEAST_SHARE), max(usual.get(name, 0) / of_usual, LEAST_SHARE)) for name in counts
    ]
    return sum((now - before) * math.log(now / before) for now, before in shares)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) else f"{value:,.4g}"
