"""Change the key of the pseudonyms: everybody gets a new one, in every table, one for one."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from jobs.ingest_source import KEY_ID
from visitgrain.errors import ConfigError, GateRefused, InputMissing
from visitgrain.expressions.keyed_hash import subscriber_id
from visitgrain.runtime.context import Context
from visitgrain.runtime.erasing import reached
from visitgrain.runtime.lake import Lake
from visitgrain.runtime.progress import progress
from visitgrain.runtime.publishing import republish
from visitgrain.runtime.purging import purge
from visitgrain.runtime.records import records
from visitgrain.runtime.renaming import Names, rename, unknown_rows
from visitgrain.runtime.small_tables import write_rows
from visitgrain.runtime.spark_errors import as_visitgrain_error
from visitgrain.runtime.vault import protect
from visitgrain.sources.sealing import opened, sealed
from visitgrain.sources.secret import key_id, pseudonym_key
from visitgrain.tables import TABLES, Kind
from visitgrain.tables.privacy import ERASED_SUBSCRIBERS, PSEUDONYM_ROTATIONS, VAULT_NUMBERS

NAME = "rotate_pseudonyms"


@dataclass(frozen=True)
class Rotation:
    """How many pseudonyms were replaced, in how many tables; `old_key` is where the old key waits to be destroyed."""

    pseudonyms: int
    tables: int
    old_key: Path


def rotate(context: Context, new_key: Path, *, forget_erased: bool = False) -> Rotation:
    """Rewrite every table under the key in the file `new_key`, then put that in place of the old one.

    Killed in between, run it again with the same file: who has the new name already keeps it.
    Raises ConfigError without a vault, GateRefused, with nothing changed, where somebody's number is not in it, or
    where tombstones would be lost (unless `forget_erased`).
    """
    label = "rotation of pseudonyms"
    vault, current = _vault(context), Path(context.settings.pseudonym_secret_file)
    old, new = pseudonym_key(current), pseudonym_key(new_key)
    if old == new:
        raise ConfigError(f"{new_key}: holds the key that is in use; give another, or a path where one can be made")
    tables = [table for table in reached() if context.lake.has(table)]
    locks = [table for table in TABLES.values() if table.kind is not Kind.VAULT]
    try:
        with progress(context.spark, label), context.lake.lock(*locks), vault.lock(VAULT_NUMBERS, PSEUDONYM_ROTATIONS):
            _refuse_tombstones(context, forget_erased)
            pairs = _pairs(vault, old, new)
            names = Names.of(pairs, partial(_resealed, old, new))
            _refuse_unknown(context, names)
            _note(vault, pairs, old, new, context.run_id)
            before = {table.name: context.lake.version(table) for table in tables}
            for table in tables:
                rename(context.lake, table, names, run_id=context.run_id)
            rename(vault, VAULT_NUMBERS, names, run_id=context.run_id)
            republish(context.lake, before, run_id=context.run_id)
            protect(vault)
            context.lake.store.write_json(KEY_ID, {"key_id": key_id(new)})
            return Rotation(len(pairs), len(tables), _exchange(current, new_key, key_id(old)))
    except Exception as error:
        raise as_visitgrain_error(error, doing=label) from error


def destroy_old_key(context: Context) -> list[Path]:
    """Delete old keys, the map from old names to new ones, and all versions of tables under old names.

    Raises InputMissing when there is no old key.
    """
    vault, current = _vault(context), Path(context.settings.pseudonym_secret_file)
    ours = re.compile(re.escape(current.name) + r"\.[0-9a-f]{8}")
    old = sorted(path for path in current.parent.iterdir() if ours.fullmatch(path.name))
    if not old:
        raise InputMissing(f"{current}: no old key beside it; `visitgrain rotate-pseudonyms --new-key FILE` leaves one")
    locks = [table for table in TABLES.values() if table.kind is not Kind.VAULT]
    with context.lake.lock(*locks), vault.lock(VAULT_NUMBERS, PSEUDONYM_ROTATIONS):
        write_rows(vault.store, PSEUDONYM_ROTATIONS, [], run_id=context.run_id, replace=True)
        for store, tables in ((vault.store, (PSEUDONYM_ROTATIONS, VAULT_NUMBERS)), (context.lake.store, reached())):
            for table in tables:
                purge(store, table)
        protect(vault)
        for path in old:
            path.write_bytes(b"\0" * path.stat().st_size)
            path.unlink()
    return old


def _vault(context: Context) -> Lake:
    if context.vault is None:
        raise ConfigError(
            "vault: not set; new pseudonyms are made from the numbers in it. Set vault to a folder of its own and "
            "deliver `numbers` again (visitgrain ingest --again)"
        )
    return context.vault


def _refuse_tombstones(context: Context, forget_erased: bool) -> None:
    there = len(records(context.lake.store, ERASED_SUBSCRIBERS))
    if there and not forget_erased:
        raise GateRefused(
            f"table erased_subscribers: {there} tombstones know the erased by pseudonyms of the old key only; under "
            "the new one deliveries of old files would bring them back. Delete those files first, then --forget-erased"
        )


def _pairs(vault: Lake, old: bytes, new: bytes) -> dict[int, int]:
    """Old pseudonym -> new one, of all numbers and holders in the vault. Raises GateRefused unless it is one to one."""
    pairs: dict[int, int] = {}
    for row in records(vault.store, VAULT_NUMBERS):
        number = row["number"]
        for identity in (number, f"{number}|{row['valid_from']}"):
            pairs[subscriber_id(old, identity)] = subscriber_id(new, identity)
    if len(set(pairs.values())) < len(pairs) or not pairs.keys().isdisjoint(pairs.values()):
        raise GateRefused("two subscribers would share a pseudonym under the new key; take another key")
    return pairs


def _refuse_unknown(context: Context, names: Names) -> None:
    found = {table.name: rows for table in reached() if (rows := unknown_rows(context.lake, table, names))}
    if found:
        listed = ", ".join(f"{name} {rows:,}" for name, rows in sorted(found.items()))
        raise GateRefused(
            f"rows of subscribers whose number is not in the vault: {listed}. Nothing was changed; deliver `numbers` "
            "with them (visitgrain ingest --again where it came before there was a vault)"
        )


def _note(vault: Lake, pairs: dict[int, int], old: bytes, new: bytes, run_id: str) -> None:
    ids = {"old_key": key_id(old), "new_key": key_id(new)}
    rows = [{"old_id": before, "new_id": after, **ids} for before, after in sorted(pairs.items())]
    write_rows(vault.store, PSEUDONYM_ROTATIONS, rows, run_id=run_id, replace=True)


def _resealed(old: bytes, new: bytes, text: str) -> str:
    return sealed(new, opened(old, text))


def _exchange(current: Path, new_key: Path, old_id: str) -> Path:
    """The new key in place of the old one, which stays beside it until somebody has it destroyed."""
    kept = current.with_name(f"{current.name}.{old_id}")
    if not kept.exists():
        os.link(current, kept)
    os.replace(new_key, current)
    return kept
