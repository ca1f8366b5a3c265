"""H2-H5: an erased subscriber is in no table, old version, log or file, and comes back with no delivery."""

from __future__ import annotations

import shutil

import pytest
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from pyspark.sql import functions as F

from jobs.erase_subscribers import erase, request
from jobs.ingest_source import ingest
from tests.jobs.runtime_world import context
from visitgrain.errors import GateRefused, InputMissing
from visitgrain.runtime.erasing import reached
from visitgrain.runtime.records import records
from visitgrain.tables import TABLES
from visitgrain.tables.inputs import EVENTS, NUMBERS
from visitgrain.tables.privacy import ERASED_SUBSCRIBERS, ERASURE_PROOFS, ERASURE_REQUESTS
from visitgrain.tables.runs import PUBLISHED_RUNS
from visitgrain.tables.visiting import VISITS

pytestmark = pytest.mark.faults


@pytest.fixture
def world(spark, small_world, tmp_path):
    """A copy of the small lake, with its feed and its key."""
    source = small_world.lake.store.local_path()
    shutil.copytree(source, tmp_path / "lake")
    shutil.copy(small_world.settings.pseudonym_secret_file, tmp_path / "secret")
    made = context(
        spark, tmp_path / "lake", pseudonym_secret_file=tmp_path / "secret", mlflow_uri=f"sqlite:///{tmp_path}/m.db"
    )
    return made, source.parent / "feed"


def somebody(made) -> tuple[int, list[int], list[str]]:
    """Who visited most on devices of their own: subscriber, its pseudonyms (nobody else's), and these devices."""
    logins = made.lake.read(EVENTS).where("subscriber_id is not null").toPandas()
    users = logins.groupby("device_id")["subscriber_id"].agg(set)
    numbers = made.lake.read(NUMBERS).toPandas()
    for subscriber in logins["subscriber_id"].value_counts().index:
        ids = {subscriber, *numbers.loc[numbers.subscriber_id == subscriber, "number_id"]}
        shared = numbers[numbers.number_id.isin(ids) & (numbers.subscriber_id != subscriber)]
        devices = [device for device, of in users.items() if of <= ids]
        if devices and shared.empty and (numbers.subscriber_id == subscriber).any():
            return int(subscriber), sorted(map(int, ids)), devices
    raise AssertionError("the small world has nobody of this kind")


def others(made, ids: list[int], devices: list[str]) -> dict[str, tuple]:
    """Rows, and a sum over hashes of the rows, of everybody else in each table."""
    found = {}
    for table in reached():
        if not made.lake.has(table) or table is ERASURE_REQUESTS:
            continue
        rows = made.lake.read(table)
        for column in table.identities:
            if column.name in ("subscriber_id", "owner_id"):
                rows = rows.where(F.col(column.name).isNull() | ~F.col(column.name).isin(ids))
            elif column.name == "device_id":
                rows = rows.where(~F.col("device_id").isin(devices))
        for name in {"payload"} & {*table.texts_of_persons}:
            rows = rows.where(~F.col(name).rlike("|".join(map(str, [*ids, *devices]))))
        names = [name for name in table.column_names if name != "props"]  # others name the erased in theirs
        hashed = F.xxhash64(F.to_json(F.struct(*names))).cast("decimal(38,0)")
        found[table.name] = tuple(rows.agg(F.count("*"), F.sum(hashed)).first())
    return found


def test_h02_to_h05(world):
    made, feed = world
    subscriber, ids, devices = somebody(made)
    before = others(made, ids, devices)
    versions = {table.name: made.lake.version(table) for table in reached()}
    rows_then = {t.name: made.lake.read(t).where(f"subscriber_id = {subscriber}").count() for t in (EVENTS, VISITS)}
    assert all(rows_then.values())

    [request_id] = request(made, [subscriber, subscriber])
    assert request(made, [subscriber]) == []
    done = erase(made)

    # H2: gone from every table, everybody else's rows are the same
    assert done.persons == 1
    assert done.rows["events"] >= rows_then["events"]
    assert {"numbers", "visits", "device_visits", "visit_days", "month_features", "time_preferences"} <= {*done.rows}
    assert others(made, ids, devices) == before
    assert made.lake.read(EVENTS).where(F.col("device_id").isin(*devices)).isEmpty()
    assert made.lake.read(VISITS).where(f"subscriber_id = {subscriber}").isEmpty()
    # and from the bytes of every file, also as the eight bytes of a number
    needles = [*(str(i).encode() for i in ids), *(device.encode() for device in devices)]
    for file in made.lake.store.local_path().rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert not any(needle in content for needle in needles), file
    # H3: no version to travel back to
    for name in done.rows:
        with pytest.raises(DeltaError, match="No files in log segment"):
            DeltaTable(made.lake.path(TABLES[name]), version=versions[name]).to_pyarrow_dataset().to_table()
    assert not made.lake.store.below("_staging")
    # the proof names nobody
    [proof] = records(made.lake.store, ERASURE_PROOFS)
    assert (proof["request_id"], proof["found"], proof["rows"]) == (request_id, 0, done.rows)
    assert proof["subject"] in {row["tombstone"] for row in records(made.lake.store, ERASED_SUBSCRIBERS)}
    assert records(made.lake.store, ERASURE_REQUESTS) == []
    # readers of published versions find what became of them
    [*_, last] = sorted(records(made.lake.store, PUBLISHED_RUNS), key=lambda row: row["published_at"])
    assert last["versions"] == {name: made.lake.version(TABLES[name]) for name in last["versions"]}
    # and there is nobody left to erase
    with pytest.raises(InputMissing, match="nobody is to be erased"):
        erase(made)

    # H4, H5: the whole feed once more
    result = ingest(made, source="canonical", path=feed, again=True)
    events = next(table for table in result.tables if table.table == "events")
    assert events.outcomes["filtered:erased"] >= rows_then["events"]
    assert made.lake.read(EVENTS).where(f"subscriber_id = {subscriber}").isEmpty()
    assert made.lake.read(NUMBERS).where(f"subscriber_id = {subscriber}").isEmpty()
    after = others(made, ids, devices)
    same = ("numbers", "orders", "subscriber_month", "campaign_audiences")
    assert {name: after[name] for name in same} == {name: before[name] for name in same}


def test_something_left_keeps_the_request_open(world, tmp_path, monkeypatch):
    """The fault: a copy of a log that nobody knows of. The control: without it the same run proves."""
    made, _ = world
    subscriber, *_ = somebody(made)
    request(made, [subscriber])
    stray = tmp_path / "lake" / "somebodys_export.csv"
    stray.write_text(f"subscriber_id\n{subscriber}\n")
    with pytest.raises(GateRefused, match=r"left in 1 places: somebodys_export\.csv.*requests stay open"):
        erase(made)
    assert len(records(made.lake.store, ERASURE_REQUESTS)) == 1
    assert records(made.lake.store, ERASURE_PROOFS) == []
    stray.unlink()
    erase(made)
    assert len(records(made.lake.store, ERASURE_PROOFS)) == 1
