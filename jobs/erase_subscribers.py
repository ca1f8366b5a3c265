"""Erase who asked for it: from every table, its old versions and logs, staging and quarantine; and prove it."""

from __future__ import annotations

import getpass
import re
import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial, reduce
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, functions as F

from jobs.ingest_source import key_of
from visitgrain.churn.tracking import SQLITE, artifact_folder
from visitgrain.errors import PHONE, GateRefused, InputMissing
from visitgrain.expressions.keyed_hash import subscriber_id, tombstone
from visitgrain.runtime.context import Context
from visitgrain.runtime.erasing import Search, reached, remove, rows_of, search
from visitgrain.runtime.people import Held, People
from visitgrain.runtime.progress import progress
from visitgrain.runtime.publishing import republish
from visitgrain.runtime.purging import clear_all_staging, purge
from visitgrain.runtime.records import records
from visitgrain.runtime.small_tables import locked, write_rows
from visitgrain.runtime.spark_errors import as_visitgrain_error
from visitgrain.runtime.storage import Store
from visitgrain.runtime.vault import protect
from visitgrain.sources.sealing import opened
from visitgrain.tables import TABLES, Kind
from visitgrain.tables.inputs import EVENTS, NUMBERS
from visitgrain.tables.privacy import (
    ERASED_SUBSCRIBERS,
    ERASURE_PROOFS,
    ERASURE_REQUESTS,
    PSEUDONYM_ROTATIONS,
    VAULT_NUMBERS,
)
from visitgrain.tables.runs import LATE_EVENTS

NAME = "erase_subscribers"
SHOWN = 5  # places named in a message


@dataclass(frozen=True)
class Erasure:
    """What a run did: persons, rows removed by table, files deleted and files searched afterwards."""

    persons: int
    rows: dict[str, int]
    files_removed: int
    files_searched: int


def request(context: Context, subscribers: Iterable[int]) -> list[str]:
    """Note that these are to be erased; ids of the requests. Who is noted already keeps the first request."""
    store, now = Store(context.settings.lake), datetime.now(UTC)
    with locked(store, ERASURE_REQUESTS, wait_s=context.settings.lock_wait_s):
        known = {row["subscriber_id"] for row in records(store, ERASURE_REQUESTS)}
        new = [
            {"subscriber_id": s, "request_id": uuid.uuid4().hex, "requested_at": now, "requested_by": getpass.getuser()}
            for s in dict.fromkeys(subscribers)
            if s not in known
        ]
        write_rows(store, ERASURE_REQUESTS, new, run_id=context.run_id)
    return [str(row["request_id"]) for row in new]


def erase(context: Context) -> Erasure:
    """Erase everybody in `erasure_requests`. Killed in between, the requests stay: run again, it finishes.

    Every table is locked: readers of older versions find them gone, writers wait.
    Raises InputMissing without a request, GateRefused naming the files where something is left.
    """
    lake, label = context.lake, "erasure"
    try:
        with progress(context.spark, label), lake.lock(*(t for t in TABLES.values() if t.kind is not Kind.VAULT)):
            requests = records(lake.store, ERASURE_REQUESTS)
            if not requests:
                raise InputMissing("table erasure_requests: nobody is to be erased; see `visitgrain erase request`")
            return _erased(context, requests)
    except Exception as error:
        raise as_visitgrain_error(error, doing=label) from error


def _erased(context: Context, requests: list[dict[str, Any]]) -> Erasure:
    lake, key = context.lake, key_of(context)()
    ids = {row["subscriber_id"]: row["request_id"] for row in requests}
    held = _held(context, ids)
    people = People(
        tuple(h for of in held.values() for h in of), frozenset(_devices(context, held)), partial(_numbers_of, key)
    )
    # First the tombstones: whatever comes in from now on, also after a kill, is left out.
    _bury(context, held, people.devices, ids, key)
    tables = [table for table in reached() if table is not ERASURE_REQUESTS]
    before = {table.name: lake.version(table) for table in tables}
    rows = {}
    for table in tables:
        if days := rows_of(lake, table, people):
            rows[table.name] = sum(days.values())
            remove(lake, table, people, days, run_id=context.run_id)
    gone = sum(purge(lake.store, table) for table in tables) + clear_all_staging(lake.store)
    gone += _from_vault(context, people, rows)
    republish(lake, before, run_id=context.run_id)
    found = search(lake, people, but=ERASURE_REQUESTS, folders=_elsewhere(context))
    _check(found)
    _prove(context, requests, rows, gone, found, key)
    # Last, so that whatever stopped the run before can be tried again.
    write_rows(lake.store, ERASURE_REQUESTS, [], run_id=context.run_id, replace=True)
    purge(lake.store, ERASURE_REQUESTS)
    return Erasure(len(ids), rows, gone, found.files)


def _held(context: Context, ids: Collection[int]) -> dict[int, list[Held]]:
    """Pseudonyms of each subscriber: its own, and those of its numbers for the days on which it held them."""
    found = {subscriber: [Held(subscriber)] for subscriber in ids}
    wanted = _frame(context, [(subscriber,) for subscriber in ids], "subscriber_id bigint")
    numbers = context.lake.read(NUMBERS, optional=True).join(F.broadcast(wanted), on="subscriber_id", how="left_semi")
    for row in numbers.select("subscriber_id", "number_id", "valid_from", "valid_to").collect():
        found[row["subscriber_id"]].append(Held(row["number_id"], row["valid_from"], row["valid_to"]))
    return found


def _numbers_of(key: bytes, text: str) -> list[int]:
    """Pseudonyms of the phone numbers in a refused row."""
    found = PHONE.finditer(opened(key, text))
    return [subscriber_id(key, re.sub(r"\D", "", number[0])[-11:]) for number in found]


def _devices(context: Context, held: dict[int, list[Held]]) -> set[str]:
    """Devices on which these people logged in, each of them alone."""
    rows = [(h.id, h.first or date.min, h.until or date.max) for of in held.values() for h in of]
    theirs = F.broadcast(_frame(context, rows, "subscriber_id bigint, first date, until date"))
    events = [context.lake.read(t, optional=True) for t in (EVENTS, LATE_EVENTS)]
    logins = reduce(DataFrame.unionByName, (e.select("device_id", "subscriber_id", "event_date") for e in events))
    logins = logins.where(F.col("subscriber_id").isNotNull()).join(theirs, on="subscriber_id", how="left")
    own = F.coalesce(F.col("event_date").between(F.col("first"), F.date_sub("until", 1)), F.lit(False))
    by_device = logins.groupBy("device_id").agg(F.every(own).alias("alone"))
    return {row["device_id"] for row in by_device.where("alone").select("device_id").collect()}


def _frame(context: Context, rows: list[tuple[Any, ...]], ddl: str) -> DataFrame:
    return context.spark.createDataFrame(rows, ddl)


def _bury(
    context: Context, held: dict[int, list[Held]], devices: Iterable[str], ids: dict[int, str], key: bytes
) -> None:
    """Tombstones: of a device only up to today, for somebody else may use it tomorrow."""
    store, first_request = context.lake.store, min(ids.values())
    rows = [
        {"tombstone": tombstone(key, h.id), "valid_from": h.first, "valid_to": h.until, "request_id": ids[subscriber]}
        for subscriber, of in held.items()
        for h in of
    ]
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    rows += [
        {"tombstone": tombstone(key, device), "valid_from": None, "valid_to": tomorrow, "request_id": first_request}
        for device in sorted(devices)
    ]
    known = records(store, ERASED_SUBSCRIBERS)
    there = {(row["tombstone"], row["valid_from"], row["request_id"]) for row in known}
    new = [row for row in rows if (row["tombstone"], row["valid_from"], row["request_id"]) not in there]
    write_rows(store, ERASED_SUBSCRIBERS, new, run_id=context.run_id)


def _from_vault(context: Context, people: People, rows: dict[str, int]) -> int:
    """Their numbers, and what became of their old pseudonyms; how many files went."""
    vault, gone = context.vault, 0
    if vault is None:
        return 0
    tables = (VAULT_NUMBERS, PSEUDONYM_ROTATIONS)
    with vault.lock(*tables):
        for table in tables:
            if days := rows_of(vault, table, people):
                rows[table.name] = sum(days.values())
                remove(vault, table, people, days, run_id=context.run_id)
            gone += purge(vault.store, table)
        gone += clear_all_staging(vault.store)
        protect(vault)
    return gone


def _elsewhere(context: Context) -> list[Path]:
    """What an embedded MLflow keeps: its database and its artifacts. A server's are not here to be searched."""
    uri = context.settings.mlflow_uri
    return [Path(uri.removeprefix(SQLITE)), artifact_folder(uri)] if uri.startswith(SQLITE) else []


def _check(found: Search) -> None:
    if found.found:
        shown = ", ".join(found.found[:SHOWN]) + (", …" if len(found.found) > SHOWN else "")
        raise GateRefused(
            f"something of the erased is left in {len(found.found)} places: {shown}. The requests stay open. "
            "Delete what is nobody's (copies, exports, runs of MLflow), then run `visitgrain erase run` again"
        )


def _prove(
    context: Context, requests: list[dict[str, Any]], rows: dict[str, int], gone: int, found: Search, key: bytes
) -> None:
    """A proof per request."""
    facts = {"run_id": context.run_id, "rows": rows, "files_removed": gone, "files_searched": found.files, "found": 0}
    proofs = [
        {
            **facts,
            "request_id": row["request_id"],
            "subject": tombstone(key, row["subscriber_id"]),
            "requested_at": row["requested_at"],
            "erased_at": datetime.now(UTC),
        }
        for row in requests
    ]
    write_rows(context.lake.store, ERASURE_PROOFS, proofs, run_id=context.run_id)
