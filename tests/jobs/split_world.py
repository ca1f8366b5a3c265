"""Feeds of a made-up shop, many small ones side by side in a lake, and what a lake holds by table and day."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from random import Random

from tests.jobs.ingest_world import event
from visitgrain.runtime.content import Content, by_partition
from visitgrain.runtime.context import Context
from visitgrain.span import Span
from visitgrain.tables import Table
from visitgrain.tables.inputs import EVENTS
from visitgrain.tables.runs import CONFLICTING_EVENTS, LATE_EVENTS
from visitgrain.tables.visiting import DEVICE_VISITS, QUARANTINED_VISITS, VISIT_DAYS, VISITS

SPAN = Span(date(2026, 3, 1), date(2026, 3, 4))
TABLES = (EVENTS, LATE_EVENTS, CONFLICTING_EVENTS, DEVICE_VISITS, VISITS, VISIT_DAYS, QUARANTINED_VISITS)


def feed(seed: int, rows: int = 60) -> list[str]:
    """Rows of four days: visits round midnight, shared devices; late, repeated and contradicting rows.

    Nothing of another seed's feed has the same device, number or event id.
    """
    random = Random(seed)
    lines = []
    for number in range(rows):
        day, minute = random.randint(1, 4), random.choice([3, 20, 49, 60, 700, 1400, 1425, 1439])
        time = f"2026-03-{day:02d} {minute // 60:02d}:{minute % 60:02d}:{random.choice(['00', '30'])}"
        delay = random.choice([0, 0, 0, 1, 2, 5])  # days; 5 is beyond the horizon
        received = f"2026-03-{day + delay:02d} 23:59:59"
        who = random.choice(["", "", f"1380000{seed:02d}01", f"1380000{seed:02d}02"])
        kind = random.choice(["page_view", "click", "push_receive", "logout"])
        row = {"device": f"d{seed}-{random.randrange(3)}", "number": who, "kind": kind}
        lines.append(event(f"e{seed}-{number}", time, received=received, **row))
        if random.random() < 0.2:
            page = random.choice(["/", "/other"])
            lines.append(event(f"e{seed}-{number}", time, received=received, **{**row, "page": page}))
    return lines


def split(lines: list[str], random: Random, batches: int) -> list[list[str]]:
    """`lines` shuffled into some of `batches` deliveries, one of which comes again later, or at once."""
    used = random.sample(range(batches), random.randint(1, batches))
    found: list[list[str]] = [[] for _ in range(batches)]
    for line in random.sample(lines, len(lines)):
        found[random.choice(used)].append(line)
    again = random.choice(used)
    found[random.choice([b for b in range(batches) if b >= again])] += found[again]
    return found


def contents(made: Context, tables: Iterable[Table] = TABLES) -> dict[str, dict[date, Content]]:
    """Rows of each table and day, told by the names of the files."""
    files = {table.name: made.lake.data_files(table) for table in tables}
    return {name: by_partition((file.partition, file.content) for file in own) for name, own in files.items()}
