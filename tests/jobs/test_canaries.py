"""H1, H2: twenty numbers that exist nowhere else go through all pipelines; nothing but the vault shows one."""

from __future__ import annotations

import io
import logging
import re
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.erase_subscribers import erase, request
from jobs.ingest_source import ingest
from pipelines import daily, daily_metrics, monthly, monthly_churn, monthly_metrics, monthly_value
from tests.jobs.ingest_world import HEADER, SHOP, delivery, event, shop_context
from visitgrain.errors import GateRefused
from visitgrain.expressions.keyed_hash import subscriber_id
from visitgrain.runtime.runner import run_pipeline
from visitgrain.sources.secret import pseudonym_key
from visitgrain.span import Span
from visitgrain.tables.privacy import VAULT_NUMBERS

pytestmark = pytest.mark.faults

CANARIES = [f"139{n:02}77{n:02}31" for n in range(20)]
MAPPING = (
    SHOP.replace("pseudonym(number)\n      event_time", "pseudonym(msisdn(number))\n      event_time").replace(
        "pseudonym(number), month", "'pseudonym(msisdn(number), date(since))', month"
    )
    + """\
  numbers:
    files: "numbers/*"
    columns:
      number_id: pseudonym(msisdn(number))
      subscriber_id: pseudonym(msisdn(number), date(since))
      valid_from: since
      number: msisdn(number)
"""
)
DAY = date(2026, 3, 1)


def canaries_in(folder: Path) -> dict[str, set[str]]:
    """Files with a canary in their bytes, or in a text of their rows: Parquet compresses."""
    found = {}
    for file in (f for f in folder.rglob("*") if f.is_file()):
        text = file.read_bytes() + str(file.relative_to(folder)).encode()
        if file.name.endswith(".parquet"):
            text += str(pq.read_table(pa.BufferReader(file.read_bytes())).to_pylist()).encode()
        if hits := {number for number in CANARIES if number.encode() in text}:
            found[str(file.relative_to(folder))] = hits
    return found


def feed() -> dict[str, list[str] | str]:
    """Numbers in a column, in an address, in a note, in a field that nobody reads, in rows that are refused."""
    rows = [event(f"e{n}", f"2026-03-01T10:{n:02}:00", device=f"d{n}", number=c) for n, c in enumerate(CANARIES)]
    rows += [event("url", "2026-03-01T11:00:00", page=f"/topup?number={CANARIES[0]}")]
    rows += [event("bad", "2026-03-01T11:00:00", number=CANARIES[1], step="x")]
    rows += [event("long", "2026-03-01T11:00:00", number=f"{CANARIES[2]}0")]  # a digit too many
    more = [f"note{n},d{n},,2026-03-01T12:00:00,,click,/,,,{c},{c}" for n, c in enumerate(CANARIES[:3])]
    numbers = [*(f"{c},2020-01-01" for c in CANARIES), f"{CANARIES[3]},never", ""]
    return {
        "events/a.csv": rows,
        "events/b.csv": "\n".join([f"{HEADER},note,secret_field", *more, ""]),
        "numbers/n.csv": "\n".join(["number,since", *numbers]),
        "months/m.csv": "\n".join(["number,since,month,arpu", *(f"{c},2020-01-01,2026-03,59" for c in CANARIES)]),
    }


def test_h01_and_h02_no_number_outside_of_the_vault(spark, tmp_path, capfd):
    made = shop_context(spark, tmp_path, mapping=MAPPING)
    made.settings = made.settings.model_copy(
        update={"vault": str(tmp_path / "vault"), "mlflow_uri": f"sqlite:///{tmp_path}/mlflow.db"}
    )
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    logging.getLogger("visitgrain").addHandler(handler)
    source = delivery(tmp_path / "feed", feed())
    assert canaries_in(source)  # the search can find them
    result = ingest(made, source="shop", path=source)
    outcomes = {table.table: table.outcomes for table in result.tables}
    assert outcomes["events"] == {"kept": 24, "quarantined:msisdn": 1, "quarantined:type:step_no": 1}
    assert outcomes["numbers"] == {"kept": 20, "quarantined:type:valid_from": 1}
    for pipeline in (daily, daily_metrics):
        run_pipeline(pipeline.PIPELINE, Span(DAY, DAY), made)
    for pipeline in (monthly, monthly_metrics, monthly_churn, monthly_value):
        run_pipeline(pipeline.PIPELINE, Span.month_of(DAY), made)
    with pytest.raises(GateRefused) as refused:
        ingest(made, source="shop", path=delivery(tmp_path / CANARIES[4], {"events/x.csv": f"{CANARIES[5]},x\n"}))
    logging.getLogger("visitgrain").removeHandler(handler)

    said = "".join(capfd.readouterr()) + log.getvalue() + str(refused.value)
    assert not [number for number in CANARIES if number in said]
    assert canaries_in(tmp_path / "lake") == {}
    assert canaries_in(tmp_path / "conf") == {}
    held = {row.number for row in made.vault.read(VAULT_NUMBERS).collect()}
    assert held == set(CANARIES)
    assert {name.partition("/")[0] for name in canaries_in(tmp_path / "vault")} == {"vault_numbers"}

    # H2: one of them is erased
    gone, key = CANARIES[1], pseudonym_key(tmp_path / "secrets" / "key")
    request(made, [subscriber_id(key, f"{gone}|2020-01-01")])
    done = erase(made)
    assert {"events", "visits", "numbers", "quarantined_events", "vault_numbers"} <= {*done.rows}
    in_vault = set().union(*canaries_in(tmp_path / "vault").values())
    assert in_vault == {*CANARIES} - {gone}
    names = [str(subscriber_id(key, gone)), str(subscriber_id(key, f"{gone}|2020-01-01"))]
    for folder in ("lake", "vault"):
        for file in (f for f in (tmp_path / folder).rglob("*") if f.is_file()):
            assert not re.search("|".join(names).encode(), file.read_bytes()), file
