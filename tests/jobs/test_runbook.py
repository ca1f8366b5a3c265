"""Every command of docs/runbook.md is run, after its fault was made: a copy of the small lake, one JVM."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from tests.cases.dirty_feeds import CSV_FEED, csv_file, csv_row, written
from tests.conftest import ROOT
from tests.unit.churn.test_models_commands import uri  # noqa: F401  # a registry of two versions, as a fixture
from tests.unit.runtime.test_locks import holder
from visitgrain.cli import main
from visitgrain.runtime import delta_log
from visitgrain.runtime.content import by_partition
from visitgrain.runtime.context import Context
from visitgrain.runtime.contract import declared_schema
from visitgrain.runtime.creation import create
from visitgrain.runtime.file_check import is_intact
from visitgrain.runtime.lake import Lake
from visitgrain.runtime.records import records
from visitgrain.runtime.settings import default_conf
from visitgrain.tables import TABLES
from visitgrain.tables.runs import RUN_LEDGER
from visitgrain.tables.segmentation import TIME_PREFERENCES

PAGE = (ROOT / "docs/runbook.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"<!-- drill: (\w+) -->\n```console\n(.*?)```", re.DOTALL)
DRILLS = dict(BLOCK.findall(PAGE))
EXIT = re.compile(r"\s+# exit (\d+)$")
pytestmark = pytest.mark.filterwarnings("ignore")


@dataclass
class Place:
    """A folder with a lake in it, and the commands of a drill run there."""

    folder: Path
    options: list[str]

    @property
    def lake(self) -> Lake:
        """As another process would open it."""
        return Lake(None, str(self.folder / "lake"), "Asia/Shanghai", lock_wait_s=0)

    def contents(self, table=TIME_PREFERENCES) -> dict:
        return by_partition((file.partition, file.content) for file in self.lake.data_files(table))

    def run(self, drill: str) -> None:
        for line in DRILLS[drill].splitlines():
            assert line.startswith("$ "), line
            code = int(found[1]) if (found := EXIT.search(line)) else 0
            name, *arguments = shlex.split(EXIT.sub("", line)[2:])
            if name == "visitgrain":
                with pytest.raises(SystemExit) as left:
                    main([*self.options, *arguments])
                assert int(left.value.code or 0) == code, line
            else:
                subprocess.run([name, *arguments], cwd=self.folder, check=True, capture_output=True)


@pytest.fixture
def place(spark, small_world, tmp_path, monkeypatch) -> Place:
    shutil.copytree(small_world.lake.store.root, tmp_path / "lake")
    shutil.copytree(default_conf(), tmp_path / "conf")
    monkeypatch.setattr(Context, "spark", spark)
    _one_version_per_month(Lake(None, str(tmp_path / "lake"), "Asia/Shanghai"))
    monkeypatch.chdir(tmp_path)
    secret = small_world.settings.pseudonym_secret_file
    settings = {"lake": tmp_path / "lake", "lock_wait_s": 0, "pseudonym_secret_file": secret}
    return Place(tmp_path, ["--conf", str(tmp_path / "conf"), *_set(settings)])


def _one_version_per_month(lake: Lake) -> None:
    """The page names versions: 1 of time_preferences is February, 2 is both months."""
    store, table = lake.store, TIME_PREFERENCES
    known = [action for v in range(lake.version(table) + 1) for action in delta_log.actions(store, table, v) or []]
    files = {action["add"]["path"]: action["add"] for action in known if "add" in action}
    now = sorted(lake.data_files(table), key=lambda file: str(file.partition))
    store.remove_folder(f"{table.name}/_delta_log")
    schema = declared_schema(table).json()
    create(store, table, schema_json=schema, partition=table.partition, run_id="test")
    for version, file in enumerate(now, start=1):
        added = [files[file.path]]
        upon = delta_log.snapshot(store, table, version - 1)
        delta_log.commit(store, table, upon=upon, added=added, removed=(), run_id="test")
    assert len(now) == 2


def _set(settings: dict) -> list[str]:
    return [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]


def test_every_command_in_the_page_is_in_a_drill_and_every_drill_is_run():
    assert PAGE.count("```console") == len(DRILLS)
    assert set(DRILLS) == {name.removeprefix("drill_") for name in globals() if name.startswith("drill_")}
    links = set(re.findall(r"\(#([a-z-]+)\)", PAGE))
    assert links <= {title.lower().replace(" ", "-") for title in re.findall(r"^## (.+)$", PAGE, re.MULTILINE)}


def drill_first_look(place: Place) -> Iterator[None]:
    yield
    assert "events 2026-04-01" in (place.lake.store.read_text("_breaches.json") or "")


def drill_late_table(place: Place) -> Iterator[None]:
    """March is missing: the ledger tells of February only."""
    before = place.contents()
    _forget(place, TIME_PREFERENCES.name)
    yield
    assert place.contents() == before
    assert place.lake.version(TIME_PREFERENCES) == 2  # computed, and found to be the same


def drill_damaged_log(place: Place) -> Iterator[None]:
    before = place.contents()
    commit = place.lake.store.local_path(TIME_PREFERENCES.name, "_delta_log", f"{2:020}.json")
    commit.write_text("")
    yield
    assert place.contents() == before
    assert list(place.lake.store.local_path("_damaged").rglob(commit.name))


def drill_bad_publish(place: Place) -> Iterator[None]:
    """Somebody published nothing at all as version 3."""
    before = place.contents()
    lake = place.lake
    removed = list(lake.data_files(TIME_PREFERENCES))
    upon = delta_log.snapshot(lake.store, TIME_PREFERENCES, 2)
    delta_log.commit(lake.store, TIME_PREFERENCES, upon=upon, added=(), removed=removed, run_id="bad")
    assert place.contents() == {}
    yield
    assert (place.contents(), place.lake.version(TIME_PREFERENCES)) == (before, 4)


def drill_rebuild(place: Place) -> Iterator[None]:
    before = place.contents()
    [file, *_] = place.lake.data_files(TIME_PREFERENCES)
    place.lake.store.local_path(TIME_PREFERENCES.name, file.path).write_bytes(b"")
    yield
    assert place.contents() == before
    assert all(is_intact(place.lake.store, TIME_PREFERENCES, f) for f in place.lake.data_files(TIME_PREFERENCES))


def drill_quarantine(place: Place) -> Iterator[None]:
    """'tap' was no event type; the mapping is corrected to say that it is a click."""
    mapping = place.folder / "conf/sources/csv_feed.yaml"
    mapping.write_text(CSV_FEED)
    rows = csv_file(csv_row("good"), csv_row("tap", kind="tap"))
    written(place.folder, {"in/events/a.csv": rows})
    with pytest.raises(SystemExit):
        main([*place.options, "ingest", "--source", "csv_feed", "--path", str(place.folder / "in"), "--allow-volume"])
    assert _ids(place) == {"good"}
    mapping.write_text(
        CSV_FEED.replace("event_type: kind", "event_type: \"lookup(kind, {'tap': 'click', 'click': 'click'})\"")
    )
    yield
    assert _ids(place) == {"good", "tap"}


def drill_model(place: Place) -> Iterator[None]:
    from visitgrain.catalogue.churn import Tracking
    from visitgrain.churn import registry
    from visitgrain.churn.tracking import tracked

    at = Tracking(uri=place.options[-1].partition("=")[2], run_id="r", lake="l", versions={})
    with tracked(at) as client:
        registry.promote(client, 2, reason="better", by="ann")
    yield
    with tracked(at) as client:
        assert registry.champions(client) == [1]


def drill_lock_held(place: Place) -> Iterator[None]:
    with holder(place.lake.store.local_path("_locks"), TIME_PREFERENCES.name):
        yield


def drill_lock_free(place: Place) -> Iterator[None]:
    with holder(place.lake.store.local_path("_locks"), TIME_PREFERENCES.name) as owner:
        owner.kill()
        owner.wait()
        yield


def drill_disk_full(place: Place) -> Iterator[None]:
    """A write that failed eight days ago left a file."""
    before = place.contents()
    [file, *_] = place.lake.data_files(TIME_PREFERENCES)
    path = place.lake.store.local_path(TIME_PREFERENCES.name, file.path)
    orphan = path.with_name("part-left-behind.parquet")
    shutil.copy(path, orphan)
    then = (datetime.now(UTC) - timedelta(days=8)).timestamp()
    os.utime(orphan, (then, then))
    yield
    assert not orphan.exists()
    assert place.contents() == before


LONG = {"quarantine", "damaged_log"}


@pytest.mark.parametrize("name", sorted(set(DRILLS) - LONG - {"model"}))
def test_drill(place, name):
    _run(place, name, globals()[f"drill_{name}"])


@pytest.mark.faults
@pytest.mark.parametrize("name", sorted(LONG))
def test_long_drill(place, name):
    _run(place, name, globals()[f"drill_{name}"])


@pytest.mark.faults
def test_drill_of_a_model(place, uri):  # noqa: F811
    place.options += _set({"mlflow_uri": uri})
    _run(place, "model", drill_model)


def _run(place: Place, name: str, drill: Callable[[Place], Iterator[None]]) -> None:
    steps = drill(place)
    with ExitStack() as after:
        after.callback(steps.close)
        next(steps)  # makes the fault
        place.run(name)
        next(steps, None)  # looks whether it is repaired


def _forget(place: Place, table: str) -> None:
    """The last run of `table` is not in the ledger."""
    store, writer = place.lake.store, place.lake.writer(RUN_LEDGER)
    kept = [r for r in records(store, RUN_LEDGER) if not (r["table_name"] == table and r["period_start"].month == 3)]
    upon = delta_log.snapshot(store, RUN_LEDGER, place.lake.version(RUN_LEDGER))
    added = writer.write(iter(pa.Table.from_pylist(kept, schema=writer.schema).to_batches())).files
    delta_log.commit(store, RUN_LEDGER, upon=upon, added=added, removed=upon.files, run_id="test")


def _ids(place: Place) -> set[str]:
    lake, events = place.lake, TABLES["events"]
    rows = [lake.store.read_parquet(f"events/{file.path}", ["event_id"]) for file in lake.data_files(events)]
    return {name for table in rows for name in table["event_id"].to_pylist()} & {"good", "tap"}
