"""Which features a model may learn from: had by enough rows, and the same thing in later months."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from visitgrain.churn import sent_rows
from visitgrain.churn.model_rows import FeatureSet
from visitgrain.churn.sent_rows import SentRows

CHOOSE, TEST = np.datetime64("2025-03", "M"), np.datetime64("2025-05", "M")
MONTHS = np.arange("2025-01", "2025-07", dtype="datetime64[M]")  # two to learn from, two to choose on, two to test on


class Sent(SentRows):
    """Rows that are here already, in tables of `size` rows."""

    def __init__(self, rows: pa.Table, size: int = 500) -> None:
        self._number = len(rows)
        self.tables = [rows.slice(start, size) for start in range(0, len(rows), size)]

    def _tables(self):
        return iter(self.tables)


def world(subscribers: int) -> pa.Table:
    """By month m = 0, 1, …: `steady` is the same, `grows` adds a standard deviation a month, `later` jumps in the test
    months, `rare` is there for 1 row in 50, `recency` grows as `grows` does."""
    chance = np.random.default_rng(0)
    number = np.repeat(np.arange(len(MONTHS)), subscribers)
    grows = chance.normal(size=len(number)) + number
    columns = {
        "steady": chance.normal(size=len(number)),
        "grows": grows,
        "later": chance.normal(size=len(number)) + 9 * (number >= 4),
        "rare": np.where(np.arange(len(number)) % 50 == 0, 1.0, np.nan),
        "recency": grows,
    }
    key = {
        "subscriber_id": np.tile(np.arange(subscribers), len(MONTHS)),
        "month": MONTHS[number].astype("datetime64[D]"),
    }
    order = chance.permutation(len(number))
    return pa.table({name: column[order] for name, column in {**key, **columns}.items()})


def learnable(sent: Sent) -> tuple[tuple[str, ...], dict[str, str]]:
    features = FeatureSet(dict.fromkeys(("steady", "grows", "later", "rare", "recency"), ""))
    kept, wrong = sent.learnable(features, choose=CHOOSE, test=TEST, least=0.05, most=0.5)
    return kept.names, wrong


def test_what_moves_before_the_test_is_left_out_with_the_reason():
    """The test months themselves have no say, and the baselines' own features stay."""
    kept, wrong = learnable(Sent(world(500)))
    assert kept == ("steady", "later", "recency")
    assert wrong.keys() == {"grows", "rare"}
    assert wrong["grows"] == "PSI 2.88 between training and choosing months"
    assert wrong["rare"] == "2.0% of the rows have it"


def test_chance_among_a_few_rows_is_no_drift():
    """Ten rows a side: PSI of `steady` is above the limit, and no more than chance makes of so few."""
    few = Sent(world(5))
    kept, _ = learnable(few)
    found, at_most = few.drift(["steady"], CHOOSE, TEST, 0.5)["steady"]
    assert 0.5 < found < at_most
    assert "steady" in kept


def test_of_many_rows_some_subscribers_are_looked_at_whatever_comes_first(monkeypatch):
    monkeypatch.setattr(sent_rows, "JUDGED_ROWS", 1000)
    rows = world(500)
    one = Sent(rows).drift(["steady", "grows"], CHOOSE, TEST, 0.5)
    backwards = Sent(rows.take(np.arange(len(rows))[::-1]), size=70).drift(["steady", "grows"], CHOOSE, TEST, 0.5)
    assert one == backwards
    assert one != Sent(rows.filter(pc.less(rows["subscriber_id"], 400))).drift(["steady", "grows"], CHOOSE, TEST, 0.5)


def test_without_months_to_choose_on_nothing_is_told():
    rows = world(20)
    early = rows.filter(pc.less(rows["month"], date(2025, 3, 1)))
    assert Sent(early).drift(["steady"], CHOOSE, TEST, 0.5) == {}
