"""A small lake, images of it as a killed process would leave it, and what its tables hold."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from visitgrain.arrow.rows import FilePart, read_part
from visitgrain.runtime import delta_log, faults
from visitgrain.runtime.content import Content
from visitgrain.runtime.file_check import check_files
from visitgrain.runtime.listing import parts_of_files
from visitgrain.runtime.storage import Store
from visitgrain.tables import TABLES
from visitgrain.tables.runs import PUBLISHED_RUNS, QUALITY_RESULTS, RUN_LEDGER

BOOKS = {RUN_LEDGER.name, PUBLISHED_RUNS.name, QUALITY_RESULTS.name}  # each run adds to them
Held = dict[tuple[str, str, str], Content]  # by table, partition and part
_READ: dict[tuple[object, ...], Content] = {}


def held(root: Path | str) -> Held:
    """The content of every table, from the rows in its files, not from their names."""
    store, found = Store(str(root)), {}
    for table in TABLES.values():
        if table.name in BOOKS or not store.exists(f"{table.name}/_delta_log"):
            continue
        columns = [column.name for column in table.columns if not column.provenance]
        files = delta_log.files(store, table)
        check_files(store, table, files)
        for file in files:
            place = (table.name, str(file.partition), file.part)
            for part in parts_of_files(store.path(table.name), [file]):
                found[place] = found.get(place, Content()) + _content(part, columns)
    return found


def _content(part: FilePart, columns: list[str]) -> Content:
    """Read once per file on disk, not per link to it: an image has thousands that the image before had."""
    if "://" in part.path:
        return Content.of(read_part(part, columns))
    of = os.stat(part.path)
    known = (of.st_ino, of.st_mtime_ns, of.st_size, part.part, part.parts, *columns)
    if known not in _READ:
        _READ[known] = Content.of(read_part(part, columns))
    return _READ[known]


def copy(root: Path, to: Path) -> Path:
    """Data files are linked: they never change. Locks die with their owner."""
    return Path(shutil.copytree(root, to, copy_function=_copy, ignore=shutil.ignore_patterns("_locks")))


def _copy(source: str, target: str) -> None:
    if source.endswith(".parquet") and "_delta_log" not in source:
        os.link(source, target)
    else:
        shutil.copyfile(source, target)


@dataclass(frozen=True)
class Image:
    """The lake as it was on disk when a run passed `point` for the `number`-th time."""

    point: str
    number: int
    root: Path


@contextmanager
def images_of(lake: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Image]]:
    """Within the block every fail-point in this process leaves an image: what SIGKILL there would have left."""
    taken: list[Image] = []

    def reached(point: str) -> None:
        if point in ("write-file", "lost-response"):
            return  # on disk the same as after-stage and before-receipt
        number = 1 + sum(image.point == point for image in taken)
        image = Image(point, number, folder / f"{point}-{number}")
        copy(lake, image.root)
        taken.append(image)

    with monkeypatch.context() as patch:
        patch.setattr(faults, "reached", reached)
        yield taken


def assert_rerun_is_same(image: Image, rerun: Callable[[Path], object], expected: Held) -> None:
    """What is on disk can be read; the same command again makes it what it would have been. The image is removed."""
    held(image.root)
    rerun(image.root)
    found = held(image.root)
    wrong = {place for place in {*found, *expected} if found.get(place) != expected.get(place)}
    assert not wrong, (image.point, image.number, sorted(wrong)[:5])
    shutil.rmtree(image.root)
