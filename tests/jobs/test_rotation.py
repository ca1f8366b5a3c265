"""H7: another key gives everybody another pseudonym, one for one; what belongs together still does."""

from __future__ import annotations

import re

import pytest

from jobs.requarantine import requarantine
from jobs.rotate_pseudonyms import destroy_old_key, rotate
from tests.jobs.ingest_world import deliver, event, outcomes, shop_context
from tests.jobs.test_canaries import MAPPING
from visitgrain.errors import GateRefused, InputMissing
from visitgrain.expressions.keyed_hash import subscriber_id
from visitgrain.runtime.records import records
from visitgrain.sources.secret import pseudonym_key
from visitgrain.tables.inputs import EVENTS, NUMBERS
from visitgrain.tables.privacy import PSEUDONYM_ROTATIONS
from visitgrain.tables.runs import QUARANTINED_EVENTS

pytestmark = pytest.mark.faults

A, B, STRANGER = "13800138000", "13900139000", "13700137000"
SINCE = "2020-01-01"


def owners(made) -> dict[str, int | None]:
    return {row.event_id: row.subscriber_id for row in made.lake.read(EVENTS).collect()}


def test_h07_rotation(spark, tmp_path):
    made = shop_context(spark, tmp_path, mapping=MAPPING)
    made.settings = made.settings.model_copy(update={"vault": str(tmp_path / "vault")})
    numbers = "\n".join(["number,since", f"{A},{SINCE}", f"{B},{SINCE}", ""])
    days = [
        event(f"{name}{n}", f"2026-03-0{n}T10:00:00", number=who) for name, who in (("a", A), ("b", B)) for n in (1, 2)
    ]
    rows = [*days, event("nobody", "2026-03-01T10:00:00"), event("bad", "2026-03-01T10:00:00", number=A, step="x")]
    deliver(made, tmp_path / "1", {"events/e.csv": rows, "numbers/n.csv": numbers})
    path, fresh = tmp_path / "secrets" / "key", tmp_path / "secrets" / "fresh"
    old = pseudonym_key(path)
    before = owners(made)
    assert before["a1"] == before["a2"] == subscriber_id(old, A)

    # somebody without a number in the vault: refused, nothing changed
    deliver(made, tmp_path / "2", {"events/e.csv": [event("s", "2026-03-03T10:00:00", number=STRANGER)]})
    with pytest.raises(GateRefused, match=r"not in the vault: events 1\. Nothing was changed"):
        rotate(made, fresh)
    assert owners(made) == {**before, "s": subscriber_id(old, STRANGER)}
    deliver(made, tmp_path / "3", {"numbers/s.csv": f"number,since\n{STRANGER},{SINCE}\n"})

    before = owners(made)
    done = rotate(made, fresh)
    new = pseudonym_key(path)
    after = owners(made)
    assert new != old
    assert not fresh.exists()
    assert after["a1"] == after["a2"] == subscriber_id(new, A)
    assert after["nobody"] is None
    # one to one: as many people, each with the events they had
    assert len({*after.values()}) == len({*before.values()}) == 4
    assert len({(before[e], after[e]) for e in after}) == 4
    held = {row.number_id: row.subscriber_id for row in made.lake.read(NUMBERS).collect()}
    assert held[after["a1"]] == subscriber_id(new, f"{A}|{SINCE}")
    # the refused row can still be opened, and lands under the new name
    [refused] = made.lake.read(QUARANTINED_EVENTS).collect()
    assert A not in refused.payload
    assert (
        requarantine(made, reason="type:step_no", fixed_by="nothing")[0].result.outcomes["quarantined:type:step_no"]
        == 1
    )
    assert outcomes(
        deliver(made, tmp_path / "4", {"events/e.csv": [event("a3", "2026-03-03T10:00:00", number=A)]})
    ) == {"kept": 1}
    assert owners(made)["a3"] == after["a1"]

    # the operator's word
    assert len(records(made.vault.store, PSEUDONYM_ROTATIONS)) == done.pseudonyms == 6
    [gone] = destroy_old_key(made)
    assert not gone.exists()
    assert records(made.vault.store, PSEUDONYM_ROTATIONS) == []
    names = re.compile("|".join(str(i) for i in before.values() if i).encode())
    for folder in ("lake", "vault", "secrets"):
        for file in (f for f in (tmp_path / folder).rglob("*") if f.is_file()):
            assert not names.search(file.read_bytes()), file
            assert old not in file.read_bytes()
    with pytest.raises(InputMissing, match="no old key beside it"):
        destroy_old_key(made)
