"""A made-up shop log and its mapping, for the tests of ingest."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from jobs.ingest_source import ingest
from tests.jobs.runtime_world import context
from visitgrain.runtime.context import Context
from visitgrain.runtime.settings import default_conf
from visitgrain.sources.result import IngestResult

SHOP = """\
source: shop
description: events and orders of a made-up shop
format: csv
zone: Asia/Shanghai
optional: [note]
tables:
  events:
    files: "events/*"
    where:
      - {rule: health_checks, keep: "is_null(page) or page != '/health'"}
    columns:
      event_id: id
      device_id: device
      subscriber_id: pseudonym(number)
      event_time: time
      received_time: received
      event_type: kind
      page: page
      step_no: step
      amount_fen: fen(price)
      props: map(note=note)
    defaults: {channel: web}
  orders:
    files: "orders/*"
    columns: {order_id: id, order_time: time, status: status, amount_fen: fen(price)}
    defaults: {channel: web}
  subscriber_month:
    files: "months/*"
    columns: {subscriber_id: pseudonym(number), month: "date(month, 'yyyy-MM')", arpu_fen: fen(arpu)}
"""
HEADER = "id,device,number,time,received,kind,page,step,price"


def shop_context(spark, tmp_path: Path, *, mapping: str = SHOP, lake: str = "lake") -> Context:
    """A context with the shop's mapping beside the shipped configuration."""
    conf = tmp_path / "conf"
    if not conf.exists():
        shutil.copytree(default_conf(), conf)
    (conf / "sources" / "shop.yaml").write_text(mapping)
    made = context(spark, tmp_path / lake, pseudonym_secret_file=tmp_path / "secrets" / "key")
    made.conf = conf
    return made


def event(id_: str, time: str, *, received: str = "", device: str = "d1", **more: str) -> str:
    """One line of the events file."""
    fields = {"number": "", "kind": "page_view", "page": "/", "step": "", "price": "", **more}
    return ",".join(
        [id_, device, fields["number"], time, received, *(fields[n] for n in ("kind", "page", "step", "price"))]
    )


def delivery(folder: Path, files: Mapping[str, str | bytes | list[str]]) -> Path:
    """Files by name below `folder`; a list is the lines of an events file under its header."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, list):
            content = "\n".join([HEADER, *content]) + "\n"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def deliver(made: Context, folder: Path, files: Mapping[str, str | bytes | list[str]]) -> IngestResult:
    return ingest(made, source="shop", path=delivery(folder, files))


def outcomes(result: IngestResult, table: str = "events") -> dict[str, int]:
    found = next(t for t in result.tables if t.table == table)
    assert sum(found.outcomes.values()) == found.rows_read
    return found.outcomes
