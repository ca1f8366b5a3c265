"""Who looked at whom: rows chained by hashes, so that nobody edits, drops or reorders one unseen. No Spark.

The chain's end is kept beside the table as well: cutting off its last rows shows. Whoever can rewrite the whole table,
and that end, can forge it all: note the hash that `visitgrain audit verify` prints where they cannot reach it.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from visitgrain.errors import GateRefused, UsageError
from visitgrain.runtime.records import records
from visitgrain.runtime.settings import Settings
from visitgrain.runtime.small_tables import locked, write_rows
from visitgrain.runtime.storage import Store
from visitgrain.tables.privacy import ACCESS_AUDIT

FIRST = "0" * 64
END = "_receipts/access_audit.end.json"
UNSTATED = "not stated"
Row = dict[str, Any]


def subject_of(subscriber_id: int) -> str:
    """What stands for a pseudonym in the audit: the same person can be recognised there, and not read from it."""
    return hashlib.sha256(f"subscriber\0{subscriber_id}".encode()).hexdigest()[:32]


def note(settings: Settings, *, run_id: str, action: str, subject: str, rows: int, purpose: str | None) -> None:
    """Add a row before anything is shown: who cannot be noted sees nothing.

    Raises UsageError without a purpose where the setting `audit_purpose` asks for one, GateRefused on a broken chain.
    """
    if purpose is None and settings.audit_purpose == "required":
        raise UsageError("say why: --purpose TEXT is kept in the audit (setting audit_purpose: required)")
    store = Store(settings.lake)
    with locked(store, ACCESS_AUDIT, wait_s=settings.lock_wait_s):
        there = verified(store)
        last: Row = there[-1] if there else {"seq": 0, "hash": FIRST}
        row = {
            "seq": last["seq"] + 1,
            "at": datetime.now(UTC),
            "who": getpass.getuser(),
            "host": socket.gethostname(),
            "action": action,
            "subject": subject,
            "rows": rows,
            "purpose": purpose or UNSTATED,
            "previous": last["hash"],
        }
        row["hash"] = _hash(row)
        write_rows(store, ACCESS_AUDIT, [row], run_id=run_id)
        store.write_json(END, {"seq": row["seq"], "hash": row["hash"]})


def verified(store: Store) -> list[Row]:
    """All rows, in order. Raises GateRefused naming the first row that does not follow from the one before."""
    rows = sorted(records(store, ACCESS_AUDIT), key=lambda row: row["seq"])
    previous = FIRST
    for place, row in enumerate(rows, 1):
        if row["seq"] != place:
            raise GateRefused(_broken(store, f"row {place} is missing or came twice; found {row['seq']} in its place"))
        if row["previous"] != previous or row["hash"] != _hash(row):
            raise GateRefused(_broken(store, f"row {place} of {row['at']:%Y-%m-%d %H:%M} was changed"))
        previous = row["hash"]
    _check_end(store, rows)
    return rows


def _check_end(store: Store, rows: Sequence[Row]) -> None:
    """A killed run may have left a row whose end is not noted yet; the other way round rows are missing."""
    end = store.read_json(END)
    known = {row["seq"]: row["hash"] for row in rows}
    if end is None and len(rows) > 1:
        raise GateRefused(_broken(store, f"{END} is missing"))
    if end is not None and (known.get(end["seq"]) != end["hash"] or len(rows) > end["seq"] + 1):
        raise GateRefused(_broken(store, f"it ends at row {len(rows)}, {END} says {end['seq']}"))


def _hash(row: Row) -> str:
    text = {name: str(row[name]) for name in ACCESS_AUDIT.column_names if name not in ("hash", "at")}
    text["at"] = row["at"].astimezone(UTC).isoformat(timespec="microseconds")
    return hashlib.sha256(json.dumps(text, sort_keys=True).encode()).hexdigest()


def _broken(store: Store, what: str) -> str:
    return (
        f"table access_audit at {store.path(ACCESS_AUDIT.name)}: {what}; somebody edited it. Restore it from a backup, "
        "or keep the damaged one as evidence and begin anew by moving it away"
    )
