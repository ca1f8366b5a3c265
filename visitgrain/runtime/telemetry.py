"""Figures of runs and tables in Prometheus' text format (exposition format 0.0.4), from the ledger and the logs."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from visitgrain.runtime.ledger import Entry

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
INGEST = "ingest_source"
QUARANTINED = "quarantined:"
DAY = timedelta(days=1)
LEAST_WAIT_S = 0.05  # less is the taking of a free lock, not waiting
Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Family:
    """A metric of Prometheus: a name, what it means, and a value per set of labels."""

    name: str
    kind: Literal["gauge", "counter"]
    help: str
    samples: Mapping[Labels, float]

    def lines(self) -> Iterator[str]:
        yield f"# HELP {self.name} {self.help}"
        yield f"# TYPE {self.name} {self.kind}"
        for labels, value in sorted(self.samples.items()):
            shown = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels)
            yield f"{self.name}{{{shown}}} {value!r}" if shown else f"{self.name} {value!r}"


def families(
    entries: Sequence[Entry], through: Mapping[str, date], *, waited_s: float, now: datetime, zone: str
) -> list[Family]:
    """All figures. `through`: the last complete day of each table; `waited_s`: what all commands waited for locks."""
    attempts = _attempts(entries)
    last = {_job(attempt): attempt for attempt in attempts}
    well = {_job(attempt): attempt for attempt in attempts if _status(attempt) == "ok"}
    ends = {_table(name): datetime.combine(day + DAY, time(), ZoneInfo(zone)) for name, day in through.items()}
    loads = {_table(e.table_name): e for e in entries if e.job == INGEST and e.rows_in}
    return [
        _gauge("job_last_seconds", "What the last run of a job took.", {job: a[0].seconds for job, a in last.items()}),
        _gauge(
            "job_last_rows",
            "Rows that the last run of a job wrote.",
            {job: sum(entry.rows_out or 0 for entry in a) for job, a in last.items()},
        ),
        _gauge(
            "job_last_success_timestamp_seconds",
            "When the last successful run of a job ended.",
            {job: a[0].started_at.timestamp() + a[0].seconds for job, a in well.items()},
        ),
        _gauge(
            "job_last_success_age_seconds",
            "Time since the last successful run of a job ended.",
            {job: now.timestamp() - a[0].started_at.timestamp() - a[0].seconds for job, a in well.items()},
        ),
        _counter(
            "job_runs_total",
            "Runs of a job by how they ended.",
            Counter((*_job(attempt), ("status", _status(attempt))) for attempt in attempts),
        ),
        _gauge(
            "table_complete_through_timestamp_seconds",
            "End of the last day up to which a table is complete.",
            {table: end.timestamp() for table, end in ends.items()},
        ),
        _gauge(
            "table_freshness_seconds",
            "Time since the end of the last day up to which a table is complete.",
            {table: (now - end).total_seconds() for table, end in ends.items()},
        ),
        _gauge(
            "quarantined_share",
            "Refused rows of the last load of a table, as a share of the rows read.",
            {table: _quarantined(load) / (load.rows_in or 1) for table, load in loads.items()},
        ),
        _counter("lock_wait_seconds_total", "What commands waited for tables that others wrote.", {(): waited_s}),
    ]


def text_of(found: Iterable[Family]) -> str:
    return "".join(f"{line}\n" for family in found if family.samples for line in family.lines())


def write(path: Path, text: str) -> None:
    """Whole or not at all: whoever collects the file never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def _gauge(name: str, help: str, samples: Mapping[Labels, float]) -> Family:
    return Family(f"visitgrain_{name}", "gauge", help, samples)


def _counter(name: str, help: str, samples: Mapping[Labels, float]) -> Family:
    return Family(f"visitgrain_{name}", "counter", help, samples)


def _attempts(entries: Iterable[Entry]) -> list[list[Entry]]:
    """The entries of each execution of a job, oldest first: one per table."""
    found: dict[tuple[str, str, datetime], list[Entry]] = {}
    for entry in entries:
        # Ingest records table after table; a job all of its tables at once.
        found.setdefault((entry.run_id, entry.job, entry.started_at), []).append(entry)
    return list(found.values())


def _job(attempt: Sequence[Entry]) -> Labels:
    return (("job", attempt[0].job),)


def _table(name: str) -> Labels:
    return (("table", name),)


def _status(attempt: Iterable[Entry]) -> str:
    return "failed" if any(entry.status == "failed" for entry in attempt) else "ok"


def _quarantined(load: Entry) -> int:
    return sum(rows for name, rows in load.outcomes.items() if name.startswith(QUARANTINED))


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
