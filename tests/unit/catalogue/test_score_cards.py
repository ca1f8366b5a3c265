"""Score cards: what is shipped, and what the loader refuses with file, line and a way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from visitgrain.catalogue.score_cards import BEHAVIOURS, load_score_cards
from visitgrain.errors import ConfigError

SHIPPED = Path(__file__).parents[3] / "conf" / "catalogue" / "score_cards"
CARD = """\
purpose: general
version: "1"
zh: 综合
en: general
description: all
ridge: 0.1
weights:
  click: 1
  {line}
"""


def write(folder: Path, line: str, name: str = "general") -> Path:
    (folder / f"{name}.yaml").write_text(CARD.format(line=line), encoding="utf-8")
    return folder


def test_a_card_for_every_purpose_is_shipped():
    cards = load_score_cards(SHIPPED)
    assert set(cards) == {"general", "purchase_intent", "service", "engagement", "benefit"}
    assert all(card.zh and card.en and card.weights for card in cards.values())


def test_behaviours_are_the_counts_of_a_visit():
    assert {"click", "order_paid", "crash", "plan_events", "pages"} <= set(BEHAVIOURS)
    assert not {"weekday", "hour", "funnel_stage", "visits_30d", "duration_s", "bounced"} & set(BEHAVIOURS)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("order_payed: 2", "general.yaml:9:.*unknown behaviour; did you mean 'order_paid'.*allowed are the counts"),
        ("search: 0", "general.yaml:9:.*no effect; leave the behaviour out"),
        ("search: 0.1234", "general.yaml:9:.*at most 3 decimals"),
        ("search: lots", "general.yaml:9:.*number"),
        ("click: 3", "general.yaml:9:3: duplicate key 'click'"),
    ],
)
def test_wrong_weights_are_refused_at_their_line(tmp_path, line, message):
    with pytest.raises(ConfigError, match=message):
        load_score_cards(write(tmp_path, line))


def test_a_file_is_named_after_its_purpose(tmp_path):
    write(tmp_path, "search: 1")
    with pytest.raises(ConfigError, match=r"other.yaml: purpose 'general' is not the file's name"):
        load_score_cards(write(tmp_path, "search: 1", name="other"))


def test_the_general_card_must_exist(tmp_path):
    with pytest.raises(ConfigError, match=r"no card 'general'; add general\.yaml"):
        load_score_cards(tmp_path)
