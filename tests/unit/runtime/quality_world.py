"""Visits of a made-up channel with a weekly season, as files of three tables, and ways to spoil a day of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from visitgrain.arrow.rows import FilePart
from visitgrain.catalogue.quality import QualityRules, Reference, Rule, Unique, load_quality, split
from visitgrain.runtime.quality.gathering import Hashed, Unit, gathered
from visitgrain.runtime.quality.history import History
from visitgrain.runtime.quality.judge import Finding, Judge
from visitgrain.runtime.settings import default_conf
from visitgrain.tables import TABLES

ZONE = ZoneInfo("Asia/Shanghai")
FIRST = date(2026, 1, 5)  # a Monday
USUAL = 2_000  # visits of a usual day
WEEK = (1.0, 0.97, 0.96, 1.02, 1.1, 0.8, 0.7)
NOISE = 0.04  # standard deviation of a day's logarithm
CHANNELS = {"app": 0.6, "web": 0.25, "wechat": 0.15}
JUDGED = ("device_visits", "visits", "visit_days")

Day = dict[str, pa.Table]  # tables of a day
RULES: QualityRules = load_quality(default_conf())


def clean_day(day: date, seed: int, rows: int | None = None) -> Day:
    """A day of visits, 5 % of them over midnight."""
    chance = np.random.default_rng([seed, day.toordinal()])
    n = rows if rows is not None else int(USUAL * WEEK[day.weekday()] * np.exp(chance.normal(0, NOISE)))
    events = chance.geometric(0.15, n)
    midnight = int(datetime(day.year, day.month, day.day, tzinfo=ZONE).timestamp())
    second = chance.integers(0, 86_400, n)
    ids = np.arange(n) + day.toordinal() * 1_000_000
    channel = chance.choice(list(CHANNELS), n, p=list(CHANNELS.values()))
    visits = pa.table(
        {
            "visit_id": pa.array(ids, pa.int64()),
            "subscriber_id": pa.array(ids, pa.int64(), mask=chance.random(n) < 0.2),
            "channel": pa.array(channel, pa.string()),
            "entry_source": pa.array(chance.choice(["direct", "push", "share"], n, p=[0.7, 0.2, 0.1]), pa.string()),
            "last_event_type": pa.array(["click"] * n, pa.string()),
            "subject_type": pa.array(["subscriber"] * n, pa.string()),
            "start": pa.array((midnight + second) * 1_000_000, pa.timestamp("us", tz="UTC")),
            "weekday": pa.array([day.isoweekday()] * n, pa.int32()),
            "hour": pa.array(second // 3600, pa.int32()),
            "events": pa.array(events, pa.int32()),
            "duration_s": pa.array(events * 20, pa.int64()),
            "engaged_s": pa.array(events * 10, pa.int64()),
            "funnel_stage": pa.array(chance.integers(0, 5, n), pa.int32()),
            "visits_30d": pa.array(chance.geometric(0.3, n), pa.int32()),
        }
    )
    over = chance.random(n) < 0.05
    after = np.where(over, events // 2, 0)
    days = pa.table(
        {
            "visit_id": pa.array(np.concatenate([ids, ids[over]]), pa.int64()),
            "day": pa.array([day] * n + [day + timedelta(days=1)] * int(over.sum()), pa.date32()),
            "channel": pa.array(np.concatenate([channel, channel[over]]), pa.string()),
            "events": pa.array(np.concatenate([events - after, after[over]]), pa.int32()),
            "seconds": pa.array(np.concatenate([events, after[over]]), pa.int64()),
        }
    )
    return {"device_visits": visits, "visits": visits, "visit_days": days}


@dataclass
class QualityWorld:
    """Judges day after day, as the gate does."""

    folder: Path
    history: History = field(default_factory=lambda: History(()))

    def judged(self, day: date, tables: Day) -> list[Finding]:
        rules, units, together = {name: RULES.of(TABLES[name]) for name in JUDGED}, [], []
        for name, of_table in rules.items():
            hashed = []
            for rule in of_table:
                if isinstance(rule.spec, Unique | Reference):
                    columns = TABLES[name].key if isinstance(rule.spec, Unique) else (str(rule.column),)
                    hashed.append(Hashed(len(together), tuple(c for c in columns if c in tables[name].column_names)))
                    if isinstance(rule.spec, Reference):
                        other, column = split(rule.spec.to)
                        known = (Hashed(len(together), (column,), known=True),)
                        units.append(Unit(other, self._part(other, day, tables), known, facts=False))
                    together.append(rule)
            summed = tuple(RULES.summed.get(name, ()))
            units.append(Unit(name, self._part(name, day, tables), tuple(hashed), True, tuple(of_table), summed))
        units = [unit for unit in units if unit.part.rows]  # a day without rows has no files
        facts = gathered(units, together, spark=None)
        facts["quarantined_visits", day] = {"rows": 0}
        judge = Judge(facts, self.history.past, ZONE)
        return [finding for of_table in rules.values() for finding in judge.findings(of_table, day)]

    def _part(self, name: str, day: date, tables: Day) -> FilePart:
        path = self.folder / f"{name}-{day}.parquet"
        pq.write_table(tables[name], path)
        return FilePart(0, str(path), day, 0, 1, tables[name].num_rows, 0)


Spoil = Callable[[Day, np.random.Generator, float], Day]


def _with(day: Day, table: str, column: str, values: Iterable) -> Day:
    rows = day[table]
    place = rows.column_names.index(column)
    return {**day, table: rows.set_column(place, column, pa.array(values, rows.schema.field(column).type))}


def replaced(table: str, column: str, value: object) -> Spoil:
    """`value` in a share of the rows, in one at least."""

    def spoil(day: Day, chance: np.random.Generator, share: float) -> Day:
        values = day[table][column].to_pylist()
        for place in chance.choice(len(values), max(1, int(share * len(values))), replace=False):
            values[place] = value
        return _with(day, table, column, values)

    return spoil


def doubled(table: str) -> Spoil:
    """A share of the rows comes twice."""

    def spoil(day: Day, chance: np.random.Generator, share: float) -> Day:
        rows = day[table]
        again = rows.take(pa.array(chance.choice(rows.num_rows, max(1, int(share * rows.num_rows)), replace=False)))
        return {**day, table: pa.concat_tables([rows, again])}

    return spoil


def shifted(day: Day, chance: np.random.Generator, share: float) -> Day:
    """A share of the visits on the app is called visits on WeChat."""
    channel = day["visits"]["channel"].to_numpy(zero_copy_only=False)
    moved = (channel == "app") & (chance.random(len(channel)) < share)
    return _with(day, "visits", "channel", np.where(moved, "wechat", channel))


def until(day: Day, chance: np.random.Generator, hour: float) -> Day:
    """The feed broke off at this hour."""
    seen = pc.less(day["visits"]["hour"], int(hour))
    visits = day["visits"].filter(seen)
    left = day["visit_days"].filter(pc.is_in(day["visit_days"]["visit_id"], value_set=visits["visit_id"]))
    return {"device_visits": visits, "visits": visits, "visit_days": left}


def rule_named(name: str) -> Rule:
    [rule] = [rule for table in JUDGED for rule in RULES.of(TABLES[table]) if rule.full_name == name]
    return rule
