"""Whose rows they are: finds the identities of given persons in the rows of any table, and takes them out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from visitgrain.tables import Table
from visitgrain.tables.model import Column, Identity

TEXTS = "map<string,string>"


@dataclass(frozen=True)
class Held:
    """An identity and the local days on which it stood for somebody: from `first`, before `until`; None = open."""

    id: int
    first: date | None = None
    until: date | None = None

    def on(self, day: date | None) -> bool:
        """`day` None: of a table without days, where only what stands for ever is meant."""
        if day is None:
            return self.first is None and self.until is None
        return (self.first is None or self.first <= day) and (self.until is None or day < self.until)

    def within_month(self, month: date) -> bool:
        """Does it begin or end, or hold, in the month?"""
        return (self.first is None or self.first.replace(day=1) <= month) and (self.until is None or month < self.until)


@dataclass(frozen=True)
class People:
    """Pseudonyms with the days on which they stood for these people, and devices that nobody else logged in on.

    `numbers_of`: pseudonyms of the phone numbers in a text that was kept as it came; None: such texts name nobody by
    number.
    """

    held: tuple[Held, ...]
    devices: frozenset[str] = frozenset()
    numbers_of: Callable[[str], Iterable[int]] | None = field(default=None, repr=False)

    def others(self, rows: pa.Table, table: Table, day: date | None) -> pa.Table:
        """Of the rows of a partition those of everybody else, without the names of these people in their maps."""
        kept = rows.filter(pc.invert(self.mask(rows, table, day)))
        for column in table.columns:
            if column.type == TEXTS and column.name in kept.column_names:
                kept = self._without_names(kept, column.name)
        return kept

    def count(self, rows: pa.Table, table: Table, day: date | None) -> int:
        """Rows that `others` leaves out or changes."""
        mask = self.mask(rows, table, day)
        for column in table.columns:
            if column.type == TEXTS and column.name in rows.column_names:
                mask = pc.or_(mask, self._named_in(rows[column.name]))
        return int(pc.sum(mask).as_py() or 0)

    def mask(self, rows: pa.Table, table: Table, day: date | None) -> pa.Array:
        """Per row: is it one of these people's?"""
        found = pa.repeat(pa.scalar(False), rows.num_rows)
        for column in table.identities:
            if column.identity is not Identity.NUMBER and column.name in rows.column_names:
                found = pc.or_(found, self._is_theirs(rows, table, column, day))
        owned = any(column.identity is Identity.SUBSCRIBER for column in table.identities)
        for name in () if owned else table.texts_of_persons:  # where a row says whose it is, its texts need not
            if name in rows.column_names and table.column(name).type == "string":
                found = pc.or_(found, self._mentions(rows[name]))
        return _flat(found)

    def columns(self, table: Table) -> list[str]:
        """What `mask` and `count` look at."""
        wheres = [column.identity_where[0] for column in table.identities if column.identity_where]
        maps = [column.name for column in table.columns if column.type == TEXTS]
        names = {*(column.name for column in table.identities), *wheres, *table.texts_of_persons, *maps}
        return [name for name in table.column_names if name in names]

    def _is_theirs(self, rows: pa.Table, table: Table, column: Column, day: date | None) -> pa.Array:
        if column.identity is Identity.DEVICE:
            values = pa.array(sorted(self.devices), pa.string())
        else:
            monthly = table.partition == "month" and day is not None
            ids = {h.id for h in self.held if (h.within_month(day) if monthly and day else h.on(day))}
            values = pa.array(sorted(ids), pa.int64())
        found = pc.is_in(_plain(rows[column.name]), value_set=values)
        if column.identity_where:
            name, value = column.identity_where
            found = pc.and_(found, pc.fill_null(pc.equal(_plain(rows[name]), value), False))
        return found

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All identities as texts."""
        return (*sorted({str(held.id) for held in self.held}), *sorted(self.devices))

    @cached_property
    def _pattern(self) -> str:
        return rf"(?:^|[^0-9A-Za-z_])(?:{'|'.join(map(re.escape, self.names))})(?:$|[^0-9A-Za-z_])"

    def _mentions(self, texts: pa.ChunkedArray) -> pa.Array:
        plain = _plain(texts)
        found = pc.fill_null(pc.match_substring_regex(plain, self._pattern), False)
        if self.numbers_of is None:
            return found
        ids, numbers_of = {held.id for held in self.held}, self.numbers_of
        named = [bool(text) and not ids.isdisjoint(numbers_of(text)) for text in plain.to_pylist()]
        return pc.or_(found, pa.array(named, pa.bool_()))

    def _named_in(self, maps: pa.ChunkedArray) -> pa.Array:
        """Per row: is a value of the map one of the names?"""
        found, names = [], pa.array(self.names, pa.string())
        for chunk in maps.chunks:
            if pc.any(pc.is_in(_plain(chunk.items), value_set=names)).as_py():
                found += [any(value in self.names for _, value in row or ()) for row in chunk.to_pylist()]
            else:
                found += [False] * len(chunk)
        return pa.array(found, pa.bool_())

    def _without_names(self, rows: pa.Table, name: str) -> pa.Table:
        if not pc.any(self._named_in(rows[name])).as_py():
            return rows
        kept = [
            None if entries is None else [(k, v) for k, v in entries if v not in self.names] or None
            for entries in rows[name].to_pylist()
        ]
        place = rows.column_names.index(name)
        return rows.set_column(place, name, pa.array(kept, pa.map_(pa.string(), pa.string())))


def _plain(values: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    return values.cast(values.type.value_type) if pa.types.is_dictionary(values.type) else values


def _flat(found: pa.Array | pa.ChunkedArray) -> pa.Array:
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found
