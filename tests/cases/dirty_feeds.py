"""Four feeds full of defects, one per format: files by name, and the mappings that read them.

Cases of one row list live in `test_bad_input.py`; `labelled` adds thousands of rows with one known defect each.
"""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

COLUMNS = "id,device,number,time,received,kind,page,step,price"
CSV_FEED = """\
source: csv_feed
description: events of a made-up shop as CSV
format: csv
zone: Asia/Shanghai
optional: [note]
ignored: ["internal_*"]
tables:
  events:
    files: "events/*"
    where:
      - {rule: health_checks, keep: "is_null(page) or page != '/health'"}
    columns:
      event_id: id
      device_id: device
      subscriber_id: pseudonym(msisdn(number))
      event_time: time
      received_time: received
      event_type: kind
      page: page
      step_no: step
      amount_fen: fen(price)
      props: map(note=note)
    defaults: {channel: web}
  subscriber_month:
    files: "months/*"
    columns:
      subscriber_id: pseudonym(number)
      month: "date(month, 'yyyy-MM')"
      arpu_fen: fen(arpu)
      dou_mb: dou
      sms_count: sms
"""
JSON_FEED = """\
source: json_feed
description: events of a made-up app as JSON lines
format: json
zone: Asia/Shanghai
tables:
  events:
    columns:
      event_id: id
      device_id: did
      subscriber_id: pseudonym(msisdn(number))
      received_time: epoch(got, 'ms')
      sent_time: epoch(sent, 'ms')
      created_time: epoch(made, 'ms')
      event_type: kind
      page: url
      step_no: step
      amount_fen: fen(price)
      props: map(user_agent=agent)
    defaults: {channel: app}
"""
TEXT_FEED = """\
source: text_feed
description: events of a made-up server, a line each
format: text
zone: Asia/Shanghai
pattern: '(?P<id>\\S+) (?P<device>\\S+) \\[(?P<time>[^]]*)\\] (?P<kind>\\S+) (?P<step>\\S+)'
nulls: ["-"]
tables:
  events:
    columns:
      event_id: id
      device_id: device
      event_time: timestamp(time, 'dd/MM/yyyy HH:mm:ss')
      event_type: kind
      step_no: step
    defaults: {channel: wechat}
"""
PARQUET_FEED = """\
source: parquet_feed
description: events of a made-up hall as Parquet
format: parquet
zone: Asia/Shanghai
tables:
  events:
    columns:
      {event_id: id, device_id: device, event_time: time, event_type: kind, step_no: step, amount_fen: fen(price)}
    defaults: {channel: web}
"""
FEEDS = {"csv_feed": CSV_FEED, "json_feed": JSON_FEED, "text_feed": TEXT_FEED, "parquet_feed": PARQUET_FEED}
NOON = 1_772_337_600_000  # 2026-03-01 12:00 in Shanghai, in milliseconds
DAY_MS = 86_400_000


def csv_row(id_: str, **more: str) -> str:
    fields = {"device": "d1", "number": "", "time": "2026-03-01 10:00:00", "received": "", "kind": "click", "page": "/"}
    fields |= {"step": "", "price": "", **more}
    return ",".join([id_, *(fields[name] for name in COLUMNS.split(",")[1:])])


def csv_file(*rows: str, header: str = COLUMNS) -> bytes:
    return ("\n".join([header, *rows]) + "\n").encode()


def json_row(id_: str, **more: object) -> str:
    row = {"id": id_, "did": "d1", "got": NOON, "sent": NOON, "made": NOON, "kind": "click", **more}
    return json.dumps(row, ensure_ascii=False)


def lines(*rows: str) -> bytes:
    return "".join(row + "\n" for row in rows).encode()


def text_row(id_: str, *, device: str = "d1", time: str = "01/03/2026 10:00:00", kind: str = "click", step: str = "1"):
    return f"{id_} {device} [{time}] {kind} {step}"


def parquet_row(id_: str | None, **more: object) -> dict[str, object]:
    row = {"id": id_, "device": "d1", "time": datetime(2026, 3, 1, 2, tzinfo=UTC), "kind": "click", "step": 1}
    return {**row, "price": 1.5, **more}


def parquet_file(rows: list[dict[str, object]], path: Path, **types: pl.DataType) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    time = pl.Datetime("us", "UTC")
    schema = {
        "id": pl.String,
        "device": pl.String,
        "time": time,
        "kind": pl.String,
        "step": pl.Int32,
        "price": pl.Float64,
    }
    pl.DataFrame(rows, schema={**schema, **types}).write_parquet(path)


def written(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def cut_gzip(content: bytes, away: int) -> bytes:
    return gzip.compress(content, mtime=0)[:-away]
