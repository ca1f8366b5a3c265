"""The vault of numbers: filled from a foreign list, held by one subscriber at a time."""

from __future__ import annotations

from datetime import date

from jobs.ingest_source import ingest
from jobs.requarantine import requarantine
from tests.cases.conftest import feed_context
from tests.cases.dirty_feeds import written
from visitgrain.expressions.keyed_hash import subscriber_id
from visitgrain.tables.inputs import NUMBERS
from visitgrain.tables.privacy import VAULT_NUMBERS
from visitgrain.tables.runs import QUARANTINED_EVENTS

VAULT = """\
source: vault
description: who held which number
format: csv
zone: Asia/Shanghai
tables:
  numbers:
    columns:
      number_id: pseudonym(msisdn(number))
      subscriber_id: pseudonym(msisdn(number), date(activated))
      valid_from: activated
      valid_to: returned
      number: msisdn(number)
"""
HEAD = "number,activated,returned\n"
A, B, C, D = (f"1380013800{n}" for n in range(4))
KEY = "k" * 32


def test_the_vault(spark, tmp_path):
    made = feed_context(spark, tmp_path, vault=VAULT)
    made.settings = made.settings.model_copy(update={"vault": str(tmp_path / "vault")})
    (tmp_path / "key").write_text(KEY)
    (tmp_path / "key").chmod(0o600)

    def give(name: str, *rows: str):
        folder = written(tmp_path / name, {f"{name}.csv": (HEAD + "".join(f"{row}\n" for row in rows)).encode()})
        return ingest(made, source="vault", path=folder).tables[0].outcomes

    def held() -> list[tuple]:
        assert made.lake.read(NUMBERS).where("number is not null").isEmpty()  # the lake itself never has them
        rows = made.vault.read(VAULT_NUMBERS).select("number", "valid_from", "valid_to").collect()
        return sorted((row[0], str(row[1]), row[2] and str(row[2])) for row in rows)

    first = give(
        "first",
        f"+86 {A},2020-01-01,2024-01-01",  # recycled: two holders, one after the other
        f"{A},2024-01-01,",
        f"{B},2021-01-01,",
        f"{C},2020-01-01,2022-01-01",  # these two overlap for a day
        f"{C},2021-12-31,",
        f"{D},2020-01-01,2020-01-01",  # held for no day
        "12345,2020-01-01,",
    )
    assert first == {"kept": 3, "quarantined:msisdn": 1, "quarantined:overlap": 2, "quarantined:range:valid_to": 1}
    assert held() == [(A, "2020-01-01", "2024-01-01"), (A, "2024-01-01", None), (B, "2021-01-01", None)]
    by_start = {(row.number, str(row.valid_from)): row for row in made.vault.read(VAULT_NUMBERS).collect()}
    old, new = by_start[A, "2020-01-01"], by_start[A, "2024-01-01"]
    # What a log that knows only the number carries as its subscriber is number_id.
    assert old.number_id == new.number_id == subscriber_id(KEY.encode(), A)
    assert old.subscriber_id == subscriber_id(KEY.encode(), f"{A}|2020-01-01")
    assert new.subscriber_id == subscriber_id(KEY.encode(), f"{A}|2024-01-01")

    # B gets a new holder before anybody said that the old one is gone: refused, what is known stays.
    assert give("second", f"{B},2025-01-01,", f"{A},2024-01-01,") == {
        "kept": 0,
        "duplicate": 1,
        "quarantined:overlap": 1,
    }
    assert (B, "2021-01-01", None) in held()
    # The end of the old one comes, and the refused row can follow.
    assert give("third", f"{B},2021-01-01,2024-12-01") == {"kept": 1}
    [part] = requarantine(made, reason="overlap", fixed_by="the end of the former holder came")
    assert part.result.outcomes == {"kept": 1, "quarantined:overlap": 2}
    assert [row for row in held() if row[0] == B] == [(B, "2021-01-01", "2024-12-01"), (B, "2025-01-01", None)]
    waiting = made.lake.read(QUARANTINED_EVENTS).where("replayed_at is null").collect()
    assert sorted(row.reason for row in waiting) == ["msisdn", "overlap", "overlap", "range:valid_to"]
    for path in (tmp_path / "vault", *(tmp_path / "vault").rglob("*")):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
    assert "dataSkippingStatsColumns" in (log := made.vault.store.read_text(f"vault_numbers/_delta_log/{0:020}.json"))
    assert '"valid_from,valid_to"' in log
    assert made.lake.read(NUMBERS).where("valid_from = '2024-01-01'").first().valid_from == date(2024, 1, 1)
