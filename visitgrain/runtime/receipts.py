"""What a table was acknowledged to be, outside of the table: `_receipts/<table>.json`, and in the commit itself.

Delta reads fewer rows without an error when a commit file is empty or lacks lines. So every commit carries the state
that it leaves the table in, and a receipt beside the tables repeats the last one's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from visitgrain.errors import GateRefused
from visitgrain.runtime.storage import Store
from visitgrain.tables import Table

if TYPE_CHECKING:
    from visitgrain.runtime.delta_log import DataFile


@dataclass(frozen=True)
class Receipt:
    """`rows` and `state` are those of the whole table at `version`; `state` None = of an earlier visitgrain."""

    table: str
    version: int
    rows: int
    run_id: str
    state: str | None = None


def state_of(files: Iterable[DataFile]) -> str:
    """Hash over all that is known of the files of a version: path (it tells the rows' content), size, rows, partition.

    Equal states are equal rows in equal files.
    """
    lines = sorted(f"{file.path}\t{file.bytes}\t{file.rows}\t{file.partition}\n" for file in files)
    return hashlib.blake2b("".join(lines).encode(), digest_size=16).hexdigest()


def read_receipt(store: Store, table: Table) -> Receipt | None:
    """The receipt of the last commit that was acknowledged. Raises GateRefused when it is damaged."""
    name = _path(table)
    try:
        found = store.read_json(name)
        return None if found is None else Receipt(**found)
    except (ValueError, TypeError) as error:
        raise GateRefused(
            f"table {table.name}: the receipt {store.path(name)} is damaged ({error}). If nothing else of the lake is, "
            "delete it: the log says the same; else restore both from a backup"
        ) from None


def write_receipt(store: Store, table: Table, receipt: Receipt) -> None:
    store.write_text(_path(table), json.dumps(asdict(receipt), indent=1, sort_keys=True) + "\n")


def how_to_repair(store: Store, table: Table) -> str:
    """What to do about a damaged table."""
    return (
        f"`visitgrain restore {table.name} --to VERSION` (docs/runbook.md), or delete {store.path(table.name)} and "
        f"{store.path(_path(table))}, then run its job again"
    )


def _path(table: Table) -> str:
    return f"_receipts/{table.name}.json"
