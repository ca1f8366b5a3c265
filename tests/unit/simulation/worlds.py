"""Simulated feeds in memory, for the tests of what the simulator plants."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from math import sqrt

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from visitgrain.arrow.hashing import hash_rows
from visitgrain.simulation.columns import dates
from visitgrain.simulation.parts import BLOCK, Feed
from visitgrain.simulation.world import World, load_world
from visitgrain.span import Span

START, END = date(2025, 3, 3), date(2025, 3, 30)  # four whole weeks from a Monday


def busy_world() -> World:
    """The shipped world with so many users, bots and shared phones that few subscribers show them all."""
    world = load_world()
    population = world.population.model_copy(
        update={
            "e_channel_share": 0.9,
            "visits_per_month": 12.0,
            "bot_share": 0.004,
            "shared_device_share": 0.1,
            "kiosk_visit_share": 0.02,
        }
    )
    hunters = world.coupon_hunters.model_copy(update={"share": 0.02})
    numbers = world.numbers.model_copy(update={"recycled_share": 0.2, "quarantine_days": 2, "number_only_share": 0.3})
    return world.model_copy(
        update={
            "population": population.model_copy(update={"joining_days": 20}),
            "coupon_hunters": hunters,
            "numbers": numbers,
        }
    )


def feed_of(
    subscribers: int,
    *,
    start: date = START,
    end: date = END,
    seed: int = 7,
    world: World | None = None,
    block: int = BLOCK,
) -> Feed:
    return Feed(subscribers, Span(start, end), seed, "Asia/Shanghai", world or busy_world(), block)


def tables_of(feed: Feed, parts: Sequence[int] | None = None) -> dict[str, pa.Table]:
    """All rows by table, `true_` for `_truth/`; what is delivered by day has the column `delivered`."""
    found = defaultdict(list)
    for number in range(feed.parts) if parts is None else parts:
        for place, table, day in feed.part(number).tables():
            name = place.split("/month=")[0].replace("_truth/", "true_")
            found[name].append(table if day is None else table.append_column("delivered", dates(day)))
    return {name: pa.concat_tables(pieces) for name, pieces in found.items()}


def hashed_rows(tables: dict[str, pa.Table]) -> dict[str, list[int]]:
    """A hash of each row over all its columns, in an order of their own."""
    return {name: np.sort(hash_rows(table.unify_dictionaries())).tolist() for name, table in tables.items()}


class Lens:
    """SQL over the tables of a feed, in Chinese local time."""

    def __init__(self, tables: dict[str, pa.Table]) -> None:
        self.engine = duckdb.connect()
        self.engine.execute("set timezone = 'Asia/Shanghai'")
        for name, table in tables.items():
            self.engine.register(name, _plain(table))

    def rows(self, query: str) -> list[tuple]:
        return self.engine.execute(query).fetchall()

    def value(self, query: str):
        [[value]] = self.rows(query)
        return value


def within(observed: float, expected: float, of: float, sigmas: float = 4) -> bool:
    """Whether a share observed among `of` cases is within four standard errors of the planted one."""
    return abs(observed - expected) <= sigmas * sqrt(expected * (1 - expected) / of)


def _plain(table: pa.Table) -> pa.Table:
    """Dictionaries as texts: chunks with dictionaries of their own cannot be registered."""
    columns = [pc.cast(c, pa.string()) if pa.types.is_dictionary(c.type) else c for c in table.columns]
    return pa.table(columns, names=table.column_names)
