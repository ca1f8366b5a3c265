"""Runs as OpenLineage events, from the ledger: START, and COMPLETE or FAIL, with the tables read and written.

The URLs are names by which the standard knows its own shapes; nothing is fetched from them.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import visitgrain
from visitgrain.runtime.ledger import Entry
from visitgrain.tables import TABLES

PRODUCER = f"urn:visitgrain:{visitgrain.__version__}"
SPEC = "https://openlineage.io/spec"
EVENT = f"{SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"
FACETS = {  # name in an event -> version and name of its shape
    "schema": "1-1-1/SchemaDatasetFacet",
    "version": "1-0-1/DatasetVersionDatasetFacet",
    "ownership": "1-0-1/OwnershipDatasetFacet",
    "outputStatistics": "1-0-2/OutputStatisticsOutputDatasetFacet",
    "nominalTime": "1-0-1/NominalTimeRunFacet",
    "parent": "1-1-0/ParentRunFacet",
    "errorMessage": "1-0-1/ErrorMessageRunFacet",
}
JOBS = "visitgrain"  # namespace of jobs
COMMAND = "visitgrain.command"
_RUNS = uuid.UUID("6f0f3a52-7d1c-5d9e-9a59-0c9a3f1c7a10")  # of this suite: run ids of the ledger become UUIDs


def events(entries: Iterable[Entry], *, lake: str, zone: str) -> Iterator[dict[str, Any]]:
    """Two per execution of a job, in order. `lake` is the namespace of the tables, `zone` that of the days."""
    executions: dict[tuple[str, str, datetime, date], list[Entry]] = {}
    for entry in entries:
        executions.setdefault((entry.run_id, entry.job, entry.started_at, entry.period_start), []).append(entry)
    for of_one in executions.values():
        yield _event("START", of_one, lake, zone)
        yield _event("FAIL" if any(e.status == "failed" for e in of_one) else "COMPLETE", of_one, lake, zone)


def append(path: Path, found: Iterable[dict[str, Any]]) -> None:
    """Add events to a file of JSON lines, in one write: lines of two commands do not mix."""
    text = "".join(f"{line(event)}\n" for event in found)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, text.encode())
    finally:
        os.close(handle)


def line(event: dict[str, Any]) -> str:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"))


def _event(kind: str, of_one: Sequence[Entry], lake: str, zone: str) -> dict[str, Any]:
    first = of_one[0]
    ended = first.started_at + timedelta(seconds=first.seconds)
    run = f"{first.run_id} {first.job} {first.started_at.isoformat()} {first.period_start}"
    facets = {
        "nominalTime": _facet(
            "nominalTime",
            nominalStartTime=_midnight(first.period_start, zone),
            nominalEndTime=_midnight(first.period_end + timedelta(days=1), zone),
        ),
        "parent": _facet(
            "parent",
            run={"runId": str(uuid.uuid5(_RUNS, first.run_id))},
            job={"namespace": JOBS, "name": COMMAND},
        ),
    }
    if kind == "FAIL":
        message = next((e.error for e in of_one if e.error), "")
        facets["errorMessage"] = _facet("errorMessage", message=message, programmingLanguage="Python")
    return {
        "eventType": kind,
        "eventTime": (first.started_at if kind == "START" else ended).isoformat(),
        "producer": PRODUCER,
        "schemaURL": EVENT,
        "run": {"runId": str(uuid.uuid5(_RUNS, run)), "facets": facets},
        "job": {"namespace": JOBS, "name": first.job},
        "inputs": [_dataset(name, version, lake) for name, version in sorted(first.input_versions.items())],
        "outputs": [_output(entry, lake, done=kind == "COMPLETE") for entry in of_one],
    }


def _output(entry: Entry, lake: str, *, done: bool) -> dict[str, Any]:
    found = _dataset(entry.table_name, entry.output_version if done else None, lake)
    if done and entry.rows_out is not None:
        found["outputFacets"] = {"outputStatistics": _facet("outputStatistics", rowCount=entry.rows_out)}
    return found


def _dataset(name: str, version: int | None, lake: str) -> dict[str, Any]:
    facets = {}
    if table := TABLES.get(name):
        fields = [{"name": c.name, "type": c.type, "description": c.description} for c in table.columns]
        facets["schema"] = _facet("schema", fields=fields)
        facets["ownership"] = _facet("ownership", owners=[{"name": table.owner}])
    if version is not None:
        facets["version"] = _facet("version", datasetVersion=str(version))
    return {"namespace": lake, "name": name, "facets": facets}


def _facet(name: str, **content: Any) -> dict[str, Any]:
    version, _, shape = FACETS[name].partition("/")
    return {"_producer": PRODUCER, "_schemaURL": f"{SPEC}/facets/{version}/{shape}.json#/$defs/{shape}", **content}


def _midnight(day: date, zone: str) -> str:
    return datetime.combine(day, time(), ZoneInfo(zone)).isoformat()
