"""The files of a table as workers are given them: large ones in parts, spread over tasks by size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple

from pyspark.sql import SparkSession

from visitgrain.arrow.rows import LISTING, FilePart, TableFiles
from visitgrain.runtime.delta_log import DataFile

PART_BYTES = 64 << 20  # what one task reads; a larger file is read in parts
GROUP_ROWS = 500_000  # rows of files that one task brings together
ENOUGH_ROWS = 100_000  # for a task: more partitions are not added to so many


def listed(spark: SparkSession, root: str, files: Sequence[DataFile]) -> TableFiles:
    """`files` of the table at `root`."""
    parts, tasks, filled = [], [], 0
    for part, size in _parts(root, files):
        parts.append(part)
        tasks.append(filled // PART_BYTES)
        filled += size
    rows = [(*astuple(part), task) for part, task in zip(parts, tasks, strict=True)]
    listing, count = spark.createDataFrame(rows, f"{LISTING}, task int"), filled // PART_BYTES + 1
    # One task needs no shuffle.
    spread = listing.repartitionById(count, "task") if count > 1 else listing.coalesce(1)
    return TableFiles(spread, tuple(parts))


def _parts(root: str, files: Iterable[DataFile]) -> Iterator[tuple[FilePart, int]]:
    """Files in order of partition, large ones in parts, each with its group; and the bytes of each part."""
    number, group, held, before = 0, 0, 0, None
    for file in sorted(files, key=lambda file: (str(file.partition), file.path)):
        most = GROUP_ROWS if file.partition == before else ENOUGH_ROWS
        if number and held + file.rows > most:
            group, held = group + 1, 0
        held, before = held + file.rows, file.partition
        parts = max(1, -(-file.bytes // PART_BYTES))
        for part in range(parts):
            rows = file.rows if part == 0 else 0
            group += part > 0  # a part of a large file is enough for one task
            found = FilePart(number, f"{root}/{file.path}", file.partition, part, parts, rows, group)
            yield found, file.bytes // parts
            number += 1
