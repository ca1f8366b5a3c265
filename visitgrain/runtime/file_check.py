"""Are the data files of a table what was written? Looked at before rows are read: a wrong footer reads as wrong rows.

A file's name ends with a checksum of its footer; its pages have checksums of their own, verified by whoever reads them.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from visitgrain.errors import GateRefused
from visitgrain.runtime.storage import Store
from visitgrain.tables import Table

if TYPE_CHECKING:
    from visitgrain.runtime.delta_log import DataFile

TAIL = 8  # bytes at the end of a Parquet file: length of the footer, and PAR1
LOOKS = 16  # files looked at at once, for lakes on remote storage
_FOOTER = re.compile(r"-[0-9a-f]{32}-([0-9a-f]{8})\.")


def footer_checksum(content: bytes | memoryview) -> str:
    """Of the bytes of a Parquet file, or of its last ones if they hold the footer."""
    length = int.from_bytes(content[-TAIL:-4], "little") + TAIL
    return f"{zlib.crc32(content[-length:]):08x}"


def is_intact(store: Store, table: Table, file: DataFile) -> bool:
    """Is the file there, as large as it was written, with the footer that was written?"""
    return not _problem(store, table, file)


def check_files(store: Store, table: Table, files: Iterable[DataFile]) -> None:
    """Raises GateRefused when one of them is not intact."""
    wanted = list(files)
    with ThreadPoolExecutor(LOOKS) as threads:
        problems = threads.map(lambda file: _problem(store, table, file), wanted)
        found = [(file, problem) for file, problem in zip(wanted, problems, strict=True) if problem]
    if found:
        file, problem = found[0]
        more = f", and {len(found) - 1} more files" if len(found) > 1 else ""
        raise GateRefused(
            f"table {table.name}: file {store.path(table.name, file.path)} {problem}{more}; its rows cannot be read. "
            "Restore it from a backup, or run the job that wrote this table again for its period"
        )


def _problem(store: Store, table: Table, file: DataFile) -> str:
    name = f"{table.name}/{file.path}"
    size = store.size(name)
    if size < 0:
        return "is missing"
    if size != file.bytes:
        return f"has {size} bytes, the log says {file.bytes}"
    written = _FOOTER.search(file.path)  # of another program, or an earlier visitgrain: no checksum
    if written is None:
        return ""
    tail = store.read_end(name, TAIL)
    footer = store.read_end(name, int.from_bytes(tail[:4], "little") + TAIL)
    return "" if footer_checksum(footer) == written[1] else "has another footer than the one that was written"
