"""Rows of Spark as arrays on the driver: packed, compressed and on its disk until a column is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from tempfile import TemporaryFile
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame, functions as F

from visitgrain.arrow.shuffle import as_binary, gathered
from visitgrain.churn.drift import drift_of, reference
from visitgrain.churn.learners import RFV
from visitgrain.churn.model_rows import FeatureSet
from visitgrain.churn.panel import Panel
from visitgrain.churn.quality import Floats

UNKNOWN = "unknown"
NOTHING = "no row has it, or it is always the same"
PACKED_ROWS = 2_500  # compressed together
SENT_ROWS = 10_000  # sent together, about
JUDGED_ROWS = 200_000  # of which drift is told: of some subscribers, where there are more


class SentRows:
    """`rows`, about `number` of them, as they came: in any order, the same one for each question. Missing is nan."""

    def __init__(self, rows: DataFrame, number: int) -> None:
        # A few small packs at a time: on its way a partition is in the heap of the driver's JVM some ten times. By
        # hash: what Spark deals out in turn it sorts first.
        pieces = rows.mapInArrow(_packed, "rows binary").repartition(max(1, number // SENT_ROWS), F.xxhash64("rows"))
        self._file = TemporaryFile(prefix="visitgrain-")  # noqa: SIM115 (closed by __exit__; it has no name to remain)
        self._ends = [0]
        self._number = number
        for row in pieces.toLocalIterator(prefetchPartitions=True):
            self._file.write(row["rows"])
            self._ends.append(self._file.tell())

    def __enter__(self) -> SentRows:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _tables(self) -> Iterator[pa.Table]:
        for start, end in pairwise(self._ends):
            self._file.seek(start)
            yield pa.ipc.open_stream(self._file.read(end - start)).read_all()

    def learnable(
        self, features: FeatureSet, *, choose: np.datetime64, test: np.datetime64, least: float, most: float
    ) -> tuple[FeatureSet, dict[str, str]]:
        """Features that hold for later months: a share `least` of the rows before `choose` has them, and their PSI from
        those to the rows from then to `test` is at most `most`, or what chance makes of so few rows. And, by name, what
        is wrong with the others. The baselines' own features are not asked for drift."""
        covered = self.coverage(features.names, choose)
        rare = [name for name, share in covered.items() if share < least]
        wrong = {name: f"{covered[name]:.1%} of the rows have it" if covered[name] else NOTHING for name in rare}
        asked = [name for name in features.names if name not in wrong and name not in RFV]
        for name, (found, at_most) in self.drift(asked, choose, test, most).items():
            if found > at_most:
                wrong[name] = f"PSI {found:.2f} between training and choosing months"
        return features.only([name for name in features.names if name not in wrong]), wrong

    def panel(self, features: FeatureSet, outcome: str) -> tuple[Panel, NDArray[np.int64]]:
        """The rows in order of months and subscribers, on which models depend; and that order."""
        month, subscriber = self.numbers("month", "datetime64[M]"), self.numbers("subscriber_id", "int64")
        order = np.lexsort((subscriber, month))
        y = self.numbers(outcome, "float64")[order]
        return Panel(features.names, self.matrix(features.names, order), y, month[order], subscriber[order]), order

    def numbers(self, name: str, kind: str) -> NDArray[Any]:
        """A column in a type of numpy."""
        found = [_numbers(table, name, kind) for table in self._tables()]
        return np.concatenate(found) if found else np.empty(0, kind)

    def texts(self, name: str, rows: NDArray[Any]) -> NDArray[Any]:
        """Of the rows at these places, null as UNKNOWN: one text per value, however many rows have it."""
        chunks = [chunk for table in self._tables() for chunk in table[name].chunks]
        coded = pa.chunked_array(chunks, pa.string()).take(pa.array(rows)).combine_chunks()
        coded = coded.fill_null(UNKNOWN).dictionary_encode()
        values: NDArray[Any] = np.array(coded.dictionary.to_pylist(), dtype=object)
        found: NDArray[Any] = values[coded.indices.to_numpy()]
        return found

    def coverage(self, names: Sequence[str], before: np.datetime64) -> dict[str, float]:
        """Share of the rows of earlier months with a value; 0 for a feature that is the same in all of them."""
        total, known = 0, np.zeros(len(names))
        least, most = np.full(len(names), np.inf), np.full(len(names), -np.inf)
        for table in self._tables():
            x = _columns(table, names)[_numbers(table, "month", "datetime64[M]") < before]
            total += len(x)
            known += (~np.isnan(x)).sum(axis=0)
            least = np.fmin(least, np.fmin.reduce(x, initial=np.inf))
            most = np.fmax(most, np.fmax.reduce(x, initial=-np.inf))
        shares = np.where((known == total) & (least >= most), 0.0, known / max(total, 1))
        return dict(zip(names, shares.tolist(), strict=True))

    def drift(
        self, names: Sequence[str], choose: np.datetime64, test: np.datetime64, limit: float
    ) -> dict[str, tuple[float, float]]:
        """PSI of the rows from `choose` to `test`, those before being the reference, and at most how much is none."""
        every = np.uint64(1 + self._number // JUDGED_ROWS)
        parts: list[list[Floats]] = [[], []]
        for table in self._tables():
            month = _numbers(table, "month", "datetime64[M]")
            drawn = _numbers(table, "subscriber_id", "int64").view(np.uint64) % every == 0
            x = _columns(table, names)
            for part, rows in zip(parts, (month < choose, (month >= choose) & (month < test)), strict=True):
                part.append(x[rows & drawn])
        before, after = (np.concatenate(part) if part else np.empty((0, len(names))) for part in parts)
        if not len(before) or not len(after):
            return {}
        references = [reference(column) for column in before.T]
        return {
            name: drift_of(known, known.count(column), limit)
            for name, known, column in zip(names, references, after.T, strict=True)
        }

    def matrix(self, names: Sequence[str], order: NDArray[Any]) -> Floats:
        """(rows, names) in this order: the only copy of them that is not compressed."""
        x, done = np.empty((len(order), len(names))), 0
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        for table in self._tables():
            x[place[done : done + len(table)]] = _columns(table, names)
            done += len(table)
        return x


def _packed(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for table in gathered((pa.Table.from_batches([batch]) for batch in batches), rows=PACKED_ROWS):
        yield pa.RecordBatch.from_arrays([as_binary([table])], ["rows"])


def _columns(table: pa.Table, names: Sequence[str]) -> Floats:
    return np.column_stack([_numbers(table, name, "float64") for name in names])


def _numbers(table: pa.Table, name: str, kind: str) -> NDArray[Any]:
    return np.asarray(table[name].to_numpy().astype(kind))
