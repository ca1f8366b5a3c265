"""What others read about runs: figures and lineage events. No Spark, no network but this machine."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
import uuid
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.jobs.runtime_world import DAY
from visitgrain.cli import telemetry as commands
from visitgrain.runtime import openlineage, telemetry
from visitgrain.runtime.context import Context
from visitgrain.runtime.ledger import Entry
from visitgrain.runtime.settings import default_conf, resolve
from visitgrain.tables import TABLES

ZONE = "Asia/Shanghai"
STARTED = datetime(2026, 3, 2, tzinfo=UTC)  # 08:00 in the zone


def entry(**more) -> Entry:
    fields = {
        "run_id": "r1",
        "job": "cut_visits",
        "table_name": "device_visits",
        "period_start": DAY,
        "period_end": DAY,
        "status": "ok",
        "code_version": "1",
        "catalogue_hash": "h",
        "input_versions": {"events": 3},
        "output_version": 7,
        "rows_in": 200,
        "outcomes": {"kept": 200},
        "rows_out": 50,
        "content_hash": "c",
        "started_at": STARTED,
        "seconds": 30.0,
        **more,
    }
    return Entry(**fields)


LOAD = entry(
    job="ingest_source",
    table_name="events",
    rows_in=200,
    outcomes={"kept": 190, "duplicate": 5, "quarantined:type:a": 4, "quarantined:encoding": 1},
)
FAILED = entry(
    run_id="r2",
    status="failed",
    started_at=STARTED + timedelta(hours=1),
    output_version=None,
    rows_out=None,
    error='no "x"\n',
)


def figures(*entries: Entry) -> str:
    now = STARTED + timedelta(hours=2)  # 10:00 on 2 March in the zone: ten hours after the end of 1 March
    return telemetry.text_of(
        telemetry.families(entries, {"visits": DAY}, waited_s=1.5, now=now, zone=ZONE),
    )


def test_figures_are_those_of_the_ledger():
    """Refused are 4 + 1 of 200 rows; the last run of the job failed, the last good one ended at 08:00:30."""
    lines = set(figures(LOAD, entry(), FAILED).splitlines())
    assert lines >= {
        "# TYPE visitgrain_job_runs_total counter",
        'visitgrain_job_runs_total{job="cut_visits",status="ok"} 1',
        'visitgrain_job_runs_total{job="cut_visits",status="failed"} 1',
        'visitgrain_job_last_rows{job="cut_visits"} 0',
        'visitgrain_job_last_seconds{job="cut_visits"} 30.0',
        f'visitgrain_job_last_success_timestamp_seconds{{job="cut_visits"}} {STARTED.timestamp() + 30!r}',
        f'visitgrain_job_last_success_age_seconds{{job="cut_visits"}} {2 * 3600.0 - 30!r}',
        'visitgrain_quarantined_share{table="events"} 0.025',
        'visitgrain_table_freshness_seconds{table="visits"} 36000.0',
        "visitgrain_lock_wait_seconds_total 1.5",
    }


def test_the_text_is_what_prometheus_reads():
    """Each sample follows the TYPE of its family; labels are quoted. prometheus_client says so where it is there."""
    odd = telemetry.Family("x", "gauge", "h", {(("table", 'a"b\\c\nd'),): 1})
    text = figures(LOAD, FAILED) + telemetry.text_of([odd])
    assert 'x{table="a\\"b\\\\c\\nd"} 1\n' in text
    family = None
    for line in text.splitlines():
        if line.startswith("# TYPE"):
            family = line.split()[2]
        elif not line.startswith("#"):
            assert line.startswith(str(family))
            float(line.rpartition(" ")[2])
    if find_spec("prometheus_client"):
        from prometheus_client.parser import text_string_to_metric_families

        assert {f.name for f in text_string_to_metric_families(text)} >= {"visitgrain_job_last_seconds", "x"}


def test_a_file_is_whole_or_the_one_before(tmp_path, monkeypatch):
    path = tmp_path / "textfile" / "visitgrain.prom"
    telemetry.write(path, "one 1\n")
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("killed before the rename")))
    with pytest.raises(OSError, match="killed"):
        telemetry.write(path, "two 2\n")
    assert path.read_text() == "one 1\n"
    assert [found for found in path.parent.glob("*.prom") if found != path] == []  # the collector reads *.prom


REQUIRED = {  # of RunEvent and its parts, in spec/OpenLineage.json 2-0-2
    "event": {"eventTime", "producer", "schemaURL", "run", "job"},
    "run": {"runId"},
    "job": {"namespace", "name"},
    "dataset": {"namespace", "name"},
    "facet": {"_producer", "_schemaURL"},
    "nominalTime": {"nominalStartTime"},
    "parent": {"run", "job"},
    "errorMessage": {"message", "programmingLanguage"},
    "version": {"datasetVersion"},
    "outputStatistics": {"rowCount"},
    "schema": {"fields"},
    "ownership": {"owners"},
}


def check_shape(event: dict) -> None:
    """What the standard requires of an event."""
    assert set(event) >= REQUIRED["event"]
    assert event["eventType"] in ("START", "COMPLETE", "FAIL")
    assert datetime.fromisoformat(event["eventTime"]).tzinfo
    uuid.UUID(event["run"]["runId"])
    assert set(event["job"]) >= REQUIRED["job"]
    facets = dict(event["run"]["facets"])
    for dataset in (*event["inputs"], *event["outputs"]):
        assert set(dataset) >= REQUIRED["dataset"]
        facets |= dataset["facets"] | dataset.get("outputFacets", {})
        assert all("name" in field for field in dataset["facets"].get("schema", {}).get("fields", []))
    for name, facet in facets.items():
        assert set(facet) >= REQUIRED["facet"] | REQUIRED[name], name


def test_a_run_is_a_start_and_an_end_with_tables_versions_and_rows():
    start, end = openlineage.events([entry()], lake="/lake", zone=ZONE)
    check_shape(start)
    check_shape(end)
    assert (start["eventType"], end["eventType"]) == ("START", "COMPLETE")
    assert start["run"]["runId"] == end["run"]["runId"]
    assert datetime.fromisoformat(end["eventTime"]) - datetime.fromisoformat(start["eventTime"]) == timedelta(
        seconds=30
    )
    [read], [written] = end["inputs"], end["outputs"]
    assert (read["name"], read["facets"]["version"]["datasetVersion"]) == ("events", "3")
    assert (written["name"], written["facets"]["version"]["datasetVersion"]) == ("device_visits", "7")
    assert written["outputFacets"]["outputStatistics"]["rowCount"] == 50
    assert [f["name"] for f in written["facets"]["schema"]["fields"]] == TABLES["device_visits"].column_names
    assert end["run"]["facets"]["nominalTime"]["nominalEndTime"] == "2026-03-02T00:00:00+08:00"


def test_a_failed_run_says_why_and_the_tables_of_a_job_are_one_run():
    end = list(openlineage.events([FAILED], lake="/lake", zone=ZONE))[-1]
    check_shape(end)
    assert (end["eventType"], end["run"]["facets"]["errorMessage"]["message"]) == ("FAIL", 'no "x"\n')
    assert "outputFacets" not in end["outputs"][0]
    both = list(openlineage.events([entry(), entry(table_name="visits")], lake="/lake", zone=ZONE))
    assert [[d["name"] for d in event["outputs"]] for event in both] == [["device_visits", "visits"]] * 2


def test_events_are_added_to_the_file_one_per_line(tmp_path):
    path = tmp_path / "lineage" / "events.jsonl"
    for one in (entry(), FAILED):
        openlineage.append(path, openlineage.events([one], lake="/lake", zone=ZONE))
    kinds = [json.loads(line)["eventType"] for line in path.read_text().splitlines()]
    assert kinds == ["START", "COMPLETE", "START", "FAIL"]


@pytest.fixture
def context(tmp_path) -> Context:
    pairs = [
        f"lake={tmp_path / 'lake'}",
        f"telemetry_file={tmp_path / 'v.prom'}",
        f"lineage_file={tmp_path / 'l.jsonl'}",
    ]
    return Context(resolve(default_conf(), overrides=pairs).settings, default_conf())


def test_after_a_run_both_files_are_written_and_without_one_neither(context, tmp_path, monkeypatch):
    commands.write_exports(context)
    assert not (tmp_path / "v.prom").exists()
    lake = context.lake_without_spark
    monkeypatch.setattr(Context, "lake", lake)
    context.ledger.record(lake, [entry()])
    commands.write_exports(context)
    assert 'visitgrain_job_last_rows{job="cut_visits"} 50' in (tmp_path / "v.prom").read_text()
    assert len((tmp_path / "l.jsonl").read_text().splitlines()) == 2


def test_a_full_disk_is_a_warning_with_the_way_out(context, tmp_path, monkeypatch, caplog):
    lake = context.lake_without_spark
    monkeypatch.setattr(Context, "lake", lake)
    context.ledger.record(lake, [entry()])
    monkeypatch.setattr(openlineage.os, "write", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
    commands.write_exports(context)
    assert f"visitgrain lineage --run {context.run_id}" in caplog.text


def test_figures_are_served_on_this_machine_only(context, monkeypatch):
    started = threading.Event()
    servers = []
    serve = commands.ThreadingHTTPServer.serve_forever

    def announce(self, *arguments):
        servers.append(self)
        started.set()
        serve(self, 0.05)

    monkeypatch.setattr(commands.ThreadingHTTPServer, "serve_forever", announce)
    context.ledger.record(context.lake_without_spark, [entry()])
    thread = threading.Thread(target=commands._serve, args=(context, 0), daemon=True)
    thread.start()
    assert started.wait(10)
    host, port = servers[0].server_address
    try:
        assert host == "127.0.0.1"
        with urllib.request.urlopen(f"http://{host}:{port}/metrics", timeout=10) as answer:
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            assert "visitgrain_job_runs_total" in answer.read().decode()
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"http://{host}:{port}/etc/passwd", timeout=10)
    finally:
        servers[0].shutdown()
        thread.join(10)
