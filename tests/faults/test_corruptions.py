"""Seeded damage of a table's files, each case read as a job reads it, by Spark: refused or the same rows."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException

from tests.unit.runtime.damage_world import DAMAGES, TABLE, append, commit_file, make_table, rows_of
from visitgrain.errors import GateRefused
from visitgrain.runtime import delta_log
from visitgrain.runtime.lake import Lake
from visitgrain.runtime.storage import Store

pytestmark = pytest.mark.faults

CASES_PER_KIND = 14  # times 4 ways of damage and 4 kinds of files: 224


@pytest.fixture(scope="module")
def sound(spark, tmp_path_factory) -> Path:
    """A table with a checkpoint, two commits and ten rows of Spark's Delta after it, with its .crc, and one after that.

    Older files of the log are gone, as after a clean-up: damage to them would touch nothing.
    """
    root = tmp_path_factory.mktemp("sound") / "lake"
    store = make_table(root, 22)
    frame = spark.createDataFrame(rows_of(23), TABLE.ddl)
    frame.coalesce(1).write.format("delta").mode("append").save(store.path(TABLE.name))
    append(store, rows_of(24), run_id="run-24")
    for version in range(20):
        commit_file(store, version).unlink()
    return root


def files_of(root: Path) -> dict[str, list[Path]]:
    log = root / TABLE.name / "_delta_log"
    receipt = root / "_receipts" / f"{TABLE.name}.json"
    own = [path for path in sorted(root.rglob("*.parquet")) if path.parent != log]
    return {
        "log": sorted(log.glob("*.json")),
        "parquet": own,
        "checkpoint": [*sorted(log.glob("*.checkpoint*.parquet")), log / "_last_checkpoint"],
        "beside": [*sorted(log.glob("*.crc")), *sorted(log.glob(".*.crc")), receipt],
    }


def rows(spark, root: Path) -> list[tuple[object, ...]]:
    return sorted(tuple(row) for row in Lake(spark, str(root), "Asia/Shanghai").read(TABLE).collect())


@pytest.mark.parametrize("kind", ["log", "parquet", "checkpoint", "beside"])
def test_damage_of_each_kind_of_file(spark, sound, tmp_path, kind):
    expected, random, found = rows(spark, sound), Random(kind), Counter[str]()
    assert len(expected) == 240
    for way, damage in DAMAGES.items():
        for case in range(CASES_PER_KIND):
            root = tmp_path / f"{way}-{case}"  # never the same path twice: Spark remembers files
            shutil.copytree(sound, root)
            victim = random.choice(files_of(root)[kind])
            before = victim.read_bytes()
            damage(victim, random)
            assert not victim.exists() or victim.read_bytes() != before  # it happened
            try:
                same = rows(spark, root) == expected
            except GateRefused as error:
                assert TABLE.name in str(error)  # noqa: PT017
                found["refused"] += 1
            except (PySparkException, Py4JJavaError) as error:
                assert victim.name in str(error)  # noqa: PT017
                found["failed"] += 1
            else:
                assert same, (way, victim.name)
                found["same"] += 1
            shutil.rmtree(root)
    assert found.total() == len(DAMAGES) * CASES_PER_KIND
    assert found["refused"] + found["failed"] > found.total() / 4 or kind == "beside"


def test_what_delta_alone_reads_of_an_empty_newest_commit(spark, sound, tmp_path):
    """The control: fewer rows than were acknowledged, without an error."""
    shutil.copytree(sound, tmp_path / "lake")
    store = Store(str(tmp_path / "lake"))
    commit_file(store, delta_log.newest_version(store, TABLE)).write_bytes(b"")
    assert spark.read.format("delta").load(store.path(TABLE.name)).count() == 230
    with pytest.raises(GateRefused, match="empty commit file"):
        rows(spark, tmp_path / "lake")
