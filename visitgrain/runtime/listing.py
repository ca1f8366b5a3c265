"""The files of a table as workers are given them: large ones in parts, spread over tasks by size."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import chain

from pyspark.sql import SparkSession, functions as F

from visitgrain.arrow.rows import LISTING, FilePart, TableFiles
from visitgrain.runtime.delta_log import DataFile

TASK_BYTES = 16 << 20  # what one task reads
PART_BYTES = 64 << 20  # a larger file is read in parts
# A file costs by itself, to be opened, hashed and written, as much as some bytes or rows more.
FILE_BYTES, FILE_ROWS = 512 << 10, 3_000
GROUP_ROWS = 500_000  # rows of files that one task brings together
ENOUGH_ROWS = 100_000  # for a task: more partitions are not added to so many


def listed(spark: SparkSession, root: str, files: Sequence[DataFile], *, share: float = 1.0) -> TableFiles:
    """`files` of the table at `root`, of whose columns a task reads about a `share`."""
    tasks: list[list[FilePart]] = [[]]
    filled = 0
    for part, size in _parts(root, files):
        if filled // TASK_BYTES >= len(tasks):
            tasks.append([])
        tasks[-1].append(part)
        filled += int(size * share) + FILE_BYTES
    # A row per task, each a partition of its own: neither rows to send from here, nor a shuffle.
    text = "\n".join(json.dumps([asdict(part) for part in of_task], default=str) for of_task in tasks)
    numbers = spark.range(len(tasks), numPartitions=len(tasks))
    own = F.get(F.split(F.lit(text), "\n"), F.col("id").cast("int"))
    listing = numbers.select(F.inline(F.from_json(own, f"array<struct<{LISTING}>>")))
    return TableFiles(listing, tuple(chain.from_iterable(tasks)))


def parts_of_files(root: str, files: Iterable[DataFile]) -> list[FilePart]:
    """`files` of the table at `root`, large ones in parts."""
    return [part for part, _ in _parts(root, files)]


def _parts(root: str, files: Iterable[DataFile]) -> Iterator[tuple[FilePart, int]]:
    """Files in order of partition, large ones in parts, each with its group; and the bytes of each part."""
    number, group, held, before = 0, 0, 0, None
    for file in sorted(files, key=lambda file: (str(file.partition), file.path)):
        most = GROUP_ROWS if file.partition == before else ENOUGH_ROWS
        cost = file.rows + FILE_ROWS
        if number and held + cost > most:
            group, held = group + 1, 0
        held, before = held + cost, file.partition
        parts = max(1, -(-file.bytes // PART_BYTES))
        for part in range(parts):
            rows = file.rows if part == 0 else 0
            group += part > 0  # a part of a large file is enough for one task
            found = FilePart(number, f"{root}/{file.path}", file.partition, part, parts, rows, group)
            yield found, file.bytes // parts
            number += 1
