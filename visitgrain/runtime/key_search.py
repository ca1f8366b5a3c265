"""Which keys a run has to compute, looked for in files of the lake."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import chain, islice
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from visitgrain.arrow.changes import NearMidnight, Owners, Tie, Unit, keys_in
from visitgrain.arrow.keys import Keys, union
from visitgrain.arrow.rows import FilePart
from visitgrain.runtime.delta_log import DataFile, of_part
from visitgrain.runtime.differences import Difference
from visitgrain.runtime.job import Job, Link, Read, Window
from visitgrain.runtime.listing import parts_of_files
from visitgrain.runtime.partitions import in_window

if TYPE_CHECKING:
    from visitgrain.runtime.lake import Lake

Changed = Sequence[tuple[Difference, Keys]]


@dataclass(frozen=True)
class KeySearch:
    """Looks for keys `by`; the sets have 2**power slots."""

    by: str
    lake: Lake
    power: int

    def changed(self, found: Sequence[Difference]) -> list[Keys]:
        """Per difference: the values of the column that ties its rows to the output."""
        units = [list(each.units(self.lake.path(each.read.table))) for each in found]
        keys = iter(self._in(list(chain.from_iterable(units))))
        return [union(islice(keys, len(of_one)), self.power) for of_one in units]

    def owners(self, job: Job, own: Iterable[DataFile], changed: Changed) -> list[tuple[date, Keys]]:
        """Days and keys of own rows that something else reaches than what they account for.

        Where nothing changed of that, a key's rows of the output are there, and say what they depend on.
        """
        ties: dict[date | None, list[Tie]] = defaultdict(list)
        for each, keys in changed:
            if each.read is not job.conserved and not keys.is_empty:
                since = self._midnight(each.value) if each.value else 0
                tie = Tie(str(each.read.by), keys, each.read.final, since)
                for day in each.days:
                    ties[day].append(tie)
        parts = parts_of_files(self.lake.path(job.writes[0]), [file for file in own if file.partition in ties])
        found = self._in([Owners(self.by, tuple(ties[part.partition]), part) for part in parts])
        return [(part.partition, keys) for part, keys in zip(parts, found, strict=True) if part.partition]

    def near_midnight(
        self, read: Read, link: Link, spec: Any, window: Window, found: Sequence[Difference]
    ) -> list[tuple[date, Keys]]:
        """Days of the window and keys of rows that lie, or lay, as close to their midnights as the link says."""
        inside = in_window(window)
        went = {file for each in found if each.read is read for file in each.went}
        files = of_part({*self.lake.data_files(read.table), *went}, read.part)
        near = [file for file in files if file.partition and inside(file.partition)]
        parts = parts_of_files(self.lake.path(read.table), near)
        margin = link.within(spec) // timedelta(microseconds=1)
        units = [(day, self._near(part, day, link.time, margin)) for part in parts if (day := part.partition)]
        return list(zip([day for day, _ in units], self._in([unit for _, unit in units]), strict=True))

    def _near(self, part: FilePart, day: date, column: str, margin: int) -> NearMidnight:
        until, since = self._midnight(day) + margin, self._midnight(day + timedelta(days=1)) - margin
        return NearMidnight(self.by, column, part, until, since)

    def _in(self, units: Sequence[Unit]) -> list[Keys]:
        return keys_in(units, self.power, lambda: self.lake.spark)

    def _midnight(self, day: date) -> int:
        """First instant of the local day, in microseconds."""
        return int(datetime.combine(day, time.min, ZoneInfo(self.lake.zone)).timestamp()) * 1_000_000
