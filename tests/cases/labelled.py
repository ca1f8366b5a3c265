"""Rows with one known defect each, among good ones: where each lies, why it must be refused, the hash of its bytes.

Deterministic: the order of the rows is drawn with a fixed seed, everything else is counted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import polars as pl

from tests.cases.dirty_feeds import COLUMNS, csv_row, json_row, parquet_file, parquet_row, text_row
from visitgrain.sources.fields import MAX_FIELD

GOOD, EACH = 2_000, 90  # good rows per format, bad rows per defect
FEW = 3  # of the large ones
FUTURE = datetime(2199, 1, 1, tzinfo=UTC)
LONG = "x" * (MAX_FIELD + 1)

Defects = dict[str, tuple[str, Callable[[str], object]]]  # name -> reason, maker of a row with this id

CSV: Defects = {
    "too few fields": ("columns", lambda id_: f"{id_},d1"),
    "too many fields": ("columns", lambda id_: csv_row(id_) + ",more"),
    "text after a quote": ("quote", lambda id_: csv_row(id_, page='"/a"b')),
    "quote never closed": ("quote", lambda id_: csv_row(id_, price='"1')),
    "no UTF-8": ("encoding", lambda id_: csv_row(id_, page="/").encode() + b"\xff"),
    "half a surrogate pair": ("encoding", lambda id_: csv_row(id_, page="/").encode() + b"\xed\xa0\x80"),
    "GBK": ("encoding", lambda id_: csv_row(id_, page="/套餐").encode("gbk")),
    "NUL": ("encoding", lambda id_: csv_row(id_, page="/\0")),
    "no device": ("null:device_id", lambda id_: csv_row(id_, device="")),
    "no time": ("null:event_time", lambda id_: csv_row(id_, time="")),
    "no type": ("null:event_type", lambda id_: csv_row(id_, kind="")),
    "a word as time": ("type:event_time", lambda id_: csv_row(id_, time="yesterday")),
    "30 February": ("type:event_time", lambda id_: csv_row(id_, time="2026-02-30 10:00:00")),
    "hour 24": ("type:event_time", lambda id_: csv_row(id_, time="2026-03-01 24:00:00")),
    "a word as step": ("type:step_no", lambda id_: csv_row(id_, step="zz")),
    "half a step": ("type:step_no", lambda id_: csv_row(id_, step="1.5")),
    "step beyond 32 bits": ("type:step_no", lambda id_: csv_row(id_, step="2147483648")),
    "infinite price": ("type:amount_fen", lambda id_: csv_row(id_, price="1e400")),
    "no number as price": ("type:amount_fen", lambda id_: csv_row(id_, price="NaN")),
    "unknown type": ("value:event_type", lambda id_: csv_row(id_, kind="clik")),
    "1970": ("range:event_time", lambda id_: csv_row(id_, time="1970-01-01 10:00:00")),
    "9999": ("range:event_time", lambda id_: csv_row(id_, time="9999-12-31 10:00:00")),
    "received in the future": ("range:received_time", lambda id_: csv_row(id_, received="2199-01-01 10:00:00")),
    "no phone number": ("msisdn", lambda id_: csv_row(id_, number="1380013800")),
    "long field": ("size", lambda id_: csv_row(id_, page=LONG)),
}
JSON: Defects = {
    "cut off": ("json", lambda id_: json_row(id_)[:-1]),
    "an array": ("json", lambda id_: f'["{id_}"]'),
    "two objects": ("json", lambda id_: json_row(id_) + json_row(id_)),
    "NaN": ("json", lambda id_: json_row(id_, price=float("nan"))),
    "single quotes": ("json", lambda id_: json_row(id_).replace('"', "'")),
    "half a surrogate pair": ("encoding", lambda id_: json_row(id_)[:-1] + ',"url":"\\ud800"}'),
    "escaped NUL": ("encoding", lambda id_: json_row(id_)[:-1] + ',"url":"\\u0000"}'),
    "no UTF-8": ("encoding", lambda id_: json_row(id_).encode()[:-1] + b',"url":"\xff"}'),
    "too deep": ("size", lambda id_: json_row(id_)[:-1] + ',"url":' + "[" * 120 + "]" * 120 + "}"),
    "long field": ("size", lambda id_: json_row(id_, url=LONG)),
    "too many keys": ("size", lambda id_: json_row(id_, **{f"k{n}": n for n in range(1_000)})),
    "no device": ("null:device_id", lambda id_: json_row(id_, did=None)),
    "no receipt": ("null:event_time", lambda id_: json_row(id_, got=None)),
    "a word as clock": ("type:sent_time", lambda id_: json_row(id_, sent="now")),
    "a word as step": ("type:step_no", lambda id_: json_row(id_, step="zz")),
    "an object as step": ("type:step_no", lambda id_: json_row(id_, step={"a": 1})),
    "unknown type": ("value:event_type", lambda id_: json_row(id_, kind="Click")),
    "microseconds for milliseconds": ("range:event_time", lambda id_: json_row(id_, got=1_772_337_600_000_000)),
    "seconds for milliseconds": ("range:event_time", lambda id_: json_row(id_, got=1_772_337_600)),
    "a word as phone number": ("msisdn", lambda id_: json_row(id_, number="unknown")),
}
TEXT: Defects = {
    "another line": ("pattern", lambda id_: f"restarted {id_}"),
    "one field more": ("pattern", lambda id_: text_row(id_) + " more"),
    "no UTF-8": ("encoding", lambda id_: text_row(id_).encode() + b"\xff"),
    "NUL": ("encoding", lambda id_: text_row(id_) + "\0"),
    "no device": ("null:device_id", lambda id_: text_row(id_, device="-")),
    "no time": ("type:event_time", lambda id_: text_row(id_, time="soon")),
    "month 13": ("type:event_time", lambda id_: text_row(id_, time="01/13/2026 10:00:00")),
    "a word as step": ("type:step_no", lambda id_: text_row(id_, step="zz")),
    "unknown type": ("value:event_type", lambda id_: text_row(id_, kind="GET")),
    "1999": ("range:event_time", lambda id_: text_row(id_, time="01/03/1999 10:00:00")),
    "long field": ("size", lambda id_: text_row(id_, kind=LONG)),
}
PARQUET: Defects = {
    "no device": ("null:device_id", lambda id_: parquet_row(id_, device=None)),
    "no time": ("null:event_time", lambda id_: parquet_row(id_, time=None)),
    "no type": ("null:event_type", lambda id_: parquet_row(id_, kind=None)),
    "unknown type": ("value:event_type", lambda id_: parquet_row(id_, kind="CLICK")),
    "1970": ("range:event_time", lambda id_: parquet_row(id_, time=datetime(1970, 1, 1, tzinfo=UTC))),
    "2199": ("range:event_time", lambda id_: parquet_row(id_, time=FUTURE)),
    "step beyond 32 bits": ("type:step_no", lambda id_: parquet_row(id_, step=2**31)),
    "infinite price": ("type:amount_fen", lambda id_: parquet_row(id_, price=float("inf"))),
    "huge price": ("type:amount_fen", lambda id_: parquet_row(id_, price=1e30)),
    "NUL": ("encoding", lambda id_: parquet_row(id_, device="d\0")),
    "long field": ("size", lambda id_: parquet_row(id_, device=LONG)),
}


@dataclass
class Labelled:
    """One feed: the ids that must be kept, and place, reason and hash of what must not (no hash for Parquet)."""

    good: set[str] = field(default_factory=set)
    bad: dict[tuple[str, int], tuple[str, str | None]] = field(default_factory=dict)


def write_labelled(folder: Path) -> dict[str, Labelled]:
    """Writes the files of every feed below `folder/<feed>`."""
    found = {
        "csv_feed": _text(folder / "csv_feed/events/labelled.csv", CSV, csv_row, head=f"{COLUMNS}\n".encode()),
        "json_feed": _text(folder / "json_feed/labelled.jsonl", JSON, json_row),
        "text_feed": _text(folder / "text_feed/labelled.log", TEXT, text_row),
    }
    rows, name = _mixed("parquet", PARQUET, parquet_row), "labelled.parquet"
    parquet_file([row for _, _, row in rows], folder / "parquet_feed" / name, step=pl.Int64)
    label = found["parquet_feed"] = Labelled({id_ for reason, id_, _ in rows if not reason})
    label.bad = {(name, n): (reason, None) for n, (reason, _, _) in enumerate(rows) if reason}
    return found


def _mixed(feed: str, defects: Defects, good: Callable[[str], object]) -> list[tuple[str, str, object]]:
    """(reason or '', id, row) of good and bad rows, shuffled."""
    rows = [("", f"good-{feed}-{n}", good(f"good-{feed}-{n}")) for n in range(GOOD)]
    for place, (reason, make) in enumerate(defects.values()):
        ids = [f"bad-{feed}-{place}-{n}" for n in range(FEW if reason == "size" else EACH)]
        rows += [(reason, id_, make(id_)) for id_ in ids]
    return Random(20260301).sample(rows, len(rows))


def _text(path: Path, defects: Defects, good: Callable[[str], object], head: bytes = b"") -> Labelled:
    label, content = Labelled(), bytearray(head)
    name = path.relative_to(next(p for p in path.parents if p.name.endswith("_feed"))).as_posix()
    for reason, id_, row in _mixed(path.suffix[1:], defects, good):
        line = row if isinstance(row, bytes) else str(row).encode()
        if reason:
            label.bad[name, len(content)] = reason, hashlib.sha256(line).hexdigest()
        else:
            label.good.add(id_)
        content += line + b"\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(content))
    return label


def id_in(payload: str) -> str | None:
    """Id in the payload of a Parquet row."""
    return json.loads(payload).get("id")
